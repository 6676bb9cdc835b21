"""Periods of time that figures are of: a quarter, some days, or any; with the zone in which their days begin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

QUARTERS_MAX: Final = 40
"""Quarters in a row: ten years, more than any store keeps."""

YEAR_MIN: Final = 1971
YEAR_MAX: Final = 2999
"""Years that can be asked about: what lies outside is a mistake, and near the ends of the calendar zones overflow."""

_QUARTER: Final = re.compile(r"(\d{4})-?Q([1-4])", re.IGNORECASE)
_QUARTER_MONTHS: Final = 3
_YEAR_MONTHS: Final = 12


class PeriodError(ValueError):
    """A period that cannot be asked for; the message is one line and says what to write instead."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment on, up to another that is not in it.

    Attributes:
        start: aware; None: from the beginning.
        end: aware; None: until now.
        zone: IANA name of the time zone in which days, weeks, months and quarters begin.
        name: for people: ``2026-Q1``.
    """

    start: datetime | None = None
    end: datetime | None = None
    zone: str = "UTC"
    name: str = "all time"

    def __post_init__(self) -> None:
        zone_of(self.zone)
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise PeriodError(f"the period ends at {self.end.isoformat()}, which is not after its start")


def zone_of(name: str) -> ZoneInfo:
    """A time zone.

    Raises:
        PeriodError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PeriodError(f"no time zone {name[:60]!r}; write an IANA name such as Europe/Vienna") from error


ALL_TIME: Final = Period()


def quarter(year: int, number: int, zone: str = "UTC") -> Period:
    """A calendar quarter, 1 to 4, in a zone."""
    at = zone_of(zone)
    month = (number - 1) * _QUARTER_MONTHS + 1
    after = (year + 1, 1) if month + _QUARTER_MONTHS > _YEAR_MONTHS else (year, month + _QUARTER_MONTHS)
    return Period(datetime(year, month, 1, tzinfo=at), datetime(*after, 1, tzinfo=at), zone, f"{year}-Q{number}")


def quarter_named(name: str, zone: str = "UTC") -> Period:
    """The quarter of a name such as ``2026-Q1``.

    Raises:
        PeriodError: it is none.
    """
    found = _QUARTER.fullmatch(name.strip())
    if found is None or not YEAR_MIN <= int(found[1]) <= YEAR_MAX:
        raise PeriodError(f"{name[:40]!r} is no quarter; write one as 2026-Q1")
    return quarter(int(found[1]), int(found[2]), zone)


def quarter_of(moment: datetime, zone: str = "UTC") -> Period:
    """The quarter that a moment is in."""
    local = moment.astimezone(zone_of(zone))
    return quarter(local.year, (local.month - 1) // _QUARTER_MONTHS + 1, zone)


def quarters_until(moment: datetime, count: int, zone: str = "UTC") -> list[Period]:
    """So many quarters in a row, the oldest first; the last is the one that the moment is in."""
    found = [quarter_of(moment, zone)]
    while len(found) < min(count, QUARTERS_MAX):
        found.append(before(found[-1]))
    return found[::-1]


def moment_named(words: str, zone: str = "UTC") -> datetime:
    """A moment as people write it: a day, which is its beginning in the zone, or a time of ISO 8601.

    Raises:
        PeriodError: it is none.
    """
    try:
        found = datetime.fromisoformat(words.strip())
    except ValueError as error:
        raise PeriodError(f"{words[:40]!r} is no moment; write a day as 2026-01-31, or 2026-01-31T08:00Z") from error
    if not YEAR_MIN <= found.year <= YEAR_MAX:
        raise PeriodError(f"{words[:40]!r}: only years from {YEAR_MIN} to {YEAR_MAX} can be asked about")
    return found if found.tzinfo is not None else found.replace(tzinfo=zone_of(zone))


def asked_for(since: str | None, until: str | None, quarter_name: str | None, now: datetime, zone: str) -> Period:
    """The period that somebody asks for; the quarter that is going on, where he names none.

    Raises:
        PeriodError: what he says is no period, or two at once.
    """
    if quarter_name is not None:
        if since is not None or until is not None:
            raise PeriodError("name a quarter, or since and until, not both")
        return quarter_named(quarter_name, zone)
    if since is None and until is None:
        return quarter_of(now, zone)
    start = None if since is None else moment_named(since, zone)
    end = None if until is None else moment_named(until, zone)
    name = " ".join(([] if since is None else ["since", since]) + ([] if until is None else ["until", until]))
    return Period(start, end, zone, name)


def last_days(days: int, now: datetime, zone: str = "UTC") -> Period:
    """The time from so many days ago until now."""
    return Period(now - timedelta(days=days), now, zone, f"the last {days} days")


def before(period: Period) -> Period:
    """The one before: of a quarter the quarter before, else one of the same length.

    Raises:
        PeriodError: the period has no start or no end.
    """
    if period.start is None or period.end is None:
        raise PeriodError("a period without a start or an end has none before it; name both")
    if _QUARTER.fullmatch(period.name):
        return quarter_of(period.start.astimezone(UTC) - timedelta(days=1), period.zone)
    length = period.end - period.start
    return Period(period.start - length, period.start, period.zone, f"before {period.name}")
