"""A feed that runs away waits for itself: others get through, quotas hold, memory is bounded, nothing is lost."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.step import StreamRecord
from pipeline.flow import MEBIBYTE
from pipeline.models.policy import FeedQuota
from pipeline.runtime.context import StageContext
from pipeline.runtime.lanes import LANE_BYTES_MIN, Lanes, until_due, waiting_of
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.quota import Quota
from pipeline.runtime.waiting import TRANSACTION_BYTES_MAX, Waiting
from pipeline.settings import Settings
from tests.runtime.toy import Count

RUNAWAY, OTHER, QUIET = "alerts.raw.runaway", "alerts.raw.other", "alerts.raw.quiet"


def context(stage: str = "ingest", **quotas: FeedQuota) -> StageContext:
    """A context whose topics have two partitions each; quotas by the feed's name."""
    settings = Settings()
    return StageContext(
        settings=settings,
        stage=stage,
        inputs=(RUNAWAY, OTHER, QUIET),
        partition_counts=dict.fromkeys((RUNAWAY, OTHER, QUIET), 2),
        factory=Count,
        metrics=Metrics(CollectorRegistry(), [stage], wall=False),
        quotas={f"alerts.raw.{name}": quota for name, quota in quotas.items()},
    )


def records(topic: str, count: int, start: int = 0, size: int = 10) -> list[StreamRecord]:
    return [StreamRecord(topic, 0, offset, offset, b"", b"x" * size) for offset in range(start, start + count)]


def test_a_transaction_has_all_of_a_quiet_feed_and_the_rest_of_one_that_runs_away() -> None:
    lanes = Lanes(context())
    lanes.put(RUNAWAY, records(RUNAWAY, 50_000))
    lanes.put(OTHER, records(OTHER, 900))
    lanes.put(QUIET, records(QUIET, 3))
    taken = lanes.take(2_000)
    assert {topic: len(batch) for topic, batch in taken.items()} == {QUIET: 3, OTHER: 900, RUNAWAY: 1_097}


def test_feeds_that_all_run_away_have_equal_shares() -> None:
    lanes = Lanes(context())
    for topic in (RUNAWAY, OTHER, QUIET):
        lanes.put(topic, records(topic, 5_000))
    assert {topic: len(batch) for topic, batch in lanes.take(1_500).items()} == {
        RUNAWAY: 500,
        OTHER: 500,
        QUIET: 500,
    }


def test_large_records_of_one_feed_leave_room_for_the_others() -> None:
    lanes = Lanes(context())
    lanes.put(RUNAWAY, records(RUNAWAY, 20, size=MEBIBYTE))
    lanes.put(OTHER, records(OTHER, 1_000))
    taken = lanes.take(2_000)
    assert len(taken[OTHER]) == 1_000
    assert 1 <= len(taken[RUNAWAY]) <= TRANSACTION_BYTES_MAX // MEBIBYTE


def test_nothing_is_lost_or_turned_around_whatever_comes_and_goes() -> None:
    seed = 11
    random, lanes = Random(seed), Lanes(context())  # noqa: S311 a repeatable sequence, not a secret
    sent = dict.fromkeys((RUNAWAY, OTHER, QUIET), 0)
    taken: dict[str, list[int]] = {topic: [] for topic in sent}
    for _ in range(300):
        topic = random.choice(list(sent))
        count = random.choice([1, 5, 4_000 if topic == RUNAWAY else 20])
        lanes.put(topic, records(topic, count, sent[topic]))
        sent[topic] += count
        if random.random() < 0.7 and lanes:
            for name, batch in lanes.take(random.choice([1, 7, 2_000])).items():
                taken[name] += [record.offset for record in batch]
            lanes.done()
    while lanes:
        for name, batch in lanes.take(2_000).items():
            taken[name] += [record.offset for record in batch]
        lanes.done()
    assert taken == {topic: list(range(count)) for topic, count in sent.items()}, f"seed {seed}"
    assert lanes.held_bytes == 0
    assert not any(lanes.counts().values())


