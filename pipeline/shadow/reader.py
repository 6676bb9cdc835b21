"""Reading many topics as one stream, in the order of their times, as far as all of them have come.

A record is given when no partition can have an earlier one still to come: each has something waiting, or has been read
to its end. So a backlog is decided in the order in which it happened, and at the live edge nothing waits for a silent
topic. It joins no group and commits nothing: where to go on is the reader's caller's to know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from heapq import heapify, heappop, heapreplace
from time import monotonic
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from pipeline.core.step import StreamRecord
from pipeline.kafka.scan import BATCH_RECORDS_MAX, Place, ScanError, to_record

POLL_SECONDS: Final = 0.1

WAITING_MAX: Final = 4_000
"""Records of one partition that wait for others; then it is not read on."""

WAITING_BYTES_MAX: Final = 8 << 20
"""The same in bytes: a raw record may have sixteen mebibytes, and there are dozens of topics."""

WAITING_MIN: Final = 500
"""So few, of a part as small of the bytes, and it is read again."""

SILENCE_SECONDS_MAX: Final = 5.0
"""A partition that gives neither records nor its end for so long, for want of a leader, is not waited for."""

FETCHED_AHEAD_KIB: Final = 32 << 10
FETCH_WAIT_MS: Final = 100


class MergedReader:
    """Gives the records of all assigned partitions in the order of time."""

    def __init__(self, client: Mapping[str, Any], prefix: str) -> None:
        """Connect; nothing is read yet.

        Args:
            client: configuration of the librdkafka client, with a ``group.id``, of which it looks for the coordinator;
                nothing is ever committed under it.
            prefix: of topics on the wire.
        """
        self._prefix = prefix
        self._consumer = Consumer(
            {
                **client,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": FETCHED_AHEAD_KIB,
                # Brokers say so late that a partition has ended, and until they do others wait for it.
                "fetch.wait.max.ms": FETCH_WAIT_MS,
            }
        )
        self._waiting: dict[Place, deque[StreamRecord]] = {}
        self._bytes: dict[Place, int] = {}
        self._at_end: set[Place] = set()
        self._paused: set[Place] = set()
        self._heard: dict[Place, float] = {}
        self._error = ""

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions of wire topics from these offsets on; those assigned before go on."""
        news = {at: offset for at, offset in positions.items() if at not in self._waiting}
        now = monotonic()
        for at in news:
            self._waiting[at], self._bytes[at], self._heard[at] = deque(), 0, now
        if news:
            self._consumer.incremental_assign([TopicPartition(*at, offset) for at, offset in news.items()])

    def poll(self, records_max: int) -> list[StreamRecord]:
        """The next records, by logical topic names; none where nothing is ready.

        Raises:
            ScanError: the brokers refuse.
        """
        # What is there already is given first: what was read together belongs into one transaction.
        given = self._ready(records_max)
        self._read(0.0 if given else POLL_SECONDS)
        return given or self._ready(records_max)

    def idle(self) -> bool:
        """All partitions have been read to their end, and nothing waits."""
        return len(self._at_end) == len(self._waiting) and not any(self._waiting.values())

    def lag(self) -> int:
        """Committed records on the brokers, or waiting here, that were not given yet, as far as is known."""
        unread = 0
        for (topic, partition), waiting in self._waiting.items():
            unread += len(waiting)
            if (topic, partition) not in self._at_end:
                at = TopicPartition(topic, partition)
                _, high = self._consumer.get_watermark_offsets(at, cached=True)
                position = self._consumer.position([at])[0].offset
                unread += max(0, high - position) if position >= 0 and high >= 0 else 0
        return unread

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _read(self, seconds: float) -> None:
        for message in self._consumer.consume(BATCH_RECORDS_MAX, seconds):
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                if error.fatal() or not error.retriable():
                    raise ScanError(f"cannot read {message.topic() or 'the topics'}: {error.str()} ({error.name()})")
                continue
            at = (str(message.topic()), int(message.partition() or 0))
            self._heard[at] = monotonic()
            if error is not None:
                self._at_end.add(at)
                continue
            self._at_end.discard(at)
            record = to_record(message)
            waiting = self._waiting[at]
            waiting.append(record._replace(topic=record.topic.removeprefix(self._prefix)))
            self._bytes[at] += len(record.value or b"")
            is_full = len(waiting) >= WAITING_MAX or self._bytes[at] >= WAITING_BYTES_MAX
            if is_full and at not in self._paused:
                self._paused.add(at)
                self._consumer.pause([TopicPartition(*at)])

    def _ready(self, records_max: int) -> list[StreamRecord]:
        """Records that no other can come before."""
        now = monotonic()
        for at, waiting in self._waiting.items():
            silent = now - self._heard[at] > SILENCE_SECONDS_MAX
            if not waiting and at not in self._at_end and not silent:
                return []
        heap = [(_order(waiting[0]), at) for at, waiting in self._waiting.items() if waiting]
        heapify(heap)
        given: list[StreamRecord] = []
        while heap and len(given) < records_max:
            _, at = heap[0]
            waiting = self._waiting[at]
            record = waiting.popleft()
            self._bytes[at] -= len(record.value or b"")
            given.append(record)
            if waiting:
                heapreplace(heap, (_order(waiting[0]), at))
            elif at in self._at_end:
                heappop(heap)
            else:
                self._heard[at] = now
                break  # its next one may come before what the others have
        self._resume()
        return given

    def _resume(self) -> None:
        share = WAITING_MIN / WAITING_MAX
        ready = [
            at
            for at in self._paused
            if len(self._waiting[at]) <= WAITING_MIN and self._bytes[at] <= WAITING_BYTES_MAX * share
        ]
        if ready:
            self._paused.difference_update(ready)
            self._consumer.resume([TopicPartition(*at) for at in ready])


def _order(record: StreamRecord) -> tuple[int, bool, bool, str, int, int]:
    """By time; at one moment what came from outside before what was made of it."""
    outcome, events = record.topic in ("episodes", "incidents"), record.topic == "incidents"
    return record.timestamp, outcome, events, record.topic, record.partition, record.offset
