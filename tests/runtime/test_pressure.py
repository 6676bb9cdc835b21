"""Ingest goes no faster than what comes after it, and recovers by itself; what has no backlog is never held."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.step import StreamRecord
from pipeline.kafka.behind import Behind
from pipeline.runtime.context import StageContext
from pipeline.runtime.lanes import SHORT_RECORDS_MAX, Lanes
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.pressure import LOOK_SECONDS, RATE_MIN, RECORDS_BEHIND_MIN, Pressure
from pipeline.settings import Settings
from tests.runtime.toy import Count

RUNAWAY, OTHER = "alerts.raw.runaway", "alerts.raw.other"


def stages(records: int, handled: int) -> dict[str, Behind]:
    return {"dedupe": Behind(0, handled * 10), "correlate": Behind(records, handled)}


def pressed() -> Pressure:
    """Pressure that has just begun: 4,000 a second were handed on, correlate gets 1,000 a second done."""
    pressure = Pressure()
    pressure.observe(stages(0, 0), 0.0)
    pressure.spend(4_000)
    assert pressure.observe(stages(3_000, 1_000), 1.0)
    return pressure


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
    lanes = lanes_under(pressed())
    lanes.put(RUNAWAY, records(RUNAWAY, 50_000))
    assert not lanes
    assert lanes.deferred() == [RUNAWAY]
    assert lanes.seconds_until_due()
    lanes.put(OTHER, records(OTHER, SHORT_RECORDS_MAX))
    assert {topic: len(batch) for topic, batch in lanes.take(2_000).items()} == {OTHER: SHORT_RECORDS_MAX}


def test_afterwards_they_go_on_at_half_of_what_they_had_and_then_faster() -> None:
    pressure = pressed()
    assert pressure.allowed() == 0
    assert pressure.observe(stages(500, 2_000), 2.0)
    assert pressure.rate is not None
    assert 2_000 <= pressure.rate <= 2_600
    assert pressure.allowed() == int(pressure.rate * LOOK_SECONDS)
    pressure.spend(pressure.allowed() or 0)
    assert pressure.allowed() == 0
    before = pressure.rate
    pressure.spend(2_000)
    assert not pressure.observe(stages(500, 3_000), 3.0)
    assert pressure.rate > before


def test_a_stage_that_stands_still_holds_them_until_it_goes_on() -> None:
    pressure = pressed()
    for second in range(2, 10):
        pressure.observe(stages(3_000, 1_000), second)
    assert pressure.held
    assert pressure.rate == pytest.approx(2_000)
    pressure.observe(stages(RECORDS_BEHIND_MIN, 4_000), 11.0)
    assert not pressure.held


def test_when_nobody_needs_a_limit_any_more_there_is_none() -> None:
    pressure = pressed()
    for second in range(2, 5):
        pressure.observe(stages(0, 1_000), second)
    assert pressure.allowed() is None


def test_a_fast_stage_may_have_more_waiting_than_a_slow_one() -> None:
    pressure = Pressure()
    pressure.observe(stages(0, 0), 0.0)
    pressure.observe(stages(30_000, 40_000), 1.0)
    assert not pressure.held


def test_without_an_answer_nothing_is_held_and_something_always_goes() -> None:
    pressure = Pressure()
    pressure.observe(stages(0, 0), 0.0)
    pressure.observe(stages(3_000, 0), 1.0)
    assert pressure.rate == RATE_MIN
    pressure.observe({}, 2.0)
    assert not pressure.held
