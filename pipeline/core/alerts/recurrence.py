"""Recurring maintenance windows: when one is on and when the next begins, exact through daylight saving time.

Recurrence rules are RFC 5545's, worked out by python-dateutil on the local clock of the window's zone. A local time
that a change of the clocks skips is read with the offset before it, and one that comes twice is its first (RFC 5545,
section 3.3.5); both is what ``zoneinfo`` does of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rrulestr

from pipeline.models.maintenance import MaintenanceWindow

RECURS_YEARS_MAX: Final = 20
"""How long a rule is followed: one that never comes true (30 February) would be looked for until the year 9999."""

CYCLE_YEARS: Final = 400
"""After so many years the Gregorian calendar has the same weekdays."""

OCCURRENCES_MAX: Final = 10_000
"""``COUNT`` of a rule at most."""

_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""From when on 'every' holds, local: before any recording that is played again."""

_SHIFT: Final = timedelta(days=1)
"""Local time and the world's drift apart by less than this within any change of the clocks."""

_FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GROUPS: Final[dict[str, tuple[str, ...]]] = {"day": _DAYS, "weekday": _DAYS[:5], "weekend": _DAYS[5:]}
_NTH: Final[dict[str, int]] = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_EVERY: Final = re.compile(
    r"(?:(?P<nth>first|second|third|fourth|last)\s+)?(?P<days>[a-z]+(?:\s*,\s*[a-z]+)*)\s+"
    r"(?P<from>\d{2}:\d{2})-(?P<to>\d{2}:\d{2})\s+(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*)"
)
_UNTIL_UTC: Final = re.compile(r"UNTIL=(\d{8}T\d{6})Z")
_UNTIL: Final = re.compile(r";?UNTIL=[^;]*")
_UNTIL_DAY: Final = re.compile(r"UNTIL=(\d{8})")
_PART: Final = re.compile(r"(?:^|;)\s*([A-Z]+)\s*=([^;]*)")
_ENDLESS: Final = re.compile(r"((?:INTERVAL\s*=\s*[+-]?0*(?:$|;|[^\d;]))|(?:BY(?:MINUTE|SECOND)\s*=[^;]*,[^;]*))")
_COUNT: Final = re.compile(r";?COUNT=(\d+)")
_FREQ: Final = re.compile(r"FREQ=([A-Z]+)")


