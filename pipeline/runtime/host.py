"""A stage in this process: its partitions while they are ours, from one rebalance to the next.

At each rebalance every partition is closed and the ones assigned are opened anew, because between two assignments
another worker may have owned any of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from time import time

from pipeline.core.step import Record
from pipeline.runtime.context import StageContext
from pipeline.runtime.metrics import HasGauges
from pipeline.runtime.partition import PartitionTask


class StageHost:
    """The partitions of one stage that this process owns.

    Attributes:
        context: what they share.
        tasks: partition number -> its task.
        assigned: an assignment is in force, even an empty one; not so during a rebalance.
    """

    def __init__(self, context: StageContext) -> None:
        self.context = context
        self.tasks: dict[int, PartitionTask] = {}
        self.assigned = False
        self._moving = asyncio.Lock()
        self._stopped = False

    @property
    def stage(self) -> str:
        """The stage's word."""
        return self.context.stage

    async def open(self, partitions: Iterable[int]) -> None:
        """Own exactly these partitions from now on; former owners are fenced when this returns."""
        async with self._moving:
            await self._close()
            if self._stopped:  # asked to stop during a rebalance: what would be opened now nobody would close
                return
            tasks = {number: PartitionTask(self.context, number) for number in sorted(set(partitions))}
            await asyncio.gather(*(task.start() for task in tasks.values()))
            self.tasks = tasks
            self.assigned = True

    async def close(self) -> None:
        """Finish running transactions and own nothing."""
        async with self._moving:
            await self._close()

    async def _close(self) -> None:
        tasks, self.tasks = self.tasks, {}
        self.assigned = False
        await asyncio.gather(*(task.close() for task in tasks.values()))

    async def stop(self) -> None:
        """Finish for good."""
        self._stopped = True
        await self.close()
        await self.context.hooks.stop()

    async def accept(self, topic: str, partition: int, records: Sequence[Record]) -> None:
        """Take one topic-partition's fetched records; those of a partition that has left us are dropped."""
        if (task := self.tasks.get(partition)) is not None:
            await task.offer(topic, records)

    def positioned(self, committed: Mapping[tuple[str, int], int]) -> None:
        """Learn the committed offsets that reading resumes from; what is before them counts as handled."""
        for (topic, partition), offset in committed.items():
            if (task := self.tasks.get(partition)) is not None:
                task.next_offsets.setdefault(topic, offset)

    def ready(self) -> bool:
        """Every partition that is ours is being served."""
        return self.assigned and all(task.serving for task in self.tasks.values())

    def status(self) -> dict[str, object]:
        """What the health page shows of this stage."""
        tasks = sorted(self.tasks.items())
        return {
            "ready": self.ready(),
            "partitions": [number for number, task in tasks if task.serving],
            "restoring": [number for number, task in tasks if not task.serving],
        }

    def observe(self, unread: Mapping[tuple[str, int], int]) -> None:
        """Set the gauges of this stage.

        Args:
            unread: (wire topic, partition) -> records on the broker that were not fetched yet.
        """
        metrics, prefix = self.context.metrics, self.context.settings.topic_prefix
        lag: dict[str, int] = dict.fromkeys(self.context.inputs, 0)
        for (topic, _), count in unread.items():
            lag[topic.removeprefix(prefix)] += count
        figures: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        oldest_ms, remainder = 0, 0
        for task in self.tasks.values():
            remainder += task.processor.ledger.remainder()
            for topic, count in task.waiting_records().items():
                lag[topic.removeprefix(prefix)] += count
            if task.handled_timestamp_ms:
                oldest_ms = min(oldest_ms or task.handled_timestamp_ms, task.handled_timestamp_ms)
            if isinstance(task.processor, HasGauges):
                for name, values in task.processor.gauges().items():
                    for label, value in values.items():
                        figures[name][label] += value
        for topic, count in lag.items():
            metrics.lag_records.labels(self.stage, topic).set(count)
        behind = oldest_ms and sum(lag.values()) and self.context.settings.clock == "wall"
        metrics.lag_seconds.labels(self.stage).set(max(0.0, time() - oldest_ms / 1000) if behind else 0)
        metrics.conservation_remainder.labels(self.stage).set(remainder)
        metrics.observe_figures(self.stage, figures)
