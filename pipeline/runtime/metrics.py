"""Every series that a worker exposes, in seconds and records, with bounded labels.

Counting is per batch: a series is touched once for a batch, not once for a record.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.core.step import Effects, Output, Record
from pipeline.flow import DEAD_LETTER_TOPIC, RAW_TOPIC_PREFIX
from pipeline.models.decision import Decision, Disposition, Reason
from pipeline.models.suppression import What
from pipeline.runtime.figures import FigureGauges
from pipeline.runtime.histogram import BatchHistogram
from pipeline.runtime.metric_words import (
    ALERTS_DECIDED,
    COMMITTED,
    DEAD_LETTER_REASONS,
    FAILED,
    NO_SINK,
    OTHER_FEED,
    OUTCOMES,
    SKIPPED,
    UNNAMED,
    UNSAID,
)
from pipeline.runtime.skew import SkewGauge

_REASONS: Final = frozenset(Reason)

# From a batch of a few records on an idle machine (10 ms) to what a backlog after an outage takes (1 h).
END_TO_END_SECONDS_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
# Twice as long as a batch on an idle machine, for the alert passes three stages; by feed, so with fewer steps.
INCIDENT_SECONDS_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
TRANSACTION_SECONDS_BUCKETS: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24)

FEEDS_MAX: Final = 1_000
"""Feeds that have series of their own; what is past this is no configuration of a company."""


class Metrics:
    """All series of one process.

    Args of `__init__`:
        registry: where they are registered; one for each process (or test).
        stages: the stages hosted here, whose series start at zero.
        wall: record timestamps are the machine's time, so latencies against it mean something.
        feeds: names of the configured feeds; what comes from others is labelled `OTHER_FEED`.
    """

    def __init__(
        self, registry: CollectorRegistry, stages: Iterable[str], *, wall: bool = True, feeds: Iterable[str] = ()
    ) -> None:
        self.registry = registry
        self._wall = wall
        self._feeds: dict[str, str] = {}
        self.know_feeds(feeds)
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
        self.alerts_folded = Counter(
            "spillway_alerts_folded",
            "Alerts that went on inside the record of an equal one, because more waited than one transaction takes.",
            ["feed"],
            registry=registry,
        )
        self.feed_deferred = Gauge(
            "spillway_feed_deferred_records",
            "Records of a feed that wait although there is room: its quota, or the stages after ingest, hold it back.",
            ["feed"],
            registry=registry,
        )
        self.feed_ahead = Counter(
            "spillway_feed_ahead_records",
            "Records of a feed that went before their turn: urgent ones behind a backlog.",
            ["feed"],
            registry=registry,
        )
        self.alerts_unmatched = Counter(
            "spillway_alerts_unmatched",
            "Firing alerts and tickets that no entity of the catalogue was found for.",
            ["feed"],
            registry=registry,
        )

        self.clock_skew = SkewGauge(registry)
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

    def know_feeds(self, names: Iterable[str]) -> None:
        """Give these feeds series of their own, beside those that have them already."""
        for name in names:
            if len(self._feeds) < FEEDS_MAX:
                self._feeds[RAW_TOPIC_PREFIX + name] = name

    def feed_of(self, topic: str) -> str:
        """The label of a raw topic's feed."""
        return self._feeds.get(topic, OTHER_FEED)

    def went_ahead(self, records: Iterable[Record]) -> None:
        """Count records that went before their turn."""
        for topic, count in Tally(record.topic for record in records).items():
            self.feed_ahead.labels(self.feed_of(topic)).inc(count)

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
            "feed",
        )
        self.incident_open_seconds = BatchHistogram(
            "spillway_incident_open_seconds",
            "From the timestamp of the raw record to the incident that it opened, committed. What is held back on "
            "purpose is not in it.",
            INCIDENT_SECONDS_BUCKETS,
            "feed",
        )
        registry.register(self.end_to_end_seconds)
        registry.register(self.incident_open_seconds)

    def _define_state(self, registry: CollectorRegistry) -> None:
        self.lag_records = Gauge(
            "spillway_lag_records", "Records not yet handled.", ["stage", "topic"], registry=registry
        )
        self.lag_seconds = Gauge(
            "spillway_lag_seconds",
            "Age of the oldest record that waits or is in hand; 0 where none is.",
            ["stage"],
            registry=registry,
        )
        self.figures = FigureGauges(registry)
        self._define_assignment(registry)
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

        self.changelog_records = Counter(
            "spillway_changelog_records", "State records written to the changelog.", ["stage"], registry=registry
        )
        self.changelog_bytes = Counter(
            "spillway_changelog_bytes",
            "Bytes of state records written to the changelog, before compression.",
            ["stage"],
            registry=registry,
        )

    def _define_assignment(self, registry: CollectorRegistry) -> None:
        self.partitions = Gauge(
            "spillway_partitions",
            "Partitions that the stage's input has, whoever serves them.",
            ["stage"],
            registry=registry,
        )
        self.partitions_assigned = Gauge(
            "spillway_partitions_assigned", "Partitions that are this process's.", ["stage"], registry=registry
        )
        self.partitions_serving = Gauge(
            "spillway_partitions_serving",
            "Partitions of this process whose state is restored and whose records are handled.",
            ["stage"],
            registry=registry,
        )
        self.rebalances = Counter(
            "spillway_rebalances",
            "Times that the partitions of this process were given out anew.",
            ["stage"],
            registry=registry,
        )

    def _start_at_zero(self, stage: str) -> None:
        for by_stage in (
            self.records,
            self.transaction_seconds,
            self.lag_seconds,
            self.conservation_remainder,
            self.restore_seconds,
            self.restore_records,
            self.changelog_records,
            self.changelog_bytes,
            self.partitions,
            self.partitions_assigned,
            self.partitions_serving,
            self.rebalances,
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
        opened = 0
        for (disposition, reason), count in Tally([(d.disposition, d.reason) for d in decisions]).items():
            self.alerts.labels(stage, disposition, reason).inc(count)
            opened += count if disposition is Disposition.OPENED else 0
        # By what was written: some stages refuse a record that is no alert, and then there is no decision.
        letters = Tally(_refused_because(output) for output in effects.outputs if output.topic == DEAD_LETTER_TOPIC)
        for refused_because, count in letters.items():
            self.dead_letters.labels(stage, refused_because).inc(count)
        if self._wall:
            for feed, ahead_ms in effects.ahead_ms.items():
                self.clock_skew.observe(feed, ahead_ms / 1_000, now_seconds)
        for feed, count in effects.unmatched.items():
            self.alerts_unmatched.labels(feed).inc(count)
        for feed, count in effects.folded.items():
            self.alerts_folded.labels(feed).inc(count)
        for (rule, outcome), count in effects.rules.items():
            self.correlation_rules.labels(rule, outcome).inc(count)
        for (what, ended), count in effects.hidden.items():
            self.alerts_hidden.labels(what, ended).inc(count)
        for what, count in effects.pages_saved.items():
            self.pages_saved.labels(what).inc(count)
        for (sink, became), count in effects.came_back.items():
            # Names that no sink has are not counted one by one: nothing bounds them.
            self.sink_updates.labels(NO_SINK if became in UNNAMED else sink, became).inc(count)
        if self._wall and decisions:
            self._count_latencies(decisions, now_seconds, opened=bool(opened))

    def _count_latencies(self, decisions: Sequence[Decision], now_seconds: float, *, opened: bool) -> None:
        """Records of a batch share topics and timestamps. ``opened``: some of the decisions opened an incident."""
        self.end_to_end_seconds.add(self._ages(decisions, now_seconds))
        if opened:
            news = [each for each in decisions if each.disposition is Disposition.OPENED]
            self.incident_open_seconds.add(self._ages(news, now_seconds))

    def _ages(self, decisions: Sequence[Decision], now_seconds: float) -> list[tuple[float, int, str]]:
        """Age in seconds, how many decisions are of it, and their feed."""
        by_topic: defaultdict[str, list[int]] = defaultdict(list)
        for decision in decisions:  # by place, not by name: this runs for each alert
            by_topic[decision[0][0]].append(decision[3])
        return [
            (max(0.0, now_seconds - at_ms / 1_000), count, self._feeds.get(topic, OTHER_FEED))
            for topic, moments in by_topic.items()
            for at_ms, count in Tally(moments).items()
        ]

    def state_written(self, stage: str, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Count the state records of one transaction."""
        if changes:
            self.changelog_records.labels(stage).inc(len(changes))
            self.changelog_bytes.labels(stage).inc(sum([len(key) + len(value or b"") for key, value in changes]))

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


def _refused_because(letter: Output) -> str:
    """The reason in a dead letter's headers: ours come last, and the original's may hold the same name."""
    for name, value in reversed(letter.headers):
        if name == "spillway-reason" and value is not None and (reason := value.decode(errors="replace")) in _REASONS:
            return reason
    return UNSAID
