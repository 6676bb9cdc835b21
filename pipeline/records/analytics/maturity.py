"""The figures of a period, of all incidents and of each group; quarter by quarter."""

# ruff: noqa: S608  # the statements are put together of names in this package; what anybody sends is a parameter
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from pipeline.records.analytics.asking import (
    FINAL_AT,
    GROUPS_MAX,
    Scope,
    adherence,
    asked,
    columns_of,
    detected_within,
    label_of,
    ratio,
    rows,
    spread,
    spread_columns,
    visible,
    within,
)
from pipeline.records.analytics.figures import By, Figures, Maturity
from pipeline.records.analytics.periods import ALL_TIME, Period, quarters_until

REPEAT_DAYS: Final = 30
"""An incident repeats one of its condition that came at most so many days before: a month, in which a fix is due."""

_SPREADS: Final = {
    "detect": ("detect_ms", "detected_at", ""),
    "acknowledge": ("acknowledge_ms", "acknowledged_at", ""),
    "restore": ("restore_ms", "restored_at", ""),
    "resolve": ("resolve_ms", "resolved_at", ""),
    "resolve_by_people": ("resolve_ms", "resolved_at", " AND NOT self_healed"),
    "response_used": ("response_used_ms", "response_decided_at", ""),
    "resolution_used": ("resolution_used_ms", "resolution_decided_at", ""),
}
"""Name -> column, the moment at which it is final, and what is left out."""

_COUNTS: Final = (
    "incidents",
    "merged",
    "cancelled",
    "self_healed",
    "muted",
    "incidents_called",
    "incidents_reassigned",
)
_SUMS: Final = (
    "updates_missed",
    "alerts",
    "episodes",
    "calls",
    "calls_asked",
    "escalations",
    "escalations_asked",
    "routes",
    "exhausted",
    "nobody",
    "reassigned",
    "rerouted",
)
"""Counts that are summed over all incidents detected in the period, also over merged ones: the people were called."""


def maturity(
    connection: Connection, scope: Scope, *, period: Period = ALL_TIME, by: By | Sequence[By] | None = None
) -> Maturity:
    """Figures of a period.

    Args:
        connection: to the records store.
        scope: domains that the asker may see.
        period: each measure belongs to the period in which it became final.
        by: by what groups are told apart; several at once make groups of their combinations.
    """
    parts = _parts(by)
    columns = columns_of(parts)
    found = rows(connection, asked(_statement(columns, scope, period), scope, period))
    repeated = _repeats(connection, scope, period, columns)
    groups, whole = [], None
    for row in found:
        figures = _figures(row, columns, repeated)
        if row["is_whole"]:
            whole = figures
        else:
            groups.append(figures)
    assert whole is not None  # noqa: S101  # the empty grouping set has a row also where nothing is
    groups.sort(key=_by_priority if parts[:1] == (By.PRIORITY,) else _by_incidents)
    return Maturity(period, parts, whole, groups[:GROUPS_MAX], max(0, len(groups) - GROUPS_MAX))


def quarters(
    connection: Connection,
    scope: Scope,
    *,
    count: int,
    now: datetime,
    zone: str = "UTC",
    by: By | Sequence[By] | None = None,
) -> list[Maturity]:
    """Figures of so many quarters in a row, the oldest first; the last is the one that is going on."""
    return [maturity(connection, scope, period=each, by=by) for each in quarters_until(now, count, zone)]


def _parts(by: By | Sequence[By] | None) -> tuple[By, ...]:
    return () if by is None else (by,) if isinstance(by, By) else tuple(dict.fromkeys(by))


