"""YAML with the line of every value, read as YAML 1.2 (JSON's types) and within limits.

The values are built from parser events, not by PyYAML's constructors: no tag can build an object, ``17:00`` stays
a text (YAML 1.1 reads it as the number 1020) and ``no`` is not false. Aliases are expanded and counted, so that
a file of a few lines cannot grow to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

import yaml

from pipeline.catalog.problems import Findings, Place

# Ten times the largest catalogue file seen in the open; bigger ones are generated and can be split.
FILE_BYTES_MAX: Final = 4 << 20
# Values in one file, aliases expanded: a file of the largest size holds fewer when written by hand.
FILE_NODES_MAX: Final = 400_000
# Levels of nesting: the deepest model needs eight.
NESTING_LEVELS_MAX: Final = 32

Path = tuple[str | int, ...]

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast
_STRING_TAG: Final = "tag:yaml.org,2002:str"
_MERGE_KEY: Final = "<<"
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEAN: Final = {
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
# Digits are bounded because converting longer runs is slow, and Python refuses them above 4,300.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(slots=True)
class Document:
    """One YAML document as plain values.

    Attributes:
        file: path relative to the configuration directory.
        line: where it begins.
        value: mapping, list or scalar.
        lines: path of each key and list item -> its line.
        files: path of what another file says, inherited from there -> that file.
    """

    file: str
    line: int
    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    files: dict[Path, str] = field(default_factory=dict)

    def at(self, *path: str | int) -> Place:
        """Place of a path, or of the nearest thing above it that is written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return Place(self.files.get(path, self.file), self.lines.get(path, self.line))


class _RefusedError(Exception):
    """The file breaks a rule of ours. Attributes: line and message."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class _Node:
    """A parsed value before it is converted.

    Attributes:
        shape: ``scalar``, ``mapping`` or ``list``.
        text: of a scalar.
        plain: the scalar was written without quotes, so it may be a number, a boolean or nothing.
        children: items of a list; keys and values of a mapping by turns.
    """

    line: int
    shape: str
    text: str = ""
    plain: bool = False
    children: list[_Node] = field(default_factory=list)


def read_documents(file: str, data: bytes, findings: Findings) -> list[Document]:
    """Every document of a file that is not empty.

    Args:
        file: its name, for messages.
        data: its bytes.
        findings: takes what is wrong; the documents before the fault are still returned.
    """
    if len(data) > FILE_BYTES_MAX:
        findings.problem(Place(file, 1), f"larger than {FILE_BYTES_MAX:,} bytes; split the file")
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.problem(Place(file, line), "not UTF-8; save the file in that encoding")
        return []
    documents: list[Document] = []
    builder = _Builder(file, findings)
    try:
        for node in _parse(text):
            document = builder.document(node)
            if document.value is not None:
                documents.append(document)
    except _RefusedError as refused:
        findings.problem(Place(file, refused.line), refused.message)
    except yaml.YAMLError as error:
        findings.problem(*_syntax(file, text, error))
    return documents


def _syntax(file: str, text: str, error: yaml.YAMLError) -> tuple[Place, str]:
    """Place and words of a syntax error."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    position = getattr(error, "position", None)  # of a character that YAML does not allow
    line = mark.line + 1 if mark else 1
    if mark is None and isinstance(position, int):
        line = text[:position].count("\n") + 1
    return Place(file, line), f"not YAML: {words}"


def _parse(text: str) -> Iterator[_Node]:
    """Root node of each document. Anchors hold within their document."""
    # The loader is a safe one, and only its events are used: nothing is constructed.
    events = iter(yaml.parse(text, Loader=_LOADER))
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield _Composer(events).root()


class _Composer:
    """Builds one document's nodes from events, with a stack of its own, so that no depth can overflow Python's."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Node] = {}
        self._open: list[_Node] = []  # collections under way, outermost first
        self._root: _Node | None = None

    def root(self) -> _Node:
        for event in self._events:
            if isinstance(event, yaml.DocumentEndEvent):
                break
            self._take(event)
        return self._root or _Node(1, "scalar", plain=True)

    def _take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            self._place(self._aliased(event, line))
        elif isinstance(event, yaml.ScalarEvent):
            plain = bool(event.implicit[0])  # no quotes, no tag
            self._place(self._named(event, _Node(line, "scalar", event.value, plain)))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            shape = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            if len(self._open) >= NESTING_LEVELS_MAX:
                raise _RefusedError(line, f"nested deeper than {NESTING_LEVELS_MAX} levels")
            self._open.append(self._named(event, _Node(line, shape)))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._place(self._open.pop())

    def _named(self, event: yaml.NodeEvent, node: _Node) -> _Node:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", _STRING_TAG):
            raise _RefusedError(node.line, f"tag {tag} is not allowed: configuration is plain values")
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _aliased(self, event: yaml.AliasEvent, line: int) -> _Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise _RefusedError(line, f"alias *{event.anchor} has no anchor &{event.anchor} before it")
        if any(node is outer for outer in self._open):
            raise _RefusedError(line, f"alias *{event.anchor} contains itself")
        return node

    def _place(self, node: _Node) -> None:
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node


class _Builder:
    """Turns nodes into values, noting lines; counts nodes over the whole file."""

    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._count = 0

    def document(self, root: _Node) -> Document:
        document = Document(self._file, root.line, None)
        document.value = self._value(document, root, ())
        return document

    def _value(self, document: Document, node: _Node, path: Path) -> Any:
        self._count += 1
        if self._count > FILE_NODES_MAX:
            raise _RefusedError(node.line, f"more than {FILE_NODES_MAX:,} values, aliases expanded; split the file")
        if len(path) > NESTING_LEVELS_MAX:  # aliases inside aliases can nest beyond what is written
            raise _RefusedError(node.line, f"nested deeper than {NESTING_LEVELS_MAX} levels, aliases expanded")
        if node.shape == "scalar":
            return _scalar(node.text) if node.plain else node.text
        if node.shape == "mapping":
            return self._mapping(document, node, path)
        items: list[Any] = []
        for index, item in enumerate(node.children):
            document.lines[*path, index] = item.line
            items.append(self._value(document, item, (*path, index)))
        return items

    def _mapping(self, document: Document, node: _Node, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in zip(node.children[::2], node.children[1::2], strict=True):
            key = key_node.text
            if key_node.shape != "scalar":
                raise _RefusedError(key_node.line, "a key must be a single word or text, not a list or mapping")
            if key == _MERGE_KEY and key_node.plain:
                raise _RefusedError(key_node.line, "merge keys (<<) are not supported; write the fields out")
            if key in mapping:
                first = document.lines[*path, key]
                self._findings.problem(
                    Place(self._file, key_node.line), f"duplicate key '{key}', first on line {first}"
                )
                continue
            document.lines[*path, key] = key_node.line
            mapping[key] = self._value(document, value_node, (*path, key))
        return mapping


def _scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar by YAML 1.2's core schema, without its hexadecimal, octal and not-a-number spellings."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and isfinite(number := float(text)):
        return number
    return text
