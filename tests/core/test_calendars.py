"""Business hours: daylight saving, weekends, holidays, and calendars that never open."""

from __future__ import annotations

from datetime import datetime, time

import pytest

from pipeline.core.calendars import add_business_time, is_business_time, next_business_day
from pipeline.models.clocks import BusinessHours
from tests.core.builders import HOUR, MINUTE

BERLIN = BusinessHours(timezone="Europe/Berlin", holidays=("2026-04-03", "2026-04-06"))
ROUND = BusinessHours(timezone="Europe/Berlin", days=tuple(range(7)), start=time(0), end=time(23, 59))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-03-10T08:59:59+01:00", False),
        ("2026-03-10T09:00:00+01:00", True),
        ("2026-03-10T16:59:59+01:00", True),
        ("2026-03-10T17:00:00+01:00", False),
        ("2026-03-14T12:00:00+01:00", False),  # Saturday
        ("2026-04-03T12:00:00+02:00", False),  # holiday
        ("2026-03-30T07:30:00+00:00", True),  # 09:30 in summer time
    ],
)
def test_a_moment_is_inside_business_hours_by_the_local_clock(moment: str, inside: bool) -> None:
    assert is_business_time(BERLIN, ms(moment)) is inside


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-10T10:00:00+01:00", 2, "2026-03-10T12:00:00+01:00"),
        ("2026-03-10T06:00:00+01:00", 1, "2026-03-10T10:00:00+01:00"),  # begins when it opens
        ("2026-03-10T15:00:00+01:00", 2, "2026-03-10T17:00:00+01:00"),  # to the very end of the day
        ("2026-03-10T15:00:00+01:00", 3, "2026-03-11T10:00:00+01:00"),
        ("2026-03-27T16:00:00+01:00", 2, "2026-03-30T10:00:00+02:00"),  # a weekend with a shift of the clock
        ("2026-04-02T16:00:00+02:00", 2, "2026-04-07T10:00:00+02:00"),  # Easter
        ("2026-10-23T16:00:00+02:00", 2, "2026-10-26T10:00:00+01:00"),  # and back to winter time
    ],
)
def test_a_span_of_working_time_passes_over_nights_weekends_and_holidays(start: str, hours: int, end: str) -> None:
    assert add_business_time(BERLIN, ms(start), hours * HOUR) == ms(end)


@pytest.mark.parametrize(("day", "minutes"), [("2026-03-29", 23 * 60 - 1), ("2026-10-25", 25 * 60 - 1)])
def test_the_days_on_which_the_clock_shifts_have_the_hours_that_they_have(day: str, minutes: int) -> None:
    opens = add_business_time(ROUND, ms(f"{day}T00:00:00+00:00") - 12 * HOUR, 0)
    start = ms(f"{day}T00:00:00+0{1 if day < '2026-04' else 2}:00")
    assert opens < start
    end = add_business_time(ROUND, start, minutes * MINUTE)
    assert end == ms(f"{day}T23:59:00+0{2 if day < '2026-04' else 1}:00")


@pytest.mark.parametrize(("moment", "day"), [("2026-03-12T12", "2026-03-13"), ("2026-04-02T12", "2026-04-07")])
def test_the_next_business_day(moment: str, day: str) -> None:
    assert next_business_day(BERLIN, ms(f"{moment}:00:00+00:00")).isoformat() == day


def test_a_calendar_that_never_opens_is_an_error_not_a_search_without_end() -> None:
    never = BusinessHours(days=())
    with pytest.raises(ValueError, match="no working day"):
        add_business_time(never, 0, HOUR)
    with pytest.raises(ValueError, match="no working day"):
        next_business_day(never, 0)
