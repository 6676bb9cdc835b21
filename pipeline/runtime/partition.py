"""One input partition of a stage while this process owns it.

Order of its life: fence the former owner (`start`), restore the state, then take batches of its co-partitioned
input topics one after another, each in one transaction (`offer`), until it is closed. It owns the processor and the
producer; it knows nothing of Faust.

A rebalance suspends it; if the partition comes back to this process, it goes on from its state in memory, provided
that nobody else had it in between (`resume`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from time import monotonic, perf_counter, time
from typing import Final

from aiokafka.errors import KafkaError

from pipeline.core.step import Effects, Processor, Record, named_version
from pipeline.runtime.context import StageContext
from pipeline.runtime.fetched import Fetched
from pipeline.runtime.guard import RefusedError, guarded, log_line, refuse
from pipeline.runtime.lanes import Lanes, until_due, waiting_of
from pipeline.runtime.metric_words import FAILED
from pipeline.runtime.offset_notes import OffsetNotes
from pipeline.runtime.overdue import FIRED_PER_TRANSACTION_MAX, FIRED_PER_TURN, parts
from pipeline.runtime.quarantine import (
    CRASHES_MAX,
    TIMER_ADVICE,
    Quarantine,
    set_aside,
    tell_quarantined,
    timer_at_fault,
)
from pipeline.runtime.renewal import offsets_are_gone, take_over, until_named
from pipeline.runtime.restore import RestoreStoppedError
from pipeline.runtime.transaction import TransactionStep
from pipeline.runtime.waiting import by_topic, in_order

# Everybody else on the event loop waits this long: the transactions of other partitions, which time out, and the
# sign of life. A record costs from 20 us (dedupe) to milliseconds (correlate in a storm).
DECIDE_RECORDS_PER_TURN: Final = 100


class PartitionTask:
    """State, producer and waiting batches of one input partition.

    Attributes:
        context: what it works under now.
        partition: its number.
        processor: the stage's decisions and state.
        serving: the state is restored and batches are being handled.
        next_offsets: wire name of input topic -> offset after the last one handled.
        handled_timestamp_ms: timestamp of the last record handled, or stream time as restored; 0 before both.
        progress_at: monotonic time when a batch was handled or there was none to handle yet, seconds.
        waiting: what was fetched and is not handled yet.
        notes: what stands beside its offsets.
        next_context: of another configuration; it is gone on under from the record on that names its version.
    """

    def __init__(self, context: StageContext, partition: int) -> None:
        self.partition = partition
        self.processor: Processor = context.factory()
        self.serving = False
        self.next_offsets: dict[str, int] = {}
        self.handled_timestamp_ms = 0
        self.progress_at = monotonic()
        self.waiting = waiting_of(context)
        self.context = context
        self.next_context: StageContext | None = None
        self._writer = context.writer(
            context.settings, context.stage, partition, context.partition_counts, context.on_step
        )
        self._rank = context.rank
        self._quarantine = Quarantine()
        self._traces = context.traces()
        self.notes = OffsetNotes(context, self._quarantine)
        self.processor.ahead = self.notes.ahead
        self._changed = asyncio.Condition()
        self._closing = False
        self._restored = False
        self._restored_ms = 0
        self._positioned = False
        self._read_to: dict[str, int] = {}
        self._runner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fence the former owner, then begin to restore and serve in the background."""
        async with self._guarded("start a transactional producer"):
            await self._writer.start()
        self._serve()

    async def resume(self) -> bool:
        """Go on after `suspend`, without a restore. False where that is not safe: the task is of no use then.

        It is safe if our producer is not fenced. Whoever serves this partition starts its producer first, and that
        fences ours; so nobody has written to the changelog since our last transaction, and the state in memory is
        what the changelog holds. The proof is a transaction that commits the offsets again.
        """
        if not (self._restored and self.next_offsets):
            return False
        try:
            await self._writer.note(self.next_offsets, self.notes.texts(self.next_offsets))
        except KafkaError as error:
            log_line("state not kept", stage=self.context.stage, partition=self.partition, because=repr(error))
            return False
        self._closing = False
        self._serve()
        return True

    async def suspend(self) -> None:
        """Finish the running transaction and drop what waits; the producer stays connected."""
        async with self._changed:
            self._closing = True
            self.waiting.clear()
            self._read_to.clear()
            self._changed.notify_all()
        if self._runner is not None:
            await self._runner
            self._runner = None
        async with self._guarded("release a partition"):
            if self.serving:
                await self.context.hooks.on_revoked(self.partition)
            self.serving = False

    async def close(self) -> None:
        """Finish the running transaction, drop what waits, and disconnect."""
        await self.suspend()
        async with self._guarded("release a partition"):
            await self._writer.stop()

    def _serve(self) -> None:
        self.progress_at = monotonic()
        self._runner = asyncio.create_task(self._run(), name=f"{self.context.stage}-{self.partition}")

    async def _run(self) -> None:
        async with self._guarded("restore a partition"):
            try:
                await self._restore()
            except RestoreStoppedError:
                return
            await self.context.hooks.on_assigned(self.partition, self.processor)
            self.serving = True
        while await self._something_waits():
            async with self.context.gate.turn(self._rank):
                if not self._closing:
                    await self._handle_urgent()
                    await self._handle_waiting()

    async def _restore(self) -> None:
        if self._restored:
            return
        context = self.context
        if context.stateful:
            started = perf_counter()
            records = await context.restore(
                context.settings, context.stage, self.partition, self.processor, lambda: self._closing
            )
            context.metrics.restored(context.stage, records, perf_counter() - started)
            self._restored_ms = self.handled_timestamp_ms = self.processor.clock_ms
        else:
            self.processor.restored()
        self._restored = True
        self.progress_at = monotonic()
        self._check_offsets()

    def positioned(self, committed: Mapping[str, tuple[int, str]], begins: Mapping[str, int]) -> None:
        """Learn where reading resumes.

        Args:
            committed: wire topic -> committed offset and its note.
            begins: wire topic -> position of the next fetch. What is before it is handled or waits here.
        """
        for topic, begin in begins.items():
            self._read_to[topic] = max(begin, self._read_to.get(topic, 0))
        for topic, (offset, text) in committed.items():
            if topic not in self.next_offsets:
                self.next_offsets[topic] = offset
                self.notes.learn(topic, text)
        self._positioned = True
        self._check_offsets()

    def _check_offsets(self) -> None:
        """State and offsets are written together: one without the other means that the offsets are lost."""
        if self._restored_ms and self._positioned and not self.next_offsets:
            gone = RefusedError(offsets_are_gone(self.context, self.partition))
            refuse(gone, stage=self.context.stage, partition=self.partition)

    async def offer(self, topic: str, fetched: Fetched) -> bool:
        """Queue one topic's fetched records. Never waits: reading stops where a partition holds enough.

        Once the task is closing the records are dropped: the next owner reads them. So are those that were taken
        before: reading goes back after a gap, also behind what still waits for its turn.

        Returns:
            False where they do not follow on what was taken before: records were lost on the way here (a rebalance
            drops what is under way), and taking these would commit past them.
        """
        async with self._changed:
            if self._closing:
                return True
            reached = self._read_to.get(topic)
            if reached is None or fetched.begin > reached:
                return False
            if fetched.begin < reached:
                news = [record for record in fetched.records if record.offset >= reached]
                fetched = fetched._replace(records=news, size=None)
            self._read_to[topic] = max(reached, fetched.end)
            if fetched.records:
                self.waiting.put(topic, fetched.records, fetched.size)
                self._changed.notify_all()
            return True

    async def offer_urgent(self, records: Sequence[Record]) -> int:
        """Queue records of a backlog that shall go before their turn; how many of the first are taken."""
        async with self._changed:
            if not self.serving or self._closing or not isinstance(self.waiting, Lanes):
                return 0
            taken = records[: self.waiting.urgent_room]
            self.waiting.put_urgent(taken)
            self._changed.notify_all()
            return len(taken)

    def observe(self, *, has_unread: bool) -> None:
        """Once a second: where there is nothing to handle, or all of it is held back on purpose, nothing is late."""
        held_back = not (self.waiting or self.waiting.in_hand) and self.waiting.deferred()
        if held_back or not (has_unread or self.waiting.held_bytes):
            self.progress_at = monotonic()

    async def _something_waits(self) -> bool:
        """Return when records wait, or False when closing."""
        async with self._changed:
            await until_due(self._changed, self.waiting, lambda: self._closing)
        return not self._closing

    async def _handle_waiting(self) -> None:
        """Everything that waits now, up to one transaction's worth."""
        batch = self.waiting.take(self.context.settings.batch_records_max)
        if not batch:  # only what is urgent was due
            return
        self.processor.pressed = bool(self.waiting)
        async with self._guarded_batch(batch):
            await self._handle(batch)
        self.waiting.done()

    async def _handle_urgent(self) -> None:
        """What shall go before its turn. Its offsets stay where they are, and beside them stands that it has gone."""
        if not (found := self.waiting.take_urgent()):
            return
        async with self._guarded_batch(by_topic(found)):
            self.processor.pressed = False
            going, offsets = self.notes.going_ahead(self.processor, found, self.next_offsets)
            if going:
                handled_ms = self.handled_timestamp_ms
                await self._transact(going, offsets)
                self.handled_timestamp_ms = handled_ms  # how late the partition is follows from those in turn
                self.context.metrics.went_ahead(going)

    async def _handle(self, batch: dict[str, list[Record]]) -> None:
        wire, offsets = self.context.settings.wire, self.next_offsets
        ends = {topic: end for topic, run in batch.items() if (end := run[-1].offset + 1) > offsets.get(topic, 0)}
        read = [self.notes.undecided(topic, records, offsets.get(topic, 0)) for topic, records in batch.items()]
        fresh = [records for records in read if records]
        if not fresh:
            await self._pass_over(ends)
            return
        records = in_order(fresh)
        version = self.next_context.config_version if self.next_context else None
        for piece in until_named(records, version):
            for portion in self._quarantine.portions(piece):
                async for part in parts(self.processor, portion, self._fire):
                    if self._closing:  # what is left is read again
                        return
                    reached = {wire(each.topic): each.offset + 1 for each in part}
                    await self._transact(part, ends if part[-1] is records[-1] else reached)
            following = self.next_context
            if following is not None and not self._closing and named_version(piece[-1]) == following.config_version:
                await self._renew(following)

    async def _pass_over(self, ends: dict[str, int]) -> None:
        """Nothing of a batch is to be decided: it was before, around a rebalance, or went ahead."""
        self.context.metrics.skipped(self.context.stage)
        if ends:
            await self._writer.note(ends, self.notes.texts(ends))
            self._committed(ends)

    async def _fire(self, now_ms: int) -> bool:
        """Fire what is due, as much as one transaction takes; False where the partition is about to leave us."""
        context, effects, started = self.context, Effects(), perf_counter()
        self._quarantine.hold(())
        fired = 0
        while fired < FIRED_PER_TRANSACTION_MAX and self.processor.fire(now_ms, effects):
            fired += 1
            if not fired % FIRED_PER_TURN:
                await asyncio.sleep(0)
        context.on_step(TransactionStep.DECIDED)
        await self._write((), self.next_offsets, effects)
        context.metrics.committed(context.stage, 0, effects, perf_counter() - started, time())
        await context.hooks.after_commit(self.partition, self.processor, effects)
        return not self._closing

    async def _transact(self, records: Sequence[Record], offsets: dict[str, int]) -> None:
        context, effects, quarantine = self.context, Effects(), self._quarantine
        started = perf_counter()
        quarantine.hold(records)
        crash = quarantine.refused(records[0])
        if crash is not None:
            set_aside(self.processor, records[0], crash, effects)
        else:
            await self._decide(len(records), effects)
        quarantine.acquit()
        context.on_step(TransactionStep.DECIDED)
        await self._write(records, offsets, effects)
        self._traces.committed()
        self.handled_timestamp_ms = records[-1].timestamp
        context.metrics.committed(context.stage, len(records), effects, perf_counter() - started, time())
        if crash is not None:
            tell_quarantined(context, self.partition, records[0], crash)
        await context.hooks.after_commit(self.partition, self.processor, effects)
        context.on_step(TransactionStep.HANDED_ON)

    async def _write(self, records: Sequence[Record], offsets: dict[str, int], effects: Effects) -> None:
        """Commit what was decided. ``records``: which one of is to blame for what is raised; none: a deadline."""
        context, quarantine, processor = self.context, self._quarantine, self.processor
        await context.hooks.before_commit(self.partition, processor, records, effects)
        if records:
            quarantine.hold(records)
        processor.finish(effects)
        changes = processor.take_changes() if context.stateful else ()
        quarantine.acquit()
        await self._writer.commit(effects.outputs, changes, processor.clock_ms, offsets, self.notes.texts(offsets))
        context.metrics.state_written(context.stage, changes)
        self._committed(offsets)

    async def _decide(self, count: int, effects: Effects) -> None:
        for start in range(0, count, DECIDE_RECORDS_PER_TURN):
            if start:
                await asyncio.sleep(0)
            records = self._quarantine.slice(start, start + DECIDE_RECORDS_PER_TURN)
            self._traces.handle(self.processor, records, effects)

    async def _renew(self, context: StageContext) -> None:
        await self.context.hooks.on_revoked(self.partition)
        ledger, clock_ms = self.processor.ledger, self.processor.clock_ms
        self.processor = context.factory()
        self.processor.ahead = self.notes.ahead
        self.serving = self._restored = False
        try:
            await take_over(context, self.partition, self.processor, ledger, clock_ms, lambda: self._closing)
        except RestoreStoppedError:
            return  # should the partition come back, it is opened anew
        self.context = context
        if self.next_context is context:  # else a newer one has come meanwhile, and its record is still to be read
            self.next_context = None
        await context.hooks.on_assigned(self.partition, self.processor)
        self.serving = self._restored = True
        self.progress_at = monotonic()
        where = {"stage": context.stage, "partition": self.partition, "offsets": self.next_offsets}
        log_line("configuration in force", version=context.config_version, **where)

    def _committed(self, offsets: dict[str, int]) -> None:
        self.next_offsets.update(offsets)
        self.progress_at = monotonic()
        self.notes.committed(offsets)

    async def _note_crash(self, error: Exception) -> Mapping[str, object]:
        """Before a defect ends the process: count it, and leave a note where a record is to blame."""
        context, wire = self.context, self.context.settings.wire
        context.metrics.failed(context.stage)
        if (key := timer_at_fault(error)) is not None:
            return {"timer": key, "do": TIMER_ADVICE}
        crashes = self._quarantine.blame(error)
        if crashes:
            offsets = {
                wire(topic): self.next_offsets.get(wire(topic), self._quarantine.offset_of(topic)) for topic in crashes
            }
            await self._writer.note(offsets, self.notes.of_crashes(crashes))
        return {
            "crashes": {
                topic: {"times": crash.times, "of": CRASHES_MAX, "offset": crash.offset, "through": crash.through}
                for topic, crash in crashes.items()
            }
        }

    def _guarded_batch(self, batch: dict[str, list[Record]]) -> AbstractAsyncContextManager[None]:
        """Guard one batch: a defect counts as a failed transaction, and the log line says where its records are."""
        spans = {topic: f"{records[0].offset}-{records[-1].offset}" for topic, records in batch.items()}
        return guarded(
            "handle a batch",
            self._note_crash,
            stage=self.context.stage,
            partition=self.partition,
            transaction=FAILED,
            offsets=spans,
        )

    def _guarded(self, what: str) -> AbstractAsyncContextManager[None]:
        return guarded(what, stage=self.context.stage, partition=self.partition)
