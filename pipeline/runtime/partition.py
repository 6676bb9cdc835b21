"""One input partition of a stage while this process owns it.

Order of its life: fence the former owner (`start`), restore the state, then take batches of its co-partitioned
input topics one after another, each in one transaction (`offer`), until it is closed. It owns the processor and the
producer; it knows nothing of Faust.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from heapq import merge
from time import perf_counter, time
from typing import Final

from pipeline.core.step import Effects, Processor, Record, StreamRecord
from pipeline.runtime.context import StageContext
from pipeline.runtime.guard import guarded
from pipeline.runtime.metrics import FAILED
from pipeline.runtime.restore import RestoreStoppedError
from pipeline.runtime.transaction import TransactionStep

# Enough that fetching and committing overlap; more would only hold memory.
WAITING_BATCHES_MAX: Final = 8
# Everybody else on the event loop waits this long: the transactions of other partitions, which time out, and the
# sign of life. A record costs from 20 us (dedupe) to milliseconds (correlate in a storm).
DECIDE_RECORDS_PER_TURN: Final = 100


class PartitionTask:
    """State, producer and waiting batches of one input partition.

    Attributes:
        partition: its number.
        processor: the stage's decisions and state.
        serving: the state is restored and batches are being handled.
        next_offsets: wire name of input topic -> offset after the last one handled.
        handled_timestamp_ms: timestamp of the last record handled; 0 before the first.
    """

    def __init__(self, context: StageContext, partition: int) -> None:
        self.partition = partition
        self.processor: Processor = context.factory()
        self.serving = False
        self.next_offsets: dict[str, int] = {}
        self.handled_timestamp_ms = 0
        self._context = context
        self._writer = context.writer(
            context.settings, context.stage, partition, context.partition_counts, context.on_step
        )
        self._waiting: deque[tuple[str, Sequence[Record]]] = deque()
        self._changed = asyncio.Condition()
        self._closing = False
        self._runner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fence the former owner, then begin to restore and serve in the background."""
        async with self._guarded("start a transactional producer"):
            await self._writer.start()
        self._runner = asyncio.create_task(self._run(), name=f"{self._context.stage}-{self.partition}")

    async def offer(self, topic: str, records: Sequence[Record]) -> None:
        """Queue one topic's fetched records, waiting while the queue is full.

        Once the task is closing the records are dropped: they are uncommitted, so the next owner reads them.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._closing or len(self._waiting) < WAITING_BATCHES_MAX)
            if not self._closing:
                self._waiting.append((topic, records))
                self._changed.notify_all()

    async def close(self) -> None:
        """Finish the running transaction, drop what waits, and disconnect."""
        async with self._changed:
            self._closing = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._runner is not None:
            await self._runner
        async with self._guarded("release a partition"):
            if self.serving:
                await self._context.hooks.on_revoked(self.partition)
            self.serving = False
            await self._writer.stop()

    def waiting_records(self) -> dict[str, int]:
        """Records fetched and not yet handled, by wire name of their topic."""
        waiting: dict[str, int] = {}
        for topic, records in self._waiting:
            waiting[topic] = waiting.get(topic, 0) + len(records)
        return waiting

    async def _run(self) -> None:
        async with self._guarded("restore a partition"):
            try:
                await self._restore()
            except RestoreStoppedError:
                return
            await self._context.hooks.on_assigned(self.partition, self.processor)
            self.serving = True
        while batch := await self._take():
            async with self._guarded_batch(batch):
                await self._handle(batch)

    async def _restore(self) -> None:
        if not self._context.stateful:
            self.processor.restored()
            return
        started = perf_counter()
        records = await self._context.restore(
            self._context.settings, self._context.stage, self.partition, self.processor, lambda: self._closing
        )
        self._context.metrics.restored(self._context.stage, records, perf_counter() - started)

    async def _take(self) -> dict[str, list[Record]]:
        """Everything that waits, up to one transaction's worth, by topic; empty when closing."""
        batch: dict[str, list[Record]] = {}
        async with self._changed:
            await self._changed.wait_for(lambda: self._closing or bool(self._waiting))
            taken = 0
            while self._waiting and taken < self._context.settings.batch_records_max:
                topic, records = self._waiting.popleft()
                batch.setdefault(topic, []).extend(records)
                taken += len(records)
            self._changed.notify_all()
        return batch

    async def _handle(self, batch: dict[str, list[Record]]) -> None:
        context, effects = self._context, Effects()
        fresh = {topic: self._not_yet_handled(topic, records) for topic, records in batch.items()}
        records = self._in_order([self._logical(topic, records) for topic, records in fresh.items() if records])
        if not records:
            context.metrics.skipped(context.stage)
            return
        started = perf_counter()
        await self._decide(records, effects)
        context.on_step(TransactionStep.DECIDED)
        await context.hooks.before_commit(self.partition, self.processor, records, effects)
        offsets = {topic: records[-1].offset + 1 for topic, records in fresh.items() if records}
        changes = self.processor.take_changes() if context.stateful else ()
        await self._writer.commit(effects.outputs, changes, self.processor.clock_ms, offsets)
        self.next_offsets.update(offsets)
        self.handled_timestamp_ms = records[-1].timestamp
        context.metrics.committed(context.stage, len(records), effects, perf_counter() - started, time())
        await context.hooks.after_commit(self.partition, self.processor, effects)
        context.on_step(TransactionStep.HANDED_ON)

    async def _decide(self, records: list[Record], effects: Effects) -> None:
        for start in range(0, len(records), DECIDE_RECORDS_PER_TURN):
            if start:
                await asyncio.sleep(0)
            self.processor.handle(records[start : start + DECIDE_RECORDS_PER_TURN], effects)

    def _not_yet_handled(self, topic: str, records: list[Record]) -> list[Record]:
        """Records from the next offset on. Around a rebalance some may be read a second time."""
        following = self.next_offsets.get(topic, 0)
        if records[0].offset >= following:
            return records
        return [record for record in records if record.offset >= following]

    def _logical(self, topic: str, records: list[Record]) -> list[Record]:
        """Records as the core sees them: under the logical topic name."""
        prefix = self._context.settings.topic_prefix
        if not prefix:
            return records
        name = topic.removeprefix(prefix)
        return [_renamed(record, name) for record in records]

    def _in_order(self, by_topic: list[list[Record]]) -> list[Record]:
        """Records of several topics by timestamp, each topic's own order kept."""
        if len(by_topic) < 2:
            return by_topic[0] if by_topic else []
        return list(merge(*by_topic, key=lambda record: record.timestamp))

    def _guarded_batch(self, batch: dict[str, list[Record]]) -> AbstractAsyncContextManager[None]:
        """Guard one batch: a defect counts as a failed transaction, and the log line says where its records are."""
        context = self._context
        spans = {topic: f"{records[0].offset}-{records[-1].offset}" for topic, records in batch.items()}
        return guarded(
            "handle a batch",
            lambda: context.metrics.failed(context.stage),
            stage=context.stage,
            partition=self.partition,
            transaction=FAILED,
            offsets=spans,
        )

    def _guarded(self, what: str) -> AbstractAsyncContextManager[None]:
        return guarded(what, stage=self._context.stage, partition=self.partition)


def _renamed(record: Record, topic: str) -> Record:
    return StreamRecord(
        topic, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )
