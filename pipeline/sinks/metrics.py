"""Series of the sinks: attempts, how long they take, and what holds them back. Labels are sinks and our own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.base import Answer
from pipeline.sinks.breaker import BreakerState
from pipeline.sinks.http import RATE_LIMITED

# From a receiver beside us to the longest timeout that can be configured, of several requests.
SECONDS_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

# From a sink that answers at once to one that was away for a day.
TOLD_SECONDS_BUCKETS: Final = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400)

LIMITED: Final = "limited"
UNKNOWN: Final = "unknown"
OUTCOMES: Final = (DeliveryOutcome.DELIVERED, DeliveryOutcome.RETRY, DeliveryOutcome.REJECTED, LIMITED, UNKNOWN)

BREAKER_VALUES: Final[Mapping[BreakerState, float]] = {
    BreakerState.CLOSED: 0.0,
    BreakerState.HALF_OPEN: 0.5,
    BreakerState.OPEN: 1.0,
}


class SinkMetrics:
    """Those of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the series.

        Args:
            registry: one for each process or test.
        """
        self._attempts = Counter(
            "spillway_sink_attempts",
            "Attempts to tell a sink: delivered, rejected, retry, limited (it asked for patience), unknown (it may "
            "have taken effect).",
            ["sink", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "spillway_sink_attempt_seconds",
            "One attempt, with its waits for the rate.",
            ["sink"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._ready = Gauge(
            "spillway_sink_ready",
            "Sends that wait for their turn: nothing but the sink holds them back.",
            ["sink"],
            registry=registry,
        )
        self._in_flight = Gauge("spillway_sink_in_flight", "Attempts being made.", ["sink"], registry=registry)
        self._oldest = Gauge(
            "spillway_sink_oldest_waiting_seconds",
            "Age of the oldest event that a sink has not been told of and that is not given up.",
            ["sink"],
            registry=registry,
        )
        self._urgent = Gauge(
            "spillway_sink_urgent_waiting_seconds",
            "Age of the oldest event, of incidents of the first priority (P1 as a rule), that a sink was not told of.",
            ["sink"],
            registry=registry,
        )
        self._told = Histogram(
            "spillway_sink_told_seconds",
            "From the oldest event that a delivery tells to the sink's yes.",
            ["sink"],
            buckets=TOLD_SECONDS_BUCKETS,
            registry=registry,
        )
        self._breaker = Gauge(
            "spillway_sink_breaker",
            "1 while a sink counts as down and is left alone, 0.5 while one attempt asks whether it is back.",
            ["sink"],
            registry=registry,
        )
        self._paused = Counter(
            "spillway_sink_paused_seconds",
            "For how long a sink has asked us to send nothing, all in all.",
            ["sink"],
            registry=registry,
        )
        self._asked = Counter(
            "spillway_sink_asked",
            "Polls, and looks of the reconciler, by what came of them.",
            ["sink", "what", "result"],
            registry=registry,
        )
        self._by_sink: tuple[MetricWrapperBase, ...] = (
            *(self._seconds, self._told, self._ready, self._in_flight),
            *(self._oldest, self._urgent, self._breaker, self._paused),
        )
        self._paused_before: dict[str, float] = {}
        self._known: set[str] = set()

    def start(self, sinks: Iterable[str]) -> None:
        """Begin the series of these sinks at zero, and end those of others."""
        wanted = set(sinks)
        for gone in self._known - wanted:
            for outcome in OUTCOMES:
                self._attempts.remove(gone, outcome)
            for series in self._by_sink:
                series.remove(gone)
        self._known = wanted
        for sink in sorted(wanted):
            for outcome in OUTCOMES:
                self._attempts.labels(sink, outcome)
            for series in self._by_sink:
                series.labels(sink)

    def attempted(self, sink: str, answer: Answer, seconds: float) -> None:
        """Count one attempt that has its answer."""
        self._attempts.labels(sink, _word(answer)).inc()
        self._seconds.labels(sink).observe(seconds)

    def told(self, sink: str, seconds: float) -> None:
        """Count one delivery that was taken, so long after the oldest event that it tells."""
        self._told.labels(sink).observe(max(0.0, seconds))

    def asked(self, sink: str, what: str, result: str) -> None:
        """Count one ``poll`` or ``look`` and what came of it: words of the code, and few."""
        self._asked.labels(sink, what, result).inc()

    def observe(self, sink: str, *, ready: int, in_flight: int, state: BreakerState, paused_seconds: float) -> None:
        """Say how a sink stands.

        Args:
            sink: its name.
            ready: sends that wait for their turn.
            in_flight: attempts being made.
            state: of its breaker.
            paused_seconds: for how long it has asked for patience, all in all.
        """
        self._ready.labels(sink).set(ready)
        self._in_flight.labels(sink).set(in_flight)
        self._breaker.labels(sink).set(BREAKER_VALUES[state])
        more = paused_seconds - self._paused_before.get(sink, 0.0)
        self._paused_before[sink] = paused_seconds
        if more > 0:
            self._paused.labels(sink).inc(more)

    def observe_oldest(self, oldest_ms: Mapping[str, int], now_ms: int, *, urgent: bool = False) -> None:
        """Say how long the oldest has waited at each sink, of all or of the most urgent; 0 where none is named."""
        gauge = self._urgent if urgent else self._oldest
        for sink in self._known:
            since_ms = oldest_ms.get(sink)
            gauge.labels(sink).set(0.0 if since_ms is None else max(0.0, (now_ms - since_ms) / 1_000))


def _word(answer: Answer) -> str:
    if answer.outcome is not DeliveryOutcome.RETRY:
        return answer.outcome
    if answer.status in RATE_LIMITED:
        return LIMITED
    return UNKNOWN if answer.unknown else DeliveryOutcome.RETRY
