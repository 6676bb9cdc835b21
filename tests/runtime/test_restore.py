"""Restoring: how fast, and what happens where the changelog does not answer."""

from __future__ import annotations

import asyncio
import time

import pytest
from confluent_kafka import Producer

from pipeline.core.step import PARTITION_KEY
from pipeline.flow import changelog_topic
from pipeline.runtime.restore import RestoreStuckError, restore
from pipeline.settings import Settings
from tests.runtime.toy import STAGE, Count
from tests.runtime.workers import Bench

KEYS = 200_000
# Half of what two shared cores do while others use them; the bar of 100,000 is for a quiet machine and benchmarks.
KEYS_PER_CPU_SECOND_MIN = 100_000


def test_a_large_state_is_restored_fast_and_whole(bench: Bench) -> None:
    producer = Producer({"bootstrap.servers": bench.kafka, "linger.ms": 20, "queue.buffering.max.messages": KEYS + 1})
    for number in range(KEYS):
        producer.produce(bench.prefix + changelog_topic(STAGE), b"%d" % number, b"key-%d" % number, partition=1)
    assert producer.flush(60) == 0
    processor = Count()
    settings = Settings(bootstrap=bench.kafka, topic_prefix=bench.prefix)
    before = time.process_time()
    assert asyncio.run(restore(settings, STAGE, 1, processor, lambda: False)) == KEYS
    assert KEYS / (time.process_time() - before) > KEYS_PER_CPU_SECOND_MIN
    assert processor.counts == {f"key-{number}": number for number in range(KEYS)}
    assert PARTITION_KEY.decode() not in processor.counts


def test_a_changelog_that_does_not_answer_is_given_up_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtime.restore.SILENCE_SECONDS_MAX", 0.5)

    async def restored_from_silence() -> None:
        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            await restore(Settings(bootstrap=f"127.0.0.1:{port}"), STAGE, 3, Count(), lambda: False)

    with pytest.raises(RestoreStuckError, match=r"partition 3: nothing could be read for 0\.5 s"):
        asyncio.run(asyncio.wait_for(restored_from_silence(), 10))
