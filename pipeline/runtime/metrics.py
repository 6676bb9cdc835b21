"""Every series that a worker exposes, in seconds and records, with bounded labels.

Counting is per batch: a series is touched once for a batch, not once for a record.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, Protocol, runtime_checkable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from pipeline.models.decision import Decision, Disposition, Reason

PRIORITIES: Final = ("P1", "P2", "P3", "P4")

# From a batch of a few records on an idle machine (10 ms) to what a backlog after an outage takes (1 h).
END_TO_END_SECONDS_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
TRANSACTION_SECONDS_BUCKETS: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24)

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
    Reason.QUARANTINED,
)

COMMITTED: Final = "committed"
SKIPPED: Final = "skipped"
"""Outcomes of a batch. A failed transaction has no series: it ends the process."""


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
        stages = tuple(stages)
        self._define_flow(registry)
        self._define_state(registry)
        for stage in stages:
            self._start_at_zero(stage)

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
        self.open_episodes = Gauge("spillway_open_episodes", "Episodes not resolved.", registry=registry)
        self.open_incidents = Gauge(
            "spillway_open_incidents", "Incidents not resolved.", ["priority"], registry=registry
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
        ):
            by_stage.labels(stage)
        for outcome in (COMMITTED, SKIPPED):
            self.transactions.labels(stage, outcome)
        for reason in DEAD_LETTER_REASONS:
            self.dead_letters.labels(stage, reason)
        for priority in PRIORITIES:
            self.open_incidents.labels(priority)

    def committed(
        self, stage: str, records: int, decisions: Sequence[Decision], seconds: float, now_seconds: float
    ) -> None:
        """Count one committed batch.

        Args:
            stage: the stage's word.
            records: records of the batch.
            decisions: what became of its alerts.
            seconds: how long it took.
            now_seconds: the machine's time, seconds since the epoch.
        """
        self.records.labels(stage).inc(records)
        self.transactions.labels(stage, COMMITTED).inc()
        self.transaction_seconds.labels(stage).observe(seconds)
        for (disposition, reason), count in Tally((d.disposition, d.reason) for d in decisions).items():
            self.alerts.labels(stage, disposition, reason).inc(count)
            if disposition is Disposition.DEAD_LETTERED:
                self.dead_letters.labels(stage, reason).inc(count)
        if self._wall:
            for received_at_ms, count in Tally(d.received_at_ms for d in decisions).items():
                self.end_to_end_seconds.add(max(0.0, now_seconds - received_at_ms / 1000), count)

    def skipped(self, stage: str) -> None:
        """Count a batch whose records had all been handled before."""
        self.transactions.labels(stage, SKIPPED).inc()

    def restored(self, stage: str, records: int, seconds: float) -> None:
        """Count one partition's restore."""
        self.restore_records.labels(stage).inc(records)
        self.restore_seconds.labels(stage).set(seconds)

    def observe_figures(self, stage: str, figures: Mapping[str, Mapping[str, float]]) -> None:
        """Take the figures of a stage's state (see `HasGauges`), summed over its partitions here."""
        self._figures[stage] = {name: dict(values) for name, values in figures.items()}
        self.open_episodes.set(self._total("open_episodes", ""))
        for priority in PRIORITIES:
            self.open_incidents.labels(priority).set(self._total("open_incidents", priority))

    def _total(self, figure: str, label: str) -> float:
        return sum(figures.get(figure, {}).get(label, 0.0) for figures in self._figures.values())


class BatchHistogram(Collector):
    """A histogram that takes many equal observations at once; the client library's takes one at a time."""

    def __init__(self, name: str, documentation: str, buckets: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(buckets)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()  # scraped by another thread

    def add(self, value: float, count: int) -> None:
        """Add ``count`` observations of one value."""
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += count
            self._sum += value * count

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The series in the client library's form."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        family = HistogramMetricFamily(self._name, self._documentation)
        family.add_metric([], list(zip(bounds, accumulate(counts), strict=True)), total)
        yield family
