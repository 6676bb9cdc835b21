"""The lag in seconds is honest: of idle, blocked and mixed partitions."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.core.step import StreamRecord
from pipeline.runtime.lateness import Lateness
from pipeline.runtime.waiting import Waiting

HOUR_MS = 3_600_000
NOW_MS = 1_800_000_000_000


@dataclass
class Partition:
    handled_timestamp_ms: int = 0
    waiting: Waiting = field(default_factory=Waiting)


def record(at_ms: int) -> StreamRecord:
    return StreamRecord("alerts", 0, 0, at_ms, b"k", b"v")


def test_an_idle_partition_is_not_late_while_another_has_work() -> None:
    idle, busy = Partition(NOW_MS - HOUR_MS), Partition(NOW_MS - 1_000)
    assert Lateness().oldest_ms({0: idle, 1: busy}, {1}, NOW_MS) == NOW_MS - 1_000


def test_a_record_that_comes_after_an_idle_night_is_not_a_night_late() -> None:
    partition, lateness = Partition(NOW_MS - 8 * HOUR_MS), Lateness()
    assert lateness.oldest_ms({0: partition}, set(), NOW_MS) is None
    assert lateness.oldest_ms({0: partition}, {0}, NOW_MS + 1_000) == NOW_MS


def test_a_blocked_partition_is_later_by_the_second_though_all_it_has_is_in_hand() -> None:
    partition, lateness = Partition(NOW_MS - 5_000), Lateness()
    partition.waiting.put("alerts", [record(NOW_MS)])
    partition.waiting.take(10)
    for passed_ms in (1_000, 60_000):
        assert lateness.oldest_ms({0: partition}, set(), NOW_MS + passed_ms) == NOW_MS
    partition.waiting.done()
    assert lateness.oldest_ms({0: partition}, set(), NOW_MS + 61_000) is None


def test_what_waits_here_counts_before_what_was_not_fetched() -> None:
    partition = Partition(NOW_MS - HOUR_MS)
    partition.waiting.put("alerts", [record(NOW_MS - 2_000)])
    assert Lateness().oldest_ms({0: partition}, {0}, NOW_MS) == NOW_MS - 2_000


def test_a_partition_that_left_and_came_back_is_looked_at_anew() -> None:
    partition, lateness = Partition(NOW_MS - HOUR_MS), Lateness()
    lateness.oldest_ms({0: partition}, set(), NOW_MS)
    lateness.oldest_ms({}, set(), NOW_MS + 1_000)
    assert lateness.oldest_ms({0: partition}, {0}, NOW_MS + 2_000) == NOW_MS - HOUR_MS
