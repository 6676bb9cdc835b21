"""Trouble around a batch: a broker that goes away, a hook that breaks, a fetch that a rebalance overtakes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from pipeline.kafka.embedded import EmbeddedKafka
from pipeline.kafka.ports import free_ports
from pipeline.runtime.fetched import Fetched
from pipeline.runtime.guard import EXIT_DEFECT
from pipeline.runtime.transport import Consumer
from tests.runtime.inside import context, running
from tests.runtime.toy import OUTPUT
from tests.runtime.workers import PARTITIONS, Bench, out_of_sequence
from tests.support import wait_until

BROKER_SECONDS_MAX = 60.0


def send_each(bench: Bench, count: int) -> None:
    """Send records of as many keys as there are partitions."""
    for number in range(count):
        bench.send(f"k{number % PARTITIONS}", b"x" * 100, partition=number % PARTITIONS)


def test_every_record_takes_effect_once_though_the_broker_is_restarted(tmp_path: Path, prefix: str) -> None:
    [port] = free_ports(1)
    with EmbeddedKafka(tmp_path, port) as broker:
        bench = Bench(broker.bootstrap, prefix)
        worker = bench.worker().wait_ready()
        send_each(bench, 8000)
        bench.flush()
        bench.wait_committed(1000)
    send_each(bench, 2000)
    with EmbeddedKafka(tmp_path, port):
        bench.flush()
        # The worker rides it out, or ends for its heir to go on.
        heir = bench.worker()
        found = bench.read(OUTPUT, 10_000, BROKER_SECONDS_MAX)
        assert out_of_sequence(found) == {}
        assert not worker.ended() or worker.exit_code() == EXIT_DEFECT
        heir.terminate()
        worker.terminate()
        assert len(bench.read_all(OUTPUT)) == 10_000
        bench.close()


def test_a_hook_that_breaks_before_the_commit_ends_the_process_and_nothing_is_committed(bench: Bench) -> None:
    bench.send("a", b"hook before_commit")
    bench.flush()
    for _ in range(2):  # a crash loop until somebody looks: the record is never skipped
        worker = bench.worker()
        assert worker.exit_code() == EXIT_DEFECT
        told = worker.events()[-1]
        assert (told["event"], told["transaction"]) == ("fatal", "failed")
        assert told["offsets"] == {bench.prefix + "alerts": "0-0"}
    assert bench.read_all(OUTPUT) == []
    assert bench.committed() == 0


def test_a_hook_that_breaks_after_the_commit_ends_the_process_and_the_batch_counts(bench: Bench) -> None:
    bench.send("a", b"hook after_commit")
    bench.flush()
    assert bench.worker().exit_code() == EXIT_DEFECT
    wait_until(lambda: bench.committed() == 1, BROKER_SECONDS_MAX, "the marks of the transaction are there")
    bench.worker().wait_ready()
    bench.send("a", b"x")
    bench.flush()
    assert out_of_sequence(bench.read(OUTPUT, 2)) == {}


def test_an_output_that_its_topic_does_not_take_ends_the_process_with_its_name_and_size(bench: Bench) -> None:
    bench.send("a", b"huge %d" % (2 << 20))
    bench.flush()
    worker = bench.worker()
    assert worker.exit_code() == EXIT_DEFECT
    error = worker.events()[-1]["error"]
    assert f"a record for {OUTPUT}, key 'a', has {2 << 20} bytes" in error
    assert bench.committed() == 0


def test_what_was_fetched_and_dropped_before_the_first_commit_is_read_again(bench: Bench) -> None:
    """A fetch that ends between an assignment and its seek is dropped, and has moved the position by then.

    Where nothing is committed yet, Faust's seek leaves the position there: these records would never be seen.
    """

    async def overtaken() -> None:
        async with running(context(bench)) as hosted:
            consumer = cast(Consumer, hosted.app.consumer)
            consumer.stop_flow()
            await asyncio.to_thread(send_flushed, bench)
            await fetch_and_drop(consumer, PARTITIONS * 10)
            await consumer.perform_seek()
            consumer.resume_flow()
            await asyncio.to_thread(bench.read, OUTPUT, PARTITIONS * 10)

    asyncio.run(overtaken())
    assert out_of_sequence(bench.read_all(OUTPUT)) == {}


def test_what_is_lost_between_the_fetch_and_its_partition_is_noticed_and_read_again(bench: Bench) -> None:
    """However a batch went missing: the next one does not begin where the last one ended."""
    lost: set[int] = set()

    async def losing_the_first_of_each() -> None:
        async with running(context(bench)) as hosted:
            take = hosted.host.accept

            async def accept(topic: str, partition: int, fetched: Fetched) -> bool:
                if partition not in lost:
                    lost.add(partition)
                    return True
                return await take(topic, partition, fetched)

            hosted.host.accept = accept  # type: ignore[method-assign]
            await asyncio.to_thread(send_flushed, bench)
            await asyncio.to_thread(wait_until, lambda: len(lost) == PARTITIONS, 30, "each partition lost some")
            await asyncio.to_thread(send_flushed, bench)
            await asyncio.to_thread(bench.read, OUTPUT, PARTITIONS * 20)

    asyncio.run(losing_the_first_of_each())
    found = bench.read_all(OUTPUT)
    assert len(found) == PARTITIONS * 20
    assert out_of_sequence(found) == {}


def test_the_last_records_that_a_rebalance_drops_do_not_wait_for_the_next_ones(bench: Bench) -> None:
    """Fetched after the seek and handed over before the flow goes on: nothing that comes later shows the gap."""
    stopped: list[int] = []

    async def stopped_in_between() -> None:
        async with running(context(bench)) as hosted:
            consumer = cast(Consumer, hosted.app.consumer)
            fetch = consumer._fetch

            async def fetch_and_stop() -> Any:
                fetched = await fetch()
                if fetched and not stopped:
                    stopped.append(len(fetched))
                    consumer.stop_flow()
                    asyncio.get_running_loop().call_soon(consumer.resume_flow)
                return fetched

            consumer._fetch = fetch_and_stop  # type: ignore[method-assign]
            await asyncio.to_thread(send_flushed, bench)
            await asyncio.to_thread(bench.read, OUTPUT, PARTITIONS * 10)

    asyncio.run(stopped_in_between())
    assert stopped
    assert out_of_sequence(bench.read_all(OUTPUT)) == {}


def send_flushed(bench: Bench) -> None:
    send_each(bench, PARTITIONS * 10)
    bench.flush()


async def fetch_and_drop(consumer: Consumer, records: int) -> None:
    """Fetch everything as Faust's driver does, beside its own fetch that is under way, and forget what comes."""
    thread: Any = consumer._thread
    raw = thread._ensure_consumer()
    async with asyncio.timeout(30):
        while sum([await raw.position(topic) for topic in raw.assignment()]) < records:
            await thread.call_thread(raw._fetcher.fetched_records, raw.assignment(), 0.1)


def test_a_worker_whose_group_membership_died_ends_instead_of_waiting_for_ever(bench: Bench) -> None:
    worker = bench.worker().wait_ready()
    bench.send("a", b"hook member")
    bench.flush()
    assert worker.exit_code() == EXIT_DEFECT
    assert worker.events()[-1]["what"] == "the consumer died"
    bench.worker().wait_ready()
    bench.send("a", b"x")
    bench.flush()
    assert out_of_sequence(bench.read(OUTPUT, 2)) == {}
