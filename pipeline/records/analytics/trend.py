"""How a figure went, day by day or in longer steps."""

# ruff: noqa: S608  # the statements are put together of names in this package; what anybody sends is a parameter
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from pipeline.records.analytics.asking import Scope, asked, rows, visible, within
from pipeline.records.analytics.figures import Point
from pipeline.records.analytics.periods import Period, PeriodError, zone_of

POINTS_MAX: Final = 1_000
"""Points of one answer: days of more than two years, more than a plot has pixels for."""


class Every(StrEnum):
    """How far apart the points of a trend are."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class Measure(StrEnum):
    """What a trend is of."""

    INCIDENTS = "incidents"
    ALERTS = "alerts"
    CALLS = "calls"
    ESCALATIONS = "escalations"
    REASSIGNED = "reassigned"
    REOPENED = "reopened"
    SELF_HEALED = "self_healed"
    DETECT = "detect"
    ACKNOWLEDGE = "acknowledge"
    RESTORE = "restore"
    RESOLVE = "resolve"
    RESPONSE = "response"
    RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """How a measure is counted: its moment, and value and count of a step."""

    moment: str
    value: str
    count: str
    empty: float | None = None


def _sum(column: str) -> _Drawn:
    return _Drawn("detected_at", f"coalesce(sum({column}), 0)::float8", "count(*)", 0.0)


def _median(column: str, moment: str) -> _Drawn:
    half = f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {column}::float8) FILTER (WHERE counted)"
    return _Drawn(moment, f"{half} / 1000", f"count({column}) FILTER (WHERE counted)")


def _kept(name: str) -> _Drawn:
    total = f"count({name}_kept) FILTER (WHERE counted)"
    return _Drawn(
        f"{name}_decided_at", f"count(*) FILTER (WHERE counted AND {name}_kept)::float8 / nullif({total}, 0)", total
    )


_DRAWN: Final = {
    Measure.INCIDENTS: _Drawn(
        "detected_at", "(count(*) FILTER (WHERE counted))::float8", "count(*) FILTER (WHERE counted)", 0.0
    ),
    Measure.ALERTS: _sum("alerts"),
    Measure.CALLS: _sum("calls"),
    Measure.ESCALATIONS: _sum("escalations"),
    Measure.REASSIGNED: _sum("reassigned"),
    Measure.REOPENED: _sum("(counted AND reopened > 0)::integer"),
    Measure.SELF_HEALED: _sum("(counted AND self_healed)::integer"),
    Measure.DETECT: _median("detect_ms", "detected_at"),
    Measure.ACKNOWLEDGE: _median("acknowledge_ms", "acknowledged_at"),
    Measure.RESTORE: _median("restore_ms", "restored_at"),
    Measure.RESOLVE: _median("resolve_ms", "resolved_at"),
    Measure.RESPONSE: _kept("response"),
    Measure.RESOLUTION: _kept("resolution"),
}


def trend(
    connection: Connection, scope: Scope, *, measure: Measure, period: Period, every: Every = Every.WEEK
) -> list[Point]:
    """A figure of each day, week (from Monday), month or quarter of a period, in the days of its zone.

    Durations are medians, promises the share that was kept. A step in which nothing was measured has None, or 0 of what
    is counted.

    Raises:
        PeriodError: the period has no start or end, or more than `POINTS_MAX` steps.
    """
    drawn, starts = _DRAWN[measure], list(_steps(period, every))
    statement = f"""SELECT date_trunc(:every, {drawn.moment}, :zone) AT TIME ZONE :zone AS start,
        {drawn.value} AS value, {drawn.count} AS count
        FROM measures WHERE kind = 'incident' AND {visible(scope)} AND {within(drawn.moment, period)} GROUP BY 1"""
    found = {
        row["start"].date(): row
        for row in rows(connection, asked(statement, scope, period, every=every.value, zone=period.zone))
    }
    points = []
    for start in starts:
        row = found.get(start)
        value = drawn.empty if row is None or row["value"] is None else round(row["value"], 4)
        points.append(Point(start.isoformat(), value, 0 if row is None else row["count"]))
    return points


def _steps(period: Period, every: Every) -> Iterator[date]:
    """First days of the steps that a period touches."""
    if period.start is None or period.end is None:
        raise PeriodError("a trend needs a period with a start and an end")
    zone = zone_of(period.zone)
    step = _first_day(period.start.astimezone(zone).date(), every)
    for _ in range(POINTS_MAX):
        if datetime(step.year, step.month, step.day, tzinfo=zone) >= period.end:
            return
        yield step
        step = _next_day(step, every)
    raise PeriodError(f"the period has more than {POINTS_MAX} steps of a {every}; take longer steps, or a shorter one")


def _first_day(day: date, every: Every) -> date:
    match every:
        case Every.DAY:
            return day
        case Every.WEEK:
            return day - timedelta(days=day.weekday())
        case Every.MONTH:
            return day.replace(day=1)
        case Every.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


def _next_day(step: date, every: Every) -> date:
    if every in (Every.DAY, Every.WEEK):
        return step + timedelta(days=1 if every is Every.DAY else 7)
    month = step.month + (1 if every is Every.MONTH else 3)
    return step.replace(year=step.year + (month - 1) // 12, month=(month - 1) % 12 + 1)
