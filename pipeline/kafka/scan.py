"""Reading whole topics once, from their first record or from now on, for commands and not for stages.

A scan commits nothing and joins no group. It gives committed records only, and where it ends at "now" it waits
for the transactions that are open there, so that nothing written before it is missed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from pipeline.core.step import StreamRecord

REQUEST_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.1
# Records of 16 MiB shall not fill the memory with what is fetched ahead.
FETCHED_AHEAD_KIB: Final = 64 << 10
BATCH_RECORDS_MAX: Final = 500
# What brokers answer about a partition that was just made or is moving.
_PASSING: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


class ScanError(Exception):
    """A topic cannot be read; the message is one line and says what to do."""


def reader(client: Mapping[str, Any]) -> Consumer:
    """A consumer for `scan`; close it after use.

    Args:
        client: configuration of the librdkafka client: the bootstrap address at least.
    """
    return Consumer(
        {
            **client,
            "group.id": "spillway-scan",  # librdkafka asks for one; nothing is ever committed under it
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": FETCHED_AHEAD_KIB,
        }
    )


def existing(consumer: Consumer, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Partitions of those of the named topics that exist.

    Raises:
        ScanError: the brokers do not answer.
    """
    listed = all_topics(consumer)
    return {name: listed[name] for name in names if name in listed}


def all_topics(consumer: Consumer) -> dict[str, tuple[int, ...]]:
    """Every topic of the cluster with its partitions.

    Raises:
        ScanError: the brokers do not answer.
    """
    try:
        listed = consumer.list_topics(timeout=REQUEST_SECONDS_MAX).topics
    except KafkaException as error:
        raise _failure("list the topics", error.args[0]) from error
    return {name: tuple(sorted(topic.partitions)) for name, topic in listed.items()}


def scan(
    consumer: Consumer,
    topics: Mapping[str, Sequence[int]],
    *,
    from_beginning: bool = True,
    until_now: bool = True,
    start_offset: int | None = None,
    seconds_max: float | None = None,
) -> Iterator[StreamRecord]:
    """Give the records of the topics, in order within each partition.

    Args:
        consumer: from `reader`.
        topics: partitions by topic name.
        from_beginning: start at the first record that is still there, else at the end of now.
        start_offset: start at this offset of every partition instead.
        until_now: stop where each partition ends when the scan starts; else go on until ``seconds_max``.
        seconds_max: stop after this time, seconds; None for no limit.

    Raises:
        ScanError: a topic cannot be read.
    """
    deadline = None if seconds_max is None else time.monotonic() + seconds_max
    ends = {(topic, part): _ends(consumer, topic, part) for topic, parts in topics.items() for part in parts}
    first = {at: low if from_beginning else high for at, (low, high) in ends.items()}
    if start_offset is not None:
        first = dict.fromkeys(ends, start_offset)
    consumer.assign([TopicPartition(topic, part, offset) for (topic, part), offset in first.items()])
    waiting = {at for at, (_, high) in ends.items() if until_now and first[at] < high}
    while (waiting or not until_now) and (deadline is None or time.monotonic() < deadline):
        for message in consumer.consume(BATCH_RECORDS_MAX, timeout=POLL_SECONDS):
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise _failure(f"read {message.topic() or 'the topics'}", error)
            at = (str(message.topic()), _known(message.partition()))
            offset = _known(message.offset())
            if error is None and (not until_now or offset < ends[at][1]):
                yield to_record(message)
            # The last offsets may be marks of transactions, which give no message but this one.
            if offset >= ends[at][1] - (error is None):
                waiting.discard(at)


def to_record(message: Message) -> StreamRecord:
    """A `StreamRecord` with what the message holds. Headers without a value count as empty."""
    kind, timestamp_ms = message.timestamp()
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return StreamRecord(
        topic=str(message.topic()),
        partition=_known(message.partition()),
        offset=_known(message.offset()),
        timestamp=0 if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=tuple((name, _bytes(value) or b"") for name, value in pairs),
    )


def _known(number: int | None) -> int:
    assert number is not None  # noqa: S101 a message that was read has a place
    return number


def _bytes(data: Any) -> bytes | None:
    return data.encode() if isinstance(data, str) else data


def _ends(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First and next offset of a partition; asks again while its leader is only just taking over."""
    deadline = time.monotonic() + REQUEST_SECONDS_MAX
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=REQUEST_SECONDS_MAX)
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.code() not in _PASSING or time.monotonic() > deadline:
                raise _failure(f"read {topic}", cause) from error
            time.sleep(POLL_SECONDS)


def _failure(what: str, error: KafkaError) -> ScanError:
    return ScanError(f"cannot {what}: {error.str()} ({error.name()}); check the bootstrap address and your rights")
