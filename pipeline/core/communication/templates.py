"""Templates of messages: Jinja2 in its sandbox, and of its language only what cannot hang, reach out or look inside.

A template is read into its syntax tree first. What may stand there is a list: names of facts that the audience may
see, conditions, loops over lists of facts, and our filters. There are no calls, no assignments, no includes, no
arithmetic that grows, no attribute of an object. So what a template costs is bounded before it is compiled, and a
fact that an audience must not see is refused when the configuration is loaded. The sandbox stands behind that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.core.communication.template_filters import FILTERS, titles

TEMPLATE_CHARACTERS_MAX: Final = 8_000
"""One template: several pages. Bounds what reading it costs."""

TEMPLATE_DEPTH_MAX: Final = 40
"""Levels of its syntax tree: the deepest of ours has twelve, and Python's compiler gives up at a hundred."""

TEMPLATE_STEPS_MAX: Final = 20_000
"""Parts that are evaluated if every list is full: some milliseconds."""

LIST_ITEMS_MAX: Final = 20
"""Items of a list among the facts: what a loop goes over, and more than anybody reads."""

FACT_CHARACTERS_MAX: Final = 500
"""One text among the facts."""

MESSAGE_CHARACTERS_MAX: Final = 4_000
"""One message: two pages, the most that chat and mail gateways take in one piece."""

RENDERED_CHARACTERS_MAX: Final = 8 * MESSAGE_CHARACTERS_MAX
"""What is rendered of a template before it is made tidy and cut: room for blanks. A list that is printed whole again
and again in a loop would be hundreds of megabytes."""

SUBJECT_CHARACTERS_MAX: Final = 200
"""One subject line."""

COMPILED_MAX: Final = 4_096
"""Templates kept compiled, by their text: one costs a millisecond to compile again."""

_LIST_FIELDS: Final = frozenset({"because"})
"""Fields of an item that are lists themselves."""

_TESTS: Final = ("none", "eq", "ne", "gt", "ge", "lt", "le", "in", "equalto", "true", "false")
_SPECIAL: Final = frozenset({"self", "super", "caller", "varargs", "kwargs"})
"""Names that Jinja2 gives to things of its own."""

_LOOP_FIELDS: Final = frozenset({"index", "first", "last", "length"})
_SUBJECT: Final = re.compile(r"\s*Subject:[ \t]*(.*)(?:\n|$)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_SPACES_BEFORE_END: Final = re.compile(r"[ \t]+\n")

_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.Concat, nodes.List, nodes.Tuple, nodes.Keyword,
)  # fmt: skip
_WORDS: Final[dict[str, str]] = {
    "Call": "a call", "Assign": "{% set %}", "AssignBlock": "{% set %}", "Include": "{% include %}",
    "Import": "{% import %}", "FromImport": "{% import %}", "Extends": "{% extends %}", "Block": "{% block %}",
    "Macro": "{% macro %}", "CallBlock": "{% call %}", "FilterBlock": "{% filter %}", "With": "{% with %}",
    "Mul": "*", "Pow": "**", "Mod": "%", "FloorDiv": "//", "Div": "/", "Add": "+", "Sub": "-", "Neg": "-",
    "Slice": "a slice", "Dict": "a mapping", "ScopedEvalContextModifier": "{% autoescape %}",
}  # fmt: skip


class TemplateProblem(Exception):
    """A template cannot be used. Attributes: line, from 1, and message."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Message:
    """What a template makes: a subject, empty where it has none, and a text."""

    subject: str
    text: str


class _Listed(tuple[Any, ...]):
    """A list among the facts. Written as it is, it is a phrase: all of it, again and again, would be megabytes."""

    __slots__ = ()

    def __str__(self) -> str:
        return titles([each for each in self if isinstance(each, str)]) or f"{len(self)} items"

    __repr__ = __str__


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox, with nothing in it: no attribute of any object but a loop's own, and nothing to call."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr in _LOOP_FIELDS and isinstance(obj, LoopContext)

    def wrap_str_format(self, value: Any) -> None:
        """Not even the sandbox's own ``format``: its words would have a place in memory in them."""

    def is_safe_callable(self, obj: Any) -> bool:
        return False


