"""A stage in this process: its partitions while they are ours, from one rebalance to the next.

At each rebalance every partition is suspended: between two assignments another worker may own any of them. One that
comes back goes on from its state in memory where its producer proves that nobody else had it; others are opened anew.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from time import monotonic, time
from typing import Final, NamedTuple, TypeVar

from pipeline.core.step import Record
from pipeline.runtime.context import StageContext
from pipeline.runtime.fetched import Fetched
from pipeline.runtime.figures import HasGauges
from pipeline.runtime.guard import RefusedError
from pipeline.runtime.history import check_notes
from pipeline.runtime.hooks import StageHooks
from pipeline.runtime.lateness import Lateness
from pipeline.runtime.partition import PartitionTask
from pipeline.runtime.waiting import PARTITION_BYTES_MIN, STAGE_BYTES_MAX

OVERFLOW: Final = 2
"""Times what a stage may hold: feeds of which nothing waits are read up to this, while others fill it."""

Place = tuple[str, int]
"""Wire topic and partition."""

BACKLOG_RECORDS_MIN: Final = 2_000
"""So many records of one topic-partition are a backlog: more than one transaction takes, so they wait for another."""


class Backlog(NamedTuple):
    """How a topic-partition with a backlog stands.

    Attributes:
        begin: offset of the next record in turn.
        may_go_ahead: more of its records may be offered to go before their turn.
        opening: changes where what was offered may be gone: another owner, or the same one again.
    """

    begin: int
    may_go_ahead: bool
    opening: int = 0


P = TypeVar("P", bound=Place)


class StageHost:
    """The partitions of one stage that this process owns.

    Attributes:
        context: what they share.
        tasks: partition number -> its task.
        assigned: an assignment is in force, even an empty one; not so during a rebalance.
        openings: how often `open` has changed what is ours.
    """

    def __init__(self, context: StageContext) -> None:
        self.context = context
        self.tasks: dict[int, PartitionTask] = {}
        self.assigned = False
        self.openings = 0
        self._former: list[StageHooks] = []  # of configurations that some partitions may still work under
        self._kept: dict[int, PartitionTask] = {}  # suspended; some of them may come back
        self._moving = asyncio.Lock()
        self._stopped = False
        self._deferred: set[str] = set()
        self._unread: Mapping[Place, int] = {}
        self._lateness = Lateness()

    @property
    def stage(self) -> str:
        """The stage's word."""
        return self.context.stage

    async def open(self, partitions: Iterable[int]) -> None:
        """Own exactly these partitions from now on; former owners are fenced when this returns.

        Raises:
            RefusedError: a partition that its topic did not have when the process started.
        """
        async with self._moving:
            await self._suspend()
            if self._stopped:  # asked to stop during a rebalance: what would be opened now nobody would close
                return
            wanted = sorted(set(partitions))
            self._check_counts(wanted)
            kept = dict(self._kept)  # which stay in sight until they are at work again: their hooks are in use
            opened = await asyncio.gather(*(self._opened(number, kept.pop(number, None)) for number in wanted))
            self.tasks, self._kept = dict(zip(wanted, opened, strict=True)), {}
            self.assigned = True
            self.openings += 1
            self.context.metrics.rebalances.labels(self.stage).inc()
            await asyncio.gather(*(task.close() for task in kept.values()))

    async def _opened(self, number: int, kept: PartitionTask | None) -> PartitionTask:
        if kept is not None:
            if await kept.resume():
                return kept
            await kept.close()
        task = PartitionTask(self.context, number)
        await task.start()
        return task

    def _check_counts(self, numbers: Iterable[int]) -> None:
        counts = self.context.partition_counts
        most = max((counts.get(topic, 0) for topic in self.context.inputs), default=0)
        if beyond := [number for number in numbers if number >= most]:
            raise RefusedError(
                f"stage {self.stage} was given partition {beyond[0]}, and its inputs had {most} partitions when this "
                "process started: somebody raised a partition count, which moves keys away from their state and "
                "order; start anew with another SPILLWAY_APP_ID and SPILLWAY_TOPIC_PREFIX"
            )

    async def close(self) -> None:
        """Finish running transactions and serve nothing until the next assignment."""
        async with self._moving:
            await self._suspend()

    async def _suspend(self) -> None:
        tasks, self.tasks = self.tasks, {}
        self._kept.update(tasks)
        self.assigned = False
        await asyncio.gather(*(task.suspend() for task in tasks.values()))

    async def stop(self) -> None:
        """Finish for good."""
        self._stopped = True
        async with self._moving:
            await self._suspend()
            kept, self._kept = self._kept, {}
            await asyncio.gather(*(task.close() for task in kept.values()))
        for hooks in (*self._former, self.context.hooks):
            await hooks.stop()

    def renew(self, context: StageContext) -> None:
        """Serve partitions under another configuration: new ones at once, those at work when a record names it."""
        if context.hooks is not self.context.hooks and self.context.hooks not in self._former:
            self._former.append(self.context.hooks)
        self.context = context
        for task in (*self._kept.values(), *self.tasks.values()):
            task.waiting.renew(context)  # at once: it decides nothing
        self.behind()

    def behind(self) -> list[int]:
        """Partitions that work under another configuration than the newest; each knows what it waits for."""
        found: list[int] = []
        for number, task in (*self._kept.items(), *self.tasks.items()):
            if task.context is not self.context:
                task.next_context = self.context
                found.append(number)
        return found

    async def let_go(self) -> None:
        """End the hooks of configurations that no partition works under any more."""
        async with self._moving:
            in_use = {id(task.context.hooks) for task in (*self._kept.values(), *self.tasks.values())}
            idle = [hooks for hooks in self._former if id(hooks) not in in_use and hooks is not self.context.hooks]
            self._former = [hooks for hooks in self._former if hooks not in idle]
            for hooks in idle:
                await hooks.stop()

    async def accept(self, topic: str, partition: int, fetched: Fetched) -> bool:
        """Take one topic-partition's fetched records; those of a partition that has left us are dropped.

        Returns:
            Whether all is well. False: records before these are missing, and must be read again.
        """
        task = self.tasks.get(partition)
        return task is None or await task.offer(topic, fetched)

    def positioned(
        self, committed: Mapping[tuple[str, int], tuple[int, str]], begins: Mapping[tuple[str, int], int]
    ) -> None:
        """Learn where reading resumes.

        Args:
            committed: (wire topic, partition), ours and others' -> committed offset and its note.
            begins: those that are ours -> position of the next fetch.

        Raises:
            RefusedError: what the offsets belong to is not what is there.
        """
        prefix = self.context.settings.topic_prefix
        check_notes(self.context, ((topic.removeprefix(prefix), text) for (topic, _), (_, text) in committed.items()))
        by_number: dict[int, dict[str, tuple[int, str]]] = defaultdict(dict)
        for (topic, number), found in committed.items():
            by_number[number][topic] = found
        for number, task in self.tasks.items():
            positions = {topic: offset for (topic, at), offset in begins.items() if at == number}
            task.positioned(by_number.get(number, {}), positions)

    def with_room(self, places: Collection[P]) -> set[P]:
        """Of some topic-partitions those that may be read; the others hold enough, and must handle some of it first.

        Where the stage as a whole holds enough, only lanes of which nothing waits may go over, up to twice as much.
        """
        held = sum(task.waiting.held_bytes for task in self.tasks.values())
        share = max(PARTITION_BYTES_MIN, STAGE_BYTES_MAX // max(1, len(self.tasks)))
        return {place for place in places if self._has_room(place[0], place[1], held, share)}

    def _has_room(self, topic: str, partition: int, held: int, share: int) -> bool:
        task = self.tasks.get(partition)
        if task is None:
            return True
        if held >= STAGE_BYTES_MAX:
            return held < OVERFLOW * STAGE_BYTES_MAX and task.waiting.may_overflow(topic)
        return task.waiting.has_room(topic, share)

    def backlogs(self) -> dict[Place, Backlog]:
        """Topic-partitions of ours in which what is urgent should not wait for its turn."""
        found: dict[Place, Backlog] = {}
        for number, task in self.tasks.items():
            counts, held, has_room = task.waiting.counts(), set(task.waiting.deferred()), task.waiting.urgent_room > 0
            for topic, begin in task.next_offsets.items() if task.serving else ():
                behind = self._unread.get((topic, number), 0) + counts.get(topic, 0)
                if behind >= BACKLOG_RECORDS_MIN or (behind and topic in held):
                    found[topic, number] = Backlog(begin, has_room and task.notes.may_go_ahead(topic), self.openings)
        return found

    async def offer_urgent(self, partition: int, records: Sequence[Record]) -> int:
        """Hand on records that shall go before their turn; how many of the first are taken."""
        task = self.tasks.get(partition)
        return 0 if task is None else await task.offer_urgent(records)

    def ready(self) -> bool:
        """Every partition that is ours is being served."""
        return self.assigned and all(task.serving for task in self.tasks.values())

    def status(self) -> dict[str, object]:
        """What the health page shows of this stage."""
        tasks = sorted(self.tasks.items())
        return {
            "ready": self.ready(),
            "assigned": self.assigned,
            "partitions": [number for number, task in tasks if task.serving],
            "restoring": [number for number, task in tasks if not task.serving],
            "stalled_seconds": round(self.stalled_seconds(), 3),
        }

    def stalled_seconds(self) -> float:
        """How long the slowest partition has had records, on the broker or here, and handled none."""
        now = monotonic()
        return max((now - task.progress_at for task in self.tasks.values() if task.serving), default=0.0)

    def observe(self, unread: Mapping[tuple[str, int], int]) -> None:
        """Set the gauges of this stage.

        Args:
            unread: (wire topic, partition) -> records on the broker that were not fetched yet.
        """
        metrics, prefix = self.context.metrics, self.context.settings.topic_prefix
        lag: dict[str, int] = dict.fromkeys(self.context.inputs, 0)
        for (topic, _), count in unread.items():
            lag[topic.removeprefix(prefix)] += count
        self._unread = unread
        figures: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        remainder = 0
        unread_numbers = {number for (_, number), count in unread.items() if count}
        for number, task in self.tasks.items():
            task.observe(has_unread=number in unread_numbers)
            remainder += task.processor.ledger.remainder()
            for topic, count in task.waiting.counts().items():
                lag[topic.removeprefix(prefix)] += count
            if isinstance(task.processor, HasGauges):
                for name, values in task.processor.gauges().items():
                    for label, value in values.items():
                        figures[name][label] += value
        self._observe_deferred(lag)
        for topic, count in lag.items():
            metrics.lag_records.labels(self.stage, topic).set(count)
        if self.context.settings.clock == "wall":
            now = time()
            oldest_ms = self._lateness.oldest_ms(self.tasks, unread_numbers, int(now * 1_000))
            metrics.lag_seconds.labels(self.stage).set(0 if oldest_ms is None else max(0.0, now - oldest_ms / 1_000))
        metrics.conservation_remainder.labels(self.stage).set(remainder)
        metrics.figures.observe(self.stage, figures)
        self._observe_assignment()

    def _observe_assignment(self) -> None:
        metrics, stage, counts = self.context.metrics, self.stage, self.context.partition_counts
        metrics.partitions.labels(stage).set(max((counts.get(topic, 0) for topic in self.context.inputs), default=0))
        metrics.partitions_assigned.labels(stage).set(len(self.tasks))
        metrics.partitions_serving.labels(stage).set(sum(task.serving for task in self.tasks.values()))

    def _observe_deferred(self, lag: Mapping[str, int]) -> None:
        """Tell what is held back, of feeds that were once."""
        prefix = self.context.settings.topic_prefix
        held = {topic.removeprefix(prefix) for task in self.tasks.values() for topic in task.waiting.deferred()}
        for topic in held | self._deferred:
            feed = self.context.metrics.feed_of(topic)
            self.context.metrics.feed_deferred.labels(feed).set(lag.get(topic, 0) if topic in held else 0)
        self._deferred |= held
