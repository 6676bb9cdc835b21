"""Hand-offs over two years, day by day, against a calculation that shares nothing with the code; and what always holds.

The calculation here: a hand-off is the first minute of its local day at which a clock on the wall shows its time or
later. It is looked for minute by minute on days that shift, and is plain `zoneinfo` on others.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.escalation.oncall import duty, on_call
from pipeline.core.escalation.oncall_schedule import schedule
from pipeline.models.oncall import OncallOverride, Rotation

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DAY_MS = 86_400_000
PEOPLE = ("ann", "bob", "cem", "dora", "eve")


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


@cache
def hand_off(day: date, at: time, name: str) -> datetime:
    """When a clock on the wall of a zone first shows a time of a day, or later."""
    zone = ZoneInfo(name)
    begin, end = (datetime.combine(each, time(), zone) for each in (day - DAY, day + 2 * DAY))
    if begin.utcoffset() == end.utcoffset():
        return datetime.combine(day, at, zone).astimezone(UTC)
    moment = datetime.combine(day, time(), UTC) - timedelta(hours=14)
    while True:
        local = moment.astimezone(zone)
        if (local.date(), local.time()) >= (day, at):
            return moment
        moment += MINUTE


TWO_YEARS = [
    ("Europe/Amsterdam", "09:00", 7, date(2026, 1, 5)),
    ("Europe/Amsterdam", "02:30", 1, date(2026, 1, 5)),  # does not exist in March, comes twice in October
    ("America/New_York", "02:00", 1, date(2026, 1, 5)),  # the shift itself
    ("America/New_York", "01:30", 14, date(2026, 1, 4)),  # a Sunday: in November it comes twice
    ("Asia/Kolkata", "18:00", 3, date(2026, 1, 6)),
    ("Australia/Lord_Howe", "02:15", 1, date(2026, 1, 5)),  # the clock shifts by half an hour
    ("Australia/Lord_Howe", "01:45", 7, date(2026, 1, 4)),
    ("America/Sao_Paulo", "00:00", 1, date(2017, 1, 2)),  # until 2019 a day in spring had no midnight
    ("America/Sao_Paulo", "23:30", 1, date(2017, 1, 2)),  # and one in autumn had 23:30 twice
    ("America/Sao_Paulo", "08:00", 7, date(2026, 1, 5)),
]


@pytest.mark.parametrize(("zone", "at", "days", "first"), TWO_YEARS, ids=lambda each: str(each).replace("/", "-"))
def test_every_hand_off_of_two_years_is_at_its_local_time(zone: str, at: str, days: int, first: date) -> None:
    clock = time.fromisoformat(at)
    rotation = Rotation.model_validate(
        {"name": "r", "people": PEOPLE, "start": first.isoformat(), "hand_off": at, "timezone": zone, "turn_days": days}
    )
    for number in range(2 * 366 // days):
        begins = ms(hand_off(first + number * days * DAY, clock, zone))
        ends = ms(hand_off(first + (number + 1) * days * DAY, clock, zone))
        person = PEOPLE[number % len(PEOPLE)]
        for moment in (begins, ends - 1):
            assert on_call(rotation, moment) == person, datetime.fromtimestamp(moment / 1_000, ZoneInfo(zone))


def test_turns_of_hours_go_by_the_wall_clock_over_both_shifts_and_the_end_of_the_year() -> None:
    rotation = Rotation.model_validate(
        {"name": "r", "people": ["ann", "bob"], "start": "2026-01-05", "hand_off": "08:00", "turn_hours": 12,
         "timezone": "America/New_York"}
    )  # fmt: skip
    day = date(2026, 1, 5)
    while day < date(2028, 1, 5):
        mornings, evenings = (ms(hand_off(day, time(hour), "America/New_York")) for hour in (8, 20))
        assert [on_call(rotation, each) for each in (mornings - 1, mornings, evenings - 1, evenings)] == [
            "bob", "ann", "ann", "bob",
        ]  # fmt: skip
        day += DAY


def test_hours_on_duty_open_and_close_at_their_local_time_for_two_years() -> None:
    zone = "Europe/Amsterdam"
    rotation = Rotation.model_validate(
        {"name": "r", "timezone": zone, "layers": [
            {"name": "day", "people": ["ann"], "start": "2026-01-05", "hand_off": "00:00",
             "on_duty": [{"days": [0, 1, 2, 3, 4, 5, 6], "start": "02:30", "end": "17:00"}]}]}
    )  # fmt: skip
    day = date(2026, 1, 5)
    while day < date(2028, 1, 5):
        opens, closes = (ms(hand_off(day, at, zone)) for at in (time(2, 30), time(17)))
        assert [on_call(rotation, each) for each in (opens - 1, opens, closes - 1, closes)] == [
            None,
            "ann",
            "ann",
            None,
        ]
        day += DAY


# -- what always holds

ZONES = st.sampled_from(
    ["Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]
)
TIMES = st.times().map(lambda each: each.replace(second=0, microsecond=0, minute=each.minute // 15 * 15))
MOMENTS = st.integers(ms(datetime(2017, 1, 1, tzinfo=UTC)), ms(datetime(2030, 1, 1, tzinfo=UTC)))


@st.composite
def layer(draw: st.DrawFn, number: int) -> dict[str, Any]:
    people = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4, unique=True))
    hours = st.fixed_dictionaries(
        {
            "days": st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True),
            "start": TIMES.map(str),
            "end": TIMES.map(str),
        }
    )
    unit, length = draw(st.sampled_from([("turn_hours", 8), ("turn_hours", 12), ("turn_days", 1), ("turn_weeks", 1)]))
    return {
        "name": f"l{number}",
        "position": draw(st.sampled_from(["primary", "secondary"])),
        "people": people,
        "start": draw(st.dates(date(2016, 1, 1), date(2030, 1, 1))).isoformat(),
        "hand_off": str(draw(TIMES)),
        "timezone": draw(ZONES),
        "at_once": draw(st.integers(1, len(people))),
        unit: length,
        "on_duty": draw(st.lists(hours, max_size=2)),
    }


@st.composite
def rotations(draw: st.DrawFn) -> Rotation:
    count = draw(st.integers(1, 3))
    return Rotation.model_validate({"name": "r", "layers": [draw(layer(number)) for number in range(count)]})


def turn_by_hand(given: dict[str, Any], moment: datetime) -> list[str]:
    """Whose turn a moment is in, by counting; right where the wall clock shows no time twice that day."""
    local = moment.astimezone(ZoneInfo(given["timezone"])).replace(tzinfo=None)
    first = datetime.combine(date.fromisoformat(given["start"]), time.fromisoformat(given["hand_off"]))
    hours = given.get("turn_hours", 24 * given.get("turn_days", 7 * given.get("turn_weeks", 0)))
    number = int((local - first).total_seconds() // (hours * 3_600))
    return [given["people"][(number + ahead) % len(given["people"])] for ahead in range(given["at_once"])]


def on_by_hand(given: dict[str, Any], moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(given["timezone"])).replace(tzinfo=None)
    yesterday = (local.weekday() - 1) % 7
    for hours in given["on_duty"]:
        start, end, now = time.fromisoformat(hours["start"]), time.fromisoformat(hours["end"]), local.time()
        if end > start:
            if local.weekday() in hours["days"] and start <= now < end:
                return True
        elif (local.weekday() in hours["days"] and now >= start) or (yesterday in hours["days"] and now < end):
            return True
    return not given["on_duty"]


def shifts_near(given: dict[str, Any], moment: datetime) -> bool:
    zone = ZoneInfo(given["timezone"])
    around = {(moment + number * DAY).astimezone(zone).utcoffset() for number in (-8, -1, 0, 1, 8)}
    return len(around) > 1


@settings(max_examples=50, deadline=None)
@given(data=st.data(), at_ms=MOMENTS)
def test_at_each_moment_the_primaries_are_those_of_the_highest_layer_that_is_on(
    data: st.DataObject, at_ms: int
) -> None:
    given_layers = [data.draw(layer(number)) for number in range(data.draw(st.integers(1, 3)))]
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC)
    if any(shifts_near(each, moment) for each in given_layers):
        return
    rotation = Rotation.model_validate({"name": "r", "layers": given_layers})
    on = [each for each in given_layers if each["position"] == "primary" and on_by_hand(each, moment)]
    expected = turn_by_hand(on[0], moment) if on else []
    assert [each.person for each in duty(rotation, at_ms) if each.position == "primary"] == expected


@settings(max_examples=25, deadline=None)
@given(rotation=rotations(), start_ms=MOMENTS, days=st.integers(1, 20), picks=st.lists(st.floats(0, 1), max_size=8))
def test_a_schedule_covers_its_time_without_holes_and_says_what_is_so(
    rotation: Rotation, start_ms: int, days: int, picks: list[float]
) -> None:
    end_ms = start_ms + days * DAY_MS
    shifts = list(schedule(rotation, start_ms, end_ms))
    assert [each.start_ms for each in shifts] == [start_ms, *(each.end_ms for each in shifts[:-1])]
    assert shifts[-1].end_ms == end_ms
    for pick in picks:
        moment = min(end_ms - 1, start_ms + int(pick * (end_ms - start_ms)))
        shift = next(each for each in shifts if each.start_ms <= moment < each.end_ms)
        assert [(each.position, each.person) for each in shift.people] == [
            (each.position, each.person) for each in duty(rotation, moment)
        ]


@settings(max_examples=25, deadline=None)
@given(rotation=rotations(), at_ms=MOMENTS)
def test_nobody_is_called_twice_for_one_moment(rotation: Rotation, at_ms: int) -> None:
    people = [each.person for each in duty(rotation, at_ms)]
    assert len(people) == len(set(people))


@settings(max_examples=25, deadline=None)
@given(zone=ZONES, at=TIMES, start_ms=MOMENTS, days=st.integers(1, 3))
def test_a_hand_off_is_at_its_local_time_or_the_moment_after_a_gap(
    zone: str, at: time, start_ms: int, days: int
) -> None:
    rotation = Rotation.model_validate(
        {"name": "r", "people": PEOPLE, "start": "2016-01-01", "hand_off": str(at), "timezone": zone, "turn_days": days}
    )
    shifts = list(schedule(rotation, start_ms, start_ms + 30 * DAY_MS))
    assert len(shifts) >= 30 // days
    for shift in shifts[1:]:
        zone_info = ZoneInfo(zone)
        shown, before = (
            datetime.fromtimestamp(shift.start_ms / 1_000, UTC) - ago
            for ago in (timedelta(0), timedelta(milliseconds=1))
        )
        wall, wall_before = (each.astimezone(zone_info).replace(tzinfo=None) for each in (shown, before))
        assert wall_before < datetime.combine(wall.date(), at) <= wall


@settings(max_examples=25, deadline=None)
@given(rotation=rotations(), start_ms=MOMENTS, minutes=st.integers(1, 50_000))
def test_an_override_wins_from_its_start_until_before_its_end_and_not_a_moment_longer(
    rotation: Rotation, start_ms: int, minutes: int
) -> None:
    end_ms = start_ms + minutes * 60_000
    start, end = (datetime.fromtimestamp(each / 1_000, UTC) for each in (start_ms, end_ms))
    stood_in = rotation.model_copy(update={"overrides": (OncallOverride(start=start, end=end, person="zoe"),)})
    begins, ends = ms(start), ms(end)
    assert [on_call(stood_in, each) for each in (begins, end_ms - 1)] == ["zoe", "zoe"]
    for moment in (begins - 1, ends):
        assert duty(stood_in, moment) == duty(rotation, moment)