def _environment() -> _Sandbox:
    made = _Sandbox(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, cache_size=0)
    made.globals.clear()
    made.filters = dict(FILTERS)
    made.tests = {name: made.tests[name] for name in _TESTS}
    return made


_ENVIRONMENT: Final = _environment()


class Template:
    """A compiled template; made by `compiled`.

    Attributes:
        names: facts that it uses, with the line where each stands first.
        loops: those of them that it loops over.
    """

    def __init__(self, source: str, *, with_subject: bool = True) -> None:
        """Read and check a template.

        Args:
            source: its text.
            with_subject: a first line ``Subject: ...`` is the subject and no part of the text.

        Raises:
            TemplateProblem: it cannot be used.
        """
        if len(source) > TEMPLATE_CHARACTERS_MAX:
            raise TemplateProblem(1, f"longer than {TEMPLATE_CHARACTERS_MAX:,} characters")
        subject = _SUBJECT.match(source) if with_subject else None
        head = subject[1] if subject else ""
        body = source[subject.end() :] if subject else source
        skipped = source[: subject.end()].count("\n") if subject else 0
        self.names: dict[str, int] = {}
        self.loops: dict[str, int] = {}
        self._subject = self._part(head, 0) if head else None
        self._text = self._part(body, skipped)

    def _part(self, source: str, skipped: int) -> Any:
        """One compiled part; ``skipped`` lines of the whole come before it."""
        try:
            tree = _ENVIRONMENT.parse(source)
            _Inspector(self.names, self.loops, skipped).look(tree)
            return _ENVIRONMENT.from_string(tree)
        except TemplateProblem:
            raise
        except TemplateError as error:
            line = getattr(error, "lineno", 1) or 1
            raise TemplateProblem(line + skipped, f"{error.message or 'cannot be read'}") from None
        except (RecursionError, MemoryError, SyntaxError, OverflowError):
            raise TemplateProblem(1 + skipped, "nested too deep") from None
        except ValueError:  # of Python, which reads no number of thousands of digits
            raise TemplateProblem(1 + skipped, "a number is too long") from None

    def render(self, facts: Mapping[str, Any]) -> Message:
        """The message.

        Raises:
            RenderError: a fact is missing, or is not what a filter takes.
        """
        try:
            facts = {name: _Listed(fact) if isinstance(fact, list | tuple) else fact for name, fact in facts.items()}
            subject = _beginning(self._subject, facts) if self._subject is not None else ""
            text = _beginning(self._text, facts)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, OSError) as error:
            raise RenderError(f"{type(error).__name__}: {error}") from None
        return Message(_line(subject)[:SUBJECT_CHARACTERS_MAX], tidy(text))


def _beginning(template: Any, facts: Mapping[str, Any]) -> str:
    """What a template makes, as far as anybody reads it: piece by piece, and no further."""
    parts: list[str] = []
    room = RENDERED_CHARACTERS_MAX
    for part in template.generate(facts):
        parts.append(part[:room])
        room -= len(part)
        if room <= 0:
            break
    return "".join(parts)


class RenderError(Exception):
    """A template and its facts do not go together."""