def test_reading_stops_for_the_feed_that_runs_away_alone() -> None:
    lanes = Lanes(context())
    lanes.put(RUNAWAY, records(RUNAWAY, 8, size=MEBIBYTE))
    assert not lanes.has_room(RUNAWAY, 8 * MEBIBYTE)
    assert lanes.has_room(OTHER, 8 * MEBIBYTE)
    lanes.put(OTHER, records(OTHER, 1, size=LANE_BYTES_MIN))
    assert not lanes.has_room(OTHER, 0)
    assert [topic for topic in (RUNAWAY, OTHER, QUIET) if lanes.may_overflow(topic)] == [QUIET]


def test_a_quota_holds_a_feed_back_and_no_other_and_gives_it_all_in_the_end() -> None:
    now = [0.0]
    lanes = Lanes(context(runaway=FeedQuota(messages_per_second=20, burst=10)))
    lanes._quotas[RUNAWAY] = Quota(10, 5, clock=lambda: now[0])  # of one of two partitions
    lanes.put(RUNAWAY, records(RUNAWAY, 30))
    lanes.put(OTHER, records(OTHER, 100))
    assert {topic: len(batch) for topic, batch in lanes.take(2_000).items()} == {RUNAWAY: 5, OTHER: 100}
    lanes.done()
    assert not lanes
    assert list(lanes.deferred()) == [RUNAWAY]
    assert lanes.seconds_until_due() == pytest.approx(0.1)
    taken = 5
    while taken < 30:
        now[0] += lanes.seconds_until_due() or 0.0
        taken += len(lanes.take(2_000).get(RUNAWAY, ()))  # a rounding error may be left
        lanes.done()
    assert taken == 30
    assert now[0] == pytest.approx(2.5)


def test_a_lane_is_read_no_further_than_its_quota_lets_through_soon() -> None:
    lanes = Lanes(context(runaway=FeedQuota(messages_per_second=20, burst=10)))
    lanes.put(RUNAWAY, records(RUNAWAY, 14))
    lanes.put(OTHER, records(OTHER, 14))
    assert lanes.has_room(RUNAWAY, 8 * MEBIBYTE)
    lanes.put(RUNAWAY, records(RUNAWAY, 1, 14))  # one of two partitions: a burst of 5 and 10 a second
    lanes.put(OTHER, records(OTHER, 1, 14))
    assert not lanes.has_room(RUNAWAY, 8 * MEBIBYTE)
    assert lanes.has_room(OTHER, 8 * MEBIBYTE)


def test_a_quota_is_the_feeds_and_each_partition_has_its_part() -> None:
    lanes = Lanes(context(runaway=FeedQuota(messages_per_second=20, burst=10)))
    lanes.put(RUNAWAY, records(RUNAWAY, 30))
    assert len(lanes.take(2_000)[RUNAWAY]) == 5


def test_another_configuration_lifts_a_quota_at_once() -> None:
    lanes = Lanes(context(runaway=FeedQuota(messages_per_second=0.001, burst=1)))
    lanes.put(RUNAWAY, records(RUNAWAY, 30))
    lanes.take(2_000)
    assert not lanes
    lanes.renew(context())
    assert len(lanes.take(2_000)[RUNAWAY]) == 29


def test_a_task_wakes_when_its_quota_lets_it_go_on() -> None:
    lanes = Lanes(context(runaway=FeedQuota(messages_per_second=40, burst=2)))
    lanes.put(RUNAWAY, records(RUNAWAY, 30))
    lanes.take(2_000)

    async def wait() -> None:
        changed = asyncio.Condition()
        async with changed, asyncio.timeout(5):
            await until_due(changed, lanes, lambda: False)

    asyncio.run(wait())
    assert lanes


def test_other_stages_take_what_waits_in_the_order_in_which_it_came() -> None:
    assert isinstance(waiting_of(context("ingest")), Lanes)
    assert isinstance(waiting_of(context("correlate")), Waiting)
