"""What waits is bounded in bytes, and a partition that holds enough does not stop the others."""

from __future__ import annotations

import time

from pipeline.core.step import StreamRecord
from pipeline.flow import MEBIBYTE
from pipeline.runtime.transport import FETCH_ANSWER_BYTES_MAX
from pipeline.runtime.waiting import RECORD_OVERHEAD_BYTES, STAGE_BYTES_MAX, TRANSACTION_BYTES_MAX, Waiting
from tests.runtime.toy import INPUT, OUTPUT
from tests.runtime.workers import PARTITIONS, Bench, out_of_sequence, served
from tests.support import wait_until

LARGE_BYTES = 8 * MEBIBYTE


def large(word: str, size: int = LARGE_BYTES) -> bytes:
    """A value that the toy obeys, padded."""
    return word.encode().ljust(size)


def test_memory_stays_bounded_under_a_backlog_of_large_records(bench: Bench) -> None:
    for number in range(60):
        bench.send(f"k{number % PARTITIONS}", large("stick 50"), partition=number % PARTITIONS)
        bench.flush()
    worker = bench.worker()
    peak = 0
    deadline = time.monotonic() + 60
    while bench.committed() < 60:
        assert time.monotonic() < deadline
        peak = max(peak, worker.memory_bytes)
    # Waiting and in hand, one answer over it, one answer in the fetcher, and what the copies of one batch come to.
    most = STAGE_BYTES_MAX + 2 * (FETCH_ANSWER_BYTES_MAX + LARGE_BYTES) + 2 * TRANSACTION_BYTES_MAX + 128 * MEBIBYTE
    assert peak < most, f"{peak >> 20} MiB, of a backlog of {60 * LARGE_BYTES >> 20} MiB"
    assert out_of_sequence(bench.read(OUTPUT, 60)) == {}


def test_a_partition_that_holds_enough_stops_neither_the_others_nor_a_rebalance(bench: Bench) -> None:
    for _ in range(40):
        bench.send("slow", large("wait 500", 4 * MEBIBYTE), partition=0)
        bench.flush()
    worker = bench.worker().wait_ready()
    bench.wait_committed(1)
    for number in range(300):
        bench.send(f"k{number % 3}", b"x", partition=1 + number % 3)
    bench.flush()
    wait_until(lambda: sum(bench.committed_by_partition()[1:]) == 300, 5, "the others are handled")
    assert bench.committed_by_partition()[0] < 30
    bench.worker().wait_ready()
    wait_until(lambda: len(served(worker)) == PARTITIONS // 2, 5, "half of the partitions moved")
    assert bench.committed_by_partition()[0] < 40
    assert out_of_sequence(bench.read(OUTPUT, 340)) == {}


def records(count: int, size: int, start: int = 0) -> list[StreamRecord]:
    return [StreamRecord(INPUT, 0, offset, 0, b"", b"x" * size) for offset in range(start, start + count)]


def test_a_transaction_takes_no_more_records_than_it_may_and_nothing_is_lost_in_the_split() -> None:
    waiting = Waiting()
    waiting.put("a", records(1_500, 10))
    waiting.put("b", records(1_500, 10))
    first = waiting.take(2_000)
    assert {topic: len(taken) for topic, taken in first.items()} == {"a": 1_500, "b": 500}
    waiting.done()
    assert waiting.counts() == {"b": 1_000}
    second = waiting.take(2_000)
    assert [record.offset for record in second["b"]] == list(range(500, 1_500))
    waiting.done()
    assert waiting.held_bytes == 0
    assert not waiting


def test_a_transaction_takes_no_more_bytes_than_it_may_but_one_record_always() -> None:
    waiting = Waiting()
    waiting.put("a", records(3, TRANSACTION_BYTES_MAX // 2 - RECORD_OVERHEAD_BYTES))
    waiting.put("a", records(1, 2 * TRANSACTION_BYTES_MAX, start=3))
    taken = []
    while waiting:
        taken.append([record.offset for record in waiting.take(2_000)["a"]])
        assert waiting.held_bytes > 0
        waiting.done()
    assert taken == [[0, 1], [2], [3]]
    assert waiting.held_bytes == 0


def test_what_is_dropped_needs_no_memory_and_what_is_in_hand_still_does() -> None:
    waiting = Waiting()
    waiting.put("a", records(2, 1_000))
    waiting.take(1)
    in_hand = 1_000 + RECORD_OVERHEAD_BYTES
    assert waiting.held_bytes == 2 * in_hand
    waiting.clear()
    assert waiting.held_bytes == in_hand
    waiting.done()
    assert waiting.held_bytes == 0