def _statement(columns: Sequence[str], scope: Scope, period: Period) -> str:
    """Groups, and all; rows of which no moment is in the period are left out before."""
    detected = detected_within(period)
    spreads = ", ".join(
        spread_columns(name, column, f"counted AND {within(moment, period)}{more}")
        for name, (column, moment, more) in _SPREADS.items()
    )
    clocks = ", ".join(
        f"""count(*) FILTER (WHERE {decided} AND {name}_kept) AS {name}_kept,
        count(*) FILTER (WHERE {decided} AND NOT {name}_kept) AS {name}_missed"""
        for name in ("response", "resolution")
        for decided in (f"counted AND {within(f'{name}_decided_at', period)}",)
    )
    sums = ", ".join(f"coalesce(sum({name}) FILTER (WHERE {detected}), 0)::bigint AS {name}" for name in _SUMS)
    keys = ", ".join(columns)
    sets = f"GROUPING SETS (({keys}), ())" if columns else "()"
    is_whole = f"grouping({columns[0]}) = 1" if columns else "true"
    bounded = period.start is not None or period.end is not None
    touched = f" AND ({' OR '.join(within(each, period) for each in FINAL_AT)})" if bounded else ""
    return f"""SELECT {keys + "," if keys else ""} {is_whole} AS is_whole,
        array_agg(DISTINCT domain) FILTER (WHERE domain IS NOT NULL) AS domains_seen,
        count(*) FILTER (WHERE counted AND {detected}) AS incidents,
        count(*) FILTER (WHERE state = 'merged' AND {detected}) AS merged,
        count(*) FILTER (WHERE state = 'cancelled' AND {detected}) AS cancelled,
        count(*) FILTER (WHERE counted AND self_healed AND {detected}) AS self_healed,
        count(*) FILTER (WHERE counted AND muted AND {detected}) AS muted,
        count(*) FILTER (WHERE counted AND measures.reopened > 0 AND {detected}) AS came_back,
        count(*) FILTER (WHERE measures.calls > 0 AND {detected}) AS incidents_called,
        count(*) FILTER (WHERE counted AND measures.reassigned > 0 AND {detected}) AS incidents_reassigned,
        {spreads}, {clocks}, {sums}
        FROM measures WHERE kind = 'incident' AND {visible(scope)}{touched} GROUP BY {sets}"""


def _repeats(connection: Connection, scope: Scope, period: Period, columns: Sequence[str]) -> dict[Any, int]:
    """Of each group, and under () of all: how many incidents repeat one of the same condition."""
    keys = "".join(f"{each}, " for each in columns)
    sets = f"GROUPING SETS (({', '.join(columns)}), ())" if columns else "()"
    is_whole = f"grouping({columns[0]}) = 1" if columns else "true"
    early = "" if period.start is None else f" AND detected_at >= :start - interval '{REPEAT_DAYS} days'"
    late = "" if period.end is None else " AND detected_at < :end"
    statement = f"""SELECT {keys}{is_whole} AS is_whole, count(*) AS repeats FROM (
        SELECT {keys}detected_at, lag(detected_at) OVER (PARTITION BY condition ORDER BY detected_at) AS before_at
        FROM measures WHERE kind = 'incident' AND counted AND condition IS NOT NULL AND detected_at IS NOT NULL
            AND {visible(scope)}{early}{late}) AS told
        WHERE {detected_within(period)} AND before_at >= detected_at - interval '{REPEAT_DAYS} days' GROUP BY {sets}"""
    found = rows(connection, asked(statement, scope, period))
    return {() if row["is_whole"] else tuple(row[each] for each in columns): row["repeats"] for row in found}


def _figures(row: Mapping[str, Any], columns: Sequence[str], repeated: Mapping[Any, int]) -> Figures:
    values = () if row["is_whole"] else tuple(row[each] for each in columns)
    group = dict(zip(columns, values, strict=False))
    repeats = repeated.get(values, 0)
    spreads: dict[str, Any] = {name: spread(row, name) for name in _SPREADS}
    counts: dict[str, Any] = {name: row[name] for name in (*_COUNTS, *_SUMS)}
    return Figures(
        group=group,
        label=label_of(group),
        domains=sorted(row["domains_seen"] or ()),
        reopened=row["came_back"],
        response=adherence(row, "response"),
        resolution=adherence(row, "resolution"),
        repeats=repeats,
        repeat_ratio=ratio(repeats, row["incidents"]),
        **spreads,
        **counts,
    )


def _by_priority(figures: Figures) -> tuple[Any, ...]:
    rank = figures.group.get("priority_rank")
    return (rank is None, rank or 0, figures.label)


def _by_incidents(figures: Figures) -> tuple[Any, ...]:
    return (-figures.incidents, figures.label)
