"""The index of the pipeline: its stages in order, with what each reads, keeps and writes.

Topics, workers, manifests, metrics and documentation derive from this file. A stage has one word,
and the same word names its core file, agent, test and metric label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RAW_TOPIC_PREFIX: Final = "alerts.raw."
DEAD_LETTER_TOPIC: Final = "dead.letter"
PARTITIONS_DEFAULT: Final = 4

SECOND_MS: Final = 1_000
DAY_MS: Final = 24 * 60 * 60 * SECOND_MS
MEBIBYTE: Final = 1 << 20

# A raw message above this is refused to the dead letter: the largest legitimate payload seen (a grouped
# Alertmanager notification) stays under it, and it is Kafka's own default for a record.
RAW_VALUE_BYTES_MAX: Final = MEBIBYTE
# What the broker accepts on a raw topic, so that an oversized message reaches the dead letter intact
# instead of failing in its producer.
RAW_RECORD_BYTES_MAX: Final = 16 * MEBIBYTE
# The dead letter holds the same bytes, plus headers that say where they came from and why.
DEAD_LETTER_RECORD_BYTES_MAX: Final = RAW_RECORD_BYTES_MAX + MEBIBYTE


SNAPSHOT_RECORD_BYTES_MAX: Final = 4 * MEBIBYTE
"""Whole incidents and problems: each list on them is bounded by number and by characters, of which one may take six
bytes. The usual one has 6 KiB; full of what people write it has 1.5 MiB, and a record that the broker refuses stops the
partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One Kafka topic as the pipeline needs it.

    Attributes:
        name: topic name, before the tenant's prefix.
        key: what the record key holds; the unit of ordering.
        partitions: fixed count, or None for the configured default.
        retention_ms: how long records stay; None with compaction only.
        compact: keep the newest record of each key.
        record_bytes_max: largest record that the broker accepts.
        internal: written and read by Spillway alone (changelogs).
    """

    name: str
    key: str
    partitions: int | None = None
    retention_ms: int | None = 7 * DAY_MS
    compact: bool = False
    record_bytes_max: int = MEBIBYTE
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the flow.

    Attributes:
        name: the stage's one word.
        reads: input topics; those of one stage are co-partitioned and share the state of a partition.
            The raw topics of the feeds stand as ``alerts.raw.*``.
        writes: topics that its transactions write, the changelog aside.
        stateful: keeps state per input partition in a compacted changelog.
        timers: acts on stream time, so idle partitions need ticks.
        outward: its timers concern the world outside (retries), so its ticks follow the machine's clock even while
            a recording is played.
        purpose: one sentence for people.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    stateful: bool
    timers: bool
    purpose: str
    outward: bool = False


RAW_TOPICS: Final = RAW_TOPIC_PREFIX + "*"

STAGES: Final[tuple[Stage, ...]] = (
    Stage(
        name="ingest",
        reads=(RAW_TOPICS,),
        writes=("alerts", DEAD_LETTER_TOPIC),
        stateful=False,
        timers=False,
        purpose="Parse and normalise each source's shape; enrich with service, owner, layer and location.",
    ),
    Stage(
        name="dedupe",
        reads=("alerts",),
        writes=("episodes", DEAD_LETTER_TOPIC),
        stateful=True,
        timers=True,
        purpose="Turn repeated alerts of one condition into episodes; hold, suppress, expire.",
    ),
    Stage(
        name="correlate",
        reads=("episodes", "changes", "commands"),
        writes=(
            "incidents",
            "incidents.state",
            "incidents.summaries",
            "bridge.commands",
            "problem.commands",
            "suppressions",
            DEAD_LETTER_TOPIC,
        ),
        stateful=True,
        timers=True,
        purpose="Cluster episodes into incidents; prioritise, run clocks, escalate, obey commands.",
    ),
    Stage(
        name="bridge",
        reads=("incidents.summaries", "bridge.commands"),
        writes=("incidents", "incidents.state", "commands", DEAD_LETTER_TOPIC),
        stateful=True,
        timers=True,
        purpose="Open one bridge incident where the aggregate business impact is major.",
    ),
    Stage(
        name="problem",
        reads=("incidents.summaries", "problem.commands"),
        writes=("problems", "commands", DEAD_LETTER_TOPIC),
        stateful=True,
        timers=True,
        purpose="Find incidents of one cause; track problems, known errors and corrective actions to their end.",
    ),
    Stage(
        name="deliver",
        # Its own outcomes come back as records. They stand first because ticks go to the first topic, and
        # `incidents` is read by others, who expect events alone there.
        reads=("deliveries", "incidents", "sink.updates"),
        writes=("deliveries", "deliveries.state", "commands", "bridge.commands", DEAD_LETTER_TOPIC),
        stateful=True,
        timers=True,
        purpose="Send incident changes to the sinks: signed, retried, in order for each incident.",
        outward=True,
    ),
    Stage(
        name="record",
        # Ticks of other stages travel in `episodes` and `deliveries`; a tick is no data to anybody.
        reads=("incidents", "suppressions", "problems", "episodes", "deliveries", "deliveries.state"),
        writes=(DEAD_LETTER_TOPIC,),
        stateful=False,
        timers=False,
        purpose="Project incidents, episodes, what was hidden, problems and deliveries into the records store.",
    ),
)

STAGE_BY_NAME: Final[dict[str, Stage]] = {stage.name: stage for stage in STAGES}

_FIXED_TOPICS: Final[tuple[Topic, ...]] = (
    Topic(name="alerts", key="alert key"),
    # As long as `incidents`, as are all topics that the records store is made of: it can be made anew from them.
    Topic(name="episodes", key="space", retention_ms=90 * DAY_MS),
    Topic(name="changes", key="space", retention_ms=30 * DAY_MS),
    Topic(name="commands", key="space", retention_ms=30 * DAY_MS),
    Topic(
        name="incidents",
        key="incident id",
        retention_ms=90 * DAY_MS,
        record_bytes_max=SNAPSHOT_RECORD_BYTES_MAX,
    ),
    Topic(
        name="incidents.state",
        key="incident id",
        retention_ms=None,
        compact=True,
        record_bytes_max=SNAPSHOT_RECORD_BYTES_MAX,
    ),
    # One partition each: the bridge weighs the incidents of all spaces together.
    Topic(
        name="incidents.summaries",
        key="incident id",
        partitions=1,
        record_bytes_max=SNAPSHOT_RECORD_BYTES_MAX,
    ),
    Topic(name="bridge.commands", key="bridge id", partitions=1, retention_ms=30 * DAY_MS),
    Topic(name="problem.commands", key="problem id", partitions=1, retention_ms=30 * DAY_MS),
    # As many partitions as `incidents`: record reads them all.
    Topic(
        name="suppressions",
        key="alert key",
        retention_ms=90 * DAY_MS,
        record_bytes_max=SNAPSHOT_RECORD_BYTES_MAX,
    ),
    Topic(
        name="problems",
        key="problem id",
        retention_ms=90 * DAY_MS,
        record_bytes_max=SNAPSHOT_RECORD_BYTES_MAX,
    ),
    # As many partitions as `incidents`: deliver reads both and finds an incident's outcomes beside its events.
    Topic(name="deliveries", key="incident id", retention_ms=90 * DAY_MS),
    Topic(name="sink.updates", key="incident id", retention_ms=30 * DAY_MS),
    # The ledger: of each incident and sink what is open there. Written by deliver, read by people and the console.
    Topic(name="deliveries.state", key="sink and incident id", retention_ms=None, compact=True),
    Topic(
        name=DEAD_LETTER_TOPIC,
        key="original key",
        retention_ms=90 * DAY_MS,
        record_bytes_max=DEAD_LETTER_RECORD_BYTES_MAX,
    ),
)


SHADOW_CHANGELOG: Final = "spillway.shadow.changelog"
SHADOW_STATUS: Final = "spillway.shadow.status"

SHADOW_TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        name=SHADOW_CHANGELOG,
        key="state key",
        partitions=1,
        retention_ms=None,
        compact=True,
        record_bytes_max=4 * MEBIBYTE,
        internal=True,
    ),
    Topic(name=SHADOW_STATUS, key="status", partitions=1, retention_ms=None, compact=True, internal=True),
)
"""Topics of the shadow, where there is one: one partition each, because it decides everything in one place."""


PRESSING_STAGES: Final = ("dedupe", "correlate")
"""Ingest hands on no more than these get through. Behind correlate there is one record an incident."""


def changelog_topic(stage: str) -> str:
    """Name of the compacted topic that holds the state of a stage, co-partitioned with its input."""
    return f"spillway.{stage}.changelog"


def topics(feeds: tuple[str, ...], others: tuple[str, ...] = ()) -> tuple[Topic, ...]:
    """Every topic of the pipeline for the given feeds, in flow order, changelogs last.

    Args:
        feeds: names of feeds; each reads ``alerts.raw.<feed>``.
        others: names of feeds that nobody has asked for and that work nevertheless: one partition is enough.
    """
    raw = tuple(_raw(feed, None if feed in feeds else 1) for feed in (*feeds, *others))
    return raw + _FIXED_TOPICS + tuple(_changelogs())


def _raw(feed: str, partitions: int | None) -> Topic:
    key = "any, of the source's choice"
    return Topic(name=RAW_TOPIC_PREFIX + feed, key=key, partitions=partitions, record_bytes_max=RAW_RECORD_BYTES_MAX)


def _changelogs() -> list[Topic]:
    by_name = {topic.name: topic for topic in _FIXED_TOPICS}
    return [
        Topic(
            name=changelog_topic(stage.name),
            key="state key",
            partitions=by_name[stage.reads[0]].partitions,
            retention_ms=None,
            compact=True,
            internal=True,
            # A state record is bounded by the core; the margin keeps a commit from failing on one.
            record_bytes_max=4 * MEBIBYTE,
        )
        for stage in STAGES
        if stage.stateful
    ]
