"""A histogram that takes many equal observations at once; the client library's takes one at a time."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class BatchHistogram(Collector):
    """Counts of observations by bucket and by one label, whose values somebody else bounds.

    Attributes:
        labelnames: the one label's name.
    """

    def __init__(self, name: str, documentation: str, buckets: Sequence[float], label: str) -> None:
        self.labelnames = (label,)
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(buckets)
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self._lock = threading.Lock()  # scraped by another thread

    def add(self, observations: Iterable[tuple[float, int, str]]) -> None:
        """Add observations: each a value, how many there are of it, and the label's value."""
        bounds, by_label = self._bounds, self._counts
        with self._lock:
            for value, count, label in observations:
                counts = by_label.get(label)
                if counts is None:
                    counts = by_label[label] = [0] * (len(bounds) + 1)
                    self._sums[label] = 0.0
                counts[bisect_left(bounds, value)] += count
                self._sums[label] += value * count

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The series in the client library's form."""
        with self._lock:
            found = [(label, list(counts), self._sums[label]) for label, counts in self._counts.items()]
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        family = HistogramMetricFamily(self._name, self._documentation, labels=self.labelnames)
        for label, counts, total in found:
            family.add_metric([label], list(zip(bounds, accumulate(counts), strict=True)), total)
        yield family
