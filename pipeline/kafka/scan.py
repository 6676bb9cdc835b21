"""Reading whole topics once, from their first record or from now on, for commands and not for stages.

A scan commits nothing and joins no group. It gives committed records only, and where it ends at "now" it waits
for the transactions that are open there, so that nothing written before it is missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
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
from pipeline.kafka.reach import UnreachableError, list_topics

REQUEST_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.1
# How long a broker may wait for more at the end of a partition before it says that this is the end.
FETCH_WAIT_MS: Final = 50
# Records of 16 MiB shall not fill the memory with what is fetched ahead.
FETCHED_AHEAD_KIB: Final = 64 << 10
BATCH_RECORDS_MAX: Final = 500
# What brokers answer about a partition that was just made or is moving.
_PASSING: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


Place = tuple[str, int]
"""A topic and a partition of it."""

Span = tuple[int, int]
"""Offsets of a partition: the first, and the one after the last."""


class ScanError(Exception):
    """A topic cannot be read; the message is one line and says what to do."""


def _consumer(client: Mapping[str, Any], isolation: str = "read_committed") -> Consumer:
    return Consumer(
        {
            "group.id": "spillway-scan",  # librdkafka asks for one; nothing is ever committed under it
            **client,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": FETCHED_AHEAD_KIB,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
        }
    )


def existing(client: Mapping[str, Any], names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Partitions of those of the named topics that exist.

    Raises:
        ScanError: the brokers do not answer.
    """
    listed = all_topics(client)
    return {name: listed[name] for name in names if name in listed}


