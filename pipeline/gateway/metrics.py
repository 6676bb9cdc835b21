"""Series of the gateway: in seconds and bytes, with labels that the configuration and our own words bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.gateway.refusal import Reason

NO_FEED: Final = "none"
"""Label of requests that no feed could be told of."""

# From a broker that answers at once to the longest that a request may wait for one.
SECONDS_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class GatewayMetrics:
    """All series of one gateway."""

    def __init__(self, registry: CollectorRegistry, feeds: Iterable[str] = ()) -> None:
        """Register the series.

        Args:
            registry: one for each process or test.
            feeds: names of feeds, whose series start at zero.
        """
        self._requests = Counter("spillway_gateway_requests", "Requests answered.", ["feed", "code"], registry=registry)
        self._refused = Counter(
            "spillway_gateway_refused", "Requests that were not taken.", ["feed", "reason"], registry=registry
        )
        self._seconds = Histogram(
            "spillway_gateway_request_seconds",
            "From the end of a request's headers to its answer.",
            ["feed"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._bytes = Counter(
            "spillway_gateway_body_bytes", "Bytes of bodies that were taken.", ["feed"], registry=registry
        )
        self.in_flight = Gauge("spillway_gateway_requests_in_flight", "Requests being answered.", registry=registry)
        self.connections = Gauge("spillway_gateway_connections", "Open connections.", registry=registry)
        self.connections_refused = Counter(
            "spillway_gateway_connections_refused", "Connections closed because there were too many.", registry=registry
        )
        self.kafka_up = Gauge("spillway_gateway_kafka_up", "1 while the brokers answer.", registry=registry)
        self._children = {feed: self._start(feed) for feed in (*feeds, NO_FEED)}

    def _start(self, feed: str) -> tuple[Callable[[float], None], Callable[[float], None]]:
        for code in ("202", "401", "503"):
            self._requests.labels(feed, code)
        for reason in Reason:
            self._refused.labels(feed, reason)
        return self._seconds.labels(feed).observe, self._bytes.labels(feed).inc

    def answered(self, feed: str, code: int, seconds: float, body_bytes: int, reason: Reason | None) -> None:
        """Count one request."""
        self._requests.labels(feed, str(code)).inc()
        observe, add_bytes = self._children[feed]
        observe(seconds)
        if reason is not None:
            self._refused.labels(feed, reason).inc()
        else:
            add_bytes(body_bytes)
