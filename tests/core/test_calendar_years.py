"""Two years of calendars, half hour by half hour, against wall clocks and dates that were looked up by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from pipeline.core.clocks.calendars import calendar
from pipeline.models.clocks import BusinessHours, PublicHolidays
from tests.core.builders import HOUR

HALF: Final = timedelta(minutes=30)
FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2028, 1, 1, tzinfo=UTC)


class Kept(NamedTuple):
    """A calendar, and the same as people keep it: hours by weekday (a late end is on the next day), days off."""

    hours: BusinessHours
    week: Mapping[int, tuple[tuple[float, float], ...]]
    off: frozenset[date]
    extra: frozenset[date] = frozenset()


def days(*texts: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(text) for text in texts)


OFFICE: Final = tuple(range(5))
KEPT: Final = {
    "offices in Lower Saxony": Kept(
        BusinessHours(
            timezone="Europe/Berlin",
            week={"monday-friday": ("08:00-12:00", "13:00-17:30")},
            public_holidays=PublicHolidays(country="DE", subdivision="NI"),
            holidays=("12-24", "12-31"),
            working_days=("2026-12-19",),
        ),
        dict.fromkeys(OFFICE, ((8, 12), (13, 17.5))) | {5: ((8, 12), (13, 17.5))},
        days(
            "2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25", "2026-10-03",
            "2026-10-31", "2026-12-25", "2026-12-26", "2027-01-01", "2027-03-26", "2027-03-29", "2027-05-01",
            "2027-05-06", "2027-05-17", "2027-10-03", "2027-10-31", "2027-12-25", "2027-12-26",
            "2026-12-24", "2026-12-31", "2027-12-24", "2027-12-31",
        ),
        days("2026-12-19"),
    ),
    "nights in New York": Kept(
        BusinessHours(
            timezone="America/New_York",
            week={"monday-friday": ("22:00-06:00",), "sunday": ("20:00-24:00",)},
            holidays=("2026-11-26", "2027-11-25"),
        ),
        dict.fromkeys(OFFICE, ((22, 30),)) | {6: ((20, 24),)},
        days("2026-11-26", "2027-11-25"),
    ),
    "a help desk on Lord Howe Island, whose clocks shift by half an hour": Kept(
        BusinessHours(timezone="Australia/Lord_Howe", week={"monday-sunday": ("00:00-24:00",)}),
        dict.fromkeys(range(7), ((0, 24),)),
        days(),
    ),
}  # fmt: skip


def works(kept: Kept, wall: datetime) -> bool:
    """Whether people work at a local time, as anybody would read the timetable on the door."""
    for back in (0, 1):
        day = wall.date() - timedelta(days=back)
        hour = wall.hour + wall.minute / 60 + 24 * back
        open_day = day in kept.extra or (day not in kept.off and (day.weekday() != 5 or not kept.extra))
        if open_day and any(begins <= hour < ends for begins, ends in kept.week.get(day.weekday(), ())):
            return True
    return False


def half_hours() -> Iterator[datetime]:
    moment = FIRST
    while moment < LAST:
        yield moment
        moment += HALF


@pytest.mark.parametrize("name", KEPT)
def test_two_years_of_a_calendar_are_what_the_wall_clock_says(name: str) -> None:
    kept = KEPT[name]
    hours, zone = calendar(kept.hours), ZoneInfo(kept.hours.timezone)
    wrong, by_day = [], dict[date, int]()
    for moment in half_hours():
        inside = works(kept, moment.astimezone(zone).replace(tzinfo=None))
        by_day[moment.date()] = by_day.get(moment.date(), 0) + inside
        at_ms = round(moment.timestamp() * 1_000)
        if hours.is_open(at_ms) is not inside:
            wrong.append(moment.isoformat())
    assert wrong == []
    for day, halves in by_day.items():
        begins = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000)
        assert hours.worked_ms(begins, begins + 24 * HOUR) == halves * HOUR // 2, day
