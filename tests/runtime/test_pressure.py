"""Ingest goes no faster than what comes after it, and recovers by itself; what has no backlog is never held."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.step import StreamRecord
from pipeline.flow import MEBIBYTE
from pipeline.kafka.behind import Behind
from pipeline.runtime.context import StageContext
from pipeline.runtime.lanes import SHORT_RECORDS_MAX, Lanes
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.pressure import (
    BEGIN_RATE,
    LOOK_SECONDS,
    RATE_MIN,
    RECENT_SECONDS,
    RECORDS_BEHIND_MIN,
    RISE,
    ROOM,
    TRICKLE,
    UNKNOWN_SECONDS_MAX,
    Pressure,
)
from pipeline.settings import Settings
from tests.runtime.toy import Count

RUNAWAY, OTHER = "alerts.raw.runaway", "alerts.raw.other"


def stages(records: int, handled: int) -> dict[str, Behind]:
    return {"dedupe": Behind(0, handled * 10), "correlate": Behind(records, handled)}


class Clock:
    """Time stands still until the test says otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def look(pressure: Pressure, clock: Clock, seconds: float, behind: dict[str, Behind]) -> bool:
    """Look so much later."""
    clock.now += seconds
    return pressure.observe(behind)


def pressed() -> tuple[Pressure, Clock]:
    """Pressure that has just begun: 4,000 a second were handed on, correlate gets 1,000 a second done."""
    clock = Clock()
    pressure = Pressure(clock)
    pressure.observe(stages(0, 0))
    pressure.spend(4_000)
    assert look(pressure, clock, 1.0, stages(3_000, 1_000))
    return pressure, clock


def released() -> tuple[Pressure, Clock]:
    """Pressure that is over: what lanes with a backlog may hand on rises from half of what they had."""
    pressure, clock = pressed()
    assert look(pressure, clock, 1.0, stages(500, 2_000))
    return pressure, clock


def lanes_under(pressure: Pressure) -> Lanes:
    return Lanes(
        StageContext(
            settings=Settings(),
            stage="ingest",
            inputs=(RUNAWAY, OTHER),
            partition_counts={RUNAWAY: 1, OTHER: 1},
            factory=Count,
            metrics=Metrics(CollectorRegistry(), ["ingest"], wall=False),
            pressure=pressure,
        )
    )


def records(topic: str, count: int) -> list[StreamRecord]:
    return [StreamRecord(topic, 0, offset, 0, b"", b"x") for offset in range(count)]


def test_a_stage_that_is_a_second_behind_holds_lanes_with_a_backlog_and_no_others() -> None:
    lanes = lanes_under(pressed()[0])
    lanes.put(RUNAWAY, records(RUNAWAY, 50_000))
    assert not lanes
    assert lanes.deferred() == [RUNAWAY]
    assert lanes.seconds_until_due()
    lanes.put(OTHER, records(OTHER, SHORT_RECORDS_MAX))
    assert {topic: len(batch) for topic, batch in lanes.take(2_000).items()} == {OTHER: SHORT_RECORDS_MAX}


def test_a_lane_that_is_held_is_not_read_further_and_an_empty_one_is() -> None:
    pressure, clock = pressed()
    lanes = lanes_under(pressure)
    lanes.put(RUNAWAY, records(RUNAWAY, SHORT_RECORDS_MAX + 1))
    lanes.put(OTHER, records(OTHER, SHORT_RECORDS_MAX))
    assert [lanes.has_room(topic, 8 * MEBIBYTE) for topic in (RUNAWAY, OTHER)] == [False, True]
    look(pressure, clock, 1.0, stages(0, 4_000))
    assert lanes.has_room(RUNAWAY, 8 * MEBIBYTE)


def test_afterwards_they_go_on_at_half_of_what_they_had_and_then_faster() -> None:
    pressure, clock = released()
    assert pressure.rate is not None
    assert 2_000 <= pressure.rate <= 2_600
    assert pressure.allowed() == 0
    clock.now += LOOK_SECONDS
    assert pressure.allowed() == int(pressure.rate * LOOK_SECONDS)
    pressure.spend(pressure.allowed() or 0)
    assert pressure.allowed() == 0
    before = pressure.rate
    assert not look(pressure, clock, LOOK_SECONDS, stages(500, 3_000))
    assert pressure.rate > before


def test_a_stage_that_stands_still_holds_them_until_it_goes_on() -> None:
    pressure, clock = pressed()
    for _ in range(8):
        look(pressure, clock, 1.0, stages(3_000, 1_000))
    assert pressure.held
    assert pressure.rate == pytest.approx(2_000)
    look(pressure, clock, 1.0, stages(RECORDS_BEHIND_MIN, 4_000))
    assert not pressure.held


def test_aborted_records_at_the_end_of_a_partition_do_not_hold_for_ever() -> None:
    pressure, clock = pressed()
    lanes = lanes_under(pressure)
    lanes.put(RUNAWAY, records(RUNAWAY, 50_000))
    went = 0
    for _ in range(20):  # dedupe and correlate have done all they see: their offsets stand still
        look(pressure, clock, LOOK_SECONDS, stages(3_000, 1_000))
        went += sum(len(batch) for batch in lanes.take(2_000).values())
        lanes.done()
    assert pressure.held
    assert went == pytest.approx(20 * LOOK_SECONDS * TRICKLE, rel=0.1)
    look(pressure, clock, LOOK_SECONDS, stages(0, 4_000 + went))  # what went came behind them and was committed
    assert not pressure.held


