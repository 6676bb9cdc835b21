"""Business hours: daylight saving, nights, breaks, weekends, holidays, and calendars that never open."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.clocks.calendars import add_business_time, calendar, is_business_time, never_opens, next_business_day
from pipeline.models.clocks import BusinessHours, PublicHolidays
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


SHIFTS: Final = BusinessHours(
    timezone="Europe/Berlin",
    week={"monday-thursday": ("08:00-12:00", "13:00-17:00"), "friday": ("08:00-12:00", "22:00-06:00")},
    public_holidays=PublicHolidays(country="DE", subdivision="BY"),
    holidays={"12-24": "works closed", "2026-12-28/2026-12-30": "inventory", "2026-03-11": "works council"},
    working_days={"2026-04-03": ("10:00-11:00",), "2026-03-14": ()},
)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-09T11:00:00+01:00", 2, "2026-03-09T14:00:00+01:00"),  # over lunch
        ("2026-03-10T16:00:00+01:00", 2, "2026-03-12T09:00:00+01:00"),  # a day off of one's own
        ("2026-03-06T23:00:00+01:00", 7, "2026-03-07T06:00:00+01:00"),  # the night from Friday on
        ("2026-03-07T05:00:00+01:00", 2, "2026-03-09T09:00:00+01:00"),  # and out of it
        ("2026-03-14T07:00:00+01:00", 1, "2026-03-14T09:00:00+01:00"),  # an extra Saturday, as a Monday has it
        ("2026-04-02T17:00:00+02:00", 1, "2026-04-03T11:00:00+02:00"),  # Good Friday with an hour of work
        ("2026-12-23T17:00:00+01:00", 1, "2026-12-31T09:00:00+01:00"),  # the end of the year
        ("2026-12-31T16:00:00+01:00", 2, "2027-01-04T09:00:00+01:00"),
    ],
)
def test_spans_breaks_nights_and_own_days_count_as_they_are_written(start: str, hours: int, end: str) -> None:
    assert add_business_time(SHIFTS, ms(start), hours * HOUR) == ms(end)
    assert calendar(SHIFTS).worked_ms(ms(start), ms(end)) == hours * HOUR


NIGHT: Final = BusinessHours(timezone="Europe/Berlin", week={"saturday": ("22:00-06:00",)})


@pytest.mark.parametrize(("saturday", "hours"), [("2026-03-21", 8), ("2026-03-28", 7), ("2026-10-24", 9)])
def test_a_night_shift_has_the_hours_that_the_night_has(saturday: str, hours: int) -> None:
    noon = ms(f"{saturday}T12:00:00+00:00")
    assert calendar(NIGHT).worked_ms(noon, noon + 24 * HOUR) == hours * HOUR


@pytest.mark.parametrize(
    ("span", "opens", "closes"),
    [
        ("02:30-06:00", "2026-03-29T01:30:00+00:00", "2026-03-29T04:00:00+00:00"),  # 02:30 is left out: read as 03:30
        ("00:00-02:30", "2026-03-28T23:00:00+00:00", "2026-03-29T01:30:00+00:00"),
        ("02:30-06:00", "2026-10-25T00:30:00+00:00", "2026-10-25T05:00:00+00:00"),  # 02:30 comes twice: the first
        ("00:00-02:30", "2026-10-24T22:00:00+00:00", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_a_bound_that_is_left_out_or_comes_twice_is_read_as_the_standard_reads_it(
    span: str, opens: str, closes: str
) -> None:
    hours = calendar(BusinessHours(timezone="Europe/Berlin", week={"sunday": (span,)}))
    assert list(hours.stretches(ms(opens) - 6 * HOUR, ms(closes) + 6 * HOUR)) == [(ms(opens), ms(closes))]


def test_spans_that_meet_or_overlap_count_once() -> None:
    hours = calendar(BusinessHours(week={"monday-sunday": ("00:00-13:00", "12:00-24:00", "22:00-02:00")}))
    start = ms("2026-12-30T00:00:00+00:00")
    assert hours.worked_ms(start, start + 96 * HOUR) == 96 * HOUR


def test_a_zone_that_skips_a_day_skips_its_work() -> None:
    apia = BusinessHours(timezone="Pacific/Apia", days=tuple(range(7)))  # Friday 2011-12-30 never was
    hours = calendar(apia)
    thursday = ms("2011-12-29T09:00:00-10:00")
    assert hours.after(thursday, 9 * HOUR) == ms("2011-12-31T10:00:00+14:00")


def test_a_calendar_says_why_nobody_works() -> None:
    hours = calendar(SHIFTS)
    days = {"2026-12-24": "works closed", "2026-06-04": "Corpus Christi", "2026-12-29": "inventory", "2026-04-03": None}
    assert {day: hours.holiday(date.fromisoformat(day)) for day in days} == days


@pytest.mark.parametrize("subdivision", ["BY", "HH"])
def test_holidays_are_those_of_the_part_of_the_country(subdivision: str) -> None:
    public = PublicHolidays(country="DE", subdivision=subdivision, except_days=("Ascension Day", "2026-05-01"))
    hours = BusinessHours(public_holidays=public)
    known = {
        day: calendar(hours).holiday(date.fromisoformat(day)) for day in ("2026-06-04", "2026-05-14", "2026-05-01")
    }
    corpus = "Corpus Christi" if subdivision == "BY" else None
    assert known == {"2026-06-04": corpus, "2026-05-14": None, "2026-05-01": None}


@pytest.mark.parametrize(
    ("hours", "never"),
    [
        (BusinessHours(), False),
        (BusinessHours(days=()), True),
        (BusinessHours(week={}), True),
        (BusinessHours(week={"monday": ()}), True),
        (BusinessHours(week={"sunday": ("10:00-11:00",)}, public_holidays=PublicHolidays(country="DE")), False),
        (BusinessHours(days=(), working_days=("2026-01-01",)), True),
        (BusinessHours(holidays=tuple(f"{year}-01-01/{year}-12-31" for year in range(2030, 2042))), True),
        (BusinessHours(holidays=tuple(f"{year}-01-01/{year}-12-31" for year in range(2030, 2038))), False),
    ],
)
def test_a_calendar_without_work_for_ten_years_is_found(hours: BusinessHours, never: bool) -> None:
    assert never_opens(hours) is never


def test_what_takes_longer_than_ten_years_has_no_end_and_is_no_search_without_end() -> None:
    rare = BusinessHours(week={"monday": ("09:00-09:01",)})
    assert calendar(rare).after(ms("2026-01-01T00:00:00+00:00"), 10 * HOUR) is None
    with pytest.raises(ValueError, match="no working day"):
        add_business_time(rare, 0, 100 * HOUR)


MOMENTS = st.integers(ms("2025-11-01T00:00:00+00:00"), ms("2028-02-01T00:00:00+00:00"))


@given(MOMENTS, MOMENTS, MOMENTS)
def test_working_time_adds_up(first: int, second: int, third: int) -> None:
    hours = calendar(SHIFTS)
    a, b, c = sorted((first, second, third))
    assert hours.worked_ms(a, b) + hours.worked_ms(b, c) == hours.worked_ms(a, c)
    assert 0 <= hours.worked_ms(a, c) <= c - a
    assert hours.worked_ms(c, a) == 0


@given(MOMENTS, st.integers(1, 500 * HOUR))
def test_the_end_of_a_span_is_the_first_moment_at_which_it_is_over(start: int, span: int) -> None:
    hours = calendar(SHIFTS)
    end = hours.after(start, span)
    assert end is not None
    assert hours.worked_ms(start, end) == span
    assert hours.worked_ms(start, end - 1) == span - 1


@given(MOMENTS)
def test_no_span_at_all_ends_when_work_goes_on(start: int) -> None:
    hours = calendar(SHIFTS)
    end = hours.after(start, 0)
    assert end is not None
    assert hours.is_open(end)
    assert hours.worked_ms(start, end) == 0
