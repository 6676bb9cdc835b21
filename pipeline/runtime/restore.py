"""Restore: a partition's state, read back from its changelog before the partition is served.

A state record that this release cannot read ends the process (`RefusedError`); one of an older release is migrated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import TopicPartition

from pipeline.core.migrate import FIRST_SCHEMA, UnknownSchemaError, migrated
from pipeline.core.step import Processor
from pipeline.flow import MEBIBYTE, changelog_topic
from pipeline.kafka.client import aiokafka
from pipeline.runtime.first import seek_to_first
from pipeline.runtime.guard import RefusedError
from pipeline.runtime.unpack import Answer, next_answer, wait_for_answer
from pipeline.settings import Settings

FETCH_BYTES_MAX: Final = 16 * MEBIBYTE
READ_TIMEOUT_SECONDS: Final = 0.5
TRIES_MAX: Final = 5
RETRY_SECONDS: Final = 0.5
# Other partitions and heartbeats get the event loop this often while state is loaded.
LOAD_RECORDS_PER_TURN: Final = 1_000
# Longer than a broker's restart or a leader's move; a changelog that nobody serves must not look like a slow restore.
SILENCE_SECONDS_MAX: Final = 60.0
SCHEMA_HEADER: Final = "schema"
"""Header of a state record that is not of the first schema."""


RestoreFunction = Callable[[Settings, str, int, Processor, Callable[[], bool]], Awaitable[int]]
"""What `restore` is, for a stage that gets its state back in another way."""


class RestoreStoppedError(Exception):
    """The partition was revoked while its state was being read."""


class RestoreStuckError(Exception):
    """The changelog could not be read on for too long; the message is one line and says what to do."""


@dataclass(slots=True)
class ChangelogRecords:
    """What a changelog partition holds.

    Attributes:
        latest: newest value of each key that still has one.
        schemas: schema of those that are not of the first.
        records: how many were read.
    """

    latest: dict[bytes, bytes]
    schemas: dict[bytes, int]
    records: int = 0


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
        RestoreStuckError: nothing could be read for `SILENCE_SECONDS_MAX`.
        RefusedError: a state record is of a schema that this release does not read.
    """
    topic = TopicPartition(settings.wire(changelog_topic(stage)), partition)
    for attempt in range(1, TRIES_MAX + 1):
        try:
            found = await _read(settings, topic, stopping)
            break
        except KafkaError as error:
            if attempt == TRIES_MAX or not (isinstance(error, KafkaConnectionError) or error.retriable):
                raise
            await asyncio.sleep(RETRY_SECONDS * attempt)
    for number, (key, value) in enumerate(found.latest.items(), start=1):
        try:
            processor.restore(key, migrated(stage, key, value, found.schemas.get(key, FIRST_SCHEMA)))
        except (UnknownSchemaError, ValueError) as error:
            raise RefusedError(_unreadable(topic, key, error)) from error
        if number % LOAD_RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
    processor.restored()
    return found.records


async def _read(settings: Settings, topic: TopicPartition, stopping: Callable[[], bool]) -> ChangelogRecords:
    """Everything committed that the changelog holds."""
    consumer: Any = AIOKafkaConsumer(
        **aiokafka(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
    )
    found = ChangelogRecords({}, {})
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(SILENCE_SECONDS_MAX) as silence:
            await consumer.start()
            consumer.assign([topic])
            await seek_to_first(consumer, (topic,))
            end = (await consumer.end_offsets([topic]))[topic]
            position = await consumer.position(topic)
            while position < end:
                if stopping():
                    raise RestoreStoppedError
                answer = await _answer(consumer, topic)
                if answer is not None:
                    await _add(found, answer)
                before, position = position, await consumer.position(topic)
                if position > before:
                    silence.reschedule(loop.time() + SILENCE_SECONDS_MAX)
    except TimeoutError:
        raise RestoreStuckError(
            f"changelog {topic.topic}, partition {topic.partition}: nothing could be read for "
            f"{SILENCE_SECONDS_MAX:g} s; check that its leader answers and that no transaction hangs in it"
        ) from None
    finally:
        await consumer.stop()
    return found


async def _answer(consumer: Any, topic: TopicPartition) -> Answer | None:
    """What was fetched next, or None where nothing came for `READ_TIMEOUT_SECONDS`."""
    fetcher, only = consumer._fetcher, (topic,)
    if (answer := next_answer(fetcher, only)) is not None:
        return answer
    await wait_for_answer(fetcher, READ_TIMEOUT_SECONDS)
    return next_answer(fetcher, only)


async def _add(found: ChangelogRecords, answer: Answer) -> None:
    """Take more records in, in their order. An answer is megabytes: others get the event loop in between."""
    reached = found.records
    for batch, first in answer.batches():
        found.records += _add_batch(found, batch, first)
        if found.records - reached >= LOAD_RECORDS_PER_TURN:
            reached = found.records
            await asyncio.sleep(0)


def _add_batch(found: ChangelogRecords, batch: Any, first: int) -> int:
    """Take a batch in, from an offset on; how many records these were."""
    latest, schemas, count = found.latest, found.schemas, 0
    for record in batch:
        if record.offset < first:
            continue
        count += 1
        key, value = record.key, record.value
        if value is None:
            latest.pop(key, None)
            continue
        latest[key] = value
        if headers := record.headers:
            schemas[key] = next((int(said) for name, said in headers if name == SCHEMA_HEADER), FIRST_SCHEMA)
        elif schemas:
            schemas.pop(key, None)
    return count


def _unreadable(topic: TopicPartition, key: bytes, error: Exception) -> str:
    return (
        f"changelog {topic.topic}, partition {topic.partition}, key {key.decode(errors='replace')!r} was written by "
        f"another release ({error}): run the release that wrote it, or a later one"
    )
