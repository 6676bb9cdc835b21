"""Rebalances: who gets what back, and what is restored anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from pipeline.core.step import StreamRecord
from pipeline.runtime.fetched import Fetched
from pipeline.runtime.gate import Gate
from pipeline.runtime.partition import PartitionTask
from tests.runtime.inside import context, until
from tests.runtime.toy import INPUT, OUTPUT, STAGE
from tests.runtime.workers import PARTITIONS, Bench, Worker, out_of_sequence, served
from tests.support import wait_until


def send_to_all(bench: Bench, each: int) -> None:
    for number in range(PARTITIONS * each):
        bench.send(f"k{number % PARTITIONS}", b"x", partition=number % PARTITIONS)
    bench.flush()


def calls(worker: Worker, event: str) -> list[int]:
    """Partitions that a worker told an event of, in order, so far."""
    return [int(line["partition"]) for line in worker.events() if line["event"] == event]


def test_a_worker_with_a_name_gives_its_partitions_to_the_others_as_soon_as_it_stops(bench: Bench) -> None:
    first = bench.worker("--session-seconds=60", "--instance=a").wait_ready()
    second = bench.worker("--session-seconds=60", "--instance=b").wait_ready()
    wait_until(lambda: served(first) and served(second), 20, "both serve")
    mine = served(first)
    send_to_all(bench, 5)
    assert first.terminate() == 0
    wait_until(lambda: len(served(second)) == PARTITIONS, 20, "the other serves all, long before the session is over")
    send_to_all(bench, 5)
    assert out_of_sequence(bench.read(OUTPUT, PARTITIONS * 10)) == {}
    again = bench.worker("--session-seconds=60", "--instance=a").wait_ready()
    wait_until(lambda: served(again) == mine, 20, "it gets back what it had")


def test_a_worker_that_is_asked_to_stop_in_the_middle_of_a_rebalance_ends_well(bench: Bench) -> None:
    first = bench.worker("--session-seconds=8").wait_ready()
    sleeper = bench.worker("--session-seconds=8").wait_ready()
    wait_until(lambda: served(first) and served(sleeper), 20, "both serve")
    sleeper.freeze()
    bench.worker("--session-seconds=8")  # who joins; and the group waits for the one that sleeps
    wait_until(lambda: first.ask("/readyz", {200, 503})[0] == 503, 20, "the rebalance has begun")
    assert first.terminate() == 0
    sleeper.kill()


def test_a_restarted_worker_that_its_partitions_wait_for_gets_them_back_and_the_others_go_on(bench: Bench) -> None:
    first = bench.worker("--session-seconds=15", "--instance=a", "--on-stop=wait").wait_ready()
    second = bench.worker("--session-seconds=15", "--instance=b").wait_ready()
    wait_until(lambda: served(first) and served(second), 20, "both serve")
    mine, theirs = served(first), served(second)
    assert sorted(mine + theirs) == list(range(PARTITIONS))
    send_to_all(bench, 5)
    bench.read(OUTPUT, PARTITIONS * 5)
    opened = calls(second, "on_assigned")
    assert first.terminate() == 0
    send_to_all(bench, 5)
    again = bench.worker("--session-seconds=15", "--instance=a").wait_ready()
    assert served(again) == mine
    assert out_of_sequence(bench.read(OUTPUT, PARTITIONS * 10)) == {}
    # Nobody left the group, so nobody was asked to give anything up.
    assert served(second) == theirs
    assert calls(second, "on_assigned") == opened


def test_a_partition_that_stays_keeps_its_state_in_memory_through_a_rebalance(bench: Bench) -> None:
    first = bench.worker().wait_ready()
    send_to_all(bench, 3)
    bench.read(OUTPUT, PARTITIONS * 3)
    second = bench.worker().wait_ready()
    wait_until(lambda: len(served(first)) == PARTITIONS // 2, 20, "half of the partitions moved")
    send_to_all(bench, 3)
    assert out_of_sequence(bench.read(OUTPUT, PARTITIONS * 6)) == {}
    assert first.sample("spillway_restore_records_total", stage=STAGE) == 0
    moved = second.sample("spillway_restore_records_total", stage=STAGE)
    assert moved > 0
    assert second.terminate() == 0
    wait_until(lambda: len(served(first)) == PARTITIONS, 20, "all came back")
    send_to_all(bench, 3)
    assert out_of_sequence(bench.read(OUTPUT, PARTITIONS * 9)) == {}
    # Those that had gone were restored, those that had stayed were not: each partition holds as much.
    assert moved <= first.sample("spillway_restore_records_total", stage=STAGE) <= 2 * moved
    assert sorted(Counter(calls(first, "on_assigned")).values()) == [2, 2, 3, 3]


def test_a_partition_that_another_had_in_between_is_not_resumed_from_memory(bench: Bench) -> None:
    """A worker that slept through two rebalances finds its producer fenced, and restores."""

    async def slept() -> tuple[bool, bool]:
        given = context(bench)
        mine = PartitionTask(given, 0)
        await mine.start()
        await until(lambda: mine.serving, "it serves")
        topic = given.settings.wire(INPUT)
        mine.positioned({}, {topic: 0})
        assert await mine.offer(topic, Fetched([record_of(0)], 0, 1))
        await until(lambda: mine.next_offsets, "one record is handled")
        await mine.suspend()
        undisturbed = await mine.resume()
        await mine.suspend()
        other = PartitionTask(given, 0)
        await other.start()
        disturbed = await mine.resume()
        await mine.close()
        await other.close()
        return undisturbed, disturbed

    assert asyncio.run(slept()) == (True, False)


def test_records_that_are_read_again_while_they_wait_are_handled_once(bench: Bench) -> None:
    """After a gap or a rebalance reading goes back, also behind what was taken and has not had its turn yet."""

    async def read_twice() -> tuple[int, list[int]]:
        given = replace(context(bench), gate=Gate(1))
        mine = PartitionTask(given, 0)
        await mine.start()
        await until(lambda: mine.serving, "it serves")
        topic = given.settings.wire(INPUT)
        mine.positioned({}, {topic: 0})
        async with given.gate.turn(0):
            assert await mine.offer(topic, Fetched([record_of(each) for each in range(4)], 0, 4))
            assert await mine.offer(topic, Fetched([record_of(each) for each in range(2, 6)], 2, 6))
            assert await mine.offer(topic, Fetched([record_of(each) for each in range(3)], 0, 3))
            waiting = list(mine.waiting.counts().values())
        await until(lambda: mine.next_offsets.get(topic) == 6, "all are handled")
        await mine.close()
        return mine.processor.ledger.received, waiting

    assert asyncio.run(read_twice()) == (6, [6])


def record_of(offset: int) -> StreamRecord:
    return StreamRecord(INPUT, 0, offset, 1_000, b"k", b"x")
