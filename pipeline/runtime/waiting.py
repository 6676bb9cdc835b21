"""Records that were fetched for one partition and wait for their transaction, counted in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import merge
from typing import TYPE_CHECKING, Final

from pipeline.core.step import Record
from pipeline.flow import MEBIBYTE

if TYPE_CHECKING:
    from pipeline.runtime.context import StageContext

STAGE_BYTES_MAX: Final = 64 * MEBIBYTE
"""What may wait and be in hand in all partitions of a stage here; reading stops at it. One fetch may go over."""

PARTITION_BYTES_MIN: Final = 4 * MEBIBYTE
"""What one partition may hold in any case: two transactions of usual records, so that fetching goes on meanwhile."""

TRANSACTION_BYTES_MAX: Final = 8 * MEBIBYTE
"""Input of one transaction: what it writes is about as much again, and the broker must take it in time."""

RECORD_OVERHEAD_BYTES: Final = 600
"""A record's objects in memory beside its key, value and headers."""


class Waiting:
    """Fetched batches in the order they came.

    Attributes:
        held_bytes: what waits and what was taken and is not done yet.
        taken_bytes: of it, what was taken.
        records: that wait.
    """

    def __init__(self) -> None:
        self.held_bytes = 0
        self.taken_bytes = 0
        self.records = 0
        self._taken: dict[str, int] = {}
        self._taken_oldest_ms: int | None = None
        self._batches: deque[tuple[str, Sequence[Record], int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def in_hand(self) -> bool:
        """Something was taken and is not done yet."""
        return self.taken_bytes > 0

    def put(self, topic: str, records: Sequence[Record], wire_bytes: int | None = None) -> None:
        """Add one topic's fetched records.

        Args:
            topic: its wire name.
            records: at least one.
            wire_bytes: bytes that the broker sent for them; without it every record is looked at.
        """
        size = size_of(records) if wire_bytes is None else RECORD_OVERHEAD_BYTES * len(records) + wire_bytes
        self._batches.append((topic, records, size))
        self.held_bytes += size
        self.records += len(records)

    def take(self, records_max: int, bytes_max: int = TRANSACTION_BYTES_MAX) -> dict[str, list[Record]]:
        """What waits, up to one transaction's worth, by topic; at least one record. `done` ends it."""
        batch: dict[str, list[Record]] = {}
        records_left, bytes_left = records_max, bytes_max
        before = self.held_bytes
        while self._batches and records_left > 0:
            topic, records, size = self._batches.popleft()
            count = len(records) if size <= bytes_left else max(_fitting(records, bytes_left), 0 if batch else 1)
            count = min(count, records_left)
            if rest := records[count:]:
                # Small ones are not looked at again for each transaction that an answer of thousands fills.
                left = size * len(rest) // len(records) if size <= bytes_left else size_of(rest)
                self._batches.appendleft((topic, rest, left))
                records_left = 0
            if count:
                batch.setdefault(topic, []).extend(records[:count] if rest else records)
            records_left -= count
            bytes_left -= size
        self.taken_bytes = before - sum(size for _, _, size in self._batches)
        self._taken = {topic: len(records) for topic, records in batch.items()}
        self._taken_oldest_ms = min((records[0].timestamp for records in batch.values()), default=None)
        self.records -= sum(self._taken.values())
        return batch

    def done(self) -> None:
        """What was taken is committed and needs no memory any more."""
        self.held_bytes -= self.taken_bytes
        self.taken_bytes, self._taken, self._taken_oldest_ms = 0, {}, None

    def clear(self) -> None:
        """Drop what waits."""
        self._batches.clear()
        self.records = 0
        self.held_bytes = self.taken_bytes

    def seconds_until_due(self) -> float | None:
        """How long until something that waits may be taken: not at all; None: nothing waits."""
        return 0.0 if self._batches else None

    def has_room(self, topic: str, bytes_max: int) -> bool:
        """Whether more of a topic may be read where the partition may hold so many bytes."""
        del topic
        return self.held_bytes < bytes_max

    def may_overflow(self, topic: str) -> bool:
        """Whether a topic may be read although the stage holds enough."""
        del topic
        return False

    def deferred(self) -> Sequence[str]:
        """Topics that are held back: none."""
        return ()

    @property
    def urgent_room(self) -> int:
        """Records that may be put to go before their turn: none."""
        return 0

    def take_urgent(self) -> Sequence[Record]:
        """Records that go before their turn: none."""
        return ()

    def renew(self, context: StageContext) -> None:
        """Another configuration decides; nothing here depends on it."""

    def counts(self) -> dict[str, int]:
        """Records by topic that wait or are in hand."""
        counts = dict(self._taken)
        for topic, records, _ in self._batches:
            counts[topic] = counts.get(topic, 0) + len(records)
        return counts

    def oldest_ms(self) -> int | None:
        """Timestamp of the oldest of the first records that wait or are in hand, or None."""
        waiting_ms = min((records[0].timestamp for _, records, _ in self._batches), default=None)
        found = [each for each in (waiting_ms, self._taken_oldest_ms) if each is not None]
        return min(found, default=None)


def size_of(records: Sequence[Record]) -> int:
    """Bytes that records keep in memory, about. In one pass over each attribute: it is done for every record."""
    size = RECORD_OVERHEAD_BYTES * len(records)
    size += sum([len(value) for record in records if (value := record.value)])
    size += sum([len(key) for record in records if (key := record.key)])
    for headers in [headers for record in records if (headers := record.headers)]:
        size += sum([len(name) + len(value or b"") for name, value in headers])
    return size


def _fitting(records: Sequence[Record], bytes_max: int) -> int:
    """How many of the first records fit."""
    for count, record in enumerate(records):
        bytes_max -= size_of((record,))
        if bytes_max < 0:
            return count
    return len(records)


def by_topic(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by their topic, in order."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.topic, []).append(record)
    return found


def in_order(by_topic: list[list[Record]]) -> list[Record]:
    """Records of several topics by timestamp, each topic's own order kept."""
    if len(by_topic) < 2:
        return by_topic[0]
    return list(merge(*by_topic, key=lambda record: record.timestamp))
