"""Every series that a process of Spillway exposes, read from the code that registers them."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from pipeline.console.maturity import MaturityMetrics
from pipeline.console.metrics import ConsoleMetrics
from pipeline.console.security import metrics as security_metrics
from pipeline.gateway.metrics import GatewayMetrics
from pipeline.runtime.histogram import BatchHistogram
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.process_metrics import expose_process
from pipeline.runtime.trace_export import TraceMetrics
from pipeline.shadow.metrics import ShadowMetrics
from pipeline.sinks.metrics import SinkMetrics
from pipeline.watch.process import WatchMetrics

HISTOGRAM_PARTS: Final = ("_bucket", "_sum", "_count")


class Series(NamedTuple):
    """One metric.

    Attributes:
        kind: ``counter``, ``gauge`` or ``histogram``.
        meaning: its help text.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def exposed(self) -> tuple[str, ...]:
        """Names as a query has them."""
        return tuple(self.name + part for part in HISTOGRAM_PARTS) if self.kind == "histogram" else (self.name,)


class _Listening(CollectorRegistry):
    """A registry that remembers what was registered."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Collector] = []

    def register(self, collector: Collector) -> None:
        self.all.append(collector)
        super().register(collector)


@cache
def every_series() -> tuple[Series, ...]:
    """All series of all processes, by name."""
    registry = _Listening()
    expose_process(registry, "")
    Metrics(registry, [])
    GatewayMetrics(registry)
    SinkMetrics(registry)
    ShadowMetrics(registry)
    WatchMetrics(registry)
    TraceMetrics(registry)
    ConsoleMetrics(registry)
    MaturityMetrics(registry)
    security_metrics.expose(registry)
    found: set[Series] = set()
    for collector in registry.all:
        for family in collector.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found.add(Series(name, family.type, _labels_of(collector), family.documentation))
    return tuple(sorted(found))


def _labels_of(collector: Collector) -> tuple[str, ...]:
    if isinstance(collector, MetricWrapperBase):
        return tuple(collector._labelnames)
    return collector.labelnames if isinstance(collector, BatchHistogram) else ()
