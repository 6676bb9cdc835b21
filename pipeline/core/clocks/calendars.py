"""Calendars: whether a moment is working time, how much of a span is, and when a span of working time is over.

Local times become moments as RFC 5545 (section 3.3.5) says: one that comes twice, as clocks go back, means the first;
one that is left out, as clocks go forward, is read with the offset from before. Working time is real time in between,
so a night shift has nine hours once a year and seven once.

A calendar is compiled when it is first asked, its spans a year at a time, and both are remembered: all else is a search
in a sorted list.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.core.clocks.weekly import DAY_MINUTES, Week, WrongCalendar, days_of, public_names, week_of
from pipeline.models.clocks import BusinessHours

YEARS_AHEAD_MAX: Final = 10
"""How far ahead working time is searched, so that a calendar without any cannot hang."""

DAYS_AHEAD_MAX: Final = 3_660
"""The same in days."""

CALENDARS_COMPILED_MAX: Final = 256
"""Calendars that stay compiled: more than any company has; one takes some 20 KB a year."""

YEARS_COMPILED_MAX: Final = 24
"""Years of one calendar that stay compiled: what happens and what is ahead of it."""

YEAR_MAX: Final = 9_990
"""The last year with working time: a search from there still ends before time does."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class _Year(NamedTuple):
    """Working time of one year, UTC: begins and ends of its spans, and how much came before each."""

    opens: list[int]
    closes: list[int]
    before: list[int]
    total: int


