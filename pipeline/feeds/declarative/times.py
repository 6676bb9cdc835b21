"""Times of the declarative adapter: one spelling a field, stated in the specification, to epoch milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.feeds.declarative.paths import Member
from pipeline.feeds.declarative.values import Text, Texts, ValueSpecError, place_of
from pipeline.feeds.times import epoch_ms, iso_ms
from pipeline.models.adapter import Spelling, TimeValue
from pipeline.models.decision import BadRecord, Reason

Time = Callable[[Member], int | None]
"""A time of a member in epoch milliseconds; None where it is missing. Raises `BadRecord` for another spelling."""

_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_DIGITS_MAX: Final = 20
_ZONE_DIRECTIVE: Final = "%z"
# A format that is right says all of this again, whatever the day.
_PROBE: Final = datetime(2027, 11, 23, 17, 48, tzinfo=UTC)

_NAMES: Final = {
    Spelling.ISO: "ISO 8601 time with a zone",
    Spelling.EPOCH_SECONDS: "time in seconds since 1970",
    Spelling.EPOCH_MILLISECONDS: "time in milliseconds since 1970",
    Spelling.EPOCH_NANOSECONDS: "time in nanoseconds since 1970",
    Spelling.RFC_1123: "time as in 'Wed, 04 Mar 2026 02:09:00 GMT'",
}


def time_reader(value: TimeValue, texts: Texts) -> Time:
    """The reader of a time.

    Raises:
        ValueSpecError: the path, the format or the zone is wrong.
    """
    reader: Text = texts.reader(value)
    parse, name = _parser(value)
    absent = frozenset(value.absent)

    def read(member: Member) -> int | None:
        text = reader(member)
        if text is None or text in absent:
            return None
        try:
            return parse(text)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise BadRecord(Reason.WRONG_TYPE, f"{place_of(value, member.where)}: expected {name}") from error

    return read


def _parser(value: TimeValue) -> tuple[Callable[[str], int | None], str]:
    """What reads the text, and what it expects."""
    if value.format is None:
        if value.zone is not None:
            raise ValueSpecError("zone: only a format without %z needs one")
        return _PARSERS[value.spelling], _NAMES[value.spelling]
    if "spelling" in value.model_fields_set:
        raise ValueSpecError("a format is a spelling of its own; leave 'spelling' out")
    _check_format(value.format)
    if _ZONE_DIRECTIVE in value.format:
        if value.zone is not None:
            raise ValueSpecError("zone: the format has %z, so the time brings its own")
        return _with_zone(value.format), f"time by the format '{value.format}'"
    if value.zone is None:
        raise ValueSpecError("format: it has no %z, so 'zone' must say where the source's clock is, as Europe/Berlin")
    return _in_zone(value.format, _zone(value.zone)), f"time by the format '{value.format}'"


def _check_format(text: str) -> None:
    """Whether a format tells a moment: what it writes, it reads as the same minute."""
    try:
        again = datetime.strptime(_PROBE.strftime(text), text).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueSpecError(f"format: '{text}' is not a format of strptime") from error
    if again.replace(second=0, microsecond=0) != _PROBE:
        raise ValueSpecError(f"format: '{text}' does not tell year, month, day, hour and minute")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: a folder of the time zone database, as "America"
        raise ValueSpecError(f"zone: '{name}' is not a time zone; write it as Europe/Berlin or UTC") from error


def _with_zone(text: str) -> Callable[[str], int | None]:
    def parse(said: str) -> int | None:
        return iso_ms(datetime.strptime(said, text).isoformat())  # noqa: DTZ007 - the format has a zone

    return parse


def _in_zone(text: str, zone: ZoneInfo) -> Callable[[str], int | None]:
    """A local time; in the hour that comes twice and in the one that does not come, it names no moment: None."""

    def parse(said: str) -> int | None:
        early = datetime.strptime(said, text).replace(tzinfo=zone, fold=0)
        if early.utcoffset() != early.replace(fold=1).utcoffset():
            return None
        return iso_ms(early.isoformat())

    return parse


def _epoch_nanoseconds(said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) <= _DIGITS_MAX):
        raise ValueError("not a number")
    return epoch_ms(int(said) // _NANOSECONDS_PER_MILLISECOND, 1_000)


def _epoch(per_second: int) -> Callable[[str], int]:
    def parse(said: str) -> int:
        number: Any = said if said.isdigit() else float(said)  # fractions of a second
        return epoch_ms(number, per_second)

    return parse


def _rfc_1123(said: str) -> int | None:
    return iso_ms(parsedate_to_datetime(said).isoformat())


_PARSERS: Final[dict[Spelling, Callable[[str], int | None]]] = {
    Spelling.ISO: iso_ms,
    Spelling.EPOCH_SECONDS: _epoch(1),
    Spelling.EPOCH_MILLISECONDS: _epoch(1_000),
    Spelling.EPOCH_NANOSECONDS: _epoch_nanoseconds,
    Spelling.RFC_1123: _rfc_1123,
}
