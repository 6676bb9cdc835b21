"""The shadow's series: how far it is, and how much it differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

OUTCOMES: Final = ("same", "changed", "merged", "split", "gained", "lost")
"""What became of an incident, in the words of `spillway backtest`."""

PAGES: Final = ("newly_paged", "no_longer_paged")
MAJORS: Final = ("major_gained", "major_lost")


class ShadowMetrics:
    """All series of the process that runs the shadow."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them, at zero."""
        self.incidents = Gauge(
            "spillway_shadow_incidents",
            "Incidents of the newest episodes, by how the shadow's relate to the active ones.",
            ["outcome"],
            registry=registry,
        )
        self.pages = Gauge(
            "spillway_shadow_pages",
            "Calls that one configuration alone makes.",
            ["outcome"],
            registry=registry,
        )
        self.majors = Gauge(
            "spillway_shadow_major_incidents",
            "Major Incidents that one configuration alone has.",
            ["outcome"],
            registry=registry,
        )
        self.disagreement = Gauge(
            "spillway_shadow_disagreement_ratio",
            "Share of the incidents of both sides that are not the same on the other.",
            registry=registry,
        )
        self.lag_records = Gauge(
            "spillway_shadow_lag_records", "Records that the shadow has not handled yet.", registry=registry
        )
        self.lag_seconds = Gauge(
            "spillway_shadow_lag_seconds",
            "Age of the last record handled while others wait.",
            registry=registry,
        )
        self.records = Counter("spillway_shadow_records", "Records decided by the shadow.", registry=registry)
        self.commands_skipped = Gauge(
            "spillway_shadow_commands_skipped",
            "Commands of people about incidents that the shadow does not have.",
            registry=registry,
        )
        self.remainder = Gauge(
            "spillway_shadow_conservation_remainder",
            "Alerts that the shadow has not accounted for; anything but 0 is a defect.",
            registry=registry,
        )
        self.running = Gauge(
            "spillway_shadow_running", "1 for the configuration that runs as shadow.", ["version"], registry=registry
        )
        self.compared({})

    def runs(self, version: str | None) -> None:
        """Say which configuration runs; None for none."""
        self.running.clear()
        if version is not None:
            self.running.labels(version).set(1)

    def compared(self, summary: Mapping[str, float]) -> None:
        """Take the figures of a comparison."""
        for gauge, outcomes in ((self.incidents, OUTCOMES), (self.pages, PAGES), (self.majors, MAJORS)):
            for outcome in outcomes:
                gauge.labels(outcome).set(summary.get(outcome, 0))
        self.disagreement.set(disagreement(summary))


def disagreement(summary: Mapping[str, float]) -> float:
    """Share of the incidents of both sides that are not the same on the other; 0 where there are none."""
    total = sum(summary.get(each, 0) * (2 if each in ("same", "changed") else 1) for each in OUTCOMES)
    return 1 - 2 * summary.get("same", 0) / total if total else 0.0
