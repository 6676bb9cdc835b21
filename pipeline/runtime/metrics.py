"""Every series that a worker exposes, in seconds and records, with bounded labels.

Counting is per batch: a series is touched once for a batch, not once for a record.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.core.step import Effects, Output
from pipeline.flow import DEAD_LETTER_TOPIC
from pipeline.models.decision import Disposition, Reason
from pipeline.models.delivery import UpdateReason
from pipeline.models.problem import ProblemState
from pipeline.models.suppression import What
from pipeline.runtime.guard import log_line
from pipeline.runtime.histogram import BatchHistogram

_REASONS: Final = frozenset(Reason)
UNSAID: Final = "unsaid"
"""Label of a dead letter whose headers give no reason of ours."""

PRIORITIES: Final = ("P1", "P2", "P3", "P4")
SUPPRESSING: Final = (Reason.MAINTENANCE, Reason.SILENCED, Reason.INHIBITED)

# From a batch of a few records on an idle machine (10 ms) to what a backlog after an outage takes (1 h).
END_TO_END_SECONDS_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
TRANSACTION_SECONDS_BUCKETS: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24)

NO_SINK: Final = "none"
"""Label of what came from a sink that is not configured, and of what concerns all."""

UNNAMED: Final = frozenset({UpdateReason.UNKNOWN_SINK, UpdateReason.RETRIED, UpdateReason.NOTHING_TO_RETRY})

DEAD_LETTER_REASONS: Final = (
    Reason.EMPTY,
    Reason.TOO_LARGE,
    Reason.BROKEN_JSON,
    Reason.WRONG_TYPE,
    Reason.MISSING_FIELD,
    Reason.UNKNOWN_FEED,
    Reason.UNKNOWN_SHAPE,
    Reason.UNKNOWN_SCHEMA,
    Reason.UNKNOWN_TARGET,
    Reason.NOT_PERMITTED,
    Reason.QUARANTINED,
)

# A rate needs the zero before the first alert, and all combinations of the enums would be hundreds of series that
# never move. One that is missing here is still counted, from its first alert on.
ALERTS_DECIDED: Final[Mapping[str, Mapping[Disposition, Sequence[Reason]]]] = {
    "ingest": {Disposition.DEAD_LETTERED: DEAD_LETTER_REASONS},
    "dedupe": {
        Disposition.REPEATED: (
            Reason.STILL_FIRING,
            Reason.DUPLICATE_DELIVERY,
            Reason.OUT_OF_ORDER,
            Reason.RESOLVED_WITHOUT_FIRING,
        ),
        Disposition.SUPPRESSED: (Reason.MAINTENANCE, Reason.FLAPPING),
        Disposition.CONTROL: (
            Reason.HEARTBEAT,
            Reason.MAINTENANCE_NOTICE,
            Reason.SOURCE_CONTROL,
            Reason.OWN_RECORD,
            Reason.ACKNOWLEDGED_AT_SOURCE,
        ),
        Disposition.DEAD_LETTERED: (Reason.EMPTY, Reason.UNKNOWN_SCHEMA),
    },
    "correlate": {
        Disposition.OPENED: (Reason.FIRST_SYMPTOM, Reason.RULE_NEVER, Reason.RULE_MIN_COUNT),
        Disposition.JOINED: (
            Reason.SAME_CONDITION,
            Reason.SAME_ENTITY,
            Reason.DEPENDENCY,
            Reason.BUSINESS_TERMS,
            Reason.SHARED_HOSTING,
            Reason.SIMILAR_TEXT,
            Reason.COMBINED_EVIDENCE,
            Reason.RULE_JOIN,
            Reason.EPISODE_UPDATED,
            Reason.EPISODE_RESOLVED,
            Reason.FLAPPING,
        ),
        Disposition.SUPPRESSED: (Reason.MAINTENANCE, Reason.FLAPPING),
        Disposition.HELD: (Reason.TRANSIENT, Reason.RULE_MIN_COUNT),
        Disposition.CONTROL: (Reason.INCIDENT_GONE,),
        Disposition.DEAD_LETTERED: (Reason.UNKNOWN_SCHEMA,),
    },
}
"""Stage -> disposition -> reasons that start at zero."""

COMMITTED: Final = "committed"
SKIPPED: Final = "skipped"
FAILED: Final = "failed"
OUTCOMES: Final = (COMMITTED, SKIPPED, FAILED)
"""What becomes of a batch. A failed one ends the process: a scrape may miss it, the log line does not."""


class Figure(NamedTuple):
    """A gauge whose value processors give (see `HasGauges`).

    Attributes:
        name: the figure's name; the series has ``spillway_`` in front.
        documentation: one sentence for people.
        label: label name of the figure's keys, or None where it has the single key "".
        values: label values that start at zero. Others come from the configuration, which bounds them.
    """

    name: str
    documentation: str
    label: str | None = None
    values: tuple[str, ...] = ()


FIGURES: Final = (
    Figure("open_episodes", "Episodes not resolved."),
    Figure("held_episodes", "Episodes in the waiting room: perhaps transients, or a rule wants more of their kind."),
    Figure("suppressed_episodes", "Episodes that fire and that correlate suppresses.", "reason", SUPPRESSING),
    Figure("open_incidents", "Incidents not resolved.", "priority", PRIORITIES),
    Figure("muted_incidents", "Open incidents that nobody is called for: all that fires is silenced or expected."),
    Figure("open_bridges", "Bridge incidents not resolved."),
    Figure("problems", "Problems that are not forgotten, by state.", "state", tuple(ProblemState)),
    Figure("deliveries_waiting", "Deliveries not yet accepted by their sink.", "sink"),
    Figure("deliveries_parked", "Deliveries given up, of the incidents that are still open.", "sink"),
    Figure("sink_records_open", "Records that are open in a sink, as far as is known.", "sink"),
)
"""Every figure that is exposed. What a processor gives and is not declared here is left out."""

# Sinks are dozens; what is past this is a figure labelled by something it must not be.
FIGURE_LABELS_MAX: Final = 200


@runtime_checkable
class HasGauges(Protocol):
    """A processor that reports figures of its state."""

    def gauges(self) -> dict[str, dict[str, float]]:
        """Figure -> label -> value: ``open_episodes`` under the label "", ``open_incidents`` by priority."""


class Metrics:
    """All series of one process.

    Args of `__init__`:
        registry: where they are registered; one for each process (or test).
        stages: the stages hosted here, whose series start at zero.
        wall: record timestamps are the machine's time, so latencies against it mean something.
    """

    def __init__(self, registry: CollectorRegistry, stages: Iterable[str], *, wall: bool = True) -> None:
        self.registry = registry
        self._wall = wall
        self._figures: dict[str, dict[str, dict[str, float]]] = {}
        self._told: set[str] = set()
        stages = tuple(stages)
        self._define_flow(registry)
        self._define_state(registry)
        self._define_config(registry)
        for stage in stages:
            self._start_at_zero(stage)

    def _define_config(self, registry: CollectorRegistry) -> None:
        self.config_reload = Counter(
            "spillway_config_reload", "Looks at a changed configuration.", ["result"], registry=registry
        )
        for result in ("loaded", "unchanged", "refused"):
            self.config_reload.labels(result)
        self.config_version = Gauge(
            "spillway_config_version", "1 for the configuration that is loaded.", ["version"], registry=registry
        )
        self.config_partitions_behind = Gauge(
            "spillway_config_partitions_behind",
            "Partitions that do not decide by the loaded configuration yet.",
            ["stage"],
            registry=registry,
        )
        self.alerts_unmatched = Counter(
            "spillway_alerts_unmatched",
            "Firing alerts and tickets that no entity of the catalogue was found for.",
            ["feed"],
            registry=registry,
        )

        self.correlation_rules = Counter(
            "spillway_correlation_rules",
            "Episodes by correlation rule and what it did of them: matched, joined, kept_apart, held, opened; "
            "failed where its condition could not be evaluated, full where there were too many groups.",
            ["rule", "outcome"],
            registry=registry,
        )

        self.alerts_hidden = Counter(
            "spillway_alerts_hidden",
            "Alerts that nobody was told of, or later, by what hid them and how that ended.",
            ["what", "ended"],
            registry=registry,
        )
        self.pages_saved = Counter(
            "spillway_pages_saved",
            "People who were not called for what was hidden, by what hid it; as the policy would have called them.",
            ["what"],
            registry=registry,
        )
        for what in What:
            self.pages_saved.labels(what)
        self.sink_updates = Counter(
            "spillway_sink_updates",
            "What came back from sinks: fields, notes and links, by what became of them; taken: it became a command.",
            ["sink", "reason"],
            registry=registry,
        )

    def config_in_force(self, version: str) -> None:
        """Say which configuration is loaded."""
        self.config_version.clear()
        self.config_version.labels(version).set(1)

    def _define_flow(self, registry: CollectorRegistry) -> None:
        self.records = Counter("spillway_records", "Records handled.", ["stage"], registry=registry)
        self.alerts = Counter(
            "spillway_alerts", "Alerts decided.", ["stage", "disposition", "reason"], registry=registry
        )
        self.dead_letters = Counter("spillway_dead_letters", "Records refused.", ["stage", "reason"], registry=registry)
        self.transactions = Counter(
            "spillway_transactions", "Batches by outcome.", ["stage", "outcome"], registry=registry
        )
        self.transaction_seconds = Histogram(
            "spillway_transaction_seconds",
            "Deciding and committing one batch.",
            ["stage"],
            buckets=TRANSACTION_SECONDS_BUCKETS,
            registry=registry,
        )
        self.end_to_end_seconds = BatchHistogram(
            "spillway_end_to_end_seconds",
            "From the timestamp of the raw record to the committed decision.",
            END_TO_END_SECONDS_BUCKETS,
        )
        registry.register(self.end_to_end_seconds)

    def _define_state(self, registry: CollectorRegistry) -> None:
        self.lag_records = Gauge(
            "spillway_lag_records", "Records not yet handled.", ["stage", "topic"], registry=registry
        )
        self.lag_seconds = Gauge(
            "spillway_lag_seconds", "Age of the last record handled while others wait.", ["stage"], registry=registry
        )
        self.figures = {
            figure.name: Gauge(
                f"spillway_{figure.name}",
                figure.documentation,
                [figure.label] if figure.label else [],
                registry=registry,
            )
            for figure in FIGURES
        }
        for figure in FIGURES:
            for value in figure.values:
                self.figures[figure.name].labels(value)
        self.topics_not_read = Gauge(
            "spillway_topics_not_read",
            "Raw topics that appeared after the start and are read only after a restart.",
            ["stage"],
            registry=registry,
        )
        self.conservation_remainder = Gauge(
            "spillway_conservation_remainder",
            "Alerts unaccounted for; anything but 0 is a defect.",
            ["stage"],
            registry=registry,
        )
        self.restore_seconds = Gauge(
            "spillway_restore_seconds", "Duration of the last restore of a partition.", ["stage"], registry=registry
        )
        self.restore_records = Counter(
            "spillway_restore_records", "Changelog records read to restore state.", ["stage"], registry=registry
        )

    def _start_at_zero(self, stage: str) -> None:
        for by_stage in (
            self.records,
            self.transaction_seconds,
            self.lag_seconds,
            self.conservation_remainder,
            self.restore_seconds,
            self.restore_records,
            self.topics_not_read,
            self.config_partitions_behind,
        ):
            by_stage.labels(stage)
        for outcome in OUTCOMES:
            self.transactions.labels(stage, outcome)
        for reason in DEAD_LETTER_REASONS:
            self.dead_letters.labels(stage, reason)
        for disposition, reasons in ALERTS_DECIDED.get(stage, {}).items():
            for reason in reasons:
                self.alerts.labels(stage, disposition, reason)

    def committed(self, stage: str, records: int, effects: Effects, seconds: float, now_seconds: float) -> None:
        """Count one committed batch.

        Args:
            stage: the stage's word.
            records: records of the batch.
            effects: what it came to.
            seconds: how long it took.
            now_seconds: the machine's time, seconds since the epoch.
        """
        decisions = effects.decisions
        self.records.labels(stage).inc(records)
        self.transactions.labels(stage, COMMITTED).inc()
        self.transaction_seconds.labels(stage).observe(seconds)
        for (disposition, reason), count in Tally((d.disposition, d.reason) for d in decisions).items():
            self.alerts.labels(stage, disposition, reason).inc(count)
        # By what was written: some stages refuse a record that is no alert, and then there is no decision.
        letters = Tally(_refused_because(output) for output in effects.outputs if output.topic == DEAD_LETTER_TOPIC)
        for refused_because, count in letters.items():
            self.dead_letters.labels(stage, refused_because).inc(count)
        for feed, count in effects.unmatched.items():
            self.alerts_unmatched.labels(feed).inc(count)
        for (rule, outcome), count in effects.rules.items():
            self.correlation_rules.labels(rule, outcome).inc(count)
        for (what, ended), count in effects.hidden.items():
            self.alerts_hidden.labels(what, ended).inc(count)
        for what, count in effects.pages_saved.items():
            self.pages_saved.labels(what).inc(count)
        for (sink, became), count in effects.came_back.items():
            # Names that no sink has are not counted one by one: nothing bounds them.
            self.sink_updates.labels(NO_SINK if became in UNNAMED else sink, became).inc(count)
        if self._wall:
            for received_at_ms, count in Tally(d.received_at_ms for d in decisions).items():
                self.end_to_end_seconds.add(max(0.0, now_seconds - received_at_ms / 1000), count)

    def skipped(self, stage: str) -> None:
        """Count a batch whose records had all been handled before."""
        self.transactions.labels(stage, SKIPPED).inc()

    def failed(self, stage: str) -> None:
        """Count a batch that could not be decided or committed. The process is about to end."""
        self.transactions.labels(stage, FAILED).inc()

    def restored(self, stage: str, records: int, seconds: float) -> None:
        """Count one partition's restore."""
        self.restore_records.labels(stage).inc(records)
        self.restore_seconds.labels(stage).set(seconds)

    def observe_figures(self, stage: str, figures: Mapping[str, Mapping[str, float]]) -> None:
        """Take the figures of a stage's state (see `HasGauges`), summed over its partitions here.

        What is not declared in `FIGURES`, or past `FIGURE_LABELS_MAX`, is left out with a log line: the pipeline does
        not stop because of what it tells of itself.
        """
        before = self._figures.get(stage, {})
        self._figures[stage] = {name: dict(values) for name, values in figures.items()}
        for name in sorted({*before, *figures}):
            self._set_figure(name, {*before.get(name, ()), *figures.get(name, ())})

    def _set_figure(self, name: str, labels: Iterable[str]) -> None:
        gauge = self.figures.get(name)
        if gauge is None:
            self._tell_once(name, "it is not declared: add it to FIGURES in pipeline/runtime/metrics.py")
            return
        labels = sorted(labels)
        if len(labels) > FIGURE_LABELS_MAX:
            self._tell_once(name, f"it has {len(labels)} labels: the first {FIGURE_LABELS_MAX} are shown")
        for label in labels[:FIGURE_LABELS_MAX]:
            total = sum(figures.get(name, {}).get(label, 0.0) for figures in self._figures.values())
            (gauge.labels(label) if label else gauge).set(total)

    def _tell_once(self, name: str, why: str) -> None:
        if name not in self._told:
            self._told.add(name)
            log_line("figure left out", figure=name, why=why)


def _refused_because(letter: Output) -> str:
    """The reason in a dead letter's headers: ours come last, and the original's may hold the same name."""
    for name, value in reversed(letter.headers):
        if name == "spillway-reason" and value is not None and (reason := value.decode(errors="replace")) in _REASONS:
            return reason
    return UNSAID
