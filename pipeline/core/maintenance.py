"""Maintenance windows of the configuration: which alerts are expected, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.policy import MaintenanceWindow


@dataclass(frozen=True, slots=True)
class _Window:
    start_ms: int
    end_ms: int
    targets: frozenset[str]
    names: frozenset[str]
    labels: tuple[tuple[str, str], ...]

    def covers(self, alert: Alert, topology: Topology) -> bool:
        if any(alert.labels.get(name) != value for name, value in self.labels):
            return False
        if not self.targets and not self.names:
            return bool(self.labels)
        if alert.host is not None and alert.host.lower() in self.names:
            return True
        return alert.entity is not None and not self.targets.isdisjoint(topology.runs_on(alert.entity))


class MaintenanceIndex:
    """Answers for an alert and a moment. An alert is covered by a window on what it is about or runs on."""

    def __init__(self, windows: Iterable[MaintenanceWindow], topology: Topology) -> None:
        self._topology = topology
        names = _names(topology)
        self._windows = sorted((_compile(window, names) for window in windows), key=lambda each: each.start_ms)

    def until_ms(self, alert: Alert, now_ms: int) -> int | None:
        """When the maintenance that covers the alert ends; None where none does."""
        ends = [
            window.end_ms
            for window in self._windows
            if window.start_ms <= now_ms < window.end_ms and window.covers(alert, self._topology)
        ]
        return max(ends, default=None)


def _names(topology: Topology) -> dict[str, str]:
    names: dict[str, str] = {}
    for ref in sorted(topology.entities):
        entity = topology.entities[ref]
        for name in (ref, entity.name.lower(), *entity.aliases):
            names.setdefault(name, ref)
    return names


def _compile(window: MaintenanceWindow, names: dict[str, str]) -> _Window:
    wanted = [target.lower() for target in window.targets]
    return _Window(
        start_ms=round(window.start.timestamp() * 1_000),
        end_ms=round(window.end.timestamp() * 1_000),
        targets=frozenset(names[target] for target in wanted if target in names),
        names=frozenset(wanted),
        labels=tuple(sorted(window.labels.items())),
    )
