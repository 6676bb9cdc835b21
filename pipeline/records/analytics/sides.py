"""Beside the figures of a period: states, noise, escalations, what comes again, and how a figure went."""

# ruff: noqa: S608  # the statements are put together of names in this package; what anybody sends is a parameter
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from pipeline.records.analytics.asking import (
    Scope,
    asked,
    columns_of,
    detected_within,
    label_of,
    ratio,
    rows,
    seconds,
    spread,
    spread_columns,
    visible,
    within,
)
from pipeline.records.analytics.figures import By, Escalations, Noise, Repeat, RepeatBy, TimeInState
from pipeline.records.analytics.maturity import REPEAT_DAYS
from pipeline.records.analytics.measures import STATES
from pipeline.records.analytics.periods import ALL_TIME, Period

REPEATS_MAX: Final = 100
"""Worst offenders of one answer."""

NOT_ALERTS: Final = ("chronic", "silence")
"""What of the suppressions hides no alert: a lower urgency, and the record of a silence itself."""

_REPEAT_COLUMNS: Final = {
    RepeatBy.CONDITION: "condition",
    RepeatBy.CAUSE: "cause",
    RepeatBy.SERVICE: "service",
}


def states(connection: Connection, scope: Scope, *, period: Period = ALL_TIME) -> list[TimeInState]:
    """Time in each state of the incidents that ended in the period, in the order of an incident's life."""
    ended = f"counted AND {within('ended_at', period)}"
    parts = ", ".join(
        f"""coalesce(sum(in_{state}_ms) FILTER (WHERE {ended}), 0)::bigint AS {state}_sum,
        {spread_columns(state, f"in_{state}_ms", f"{ended} AND in_{state}_ms > 0")}"""
        for state in STATES
    )
    statement = f"""SELECT count(*) AS incidents, {parts} FROM measures
        WHERE kind = 'incident' AND {visible(scope)} AND {ended}"""
    (row,) = rows(connection, asked(statement, scope, period))
    whole = sum(row[f"{state}_sum"] for state in STATES)
    return [
        TimeInState(
            state=str(state),
            incidents=row[f"{state}_count"],
            seconds=seconds(row[f"{state}_sum"]) or 0.0,
            share=ratio(row[f"{state}_sum"], whole) or 0.0,
            spent=spread(row, state),
        )
        for state in STATES
    ]


def noise(connection: Connection, scope: Scope, *, period: Period = ALL_TIME, by: By | None = None) -> list[Noise]:
    """Alerts in, incidents out, people called: of all, or of each domain or service, the noisiest first.

    Args:
        connection: to the records store.
        scope: domains that the asker may see.
        period: alerts count when they were hidden, incidents when they were detected.
        by: `By.DOMAIN` or `By.SERVICE`: what a hidden alert is known by.

    Raises:
        ValueError: a hidden alert is not known by that.
    """
    if by not in (None, By.DOMAIN, By.SERVICE):
        raise ValueError(f"noise is told apart by domain or by service, not by {by}")
    key = by.value if by is not None else "NULL::text"
    statement = f"""SELECT {key} AS key, coalesce(sum(alerts) FILTER (WHERE kind = 'incident'), 0)::bigint AS alerts,
        coalesce(sum(episodes) FILTER (WHERE kind = 'incident'), 0)::bigint AS episodes,
        count(*) FILTER (WHERE kind = 'incident' AND counted) AS incidents,
        count(*) FILTER (WHERE kind = 'incident' AND calls > 0) AS incidents_called,
        coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(people), 0)::bigint AS people
        FROM measures WHERE {visible(scope)} AND {detected_within(period)} GROUP BY 1"""
    came = {row["key"]: row for row in rows(connection, asked(statement, scope, period))}
    hidden = _hidden(connection, scope, period, key)
    found = [_noise(each, came.get(each, {}), hidden.get(each, {})) for each in {*came, *hidden} or {None}]
    return sorted(found, key=lambda each: (-each.alerts, each.label))


def _hidden(connection: Connection, scope: Scope, period: Period, key: str) -> dict[Any, dict[str, int]]:
    seen = "true" if scope is None else "domain = ANY(:scope)"
    statement = f"""SELECT {key} AS key, what, sum(alerts)::bigint AS alerts FROM suppressions
        WHERE what <> ALL(:not_alerts) AND {seen} AND {within("since", period)} GROUP BY 1, 2"""
    found: dict[Any, dict[str, int]] = {}
    for row in rows(connection, asked(statement, scope, period, not_alerts=list(NOT_ALERTS))):
        found.setdefault(row["key"], {})[row["what"]] = row["alerts"]
    return found


