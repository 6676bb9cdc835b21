"""Two periods side by side: what is better, what is worse, and what cannot be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection

from pipeline.records.analytics.asking import Scope
from pipeline.records.analytics.figures import Change, Comparison, Direction, Figures
from pipeline.records.analytics.maturity import maturity
from pipeline.records.analytics.periods import Period, before

SAME_SHARE: Final = 0.05
"""A change of less is none: so much comes and goes by chance."""

MEASURED_MIN: Final = 5
"""Figures of fewer incidents are not called better or worse: one more would turn them round."""

_LOWER: Final = -1
_HIGHER: Final = 1
_NEITHER: Final = 0
"""Whether it is good that a figure is lower, higher, or says nothing: more incidents may be a better detection."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A figure that periods are compared by: its value, and of how many incidents it is."""

    title: str
    unit: str
    good: int
    value: Callable[[Figures], float | None]
    count: Callable[[Figures], int]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _time(what: str, name: str, part: str) -> _Told:
    title = f"Time to {what}, {part}"
    return _Told(title, "seconds", _LOWER, attrgetter(f"{name}.{part}"), attrgetter(f"{name}.count"))


def _promise(name: str) -> _Told:
    def decided(figures: Figures) -> int:
        clocks = getattr(figures, name)
        return int(clocks.kept + clocks.missed)

    return _Told(f"{name.title()} promise kept", "ratio", _HIGHER, attrgetter(f"{name}.ratio"), decided)


def _each(title: str, unit: str, name: str) -> _Told:
    """A sum, divided by the incidents."""
    return _Told(title, unit, _LOWER, lambda found: _share(getattr(found, name), found.incidents), _incidents)


_incidents: Final[Callable[[Figures], int]] = attrgetter("incidents")

COMPARED: Final = {
    "incidents": _Told("Incidents", "count", _NEITHER, _incidents, _incidents),
    "detect.median": _time("detect", "detect", "median"),
    "acknowledge.median": _time("acknowledge", "acknowledge", "median"),
    "acknowledge.p90": _time("acknowledge", "acknowledge", "p90"),
    "restore.median": _time("restore", "restore", "median"),
    "resolve.median": _time("resolve", "resolve", "median"),
    "resolve.p90": _time("resolve", "resolve", "p90"),
    "response.ratio": _promise("response"),
    "resolution.ratio": _promise("resolution"),
    "repeat_ratio": _each("Repeats", "ratio", "repeats"),
    "reopened_ratio": _each("Reopened", "ratio", "reopened"),
    "reassigned_each": _each("Reassignments an incident", "count", "reassigned"),
    "calls_each": _each("Calls an incident", "count", "calls"),
}
"""Figures that two periods are compared by, in the order in which they are told."""


def compare(connection: Connection, scope: Scope, *, period: Period, since: Period | None = None) -> Comparison:
    """Two periods side by side: what is better, what is worse.

    Args:
        connection: to the records store.
        scope: domains that the asker may see.
        period: the later one.
        since: the earlier one; None: the one before, of the same length.

    Raises:
        PeriodError: the period has none before it.
    """
    earlier = since or before(period)
    now = maturity(connection, scope, period=period).whole
    was = maturity(connection, scope, period=earlier).whole
    return Comparison(period, earlier, now, was, changes(was, now))


def changes(was: Figures, now: Figures) -> list[Change]:
    """What became of each figure of `COMPARED`."""
    return [_change(name, told, was, now) for name, told in COMPARED.items()]


def _change(name: str, told: _Told, was: Figures, now: Figures) -> Change:
    first, then = told.value(was), told.value(now)
    share = None if not first or then is None else then / first - 1
    direction = _direction(told, was, now)
    words = _words(told, direction, share)
    return Change(name, told.title, told.unit, _rounded(first), _rounded(then), _rounded(share), direction, words)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _direction(told: _Told, was: Figures, now: Figures) -> Direction:
    first, then = told.value(was), told.value(now)
    few = told.good != _NEITHER and min(told.count(was), told.count(now)) < MEASURED_MIN
    if first is None or then is None or few:
        return Direction.UNKNOWN
    if abs(then - first) <= SAME_SHARE * abs(first):
        return Direction.SAME
    if told.good == _NEITHER:
        return Direction.MORE if then > first else Direction.LESS
    return Direction.BETTER if (then > first) == (told.good == _HIGHER) else Direction.WORSE


def _words(told: _Told, direction: Direction, share: float | None) -> str:
    if direction == Direction.UNKNOWN:
        return f"{told.title}: too little was measured to say (fewer than {MEASURED_MIN} incidents)"
    by = "" if share is None else f", {'up' if share > 0 else 'down'} by {abs(share):.0%}"
    if direction == Direction.SAME:
        return f"{told.title}: as before"
    return f"{told.title}: {direction}{by}"