def test_a_backlog_begins_slowly_and_goes_twice_as_fast_each_look() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    pressure.observe(stages(0, 0))
    went = []
    for number in range(1, 6):
        went.append(pressure.allowed() or 0)
        pressure.spend(went[-1])
        look(pressure, clock, LOOK_SECONDS, stages(500, 2_000 * number))
    assert went == [int(BEGIN_RATE * LOOK_SECONDS * 2**number) for number in range(5)]


def going(pressure: Pressure, clock: Clock, pace: float, seconds: float) -> None:
    """Lanes with a backlog hand on so many a second, or what they may, for some time; nothing is behind."""
    until, done = clock.now + seconds, 0
    while clock.now < until:
        allowed = pressure.allowed()
        pressure.spend(int(pace * LOOK_SECONDS) if allowed is None else min(allowed, int(pace * LOOK_SECONDS)))
        done += 1
        look(pressure, clock, LOOK_SECONDS, stages(0, 2_000 + done))


def test_a_limit_has_room_for_some_more_than_goes_however_much_went_once() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    going(pressure, clock, 1_000_000, 5.0)
    assert pressure.rate is not None
    assert pressure.rate > 500_000
    going(pressure, clock, 3_000, 6.0)
    assert pressure.rate == pytest.approx(ROOM * 3_000, rel=0.01)


def test_a_pause_of_ingest_does_not_lower_a_limit() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    going(pressure, clock, 30_000, 5.0)
    going(pressure, clock, 0, LOOK_SECONDS)
    rate = pressure.rate
    assert rate == pytest.approx(ROOM * 30_000)
    going(pressure, clock, 0, RECENT_SECONDS - 3 * LOOK_SECONDS)
    assert pressure.rate == rate


def test_after_a_while_without_one_the_next_backlog_begins_anew() -> None:
    pressure, clock = released()
    going(pressure, clock, 0, RECENT_SECONDS + 1)
    assert pressure.rate == BEGIN_RATE
    assert pressure.allowed() == int(BEGIN_RATE * LOOK_SECONDS)


@pytest.mark.parametrize("seconds", [0.5, 5.0], ids=["quick", "slow"])
def test_a_limit_that_is_used_up_stays_however_long_a_look_takes(seconds: float) -> None:
    pressure, clock = released()
    for number in range(1, 4):
        rate, until, went = pressure.rate or 0.0, clock.now + seconds, 0
        while clock.now < until:  # a transaction takes all there is
            clock.now += 0.1
            went += pressure.allowed() or 0
            pressure.spend(pressure.allowed() or 0)
        assert went == pytest.approx(rate * seconds, rel=0.1)
        pressure.observe(stages(500, 2_000 + number))
        assert pressure.rate == pytest.approx(rate * RISE)


def test_the_first_look_at_a_stage_decides_nothing() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    pressure.spend(40_000)
    assert not look(pressure, clock, 0.5, stages(30_000, 1_000_000))
    assert not look(pressure, clock, 1.0, stages(30_000, 1_040_000))
    look(pressure, clock, 1.0, stages(50_000, 1_080_000))
    assert pressure.held
    clock.now += 1.0
    assert pressure.unknown()
    assert not pressure.held


def test_a_fast_stage_may_have_more_waiting_than_a_slow_one() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    pressure.observe(stages(0, 0))
    look(pressure, clock, 1.0, stages(30_000, 40_000))
    assert not pressure.held


def test_without_an_answer_for_a_while_there_is_no_limit_and_with_one_a_backlog_begins_anew() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    clock.now += UNKNOWN_SECONDS_MAX - 1
    pressure.unknown()
    assert pressure.rate == BEGIN_RATE
    clock.now += 1.0
    pressure.unknown()
    assert pressure.allowed() is None
    pressure.spend(1_000_000)
    look(pressure, clock, LOOK_SECONDS, {})
    assert pressure.rate == BEGIN_RATE
    assert pressure.allowed() == int(BEGIN_RATE * LOOK_SECONDS)


def test_a_look_without_an_answer_now_and_then_leaves_the_limit_and_lets_it_rise() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    look(pressure, clock, LOOK_SECONDS, stages(0, 0))
    for number in range(10):
        clock.now += LOOK_SECONDS
        pressure.spend(pressure.allowed() or 0)
        pressure.unknown()
        clock.now += LOOK_SECONDS
        pressure.spend(pressure.allowed() or 0)
        pressure.observe(stages(0, number))
    assert pressure.rate is not None
    assert pressure.rate > 100_000


def test_what_a_stage_gets_done_is_judged_over_a_look_without_an_answer() -> None:
    pressure, clock = released()
    clock.now += 1.0
    pressure.unknown()
    look(pressure, clock, 1.0, stages(1_500, 4_500))  # 1,250 a second since it was last seen
    assert pressure.held


def test_without_an_answer_nothing_is_held_and_something_always_goes() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    pressure.observe(stages(0, 0))
    look(pressure, clock, 1.0, stages(3_000, 0))
    assert pressure.rate == RATE_MIN
    pressure.unknown()
    assert not pressure.held
