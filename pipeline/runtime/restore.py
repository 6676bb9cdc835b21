"""Restore: a partition's state, read back from its changelog before the partition is served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import TopicPartition

from pipeline.core.step import Processor
from pipeline.flow import MEBIBYTE, changelog_topic
from pipeline.settings import Settings

FETCH_BYTES_MAX: Final = 16 * MEBIBYTE
READ_RECORDS_MAX: Final = 20_000
READ_TIMEOUT_MS: Final = 500
TRIES_MAX: Final = 5
RETRY_SECONDS: Final = 0.5
# Other partitions and heartbeats get the event loop this often while state is loaded.
LOAD_RECORDS_PER_TURN: Final = 1_000


RestoreFunction = Callable[[Settings, str, int, Processor, Callable[[], bool]], Awaitable[int]]
"""What `restore` is, for a stage that gets its state back in another way."""


class RestoreStoppedError(Exception):
    """The partition was revoked while its state was being read."""


async def restore(
    settings: Settings, stage: str, partition: int, processor: Processor, stopping: Callable[[], bool]
) -> int:
    """Give a fresh processor the state that its partition's changelog holds.

    The producer must have been started before, so that no former owner can still add to the changelog.

    Args:
        settings: brokers, names.
        stage: the stage's word.
        partition: number of the partition.
        processor: a fresh one.
        stopping: says that the partition has been revoked meanwhile.

    Returns:
        How many changelog records were read.

    Raises:
        KafkaError: the changelog could not be read in several tries.
        RestoreStoppedError: revoked meanwhile.
    """
    topic = TopicPartition(settings.wire(changelog_topic(stage)), partition)
    for attempt in range(1, TRIES_MAX + 1):
        try:
            latest, records = await _read(settings, topic, stopping)
            break
        except KafkaError as error:
            if attempt == TRIES_MAX or not (isinstance(error, KafkaConnectionError) or error.retriable):
                raise
            await asyncio.sleep(RETRY_SECONDS * attempt)
    for number, (key, value) in enumerate(latest.items(), start=1):
        processor.restore(key, value)
        if number % LOAD_RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
    processor.restored()
    return records


async def _read(
    settings: Settings, topic: TopicPartition, stopping: Callable[[], bool]
) -> tuple[dict[bytes, bytes], int]:
    """Newest committed value of each key that still has one, and how many records were read."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
    )
    latest: dict[bytes, bytes] = {}
    records = 0
    try:
        await consumer.start()
        consumer.assign([topic])
        await consumer.seek_to_beginning(topic)
        end = (await consumer.end_offsets([topic]))[topic]
        while await consumer.position(topic) < end:
            if stopping():
                raise RestoreStoppedError
            fetched = await consumer.getmany(topic, timeout_ms=READ_TIMEOUT_MS, max_records=READ_RECORDS_MAX)
            for record in fetched.get(topic, ()):
                records += 1
                if record.value is None:
                    latest.pop(record.key, None)
                else:
                    latest[record.key] = record.value
    finally:
        await consumer.stop()
    return latest, records
