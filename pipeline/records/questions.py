"""Questions to the records store that go beyond one incident, each a function of a connection.

`RecordsStore.ask` puts them: ``store.ask(figures)``.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

# Counted from detection, as the service level clocks are. A first acknowledgement counts though the incident came
# back later; a resolution counts while it holds. What each incident comes to stands in its row of measures.
_FIGURES: Final = """
WITH facts AS (
    SELECT incidents.priority, incidents.state, alerts_total, measures.priority_rank AS rank, measures.reopened,
        NOT response_kept AS response_missed, NOT resolution_kept AS resolution_missed,
        acknowledge_ms::numeric / 1000 AS acknowledged_after, resolve_ms::numeric / 1000 AS resolved_after,
        calls AS pages
    FROM incidents JOIN measures ON incident_id = id WHERE incidents.kind = 'incident')
SELECT grouping(priority) AS is_all, priority,
    count(*) AS incidents,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY acknowledged_after) AS acknowledge_seconds_median,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY acknowledged_after) AS acknowledge_seconds_p90,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY resolved_after) AS resolve_seconds_median,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY resolved_after) AS resolve_seconds_p90,
    count(*) FILTER (WHERE response_missed) AS response_missed,
    count(*) FILTER (WHERE resolution_missed) AS resolution_missed,
    coalesce(sum(pages), 0)::bigint AS pages,
    coalesce(sum(reopened), 0)::bigint AS reopened,
    coalesce(sum(alerts_total), 0)::bigint AS alerts,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY alerts_total) AS alerts_median,
    max(alerts_total) AS alerts_max
FROM facts GROUP BY GROUPING SETS ((priority), ()) ORDER BY is_all, min(rank), priority
"""

_STATES: Final = """
SELECT kind, priority, state, count(*) AS incidents FROM incidents
GROUP BY kind, priority, state ORDER BY kind DESC, priority, state
"""

_EPISODE: Final = """
SELECT incident_id, revision, at, action, actor, text, facts FROM timeline
WHERE facts->>'episode_id' = :one OR facts->'episodes' @> cast(:several AS jsonb)
ORDER BY at, incident_id, revision, position
"""

# One array of JSON lies between two of its length as its elements do, so this finds every index of a raw record.
_ORIGIN: Final = """
SELECT incident_id, revision, at, action, actor, text, facts FROM timeline
WHERE facts->'origin' BETWEEN cast(:low AS jsonb) AND cast(:high AS jsonb)
ORDER BY at, incident_id, revision, position
"""
_INDEX_MAX: Final = 1 << 31

_ALERT: Final = """
SELECT incident_id, revision, at, action, actor, text, facts FROM timeline
WHERE facts->>'alert_key' = :name OR facts->>'source_episode_id' = :name OR facts->>'source_episode_id' LIKE :run
ORDER BY at, incident_id, revision, position
"""


def figures(connection: Connection) -> list[dict[str, Any]]:
    """Figures of the incidents of each priority, the sum of all last: its ``priority`` is None, ``is_all`` 1.

    Times are in seconds from detection; None where there is nothing to measure.
    """
    return [_plain(dict(row)) for row in connection.execute(text(_FIGURES)).mappings()]


def states(connection: Connection) -> list[dict[str, Any]]:
    """How many there are by ``kind`` (incident, bridge), ``priority`` and ``state``."""
    return [dict(row) for row in connection.execute(text(_STATES)).mappings()]


def entries_of_episode(connection: Connection, episode_id: str) -> list[dict[str, Any]]:
    """Timeline entries of all incidents that are about an episode, in order of time."""
    asked = {"one": episode_id, "several": orjson.dumps([episode_id]).decode()}
    rows = connection.execute(text(_EPISODE), asked)
    return [dict(row) for row in rows.mappings()]


def entries_of_alert(
    connection: Connection, name: str, origin: tuple[str, int, int, int | None] | None
) -> list[dict[str, Any]]:
    """Timeline entries that alerts led to, in order of time.

    Args:
        connection: to the records store.
        name: alert key, the source's own id of the run, or the part of that before its last slash (a fingerprint).
        origin: topic, partition, offset and index (None: any) of the raw record instead.
    """
    if origin is not None:
        *place, index = origin
        ends = (0, _INDEX_MAX) if index is None else (index, index)
        low, high = (orjson.dumps([*place, end]).decode() for end in ends)
        rows = connection.execute(text(_ORIGIN), {"low": low, "high": high})
    else:
        run = re.sub(r"([\\%_])", r"\\\1", name) + "/%"  # as LIKE reads it
        rows = connection.execute(text(_ALERT), {"name": name, "run": run})
    return [dict(row) for row in rows.mappings()]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Fractions as floats, so that they can be written as JSON."""
    whole = ("incidents", "response_missed", "resolution_missed", "pages", "reopened", "alerts", "is_all", "priority")
    return {name: each if name in whole or each is None else round(float(each), 3) for name, each in row.items()}
