"""What all partitions of a stage share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipeline.core.step import Processor
from pipeline.flow import RAW_TOPICS, STAGE_BY_NAME
from pipeline.runtime.hooks import StageHooks
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.restore import RestoreFunction, restore
from pipeline.runtime.transaction import OnStep, TransactionWriter, no_step
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """One stage in this process.

    Attributes:
        settings: brokers, names, limits.
        stage: the stage's word.
        inputs: logical input topics; ticks go to the first.
        partition_counts: logical name of every topic -> its partitions.
        factory: makes the processor of one partition.
        hooks: effects outside Kafka.
        metrics: the process's series.
        on_step: called when a transaction of any partition has reached a step.
        writer: what writes a partition's transactions.
        restore: what gives a fresh processor its state back.
    """

    settings: Settings
    stage: str
    inputs: tuple[str, ...]
    partition_counts: Mapping[str, int]
    factory: Callable[[], Processor]
    metrics: Metrics
    hooks: StageHooks = field(default_factory=StageHooks)
    on_step: OnStep = no_step
    writer: type[TransactionWriter] = TransactionWriter
    restore: RestoreFunction = restore

    @property
    def stateful(self) -> bool:
        """The stage keeps state in a changelog."""
        return STAGE_BY_NAME[self.stage].stateful

    @property
    def timers(self) -> bool:
        """This process writes ticks for the stage's idle partitions."""
        stage = STAGE_BY_NAME[self.stage]
        return stage.timers and (stage.outward or self.settings.clock == "wall")

    @property
    def reads_raw(self) -> bool:
        """The stage reads whatever raw topics there are."""
        return RAW_TOPICS in STAGE_BY_NAME[self.stage].reads

    @property
    def wire_inputs(self) -> tuple[str, ...]:
        """Input topics as they are called on the wire."""
        return tuple(self.settings.wire(topic) for topic in self.inputs)