class _Inspector:
    """Walks a syntax tree: everything in it must be on the list, and what it can cost is bounded."""

    def __init__(self, names: dict[str, int], loops: dict[str, int], skipped: int) -> None:
        self._names, self._loops, self._skipped, self._steps = names, loops, skipped, 0

    def look(self, tree: nodes.Template) -> None:
        """Raises TemplateProblem where something may not stand there."""
        stack: list[tuple[nodes.Node, int, int, int, frozenset[str]]] = [(tree, 1, 1, 1, frozenset())]
        while stack:
            node, above, depth, times, bound = stack.pop()
            number = node.lineno or above  # a part that Jinja2 makes by itself has no line
            line = number + self._skipped
            if depth > TEMPLATE_DEPTH_MAX:
                raise TemplateProblem(line, "nested too deep")
            self._steps += times
            if self._steps > TEMPLATE_STEPS_MAX:
                raise TemplateProblem(line, "too much work: fewer parts in loops, or no loop in a loop")
            self._allow(node, line, bound)
            children = list(node.iter_child_nodes())
            if isinstance(node, nodes.For):
                self._loop(node, line, bound)
                children = [node.iter, *node.else_]
                inside = [node.target, *node.body, *([node.test] if node.test is not None else [])]
                inner = bound | {"loop"} | {each.name for each in _names(node.target)}
                stack += [(each, number, depth + 1, times * LIST_ITEMS_MAX, inner) for each in inside]
            stack += [(each, number, depth + 1, times, bound) for each in children]

    def _allow(self, node: nodes.Node, line: int, bound: frozenset[str]) -> None:
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__
            raise TemplateProblem(line, f"{_WORDS.get(kind, kind)} may not stand in a template")
        if isinstance(node, nodes.Name) and node.name not in bound:
            if node.name.startswith("_") or node.name in _SPECIAL:
                raise TemplateProblem(line, f"'{node.name}' may not stand in a template")
            self._names.setdefault(node.name, line)
        elif isinstance(node, nodes.Const) and isinstance(node.value, float) and not isfinite(node.value):
            raise TemplateProblem(line, "a number is too large")
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            raise TemplateProblem(line, f"'.{node.attr}' may not stand in a template")
        elif isinstance(node, nodes.Getitem) and not _plain_index(node.arg):
            raise TemplateProblem(line, "an index must be a plain number or name")
        elif isinstance(node, nodes.Filter) and (node.node is None or node.name not in FILTERS):
            raise TemplateProblem(line, f"there is no filter '{node.name}'; known: {', '.join(sorted(FILTERS))}")
        elif isinstance(node, nodes.Test) and node.name not in _TESTS:
            raise TemplateProblem(line, f"there is no test '{node.name}'; known: {', '.join(sorted(_TESTS))}")
        if isinstance(node, nodes.Filter) and (node.dyn_args or node.dyn_kwargs):
            raise TemplateProblem(line, "'*' may not stand in a template")

    def _loop(self, node: nodes.For, line: int, bound: frozenset[str]) -> None:
        over = node.iter
        field = isinstance(over, nodes.Getattr) and over.attr in _LIST_FIELDS
        if node.recursive or not (field or (isinstance(over, nodes.Name) and over.name not in bound)):
            raise TemplateProblem(line, "a loop goes over a list of facts, as in {% for each in suspects %}")
        if isinstance(over, nodes.Name):
            self._loops.setdefault(over.name, line)


def _names(target: nodes.Node) -> list[nodes.Name]:
    return [target] if isinstance(target, nodes.Name) else list(target.find_all(nodes.Name))


def _plain_index(node: nodes.Node) -> bool:
    if not isinstance(node, nodes.Const):
        return False
    return isinstance(node.value, int) or (isinstance(node.value, str) and not node.value.startswith("_"))


@lru_cache(maxsize=COMPILED_MAX)
def compiled(source: str) -> Template:
    """A template, compiled once for its text.

    Raises:
        TemplateProblem: it cannot be used.
    """
    return Template(source)


@lru_cache(maxsize=COMPILED_MAX)
def compiled_field(source: str) -> Template:
    """A template of one text without a subject, as a field of a ticket has; compiled once.

    Raises:
        TemplateProblem: it cannot be used.
    """
    return Template(source, with_subject=False)


def tidy(text: str) -> str:
    """A text without control characters, spaces before line ends and runs of empty lines, cut to its limit."""
    text = _SPACES_BEFORE_END.sub("\n", _CONTROL.sub("", text.replace("\r\n", "\n")))
    text = _BLANK_LINES.sub("\n\n", text).strip()
    return text if len(text) <= MESSAGE_CHARACTERS_MAX else text[: MESSAGE_CHARACTERS_MAX - 1].rstrip() + "…"


def _line(text: str) -> str:
    return " ".join(_CONTROL.sub("", text).split())
