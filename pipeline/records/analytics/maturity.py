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
}
"""Name -> column, the moment at which it is final, and what is left out."""

_COUNTS: Final = {
    "incidents": "counted",
    "merged": "state = 'merged'",
    "cancelled": "state = 'cancelled'",
    "self_healed": "counted AND told.self_healed",
    "muted": "counted AND told.muted",
    "came_back": "counted AND told.reopened > 0",
    "incidents_called": "told.calls > 0",
    "incidents_reassigned": "counted AND told.reassigned > 0",
}
"""Name -> which of the incidents detected in the period."""

_DECIDED: Final = ("response_decided_at", "resolution_decided_at")
_READ: Final = (
    "counted",
    "state",
    "self_healed",
    "muted",
    "reopened",
    "response_kept",
    "response_used_ms",
    "resolution_kept",
    "resolution_used_ms",
)
"""What the counts and the clocks read of a row."""

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
    connection: Connection,
    scope: Scope,
    *,
    period: Period = ALL_TIME,
    by: By | Sequence[By] | None = None,
    service: str | None = None,
) -> Maturity:
    """Figures of a period.

    Args:
        connection: to the records store.
        scope: domains that the asker may see.
        period: each measure belongs to the period in which it became final.
        by: by what groups are told apart; several at once make groups of their combinations.
        service: only incidents of this service, by its reference; None: of all.
    """
    parts = _parts(by)
    columns = columns_of(parts)
    seen, given = visible(scope), {}
    if service is not None:
        seen, given = f"{seen} AND service = :service", {"service": service}
    found = rows(connection, asked(_statement(columns, seen, period), scope, period, **given))
    repeated = {
        () if row["is_whole"] else tuple(row[each] for each in columns): row["repeats"]
        for row in rows(connection, asked(_repeats(columns, seen, period), scope, period, **given))
    }
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


def _statement(columns: Sequence[str], seen: str, period: Period) -> str:
    """Groups, and all, of the rows that are seen; rows of which no moment is in the period are left out before.

    Whether a moment is in the period is decided once a row, in the inner select, which OFFSET 0 keeps apart.
    """
    moments = dict.fromkeys(moment for _, moment, _ in _SPREADS.values())
    finals = ", ".join(f"counted AND {within(each, period)} AS {_flag(each)}" for each in (*moments, *_DECIDED))
    spreads = ", ".join(
        spread_columns(name, column, f"{_flag(moment)}{more}") for name, (column, moment, more) in _SPREADS.items()
    )
    clocks = ", ".join(
        f"""count(*) FILTER (WHERE {decided} AND {name}_kept) AS {name}_kept,
        count(*) FILTER (WHERE {decided} AND NOT {name}_kept) AS {name}_missed,
        avg({name}_used_ms) FILTER (WHERE {decided}) AS {name}_used"""
        for name in ("response", "resolution")
        for decided in (_flag(f"{name}_decided_at"),)
    )
    sums = ", ".join(f"coalesce(sum(told.{name}) FILTER (WHERE came), 0)::bigint AS {name}" for name in _SUMS)
    counts = ", ".join(f"count(*) FILTER (WHERE came AND {condition}) AS {name}" for name, condition in _COUNTS.items())
    keys = ", ".join(columns)
    sets = f"GROUPING SETS (({keys}), ())" if columns else "()"
    is_whole = f"grouping({columns[0]}) = 1" if columns else "true"
    bounded = period.start is not None or period.end is not None
    touched = f" AND ({' OR '.join(within(each, period) for each in FINAL_AT)})" if bounded else ""
    needed = dict.fromkeys((*columns, "domain", *(column for column, _, _ in _SPREADS.values()), *_READ, *_SUMS))
    mixed = "priority" in columns and "domain" not in columns
    among = "array_agg(DISTINCT domain) FILTER (WHERE domain IS NOT NULL)" if mixed else "NULL::text[]"
    return f"""SELECT {keys + "," if keys else ""} {is_whole} AS is_whole, {among} AS domains_seen,
        {counts}, {spreads}, {clocks}, {sums}
        FROM (SELECT {", ".join(needed)}, {detected_within(period)} AS came, {finals}
            FROM measures WHERE kind = 'incident' AND {seen}{touched} OFFSET 0) AS told GROUP BY {sets}"""


def _flag(moment: str) -> str:
    """Name of the column that says whether a moment of an incident that counts is in the period."""
    return f"is_{moment}"


def _repeats(columns: Sequence[str], seen: str, period: Period) -> str:
    """Of each group, and under () of all: how many incidents repeat one of the same condition."""
    keys = "".join(f"{each}, " for each in columns)
    sets = f"GROUPING SETS (({', '.join(columns)}), ())" if columns else "()"
    is_whole = f"grouping({columns[0]}) = 1" if columns else "true"
    early = "" if period.start is None else f" AND detected_at >= :start - interval '{REPEAT_DAYS} days'"
    late = "" if period.end is None else " AND detected_at < :end"
    return f"""SELECT {keys}{is_whole} AS is_whole, count(*) AS repeats FROM (
        SELECT {keys}detected_at, lag(detected_at) OVER (PARTITION BY condition ORDER BY detected_at) AS before_at
        FROM measures WHERE kind = 'incident' AND counted AND condition IS NOT NULL AND detected_at IS NOT NULL
            AND {seen}{early}{late}) AS told
        WHERE {detected_within(period)} AND before_at >= detected_at - interval '{REPEAT_DAYS} days' GROUP BY {sets}"""


def _figures(row: Mapping[str, Any], columns: Sequence[str], repeated: Mapping[Any, int]) -> Figures:
    values = () if row["is_whole"] else tuple(row[each] for each in columns)
    group = dict(zip(columns, values, strict=False))
    repeats = repeated.get(values, 0)
    spreads: dict[str, Any] = {name: spread(row, name) for name in _SPREADS}
    counts: dict[str, Any] = {name: row[name] for name in (*_COUNTS, *_SUMS)}
    counts["reopened"] = counts.pop("came_back")
    return Figures(
        group=group,
        label=label_of(group),
        domains=sorted(row["domains_seen"] or ()),
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
