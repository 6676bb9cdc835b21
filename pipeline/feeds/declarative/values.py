"""Values: a `Value` of the specification becomes a function that reads one fact of a member, as text or whole number.

Absent, null, "" and what is nothing but an unresolved macro are missing: None. Objects and lists are of the wrong type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from pipeline.feeds.declarative.paths import Member, Path, PathError, compile_path
from pipeline.feeds.fields import missing, scalar_text, wrong_type
from pipeline.models.adapter import Macro, Value
from pipeline.models.decision import BadRecord, Reason

Text = Callable[[Member], str | None]
"""A fact of a member as text; None where it is missing. Raises `BadRecord` where it is of another type."""

# Beyond a person's count of anything that can be affected; keeps every later sum in 64 bits.
COUNT_MAX: Final = 10**12
_INTEGER: Final = re.compile(r"[0-9]{1,13}")
_TEMPLATE_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# A macro's name is one word: text between two stars or braces that people wrote has spaces.
_MACRO_NAME: Final = r"[^\s]{1,128}?"


class ValueSpecError(ValueError):
    """A value that cannot be used as it is written; the message is one sentence for its author.

    Attributes:
        place: what of the value is wrong, where that is not all of it: ``("first", 2)``.
    """

    def __init__(self, message: str, place: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.place = place


class Texts:
    """Makes readers of text that know what unresolved macros look like."""

    def __init__(self, macros: Sequence[Macro]) -> None:
        parts = [f"{re.escape(each.begin)}{_MACRO_NAME}{re.escape(each.end)}" for each in macros]
        self._macro = re.compile("|".join(parts)) if parts else None

    def said(self, text: str | None) -> str | None:
        """The text, unless nobody has filled it in."""
        if text is None or (self._macro is not None and self._macro.fullmatch(text.strip())):
            return None
        return text

    def reader(self, value: Value) -> Text:
        """The reader of a value.

        Raises:
            ValueSpecError: a path or a template is wrong.
        """
        if value.path is not None:
            return self._at(value.path)
        if value.const is not None:
            constant = scalar_text(value.const)
            return lambda _: constant
        if value.header is not None:
            header = value.header.lower()
            return lambda member: self.said(member.raw.header(header))
        if value.template is not None:
            return self._template(value.template)
        return _first([self._alternative(each, index) for index, each in enumerate(value.first)])

    def _alternative(self, value: Value, index: int) -> Text:
        try:
            return self.reader(value)
        except ValueSpecError as error:
            raise ValueSpecError(str(error), ("first", index, *error.place)) from error

    def _at(self, text: str) -> Text:
        path = _path(text)
        said = self.said if self._macro is not None else None

        def read(member: Member) -> str | None:
            found = text_at(path, member)
            return found if said is None else said(found)

        return read

    def _template(self, template: str) -> Text:
        """Text with paths in braces; missing where one of them is, because half a sentence is no fact."""
        parts: list[str | Text] = []
        end = 0
        for found in _TEMPLATE_PART.finditer(template):
            parts.append(template[end : found.start()])
            end = found.end()
            if found[1] is not None:
                parts.append(self._at(found[1].strip()))
            elif len(found[0]) == 2:
                parts.append(found[0][0])
            else:
                raise ValueSpecError(f"template: '{found[0]}' without its partner; a brace as such is '{found[0] * 2}'")
        parts.append(template[end:])
        if not any(callable(part) for part in parts):
            raise ValueSpecError("template: no {path} in it; a fixed text is 'const'")

        def read(member: Member) -> str | None:
            texts: list[str] = []
            for part in parts:
                text = part if isinstance(part, str) else part(member)
                if text is None:
                    return None
                texts.append(text)
            return "".join(texts)

        return read


def text_at(path: Path, member: Member) -> str | None:
    """The plain value at a path, as text.

    Raises:
        BadRecord: an object or a list.
    """
    value = path.look(member)
    if value is None or value.__class__ is str:
        return value or None
    text = scalar_text(value)
    if text is None and value != "":
        raise wrong_type(path.at(member.where), "text, number or boolean", value)
    return text


def _path(text: str) -> Path:
    try:
        return compile_path(text)
    except PathError as error:
        raise ValueSpecError(str(error)) from error


def _first(readers: list[Text]) -> Text:
    def read(member: Member) -> str | None:
        for reader in readers:
            text = reader(member)
            if text is not None:
                return text
        return None

    return read


def place_of(value: Value, where: str) -> str:
    """Where a value comes from, for messages: its path as a member's, or the source that it has."""
    if value.path is not None:
        return compile_path(value.path).at(where)
    if value.header is not None:
        return f"{where}: header {value.header}"
    if value.first:
        return " or ".join(place_of(each, where) for each in value.first)
    return f"{where}: template" if value.template is not None else where


def required(reader: Text, value: Value) -> Callable[[Member], str]:
    """A reader of what must be there."""

    def read(member: Member) -> str:
        text = reader(member)
        if text is None:
            raise missing(place_of(value, member.where))
        return text

    return read


def whole_number(reader: Text, value: Value) -> Callable[[Member], int | None]:
    """A reader of a count."""

    def read(member: Member) -> int | None:
        text = reader(member)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text) or int(text) > COUNT_MAX:
            raise BadRecord(Reason.WRONG_TYPE, f"{place_of(value, member.where)}: expected a whole number")
        return int(text)

    return read


def object_at(path: Path, member: Member) -> dict[str, Any]:
    """The object at a path; empty where there is none.

    Raises:
        BadRecord: something else is there.
    """
    value = path.look(member)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(path.at(member.where), "object", value)
    return value


def list_at(path: Path, member: Member) -> list[Any]:
    """The list at a path; empty where there is none.

    Raises:
        BadRecord: something else is there.
    """
    value = path.look(member)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(path.at(member.where), "array", value)
    return value