class Calendar:
    """A compiled calendar. Pure: what it remembers changes no answer."""

    def __init__(self, hours: BusinessHours) -> None:
        """Raises WrongCalendar where a text in it means no time or date, or where the holidays are unknown."""
        self._zone = ZoneInfo(hours.timezone)
        self._week: Week = week_of(hours)
        self._own, self._yearly = days_of(hours)
        self._public = hours.public_holidays
        self._named: dict[int, dict[date, str]] = {}
        self._years: dict[int, _Year] = {}

    # -- days

    def local(self, at_ms: int) -> datetime:
        """A moment on the calendar's own wall clock."""
        return datetime.fromtimestamp(at_ms / 1_000, self._zone)

    def holiday(self, day: date) -> str | None:
        """Why nobody works on a day though the week says so; None: no holiday."""
        if day in self._week.extra:
            return None
        named = self._own.get(day) or self._yearly.get((day.month, day.day))
        if named is not None or self._public is None:
            return named
        if day.year not in self._named:
            if len(self._named) >= YEARS_COMPILED_MAX:
                self._named.clear()
            self._named[day.year] = public_names(self._public, day.year)
        return self._named[day.year].get(day)

    def lost(self, day: date) -> str | None:
        """The holiday that takes a day of which the week says that people work; None: none does."""
        return self.holiday(day) if self._week.days[day.weekday()] else None

    def spans(self, day: date) -> tuple[tuple[int, int], ...]:
        """Working spans that begin on a day, in minutes from its midnight; the end may be over 24 hours."""
        extra = self._week.extra.get(day)
        if extra is not None:
            return extra
        usual = self._week.days[day.weekday()]
        return () if not usual or self.holiday(day) is not None else usual

    def next_day(self, day: date) -> date | None:
        """The first day after this one on which somebody works; None: none within ten years."""
        for ahead in range(1, DAYS_AHEAD_MAX):
            candidate = day + timedelta(days=ahead)
            if self.spans(candidate):
                return candidate
        return None

    # -- moments

    def is_open(self, at_ms: int) -> bool:
        """Whether a moment is working time. A span holds its first moment and not its last."""
        year = self._year(_year_of(at_ms))
        place = bisect_right(year.opens, at_ms) - 1
        return place >= 0 and at_ms < year.closes[place]

    def worked_ms(self, from_ms: int, to_ms: int) -> int:
        """Working time between two moments, milliseconds; 0 where the second is not later."""
        if to_ms <= from_ms:
            return 0
        first, last = _year_of(from_ms), _year_of(to_ms)
        if first == last:
            year = self._year(first)
            return _until(year, to_ms) - _until(year, from_ms)
        opening = self._year(first)
        between = sum(self._year(number).total for number in range(first + 1, last))
        return opening.total - _until(opening, from_ms) + between + _until(self._year(last), to_ms)

    def after(self, from_ms: int, span_ms: int) -> int | None:
        """When so much working time from a moment on is over, epoch milliseconds; None: not within ten years.

        The last moment of a day is taken, not the first of the next. Of no time at all: the next working moment.
        """
        if span_ms <= 0:
            return self._next_open(from_ms)
        first = _year_of(from_ms)
        left_ms = span_ms + _until(self._year(first), from_ms)
        for number in range(first, first + YEARS_AHEAD_MAX + 1):
            year = self._year(number)
            if left_ms <= year.total:
                place = bisect_left(year.before, left_ms) - 1
                return year.opens[place] + left_ms - year.before[place]
            left_ms -= year.total
        return None

    def _next_open(self, from_ms: int) -> int | None:
        first = _year_of(from_ms)
        for number in range(first, first + YEARS_AHEAD_MAX + 1):
            year = self._year(number)
            place = bisect_right(year.closes, from_ms)
            if place < len(year.opens):
                return max(from_ms, year.opens[place])
        return None

    def stretches(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """Working spans of a time, cut to it, in order; what meets is one, but for the turn of the year."""
        for number in range(_year_of(from_ms), _year_of(to_ms) + 1):
            year = self._year(number)
            for opens, closes in zip(year.opens, year.closes, strict=True):
                if opens < to_ms and closes > from_ms:
                    yield max(opens, from_ms), min(closes, to_ms)

    def _year(self, number: int) -> _Year:
        known = self._years.get(number)
        if known is None:
            if len(self._years) >= YEARS_COMPILED_MAX:
                self._years.clear()
            known = self._years[number] = self._compile(number)
        return known

    def _compile(self, number: int) -> _Year:
        """Spans of a year, UTC: those that begin on its local days and on two beside it, merged and cut."""
        if not 1 < number <= YEAR_MAX:  # the days beside it are needed
            return _Year([], [], [], 0)
        begins, ends = (_epoch_ms(datetime(each, 1, 1, tzinfo=UTC)) for each in (number, number + 1))
        opens: list[int] = []
        closes: list[int] = []
        for first_ms, last_ms in sorted(self._moments(date(number - 1, 12, 29), date(number + 1, 1, 3))):
            open_ms, close_ms = max(first_ms, begins), min(last_ms, ends)
            if open_ms >= close_ms:
                continue
            if closes and open_ms <= closes[-1]:
                closes[-1] = max(closes[-1], close_ms)
            else:
                opens.append(open_ms)
                closes.append(close_ms)
        before, total = [], 0
        for open_ms, close_ms in zip(opens, closes, strict=True):
            before.append(total)
            total += close_ms - open_ms
        return _Year(opens, closes, before, total)

    def _moments(self, first: date, last: date) -> Iterator[tuple[int, int]]:
        for ahead in range((last - first).days + 1):
            day = first + timedelta(days=ahead)
            for begins, ends in self.spans(day):
                yield self._moment_ms(day, begins), self._moment_ms(day, ends)

    def _moment_ms(self, day: date, minute: int) -> int:
        days, rest = divmod(minute, DAY_MINUTES)
        day += timedelta(days=days)
        return _epoch_ms(datetime(day.year, day.month, day.day, rest // 60, rest % 60, tzinfo=self._zone))


@lru_cache(maxsize=CALENDARS_COMPILED_MAX)
def calendar(hours: BusinessHours) -> Calendar:
    """The compiled calendar.

    Raises:
        WrongCalendar: see `Calendar`. One that was checked when it was loaded does not.
    """
    return Calendar(hours)


def never_opens(hours: BusinessHours) -> bool:
    """Whether there is a day after which nobody works for ten years, looked for where own holidays begin.

    What else a calendar knows comes again each year, or, as public holidays do, takes a few days of it.
    """
    compiled = calendar(hours)
    if not any(compiled._week.days):
        return True
    before = {day - timedelta(days=1) for day in compiled._own}
    return any(compiled.next_day(day) is None for day in sorted({date(2000, 1, 1), *(before - compiled._own.keys())}))


def is_business_day(hours: BusinessHours, day: date) -> bool:
    """Whether people work on that day."""
    return bool(calendar(hours).spans(day))


def is_business_time(hours: BusinessHours, at_ms: int) -> bool:
    """Whether a moment is inside business hours."""
    return calendar(hours).is_open(at_ms)


def next_business_day(hours: BusinessHours, at_ms: int) -> date:
    """The first working day after the moment's own day.

    Raises:
        ValueError: the calendar has no working day within ten years.
    """
    compiled = calendar(hours)
    day = compiled.next_day(compiled.local(at_ms).date())
    if day is None:
        raise ValueError(NEVER_OPENS)
    return day


def add_business_time(hours: BusinessHours, start_ms: int, span_ms: int) -> int:
    """When a span of working time that begins at a moment is over, epoch milliseconds.

    Raises:
        ValueError: the calendar has less working time within ten years.
    """
    end_ms = calendar(hours).after(start_ms, span_ms)
    if end_ms is None:
        raise ValueError(NEVER_OPENS)
    return end_ms


NEVER_OPENS: Final = "the business calendar has no working day within ten years: check days and holidays"


def _epoch_ms(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // _MS  # of two moments of one zone the difference is wall time


def _year_of(at_ms: int) -> int:
    return (_EPOCH + timedelta(milliseconds=at_ms)).year


def _until(year: _Year, at_ms: int) -> int:
    """Working time of a year before a moment in it."""
    place = bisect_right(year.opens, at_ms) - 1
    return 0 if place < 0 else year.before[place] + min(at_ms, year.closes[place]) - year.opens[place]


__all__ = [
    "Calendar",
    "WrongCalendar",
    "add_business_time",
    "calendar",
    "is_business_day",
    "is_business_time",
    "never_opens",
    "next_business_day",
]