def all_topics(client: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every topic of the cluster with its partitions.

    Args:
        client: configuration of the librdkafka client: the bootstrap address at least.

    Raises:
        ScanError: the brokers do not answer.
    """
    try:
        listed = list_topics(client, REQUEST_SECONDS_MAX)
    except UnreachableError as error:
        raise ScanError(f"cannot list the topics: {error}") from None
    return {name: tuple(sorted(topic.partitions)) for name, topic in listed.items()}


def extent(client: Mapping[str, Any], topics: Mapping[str, Sequence[int]]) -> int:
    """Offsets between the first and the next record of all partitions: so many records at most.

    Raises:
        ScanError: a topic cannot be read.
    """
    return sum(high - low for low, high in bounds(client, topics, "read_committed").values())


def bounds(
    client: Mapping[str, Any], topics: Mapping[str, Sequence[int]], isolation: str = "read_uncommitted"
) -> dict[Place, Span]:
    """The first and the next offset of each partition, also of one that is empty.

    Raises:
        ScanError: a topic cannot be read.
    """
    with closing(_consumer(client, isolation)) as consumer:
        return {(topic, part): _ends(consumer, topic, part) for topic, parts in topics.items() for part in parts}


def spans(
    client: Mapping[str, Any], topics: Mapping[str, Sequence[int]], from_ms: int | None, to_ms: int | None
) -> dict[Place, Span]:
    """Where the records of a time are, by the timestamps that the brokers keep; partitions without any left out.

    A partition's span begins with the first record of ``from_ms`` or later and ends before the first of ``to_ms`` or
    later. Producers' clocks may have gone back in between: what stands inside belongs to it.

    Args:
        client: configuration of the librdkafka client: the bootstrap address at least.
        topics: partitions by topic name.
        from_ms: epoch milliseconds; None for the first record that is still there.
        to_ms: epoch milliseconds; None for what is there now.

    Raises:
        ScanError: a topic cannot be read.
    """
    with closing(_consumer(client, "read_uncommitted")) as consumer:
        ends = {(topic, part): _ends(consumer, topic, part) for topic, parts in topics.items() for part in parts}
        firsts, lasts = (_offsets_at(consumer, list(ends), at_ms) for at_ms in (from_ms, to_ms))
    found = {at: (firsts.get(at, low), lasts.get(at, high)) for at, (low, high) in ends.items()}
    if from_ms is not None:  # no record of that time or later: nothing to read
        found = {at: span for at, span in found.items() if at in firsts}
    return {at: span for at, span in found.items() if span[0] < span[1]}


def offsets_from(client: Mapping[str, Any], topics: Mapping[str, Sequence[int]], from_ms: int) -> dict[Place, int]:
    """Where reading every partition begins at a time: at its end where nothing is as late.

    Raises:
        ScanError: a topic cannot be read.
    """
    with closing(_consumer(client, "read_uncommitted")) as consumer:
        ends = {(topic, part): _ends(consumer, topic, part) for topic, parts in topics.items() for part in parts}
        firsts = _offsets_at(consumer, list(ends), from_ms)
    return {at: firsts.get(at, high) for at, (_, high) in ends.items()}


def committed(client: Mapping[str, Any], places: Sequence[Place]) -> dict[Place, int]:
    """What a group has committed; partitions of which it has committed nothing are left out.

    Args:
        client: configuration of the librdkafka client: bootstrap address and ``group.id``. It does not join the group.
        places: which to ask for.

    Raises:
        ScanError: the brokers do not say.
    """
    if not places:
        return {}
    with closing(Consumer(dict(client))) as consumer:
        try:
            found = consumer.committed([TopicPartition(*at) for at in places], timeout=REQUEST_SECONDS_MAX)
        except KafkaException as error:
            raise _failure("tell what is committed", error.args[0]) from error
    for each in found:
        if each.error is not None:
            raise _failure(f"tell what is committed of {each.topic}", each.error)
    return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}


def scan_spans(client: Mapping[str, Any], wanted: Mapping[Place, Span]) -> Iterator[StreamRecord]:
    """Give the committed records of the spans, in order within each partition.

    Raises:
        ScanError: a topic cannot be read.
    """
    if not wanted:
        return
    with closing(_consumer(client)) as consumer:
        consumer.assign([TopicPartition(topic, part, first) for (topic, part), (first, _) in wanted.items()])
        yield from _until(consumer, {at: end for at, (_, end) in wanted.items()}, None)


def scan(
    client: Mapping[str, Any],
    topics: Mapping[str, Sequence[int]],
    *,
    from_beginning: bool = True,
    until_now: bool = True,
    start_offset: int | None = None,
    seconds_max: float | None = None,
) -> Iterator[StreamRecord]:
    """Give the records of the topics, in order within each partition.

    Args:
        client: configuration of the librdkafka client: the bootstrap address at least.
        topics: partitions by topic name.
        from_beginning: start at the first record that is still there, else at the end of now.
        start_offset: start at this offset of every partition instead.
        until_now: stop where each partition ends when the scan starts; else go on until ``seconds_max``.
        seconds_max: stop after this time, seconds; None for no limit.

    Raises:
        ScanError: a topic cannot be read.
    """
    # To a reader of committed records a partition ends before its first open transaction. That would leave out what
    # was committed a moment ago, whose marks are still on their way: a commit returns before they are written.
    with closing(_consumer(client, "read_uncommitted")) as consumer:
        ends = {(topic, part): _ends(consumer, topic, part) for topic, parts in topics.items() for part in parts}
    # A consumer for each scan: news of an earlier assignment can never end a later one.
    with closing(_consumer(client)) as consumer:
        first = {at: low if from_beginning else high for at, (low, high) in ends.items()}
        if start_offset is not None:
            first = dict.fromkeys(ends, start_offset)
        consumer.assign([TopicPartition(topic, part, offset) for (topic, part), offset in first.items()])
        if until_now:
            waiting = {at: high for at, (_, high) in ends.items() if first[at] < high}
            yield from _until(consumer, waiting, seconds_max)
        else:
            yield from _while(consumer, seconds_max)


def _until(consumer: Consumer, waiting: dict[Place, int], seconds_max: float | None) -> Iterator[StreamRecord]:
    """Records below the given next offset of each partition."""
    ends = dict(waiting)
    for message in _messages(consumer, seconds_max, lambda: bool(waiting)):
        at = (str(message.topic()), _known(message.partition()))
        offset = _known(message.offset())
        is_record = message.error() is None
        if is_record and offset < ends.get(at, 0):
            yield to_record(message)
        # The last offsets may be marks of transactions, which give no message but that of the end.
        if offset + is_record >= ends.get(at, 0):
            waiting.pop(at, None)


def _while(consumer: Consumer, seconds_max: float | None) -> Iterator[StreamRecord]:
    """Records as they come."""
    for message in _messages(consumer, seconds_max, lambda: True):
        if message.error() is None:
            yield to_record(message)


def _messages(consumer: Consumer, seconds_max: float | None, wanted: Callable[[], bool]) -> Iterator[Message]:
    """Messages, and those that say that a partition ended, while they are wanted and there is time."""
    deadline = None if seconds_max is None else time.monotonic() + seconds_max
    while wanted() and (deadline is None or time.monotonic() < deadline):
        for message in consumer.consume(BATCH_RECORDS_MAX, timeout=POLL_SECONDS):
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise _failure(f"read {message.topic() or 'the topics'}", error)
            yield message


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


def _offsets_at(consumer: Consumer, places: Sequence[Place], at_ms: int | None) -> dict[Place, int]:
    """The first offset of a time or later in each partition that has one."""
    if at_ms is None or not places:
        return {}
    try:
        asked = [TopicPartition(topic, part, at_ms) for topic, part in places]
        answered = consumer.offsets_for_times(asked, timeout=REQUEST_SECONDS_MAX)
    except KafkaException as error:
        raise _failure("find a time in the topics", error.args[0]) from error
    for each in answered:
        if each.error is not None:
            raise _failure(f"find a time in {each.topic}", each.error)
    return {(each.topic, each.partition): each.offset for each in answered if each.offset >= 0}


def _failure(what: str, error: KafkaError) -> ScanError:
    return ScanError(f"cannot {what}: {error.str()} ({error.name()}); check the bootstrap address and your rights")
