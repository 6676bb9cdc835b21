"""Maintenance windows of the configuration: which alerts are expected, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from pipeline.core.alerts.recurrence import Recurrence
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.maintenance import MaintenanceWindow

MOMENT_MS_MAX: Final = 1 << 63
"""Later than any moment of Kafka's, epoch milliseconds."""

_Ends = dict[tuple[tuple[str, str], ...], tuple[int, str]]
"""Labels that an alert must carry -> the latest end of the windows that ask for them, and the name of that window."""


class _Window(NamedTuple):
    name: str
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
            ends[window.labels] = max((window.end_ms, window.name), ends.get(window.labels, (0, "")))

    @property
    def any_on(self) -> bool:
        """Whether there is any."""
        return bool(self._by_target or self._by_host or self._by_label)

    def until(self, alert: Alert, topology: Topology) -> tuple[int, str] | None:
        """When the maintenance that covers the alert ends, and the name of the window."""
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
                end
                for ends in found
                for wanted, end in ends.items()
                if all(labels.get(name) == value for name, value in wanted)
            ),
            default=None,
        )


class MaintenanceIndex:
    """Answers for an alert and a moment. An alert is covered by a window on what it is about or runs on.

    The windows that are on are looked up by target, host and label, so that the answer costs the same with one
    window as with a thousand. They are gathered anew only when stream time comes to a moment where one begins or ends.
    Of a window that recurs the last occurrence and the next are looked at.
    """

    def __init__(self, windows: Iterable[MaintenanceWindow], topology: Topology) -> None:
        self._topology = topology
        names = _names(topology)
        known = list(windows)
        self._windows = [_Planned(window, names) for window in known]
        self._called = [window.name for window in known]
        self._active = self._then = _Active(self._around(0), 0)

    def _around(self, now_ms: int) -> Iterator[_Window]:
        for window in self._windows:
            yield from window.around(now_ms)

    def until_ms(self, alert: Alert, now_ms: int) -> int | None:
        """When the maintenance that covers the alert ends; None where none does."""
        found = self._at(now_ms).until(alert, self._topology)
        return None if found is None else found[0]

    def names_until(self, alert: Alert, until_ms: int, now_ms: int) -> list[str]:
        """The window that has covered an alert until some moment, or does so now."""
        at_ms = min(until_ms - 1, now_ms)
        if not self._then.from_ms <= at_ms < self._then.until_ms:
            self._then = _Active(self._around(at_ms), at_ms)
        found = self._then.until(alert, self._topology)
        return [] if found is None else [found[1]]

    def _at(self, now_ms: int) -> _Active:
        """The windows that are on."""
        if not self._active.from_ms <= now_ms < self._active.until_ms:
            self._active = _Active(self._around(now_ms), now_ms)
        return self._active

    def any_on(self, now_ms: int) -> bool:
        """Whether any window is on."""
        return self._at(now_ms).any_on

    def explaining(self, alert: Alert, now_ms: int, begun_at_ms: int) -> tuple[str, int] | None:
        """The window that covers an alert now and was on when it began, of several the last to end; and its end.

        Looks at all windows, where any covers the alert.
        """
        if self.until_ms(alert, now_ms) is None:
            return None
        both = (each for each in self._around(now_ms) if each.start_ms <= begun_at_ms)
        found = _Active(both, now_ms).until(alert, self._topology)
        return None if found is None else (found[1], found[0])

    def covering(self, alert: Alert, now_ms: int) -> list[str]:
        """Names of the windows that cover the alert now, for people who ask: looks at one after another."""
        found = zip(self._called, self._windows, strict=True)
        return [name for name, each in found if _covered(each, alert, now_ms, self._topology)]


def _names(topology: Topology) -> dict[str, str]:
    names: dict[str, str] = {}
    for ref in sorted(topology.entities):
        entity = topology.entities[ref]
        for name in (ref, entity.name.lower(), *entity.aliases):
            names.setdefault(name, ref)
    return names


class _Planned:
    """One window of the configuration, with its targets as catalogue references."""

    def __init__(self, window: MaintenanceWindow, names: dict[str, str]) -> None:
        wanted = [target.lower() for target in window.targets]
        self._name = window.name
        self._covers = (
            frozenset(names[target] for target in wanted if target in names),
            frozenset(wanted),
            tuple(sorted(window.labels.items())),
        )
        self._recurs = Recurrence(window) if window.recurs else None
        self._once: list[_Window] = []
        if window.start is not None and window.end is not None:
            self._once.append(self._at(_ms(window.start), _ms(window.end)))

    def around(self, now_ms: int) -> list[_Window]:
        """What of it is on at a moment, was last, or comes next."""
        if self._recurs is None:
            return self._once
        return [self._at(*span) for span in self._recurs.around(now_ms)]

    def _at(self, start_ms: int, end_ms: int) -> _Window:
        return _Window(self._name, start_ms, end_ms, *self._covers)


def _covered(window: _Planned, alert: Alert, now_ms: int, topology: Topology) -> bool:
    return _Active(window.around(now_ms), now_ms).until(alert, topology) is not None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
