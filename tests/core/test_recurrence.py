"""Recurring maintenance windows: exact through daylight saving time, as the rule and its exceptions say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.alerts.maintenance import MaintenanceIndex
from pipeline.core.alerts.recurrence import Recurrence, RecurrenceError, Span
from pipeline.core.topology import Topology
from pipeline.models.maintenance import MaintenanceWindow
from tests.core.builders import MINUTE, alert, catalogue

TOPOLOGY = Topology(catalogue())
LOCAL = "%Y-%m-%dT%H:%M:%S"


def at(text: str) -> int:
    """Epoch milliseconds of a moment in UTC."""
    return round(datetime.fromisoformat(text + "+00:00").timestamp() * 1_000)


def window(**fields: Any) -> MaintenanceWindow:
    return MaintenanceWindow.model_validate({"name": "w", "targets": ("shop",), **fields})


def rule(rrule: str, start: str, minutes: int, zone: str = "Europe/Dublin", **fields: Any) -> MaintenanceWindow:
    return window(rrule=rrule, start=start, duration_minutes=minutes, timezone=zone, **fields)


def begins(planned: MaintenanceWindow, since: str, until: str) -> list[str]:
    found = Recurrence(planned).between(at(since), at(until))
    return [f"{_utc(each.start_ms)}/{(each.end_ms - each.start_ms) // MINUTE}" for each in found]


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%dT%H:%M}"


SUNDAYS = window(every="sunday 02:00-04:00 Europe/Dublin")

OCCURRENCES: dict[str, tuple[MaintenanceWindow, str, str, list[str]]] = {
    "the clock of the place, in winter and in summer": (
        SUNDAYS, "2026-03-16", "2026-04-06", ["2026-03-22T02:00/120", "2026-03-29T01:00/120", "2026-04-05T01:00/120"],
    ),
    "over midnight, on working days": (
        window(every="weekday 22:00-01:30 UTC"), "2026-03-06", "2026-03-10",
        ["2026-03-06T22:00/210", "2026-03-09T22:00/210"],
    ),
    "the second Tuesday of the month": (
        window(every="second tuesday 20:00-23:00 America/New_York"), "2026-02-01", "2026-04-30",
        ["2026-02-11T01:00/180", "2026-03-11T00:00/180", "2026-04-15T00:00/180"],
    ),
    "two days, shortened": (
        window(every="mon, thu 06:00-06:30 UTC"), "2026-03-02", "2026-03-08",
        ["2026-03-02T06:00/30", "2026-03-05T06:00/30"],
    ),
    "until the end of the day": (
        window(every="saturday 23:00-24:00 UTC"), "2026-03-02", "2026-03-09", ["2026-03-07T23:00/60"],
    ),
    "an end on the clock lasts an hour less where that hour is skipped": (
        window(every="sunday 00:30-03:00 Europe/Berlin"), "2026-03-22", "2026-03-31",
        ["2026-03-28T23:30/90"],
    ),
    "a duration is time that passes, whatever the clock does": (
        rule("FREQ=DAILY", "2026-03-28T00:30:00", 150, "Europe/Berlin"), "2026-03-28T12:00", "2026-03-29T12:00",
        ["2026-03-28T23:30/150"],
    ),
    "a begin that the clock skips is read with the offset before": (
        rule("FREQ=DAILY", "2026-03-28T02:30:00", 60, "Europe/Berlin"), "2026-03-28T12:00", "2026-03-29T12:00",
        ["2026-03-29T01:30/60"],
    ),
    "a begin that comes twice is the first": (
        rule("FREQ=DAILY", "2026-10-24T02:30:00", 60, "Europe/Berlin"), "2026-10-24T12:00", "2026-10-25T12:00",
        ["2026-10-25T00:30/60"],
    ),
    "exceptions are local days": (
        rule("FREQ=WEEKLY;BYDAY=SU", "2026-03-01T02:00:00", 60, exceptions=[date(2026, 3, 8), date(2026, 3, 15)]),
        "2026-02-01", "2026-03-23", ["2026-03-01T02:00/60", "2026-03-22T02:00/60"],
    ),
    "a count": (
        rule("FREQ=DAILY;COUNT=2", "2026-03-01T02:00:00", 60), "2026-02-01", "2026-04-01",
        ["2026-03-01T02:00/60", "2026-03-02T02:00/60"],
    ),
    "an end of the rule in UTC, as RFC 5545 writes it": (
        rule("RRULE:FREQ=DAILY;UNTIL=20260402T010000Z", "2026-03-31T02:00:00", 60), "2026-03-01", "2026-05-01",
        ["2026-03-31T01:00/60", "2026-04-01T01:00/60", "2026-04-02T01:00/60"],
    ),
    "the last weekday of a month": (
        rule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-01T18:00:00", 60, "UTC"), "2026-01-01",
        "2026-03-15", ["2026-01-30T18:00/60", "2026-02-27T18:00/60"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OCCURRENCES)
def test_a_window_recurs_as_it_says(case: str) -> None:
    planned, since, until, expected = OCCURRENCES[case]
    assert begins(planned, since, until) == expected


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no words": ({"every": "sundays at two"}, "every", "expected days, begin-end and zone"),
    "no day": ({"every": "someday 02:00-04:00 UTC"}, "every", "'someday' is no day"),
    "no time": ({"every": "sunday 02:00-25:00 UTC"}, "every", "'25:00' is no time of a day"),
    "no zone": ({"every": "sunday 02:00-04:00 Europe/Dublim"}, "every", "unknown time zone 'Europe/Dublim'"),
    "two second days": ({"every": "second mon,tue 02:00-04:00 UTC"}, "every", "goes with one day"),
    "no rule": ({"rrule": "FREQ=WEEKLY;BYDAY=XX"}, "rrule", "not a rule of RFC 5545"),
    "every hour": ({"rrule": "FREQ=HOURLY"}, "rrule", "FREQ of DAILY, WEEKLY, MONTHLY, YEARLY"),
    "two rules": ({"rrule": "FREQ=DAILY\nFREQ=WEEKLY"}, "rrule", "expected one rule"),
    "a day that never comes": ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rrule", "no occurrence within 20"),
    "a begin in the world's time": ({"rrule": "FREQ=DAILY", "start": "2026-03-01T02:00:00Z"}, "start", "leave out Z"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_made_out_is_refused_with_the_field(case: str) -> None:
    fields, field, words = WRONG[case]
    given = fields if "every" in fields else {
        "start": "2026-03-01T02:00:00", "timezone": "UTC", "duration_minutes": 60, **fields,
    }  # fmt: skip
    with pytest.raises(RecurrenceError, match=words) as refused:
        Recurrence(window(**given))
    assert refused.value.field == field


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"every": "sunday 02:00-04:00 UTC", "end": "2026-03-01T02:00:00Z"},
        {"rrule": "FREQ=DAILY", "start": "2026-03-01T02:00:00"},
        {"start": "2026-03-01T02:00:00Z", "end": "2026-03-01T03:00:00Z", "exceptions": ["2026-03-01"]},
    ],
)
def test_there_is_one_way_to_say_when(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        window(**fields)


ZONES = st.sampled_from(["Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "UTC"])


@settings(max_examples=40, deadline=None)
@given(ZONES, st.integers(0, 23), st.integers(1, 300), st.lists(st.integers(0, 365 * 24), min_size=1, max_size=6))
def test_every_hour_of_a_year_agrees_with_a_walk_over_its_days(
    zone: str, hour: int, last: int, asked: list[int]
) -> None:
    planned = rule("FREQ=DAILY", f"2025-12-30T{hour:02}:30:00", last, zone)
    days = [datetime(2025, 12, 30, hour, 30, tzinfo=ZoneInfo(zone)) + timedelta(days=day) for day in range(370)]
    spans = [Span(round(day.timestamp()) * 1_000, round(day.timestamp()) * 1_000 + last * MINUTE) for day in days]
    index = MaintenanceIndex([planned], TOPOLOGY)
    for hours in asked:
        now_ms = at("2026-01-01") + hours * 60 * MINUTE + 1_000
        ends = [each.end_ms for each in spans if each.start_ms <= now_ms < each.end_ms]
        assert index.until_ms(alert(), now_ms) == max(ends, default=None)
        assert index.covering(alert(), now_ms) == (["w"] if ends else [])


def test_one_window_joins_another_that_is_on_already() -> None:
    nights = window(every="day 02:00-04:00 UTC")
    once = window(start="2026-03-10T03:00:00Z", end="2026-03-10T05:00:00Z")
    index = MaintenanceIndex([nights, once], TOPOLOGY)
    found = [index.until_ms(alert(), at(f"2026-03-10T0{hour}:30:00")) for hour in range(1, 6)]
    assert found == [None, at("2026-03-10T04:00:00"), at("2026-03-10T05:00:00"), at("2026-03-10T05:00:00"), None]


@pytest.mark.parametrize(
    ("rrule", "words"),
    [
        ("FREQ=DAILY;FREQ=SECONDLY", "stands there twice"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is 1 or more"),
        ("FREQ=DAILY;INTERVAL=00;COUNT=3", "INTERVAL is 1 or more"),
        ("FREQ=DAILY;BYMINUTE=0,1,2;BYSECOND=0,1", "are one number"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=99991231T000000", "no occurrence within 20 years"),
    ],
)
def test_a_rule_that_could_be_followed_for_ever_is_refused(rrule: str, words: str) -> None:
    with pytest.raises(RecurrenceError, match=words):
        Recurrence(rule(rrule, "2026-03-01T02:00:00", 60))


def test_a_window_that_begins_in_the_last_years_of_all_is_refused() -> None:
    with pytest.raises(RecurrenceError, match="too late a year"):
        Recurrence(rule("FREQ=DAILY", "9990-01-01T02:00:00", 60))
