"""The maturity figures of the last days as series, by domain and priority; counted once a minute, off every request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from pipeline.console.context import Context
from pipeline.records.analytics.figures import By, Figures, Maturity, Noise, Spread
from pipeline.records.analytics.maturity import maturity
from pipeline.records.analytics.periods import last_days
from pipeline.records.analytics.sides import noise
from pipeline.runtime.guard import log_line

DAYS: Final = 30
"""Days that the series are of: long enough for a median of rare P1 incidents, short enough to show a change."""

REFRESH_SECONDS: Final = 60.0
"""As often as Prometheus asks by default."""

GROUPS_EXPOSED_MAX: Final = 200
"""Domains times priorities that are exposed, those with the most incidents: what bounds them is the configuration, and
what is past this is no configuration of a company."""

_TIMES: Final = ("detect", "acknowledge", "restore", "resolve")
_STATISTICS: Final = ("mean", "median", "p90")


class MaturityMetrics:
    """Series of the incidents of the last `DAYS` days."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them; nothing is counted yet."""
        self.times = {
            name: self._of(registry, f"maturity_{name}_seconds", f"Time to {name}, by statistic", "statistic")
            for name in _TIMES
        }
        self.incidents = self._of(registry, "maturity_incidents", "Incidents detected, neither merged nor cancelled")
        self.repeats = self._of(registry, "maturity_repeat_ratio", "Share of incidents that repeat a condition")
        self.reassignments = self._of(registry, "maturity_reassignments", "Times that incidents were given on")
        self.escalations = self._of(registry, "maturity_escalations", "Escalations, by who asked for them", "by")
        self.adherence = self._of(registry, "sla_adherence_ratio", "Share of clocks that were met in time", "clock")
        self.noise = Gauge(
            "spillway_noise_reduction_ratio",
            f"1 - incidents / alerts of the last {DAYS} days, by domain.",
            ["domain"],
            registry=registry,
        )
        self.left_out = Gauge(
            "spillway_maturity_groups_left_out",
            f"Domains and priorities past {GROUPS_EXPOSED_MAX}, which have no series.",
            registry=registry,
        )
        self.counted_at = Gauge(
            "spillway_maturity_counted_timestamp_seconds", "When the maturity series were counted.", registry=registry
        )
        self._shown: dict[Gauge, set[tuple[str, ...]]] = {}

    def _of(self, registry: CollectorRegistry, name: str, words: str, *more: str) -> Gauge:
        labels = ["domain", "priority", *more]
        return Gauge(f"spillway_{name}", f"{words}; of the last {DAYS} days.", labels, registry=registry)

    def show(self, found: Maturity, quiet: Iterable[Noise], at_ms: int) -> None:
        """Show figures by domain and priority; what had a value before and has none now goes."""
        groups = sorted(found.groups, key=lambda each: -each.incidents)
        shown: dict[Gauge, dict[tuple[str, ...], float | None]] = {}
        for group in groups[:GROUPS_EXPOSED_MAX]:
            labels = (str(group.group["domain"] or ""), str(group.group["priority"] or ""))
            for gauge, more, value in self._values(group):
                shown.setdefault(gauge, {})[(*labels, *more)] = value
        domains = {each.label: each.reduction for each in list(quiet)[:GROUPS_EXPOSED_MAX]}
        shown[self.noise] = {(label,): value for label, value in domains.items()}
        for gauge in {*shown, *self._shown}:
            self._set(gauge, shown.get(gauge, {}))
        self.left_out.set(max(0, len(groups) - GROUPS_EXPOSED_MAX) + found.groups_left_out)
        self.counted_at.set(at_ms / 1_000)

    def _values(self, group: Figures) -> Iterable[tuple[Gauge, tuple[str, ...], float | None]]:
        yield self.incidents, (), group.incidents
        yield self.repeats, (), group.repeat_ratio
        yield self.reassignments, (), group.reassigned
        yield self.escalations, ("machine",), group.escalations + group.routes
        yield self.escalations, ("people",), group.escalations_asked
        yield self.adherence, ("response",), group.response.ratio
        yield self.adherence, ("resolution",), group.resolution.ratio
        for name, gauge in self.times.items():
            spread: Spread = getattr(group, name)
            for statistic in _STATISTICS:
                yield gauge, (statistic,), getattr(spread, statistic)

    def _set(self, gauge: Gauge, values: dict[tuple[str, ...], float | None]) -> None:
        """Set what has a value, then drop what has none any more: a scrape in between sees nothing half done."""
        known = {labels: value for labels, value in values.items() if value is not None}
        for labels, value in known.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get(gauge, set()) - set(known):
            gauge.remove(*labels)
        self._shown[gauge] = set(known)


async def refresh(context: Context, metrics: MaturityMetrics) -> None:
    """Count once.

    Raises:
        SQLAlchemyError: the store is away; the series stay as they were.
    """
    at_ms = context.now_ms()
    period = last_days(DAYS, datetime.fromtimestamp(at_ms / 1_000, UTC))

    def question(connection: Connection) -> tuple[Maturity, list[Noise]]:
        counted = maturity(connection, None, period=period, by=(By.DOMAIN, By.PRIORITY))
        return counted, noise(connection, None, period=period, by=By.DOMAIN)

    found, quiet = await context.ask(question)
    metrics.show(found, quiet, at_ms)


async def keep_fresh(context: Context, metrics: MaturityMetrics) -> None:
    """Count again and again, until it is cancelled. While the store is away, the series stay and their time tells."""
    while True:
        try:
            await refresh(context, metrics)
        except SQLAlchemyError as error:
            log_line("maturity not counted", error=type(error).__name__)
        await asyncio.sleep(REFRESH_SECONDS)