def _noise(key: str | None, came: Mapping[str, int], hidden: dict[str, int]) -> Noise:
    alerts_hidden, incidents = sum(hidden.values()), came.get("incidents", 0)
    alerts = came.get("alerts", 0) + alerts_hidden
    return Noise(
        label=key or "all",
        alerts=alerts,
        alerts_hidden=alerts_hidden,
        hidden=dict(sorted(hidden.items())),
        episodes=came.get("episodes", 0),
        incidents=incidents,
        incidents_called=came.get("incidents_called", 0),
        calls=came.get("calls", 0),
        people=came.get("people", 0),
        reduction=ratio(alerts - incidents, alerts),
        alerts_per_incident=ratio(alerts, incidents),
    )


def escalations(
    connection: Connection, scope: Scope, *, period: Period = ALL_TIME, by: By | None = None
) -> list[Escalations]:
    """What fired by itself and what people asked for; of all, or of each group, the most first."""
    columns = columns_of((by,) if by is not None else ())
    keys = "".join(f"{each}, " for each in columns)
    sums = ("escalations", "escalations_asked", "calls", "calls_asked", "routes", "exhausted", "nobody")
    parts = ", ".join(f"coalesce(sum(measures.{name}), 0)::bigint AS {name}" for name in sums)
    statement = f"""SELECT {keys}count(*) AS incidents,
        count(*) FILTER (WHERE measures.escalations + measures.escalations_asked > 0) AS escalated, {parts}
        FROM measures WHERE kind = 'incident' AND {visible(scope)} AND {detected_within(period)}
        GROUP BY {keys.rstrip(", ") or "()"}"""
    found = [_escalations(row, columns) for row in rows(connection, asked(statement, scope, period))]
    return sorted(found, key=lambda each: (-each.fired - each.asked, each.label))


def _escalations(row: Mapping[str, Any], columns: list[str]) -> Escalations:
    fired, by_people = row["escalations"] + row["routes"], row["escalations_asked"]
    return Escalations(
        label=label_of({each: row[each] for each in columns}),
        incidents=row["incidents"],
        escalated=row["escalated"],
        fired=fired,
        asked=by_people,
        calls=row["calls"],
        calls_asked=row["calls_asked"],
        routes=row["routes"],
        exhausted=row["exhausted"],
        nobody=row["nobody"],
        automatic_ratio=ratio(fired, fired + by_people),
    )


def repeats(
    connection: Connection,
    scope: Scope,
    *,
    period: Period = ALL_TIME,
    by: RepeatBy = RepeatBy.CONDITION,
    days: int = REPEAT_DAYS,
    limit: int = REPEATS_MAX,
) -> list[Repeat]:
    """Conditions, causes or services whose incidents came again within so many days, the most often first."""
    key = _REPEAT_COLUMNS[by]
    early = "" if period.start is None else " AND detected_at >= :start - make_interval(days => :days)"
    late = "" if period.end is None else " AND detected_at < :end"
    statement = f"""WITH told AS (
        SELECT {key} AS key, incident_id, service, domain, detected_at, resolve_ms, calls,
            lag(detected_at) OVER (PARTITION BY {key} ORDER BY detected_at) AS before_at
        FROM measures WHERE kind = 'incident' AND counted AND {key} IS NOT NULL AND detected_at IS NOT NULL
            AND {visible(scope)}{early}{late}),
    worst AS (
        SELECT key, count(*) AS incidents, sum(calls)::bigint AS calls, avg(resolve_ms) AS resolve_ms,
            count(*) FILTER (WHERE before_at >= detected_at - make_interval(days => :days)) AS repeats,
            (array_agg(incident_id ORDER BY detected_at DESC, incident_id))[1] AS newest,
            (array_agg(service ORDER BY detected_at DESC, incident_id))[1] AS service,
            (array_agg(domain ORDER BY detected_at DESC, incident_id))[1] AS domain
        FROM told WHERE {detected_within(period)} GROUP BY key
        HAVING count(*) FILTER (WHERE before_at >= detected_at - make_interval(days => :days)) > 0
        ORDER BY repeats DESC, key LIMIT :limit)
    SELECT worst.*, (SELECT title FROM incidents WHERE id = newest) AS newest_title
    FROM worst ORDER BY repeats DESC, key"""
    found = rows(connection, asked(statement, scope, period, days=days, limit=min(limit, REPEATS_MAX)))
    return [Repeat(**(row | {"resolve_seconds": seconds(row.pop("resolve_ms"))})) for row in found]