class RecurrenceError(ValueError):
    """When a window recurs cannot be made out; the message is one line and says why.

    Attributes:
        field: the field that says so.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Span(NamedTuple):
    """One occurrence, epoch milliseconds: from ``start_ms`` on, until before ``end_ms``."""

    start_ms: int
    end_ms: int


class Recurrence:
    """The occurrences of one window."""

    def __init__(self, window: MaintenanceWindow) -> None:
        """Work out when it recurs.

        Raises:
            RecurrenceError: it cannot be made out.
        """
        self._days_off = frozenset(window.exceptions)
        self._starts: rrule | list[datetime]
        self._wall: bool
        if window.every is not None:
            self._starts, self._zone, self._lasts = _of_words(window.every)
            self._wall = True
        else:
            self._zone = _zone("timezone", window.timezone or "")
            self._starts = _of_rule(window, self._zone)
            self._lasts = timedelta(minutes=window.duration_minutes or 0)
            self._wall = False
        self._known: tuple[int, int | None, list[Span]] | None = None

    def around(self, now_ms: int) -> list[Span]:
        """The last occurrence that has begun by a moment, and the next; each where there is one.

        What was worked out holds until the next begins, so that asking again costs nothing.
        """
        if self._known is not None:
            from_ms, until_ms, spans = self._known
            if from_ms <= now_ms and (until_ms is None or now_ms < until_ms):
                return spans
        local = datetime.fromtimestamp(now_ms / 1_000, self._zone).replace(tzinfo=None)
        last = next((each for each in self._before(local + _SHIFT) if each.start_ms <= now_ms), None)
        coming = next((each for each in self._after(local - _SHIFT) if each.start_ms > now_ms), None)
        spans = [each for each in (last, coming) if each is not None]
        begins_ms = last.start_ms if last is not None else now_ms
        self._known = (begins_ms, None if coming is None else coming.start_ms, spans)
        return spans

    def between(self, from_ms: int, until_ms: int) -> Iterator[Span]:
        """Occurrences that begin in a span of time, in order."""
        local = datetime.fromtimestamp(from_ms / 1_000, self._zone).replace(tzinfo=None)
        for each in self._after(local - _SHIFT):
            if each.start_ms >= until_ms:
                return
            if each.start_ms >= from_ms:
                yield each

    def _after(self, local: datetime) -> Iterator[Span]:
        for start in self._starts:
            if start >= local and start.date() not in self._days_off:
                yield self._span(start)

    def _before(self, local: datetime) -> Iterator[Span]:
        known: list[datetime] = []
        for start in self._starts:
            if start > local:
                break
            if start.date() not in self._days_off:
                known.append(start)
        yield from map(self._span, reversed(known))

    def _span(self, start: datetime) -> Span:
        start_ms = self._instant(start)
        lasts_ms = round(self._lasts.total_seconds() * 1_000)
        return Span(start_ms, self._instant(start + self._lasts) if self._wall else start_ms + lasts_ms)

    def _instant(self, local: datetime) -> int:
        return round(local.replace(tzinfo=self._zone).timestamp() * 1_000)


def _zone(field: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RecurrenceError(field, f"unknown time zone '{name}'") from error


def _of_words(words: str) -> tuple[rrule, ZoneInfo, timedelta]:
    """What ``every`` says: local begins, the zone, and how long each lasts on the clock."""
    found = _EVERY.fullmatch(words.strip())
    if found is None:
        raise RecurrenceError("every", "expected days, begin-end and zone: 'sunday 02:00-04:00 Europe/Dublin'")
    numbers = _numbers(found["days"])
    if found["nth"] and len(numbers) != 1:
        raise RecurrenceError("every", f"'{found['nth']}' goes with one day: '{found['nth']} sunday ...'")
    begin, end = _clock(found["from"]), _clock(found["to"])
    lasts = end - begin if end > begin else end - begin + timedelta(days=1)
    byday = ",".join(_DAYS[number][:2].upper() for number in numbers)
    rule = f"FREQ=MONTHLY;BYDAY={_NTH[found['nth']]}{byday}" if found["nth"] else f"FREQ=WEEKLY;BYDAY={byday}"
    return _parsed(rule, _FIRST + begin), _zone("every", found["zone"]), lasts


def _numbers(text: str) -> list[int]:
    """Days of the week that words name, Monday 0."""
    found: set[int] = set()
    for word in re.split(r"\s*,\s*", text):
        days = _GROUPS.get(word) or tuple(day for day in _DAYS if len(word) >= 3 and day.startswith(word))
        if not days:
            raise RecurrenceError("every", f"'{word}' is no day: sunday, mon, weekday, weekend or day")
        found |= {_DAYS.index(day) for day in days}
    return sorted(found)


def _clock(text: str) -> timedelta:
    hours, minutes = int(text[:2]), int(text[3:])
    if hours > 24 or minutes > 59 or (hours == 24 and minutes):
        raise RecurrenceError("every", f"'{text}' is no time of a day")
    return timedelta(hours=hours, minutes=minutes)


def _of_rule(window: MaintenanceWindow, zone: ZoneInfo) -> rrule | list[datetime]:
    """The local begins that a rule gives."""
    rule = (window.rrule or "").strip().upper().removeprefix("RRULE:")
    start = window.start
    if start is None or start.tzinfo is not None:
        raise RecurrenceError("start", "of a window that recurs it is local: leave out Z or the offset")
    frequency = _FREQ.search(rule)
    if frequency is None or frequency[1] not in _FREQUENCIES or "\n" in rule:
        raise RecurrenceError("rrule", f"expected one rule with FREQ of {', '.join(_FREQUENCIES)}")
    _can_be_followed(rule, start)
    rule = _UNTIL_UTC.sub(lambda found: f"UNTIL={_local(found[1], zone)}", rule)
    count = _COUNT.search(rule)
    followed = start + timedelta(days=366 * RECURS_YEARS_MAX)
    until = _UNTIL_DAY.search(rule)
    if until is not None and until[1] > f"{followed:%Y%m%d}":
        rule, until = _UNTIL.sub("", rule), None
    parsed = _parsed(_COUNT.sub("", rule), start)
    if until is None:
        parsed = parsed.replace(until=followed)
    if next(iter(parsed), None) is None:
        raise RecurrenceError("rrule", f"no occurrence within {RECURS_YEARS_MAX} years from its start")
    if count is None:
        return parsed
    if int(count[1]) > OCCURRENCES_MAX:
        raise RecurrenceError("rrule", f"COUNT is {OCCURRENCES_MAX:,} at most")
    return list(islice(parsed, int(count[1])))


def _can_be_followed(rule: str, start: datetime) -> None:
    """Refuse a rule that dateutil would follow for ever, for an hour, or to the year 9999.

    Days and weekdays are the same every 400 years: what comes is looked for in the last of those that it has left.
    """
    parts = [name for name, _ in _PART.findall(rule)]
    if len(set(parts)) < len(parts):
        raise RecurrenceError("rrule", "a part of the rule stands there twice")
    endless = _ENDLESS.search(rule)
    if endless is not None:
        raise RecurrenceError("rrule", f"{endless[1]}: INTERVAL is 1 or more, and BYMINUTE and BYSECOND are one number")
    cycles = (MAXYEAR - RECURS_YEARS_MAX - 1 - start.year) // CYCLE_YEARS
    if cycles < 0:
        raise RecurrenceError("start", f"{start.year} is too late a year")
    begin = start.replace(year=start.year + cycles * CYCLE_YEARS)
    first = next(iter(_parsed(_UNTIL.sub("", _COUNT.sub("", rule)), begin)), None)
    if first is None or first - begin > timedelta(days=366 * RECURS_YEARS_MAX):
        raise RecurrenceError("rrule", f"no occurrence within {RECURS_YEARS_MAX} years from its start")


def _parsed(rule: str, start: datetime) -> rrule:
    try:
        parsed = rrulestr(rule, dtstart=start, cache=True)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecurrenceError("rrule", f"not a rule of RFC 5545: {error}") from error
    if not isinstance(parsed, rrule):
        raise RecurrenceError("rrule", "expected one rule, without DTSTART, EXDATE and others beside it")
    return parsed


def _local(text: str, zone: ZoneInfo) -> str:
    """The end of a rule, which RFC 5545 writes in UTC, on the local clock."""
    moment = datetime.strptime(f"{text}+0000", "%Y%m%dT%H%M%S%z")
    return f"{moment.astimezone(zone):%Y%m%dT%H%M%S}"
