"""What all partitions of a stage share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipeline.core.alerts.urgent import Urgent
from pipeline.core.step import Processor
from pipeline.flow import DEAD_LETTER_TOPIC, RAW_TOPICS, STAGE_BY_NAME, STAGES, changelog_topic
from pipeline.models.policy import FeedQuota
from pipeline.runtime.gate import Gate
from pipeline.runtime.hooks import StageHooks
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.note import OffsetNote
from pipeline.runtime.pressure import Pressure
from pipeline.runtime.restore import RestoreFunction, restore
from pipeline.runtime.tracing import Untraced
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
        topic_ids: logical name of every topic -> its id; where it is not there, offsets do not say what they belong to.
        factory: makes the processor of one partition.
        hooks: effects outside Kafka.
        gate: what lets a few partitions at a time decide and commit; stages may share it.
        metrics: the process's series.
        config_version: the configuration that the factory's processors decide by.
        traces: makes what handles one partition's records, with traces or without.
        on_step: called when a transaction of any partition has reached a step.
        writer: what writes a partition's transactions.
        quotas: raw topic -> what its feed may send.
        pressure: holds feeds with a backlog back while the stages after it are too far behind; None: nothing does.
        urgent: tells what goes before its turn where a feed has a backlog; None: nothing does.
        restore: what gives a fresh processor its state back.
    """

    settings: Settings
    stage: str
    inputs: tuple[str, ...]
    partition_counts: Mapping[str, int]
    factory: Callable[[], Processor]
    metrics: Metrics
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    hooks: StageHooks = field(default_factory=StageHooks)
    gate: Gate = field(default_factory=Gate)
    config_version: str = ""
    traces: Callable[[], Untraced] = Untraced
    on_step: OnStep = no_step
    writer: type[TransactionWriter] = TransactionWriter
    restore: RestoreFunction = restore
    quotas: Mapping[str, FeedQuota] = field(default_factory=dict)
    pressure: Pressure | None = None
    urgent: Urgent | None = None

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

    def note(self, topic: str) -> OffsetNote:
        """What every offset of an input topic carries."""
        stage, ids = STAGE_BY_NAME[self.stage], self.topic_ids
        if topic not in ids:
            return OffsetNote()
        changelog = (changelog_topic(self.stage),) if stage.stateful else ()
        # Where the own input's count does not matter, its owners may change it: a stage without state has no key
        # that would move away from anything. Dead letters are placed by a key that nothing depends on.
        placed = {topic, *stage.writes, *changelog} if stage.stateful else {*stage.writes}
        counts = {name: self.partition_counts[name] for name in sorted(placed - {DEAD_LETTER_TOPIC})}
        return OffsetNote(ids[topic], ids[changelog[0]] if changelog else "", counts)

    @property
    def rank(self) -> int:
        """Place of the stage in the line at the gate: what is nearly through goes before what comes in."""
        return -[stage.name for stage in STAGES].index(self.stage)

    @property
    def wire_inputs(self) -> tuple[str, ...]:
        """Input topics as they are called on the wire."""
        return tuple(self.settings.wire(topic) for topic in self.inputs)
