"""Maintenance windows of the configuration: which alerts are expected, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.maintenance import MaintenanceWindow

MOMENT_MS_MAX: Final = 1 << 63
"""Later than any moment of Kafka's, epoch milliseconds."""

_Ends = dict[tuple[tuple[str, str], ...], int]
"""Labels that an alert must carry -> the latest end of the windows that ask for them."""


class _Window(NamedTuple):
    start_ms: int
    end_ms: int
    targets: frozenset[str]
    names: frozenset[str]
    labels: tuple[tuple[str, str], ...]


class _Active:
    """The windows that are on between two moments at which any begins or ends, by what an alert may have of them."""

    def __init__(self, windows: Iterable[_Window], now_ms: int) -> None:
        self.from_ms, self.until_ms = 0, MOMENT_MS_MAX
        self._by_target: dict[str, _Ends] = {}
        self._by_host: dict[str, _Ends] = {}
        self._by_label: dict[tuple[str, str], _Ends] = {}
        for window in windows:
            if window.end_ms <= now_ms:
                self.from_ms = max(self.from_ms, window.end_ms)
            elif window.start_ms > now_ms:
                self.until_ms = min(self.until_ms, window.start_ms)
            else:
                self.from_ms = max(self.from_ms, window.start_ms)
                self.until_ms = min(self.until_ms, window.end_ms)
                self._add(window)

    def _add(self, window: _Window) -> None:
        places = [self._by_target.setdefault(target, {}) for target in window.targets]
        places += [self._by_host.setdefault(name, {}) for name in window.names]
        if not window.names and window.labels:
            places.append(self._by_label.setdefault(window.labels[0], {}))
        for ends in places:
            ends[window.labels] = max(window.end_ms, ends.get(window.labels, 0))

    def until(self, alert: Alert, topology: Topology) -> int | None:
        """When the maintenance that covers the alert ends."""
        found: list[_Ends] = []
        if self._by_label:
            found += [self._by_label[pair] for pair in alert.labels.items() if pair in self._by_label]
        if alert.host is not None and (ends := self._by_host.get(alert.host.lower())):
            found.append(ends)
        if alert.entity is not None and self._by_target:
            places = topology.runs_on(alert.entity)
            found += [self._by_target[place] for place in places if place in self._by_target]
        labels = alert.labels
        return max(
            (
                end_ms
                for ends in found
                for wanted, end_ms in ends.items()
                if all(labels.get(name) == value for name, value in wanted)
            ),
            default=None,
        )


class MaintenanceIndex:
    """Answers for an alert and a moment. An alert is covered by a window on what it is about or runs on.

    The windows that are on are looked up by target, host and label, so that the answer costs the same with one
    window as with a thousand. They are gathered anew only when stream time comes to a moment where one begins or ends.
    """

    def __init__(self, windows: Iterable[MaintenanceWindow], topology: Topology) -> None:
        self._topology = topology
        names = _names(topology)
        known = list(windows)
        self._windows = [_compile(window, names) for window in known]
        self._called = [window.name for window in known]
        self._active = _Active(self._windows, 0)

    def until_ms(self, alert: Alert, now_ms: int) -> int | None:
        """When the maintenance that covers the alert ends; None where none does."""
        active = self._active
        if not active.from_ms <= now_ms < active.until_ms:
            active = self._active = _Active(self._windows, now_ms)
        return active.until(alert, self._topology)

    def covering(self, alert: Alert, now_ms: int) -> list[str]:
        """Names of the windows that cover the alert now, for people who ask: looks at one after another."""
        found = zip(self._called, self._windows, strict=True)
        return [name for name, each in found if _Active((each,), now_ms).until(alert, self._topology) is not None]


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
