"""The figures of a period on the terminal: groups, what is better and worse than before, how a figure went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from pipeline.records.analytics.compare import compare
from pipeline.records.analytics.figures import (
    Adherence,
    By,
    Change,
    Comparison,
    Direction,
    Figures,
    Maturity,
    Noise,
    Point,
    TimeInState,
)
from pipeline.records.analytics.maturity import maturity
from pipeline.records.analytics.periods import Period
from pipeline.records.analytics.sides import noise, states
from pipeline.records.analytics.trend import Every, Measure, trend

_MINUTE_SECONDS: Final = 60
_HOUR_SECONDS: Final = 3_600

SPARKS: Final = "▁▂▃▄▅▆▇█"
NO_SPARK: Final = "·"
"""Where nothing was measured: a gap is not a zero."""

_ARROWS: Final = {
    Direction.BETTER: ("better", "green"),
    Direction.WORSE: ("worse", "red"),
    Direction.SAME: ("same", "dim"),
    Direction.MORE: ("more", ""),
    Direction.LESS: ("less", ""),
    Direction.UNKNOWN: ("unknown", "dim"),
}

_COUNTED: Final = frozenset(
    {
        Measure.INCIDENTS,
        Measure.ALERTS,
        Measure.CALLS,
        Measure.ESCALATIONS,
        Measure.REASSIGNED,
        Measure.REOPENED,
        Measure.SELF_HEALED,
    }
)
_KEPT: Final = frozenset({Measure.RESPONSE, Measure.RESOLUTION})

STEPS_MAX: Final = 60
"""Steps of a sparkline: what fits a line of a terminal."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a period."""

    maturity: Maturity
    comparison: Comparison | None
    noise: list[Noise]
    states: list[TimeInState]
    trend: list[Point] | None


def gather(connection: Connection, period: Period, by: Sequence[By], measure: Measure | None, every: Every) -> Told:
    """All of it, of all domains.

    Raises:
        PeriodError: the period has no trend.
    """
    bounded = period.start is not None and period.end is not None
    return Told(
        maturity(connection, None, period=period, by=by),
        compare(connection, None, period=period) if bounded else None,
        noise(connection, None, period=period),
        states(connection, None, period=period),
        trend(connection, None, measure=measure, period=period, every=every) if measure else None,
    )


def tell(console: Console, told: Told, measure: Measure | None, every: Every) -> None:
    """Tables, the sparkline, and what changed, in words."""
    found = told.maturity
    console.print(Text(found.period.name, "bold"))
    console.print(_groups(found))
    if found.groups_left_out:
        console.print(Text(f"and {found.groups_left_out} more", "dim"))
    console.print(Text(_quiet(told.noise[0])))
    console.print(Text(_by_itself(found.whole)))
    spent = [each for each in told.states if each.seconds]
    if spent:
        console.print(Text("Time in states: " + ", ".join(f"{_state(each)} {each.share:.0%}" for each in spent)))
    if told.trend is not None and measure is not None:
        console.print()
        console.print(_trend(told.trend, measure, every))
    if told.comparison is not None:
        console.print()
        console.print(_changes(told.comparison))


def sparkline(values: Sequence[float | None]) -> str:
    """A line of bars from the smallest to the largest; a dot where nothing was measured."""
    known = [each for each in values if each is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    reach = (high - low) or 1.0
    return "".join(
        NO_SPARK if each is None else SPARKS[int((each - low) / reach * (len(SPARKS) - 1) + 0.5)] for each in values
    )


def _groups(found: Maturity) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(", ".join(each.replace("_", " ") for each in found.by))
    for heading in ("Incidents", "Repeats", "MTTD", "MTTA", "p90", "MTRS", "MTTR", "p90", "Response", "Resolution"):
        table.add_column(heading, justify="right")
    for each in (*found.groups, found.whole):
        table.add_row(Text(each.label), *_cells(each))
    return table


def _cells(found: Figures) -> tuple[str, ...]:
    return (
        str(found.incidents),
        share(found.repeat_ratio),
        span(found.detect.median),
        span(found.acknowledge.median),
        span(found.acknowledge.p90),
        span(found.restore.median),
        span(found.resolve.median),
        span(found.resolve.p90),
        _kept(found.response),
        _kept(found.resolution),
    )


def _kept(found: Adherence) -> str:
    return "" if found.ratio is None else f"{found.ratio:.1%} of {found.kept + found.missed}"


def _quiet(found: Noise) -> str:
    less = "" if found.reduction is None else f" ({found.reduction:.1%} less)"
    return (
        f"Noise: {found.alerts:,} alerts in, {found.incidents:,} incidents out{less}; "
        f"{found.incidents_called:,} of them called somebody, {found.calls:,} calls"
    )


def _by_itself(found: Figures) -> str:
    return (
        f"Escalations: {found.escalations + found.routes:,} fired by themselves, "
        f"{found.escalations_asked:,} were asked for; {found.reassigned:,} reassignments; "
        f"{found.reopened:,} reopened; {found.self_healed:,} healed by themselves"
    )


def _state(found: TimeInState) -> str:
    return found.state.replace("_", " ")


def _trend(points: Sequence[Point], measure: Measure, every: Every) -> Text:
    values = [each.value for each in points][-STEPS_MAX:]
    known = [each for each in values if each is not None]
    title = f"{measure.replace('_', ' ')} by {every}"
    if not known:
        return Text(f"{title}: nothing was measured")
    ends = f"least {told(min(known), measure)}, most {told(max(known), measure)}, last {told(values[-1], measure)}"
    return Text(f"{title}: {sparkline(values)}  {ends}")


def told(value: float | None, measure: Measure) -> str:
    """A figure in its unit; "none" where nothing was measured."""
    if value is None:
        return "none"
    return f"{value:g}" if measure in _COUNTED else f"{value:.1%}" if measure in _KEPT else span(value)


def _changes(found: Comparison) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(f"Compared with {found.before.name}")
    for heading in (found.before.name, found.period.name):
        table.add_column(heading, justify="right")
    table.add_column("")
    for each in found.changes:
        word, style = _ARROWS[each.direction]
        table.add_row(each.title, _value(each, each.before), _value(each, each.after), Text(_arrow(each, word), style))
    return table


def _arrow(change: Change, word: str) -> str:
    """An arrow that says where the figure went, and in words whether that is good: colour alone tells nobody."""
    if change.direction == Direction.UNKNOWN:
        return "too little was measured"
    if change.direction == Direction.SAME or change.before is None or change.after is None:
        return "→ as before"
    arrow = "↑" if change.after > change.before else "↓"
    return f"{arrow} {word}" + ("" if change.share is None else f", {abs(change.share):.0%}")


def _value(change: Change, value: float | None) -> str:
    if change.unit == "seconds":
        return span(value)
    return share(value) if change.unit == "ratio" else "" if value is None else f"{value:g}"


def share(value: float | None) -> str:
    """A share as people write it."""
    return "" if value is None else f"{value:.1%}"


def span(seconds: float | None) -> str:
    """A duration in the unit that people would say it in."""
    if seconds is None:
        return ""
    if seconds < 2 * _MINUTE_SECONDS:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_SECONDS:
        return f"{seconds / _MINUTE_SECONDS:.0f} min"
    return f"{seconds / _HOUR_SECONDS:.1f} h"


def document(found: Told) -> dict[str, Any]:
    """The same for machines: fields as those of the API."""
    return {
        "maturity": found.maturity,
        "comparison": found.comparison,
        "noise": found.noise,
        "states": found.states,
        "trend": found.trend,
    }
