"""Series of the console: in seconds, with labels that our own routes and words bound."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.models.command import CommandType
from pipeline.models.problem import ProblemCommandType

NO_ROUTE: Final = "none"
"""Label of requests that no route took."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"
"""Label of what a sender made up."""

# From an answer out of memory to the longest that anybody waits.
SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10)

_TYPES: Final = frozenset((*CommandType, *ProblemCommandType))


class ConsoleMetrics:
    """All series of one console.

    Attributes:
        streams: clients that listen to changes.
        store_up, kafka_up: 1 while they answer.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the series."""
        self._requests = Counter(
            "spillway_console_requests", "Requests answered.", ["route", "method", "code"], registry=registry
        )
        self._seconds = Histogram(
            "spillway_console_request_seconds",
            "From the end of a request's headers to the begin of its answer.",
            ["route"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._commands = Counter(
            "spillway_console_commands",
            "Commands that people asked for, by what became of them here.",
            ["type", "outcome"],
            registry=registry,
        )
        self.in_flight = Gauge("spillway_console_requests_in_flight", "Requests being answered.", registry=registry)
        self.streams = Gauge("spillway_console_streams", "Clients that listen to changes.", registry=registry)
        self.changes = Counter("spillway_console_changes", "Changes heard of from the store.", registry=registry)
        self.resets = Counter(
            "spillway_console_stream_resets",
            "Clients told to read all anew, for they missed changes.",
            registry=registry,
        )
        self.store_up = Gauge("spillway_console_store_up", "1 while the records store answers.", registry=registry)
        self.kafka_up = Gauge("spillway_console_kafka_up", "1 while the brokers answer.", registry=registry)

    def answered(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, method if method in METHODS else OTHER, str(code)).inc()
        self._seconds.labels(route).observe(seconds)

    def asked(self, kind: str, outcome: str) -> None:
        """Count one command; ``outcome`` is ``accepted``, ``repeated`` or why it was refused."""
        self._commands.labels(kind if kind in _TYPES else OTHER, outcome).inc()
