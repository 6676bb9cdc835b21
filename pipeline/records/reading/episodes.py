"""Episodes: runs of conditions, and the incidents that they are in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.reading.scope import Scope, domain_within, domains_within
from pipeline.records.reading.timeline import may_be_seen, without_nul

EPISODES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Episode:
    """One run of one condition.

    Attributes:
        state: ``open`` or ``ended``.
        entity: what it is on.
        reason: why it is where it is.
        alerts: how many there were.
        alert: the newest of them.
    """

    id: str
    alert_key: str
    space: str
    state: str
    feed: str | None
    summary: str | None
    severity: str | None
    entity: str | None
    service: str | None
    domain: str | None
    incident_id: str | None
    reason: str
    alerts: int
    opened_at: datetime
    ended_at: datetime | None
    updated_at: datetime
    first_event_at: datetime | None
    alert: dict[str, Any]


_COLUMNS: Final = ", ".join(f"episodes.{name}" for name in Episode.__dataclass_fields__)


def episodes(connection: Connection, incident_id: str, scope: Scope, *, limit: int = EPISODES_MAX) -> list[Episode]:
    """Episodes of an incident in order of opening; none where it may not be seen."""
    if not may_be_seen(connection, incident_id, scope):
        return []
    asked = text(f"""
        SELECT {_COLUMNS} FROM episodes WHERE incident_id = :id ORDER BY opened_at, id LIMIT :rows""")  # noqa: S608  # of our own words
    rows = connection.execute(asked, {"id": incident_id, "rows": max(1, min(limit, EPISODES_MAX))})
    return [Episode(**each) for each in rows.mappings()]


def episode(connection: Connection, episode_id: str, scope: Scope) -> Episode | None:
    """An episode that may be seen: its incident may, or it is in none and its own domain may."""
    own, parameters = domain_within(scope, "episodes.domain")
    within, more = domains_within(scope)
    asked = text(f"""
        SELECT {_COLUMNS} FROM episodes LEFT JOIN incidents ON incidents.id = episodes.incident_id
        WHERE episodes.id = :id AND CASE WHEN incidents.id IS NULL THEN {own} ELSE {within} END""")  # noqa: S608  # of our own words
    row = connection.execute(asked, parameters | more | {"id": without_nul(episode_id)}).mappings().one_or_none()
    return None if row is None else Episode(**row)
