"""Typed reading of a source's JSON: the value, None where it may be absent, or a `BadRecord` with the path.

    top = Fields.of(document)
    name = top.section("data").text("alertRule")      # BadRecord: $.data.alertRule: missing

Messages name paths and types, never values: a payload may hold secrets. Unknown fields pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from pipeline.feeds.times import epoch_ms, iso_ms
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord, Reason

# The smallest member that a real source writes is about 150 bytes, so a raw message of 1 MiB holds fewer.
# Beyond it a message is an attack: each member costs a decision and perhaps a dead letter.
MEMBERS_MAX: Final = 8_192

_Value = TypeVar("_Value")

_TYPE_WORDS: Final[dict[type, str]] = {
    dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number",
    type(None): "null",
}  # fmt: skip


def wrong_type(path: str, expected: str, value: object) -> BadRecord:
    """The error of a field that holds something of another type than its source documents."""
    found = _TYPE_WORDS.get(type(value), "something else")
    return BadRecord(Reason.WRONG_TYPE, f"{path}: expected {expected}, found {found}")


def missing(path: str) -> BadRecord:
    """The error of a required field that is absent, null or empty."""
    return BadRecord(Reason.MISSING_FIELD, f"{path}: missing or empty")


def unknown_word(path: str, words: Mapping[str, object] | tuple[str, ...]) -> BadRecord:
    """The error of a field that holds none of the words that its source documents."""
    return BadRecord(Reason.UNKNOWN_SHAPE, f"{path}: not one of {', '.join(words)}")


class Fields:
    """One JSON object at a path."""

    __slots__ = ("path", "values")

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self.values = values
        self.path = path

    @classmethod
    def of(cls, document: object, path: str = "$") -> Fields:
        """Read a value as an object.

        Raises:
            BadRecord: it is something else.
        """
        if not isinstance(document, dict):
            raise wrong_type(path, "object", document)
        return cls(document, path)

    def at(self, name: str) -> str:
        """Path of a field."""
        return f"{self.path}.{name}"

    def has(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return self.values.get(name) is not None

    def text_or_none(self, name: str) -> str | None:
        """An optional string; null and "" count as absent."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise wrong_type(self.at(name), "string", value)
        return value

    def text(self, name: str) -> str:
        """A required string that is not empty."""
        value = self.values.get(name)
        if value and isinstance(value, str):
            return value
        return self._required(name, self.text_or_none(name))

    def identifier_or_none(self, name: str) -> str | None:
        """An optional id, which sources write as string or whole number."""
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise wrong_type(self.at(name), "string or whole number", value)
        return value or None

    def identifier(self, name: str) -> str:
        """A required id, which sources write as string or whole number."""
        return self._required(name, self.identifier_or_none(name))

    def integer_or_none(self, name: str) -> int | None:
        """An optional whole number."""
        value = self.values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise wrong_type(self.at(name), "whole number", value)
        return value

    def integer(self, name: str) -> int:
        """A required whole number."""
        return self._required(name, self.integer_or_none(name))

    def time_or_none(self, name: str) -> int | None:
        """An optional ISO 8601 time with a zone, as epoch milliseconds; zero time counts as absent."""
        text = self.text_or_none(name)
        if text is None:
            return None
        try:
            return iso_ms(text)
        except ValueError as error:
            raise self._not_a_time(name, "ISO 8601 time with a zone") from error

    def epoch_or_none(self, name: str, per_second: int) -> int | None:
        """An optional count of seconds (1) or milliseconds (1000) since 1970, as epoch milliseconds."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            return epoch_ms(value, per_second)
        except ValueError as error:
            raise self._not_a_time(name, "time since 1970 as a number") from error

    def section(self, name: str) -> Fields:
        """A required object."""
        return Fields.of(self._required(name, self.values.get(name)), self.at(name))

    def section_or_empty(self, name: str) -> Fields:
        """An optional object; absent or null reads as one without fields."""
        value = self.values.get(name)
        return Fields.of({} if value is None else value, self.at(name))

    def items(self, name: str) -> list[Any]:
        """An optional array; absent or null reads as empty."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong_type(self.at(name), "array", value)
        return value

    def sections(self, name: str) -> Iterator[Fields]:
        """The objects of an optional array, each with its own path."""
        for index, item in enumerate(self.items(name)):
            yield Fields.of(item, f"{self.at(name)}[{index}]")

    def scalars(self) -> dict[str, str]:
        """Every field that holds one plain value, as text. Nested values are left out: labels are flat."""
        found: dict[str, str] = {}
        for name, value in self.values.items():
            text = scalar_text(value)
            if text is not None:
                found[name] = text
        return found

    def _required(self, name: str, value: _Value | None) -> _Value:
        if value is None:
            raise missing(self.at(name))
        return value

    def _not_a_time(self, name: str, expected: str) -> BadRecord:
        return BadRecord(Reason.WRONG_TYPE, f"{self.at(name)}: expected {expected}")


def string_map(member: Fields, name: str) -> dict[str, str]:
    """Labels or annotations: an optional object of strings; absent or null reads as empty."""
    values = member.values.get(name)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise wrong_type(member.at(name), "object", values)
    for value in values.values():
        if not isinstance(value, str):
            raise wrong_type(f"{member.at(name)}.*", "string", value)
    return values


def scalar_text(value: object) -> str | None:
    """A plain JSON value as label text; None for null, "", arrays and objects."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def each_member(top: Fields, name: str, read: Callable[[Fields], Alert]) -> list[Alert | BadRecord]:
    """Read the members of a group message in order; a bad member takes its place and the others go on.

    Raises:
        BadRecord: there is no member, or more than `MEMBERS_MAX`.
    """
    items = top.items(name)
    if not items:
        raise missing(top.at(name))
    if len(items) > MEMBERS_MAX:
        raise BadRecord(Reason.TOO_LARGE, f"{top.at(name)}: {len(items)} members, at most {MEMBERS_MAX}")
    results: list[Alert | BadRecord] = []
    path = top.at(name)
    for index, item in enumerate(items):
        try:
            results.append(read(Fields.of(item, f"{path}[{index}]")))
        except BadRecord as bad:
            results.append(bad)
    return results


def put_link(links: dict[str, str], title: str, address: str | None) -> None:
    """Keep a link if it leads to a web page; other schemes (``javascript:``) must never reach a console."""
    if address is not None and address.startswith(("https://", "http://")):
        links[title] = address


def first_line(text: str) -> str:
    """The first line that is not blank, stripped."""
    return text.strip().partition("\n")[0].strip()
