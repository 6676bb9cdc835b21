"""The timeline of an incident, a part at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.reading import cursor
from pipeline.records.reading.scope import Scope, domains_within

PAGE_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One action on an incident.

    Attributes:
        at: when it was decided.
        event_at: when it happened, where that is known.
        changed: field -> what it was and is.
    """

    revision: int
    position: int
    at: datetime | None
    event_at: datetime | None
    action: str | None
    actor: str | None
    text: str | None
    facts: dict[str, Any] | None
    changed: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """A part of a timeline.

    Attributes:
        next: cursor of what comes after; None: that was all.
    """

    entries: list[Entry]
    next: str | None


_COLUMNS: Final = "revision, position, at, event_at, action, actor, text, facts, changed"


def timeline(
    connection: Connection,
    incident_id: str,
    scope: Scope,
    *,
    after: str | None = None,
    limit: int = 200,
    newest_first: bool = True,
) -> TimelinePage | None:
    """Actions on an incident; None where there is none of that id that may be seen.

    Args:
        connection: to the records store.
        incident_id: whose.
        scope: what may be seen.
        after: cursor of the page before; None for the first.
        limit: entries at most; 1,000 at most.
        newest_first: in which order.

    Raises:
        BadCursorError: no cursor of this timeline in this order.
    """
    if not may_be_seen(connection, incident_id, scope):
        return None
    limit = max(1, min(limit, PAGE_MAX))
    question = f"timeline {incident_id} {newest_first}"
    where, parameters = "incident_id = :id", dict[str, Any](id=incident_id, rows=limit + 1)
    sign, way = ("<", "DESC") if newest_first else (">", "ASC")
    if after is not None:
        revision, position = cursor.decode(question, after, (int, int))
        where += f" AND (revision, position) {sign} (:after_revision, :after_position)"
        parameters |= {"after_revision": revision, "after_position": position}
    asked = text(f"""
        SELECT {_COLUMNS} FROM timeline WHERE {where} ORDER BY revision {way}, position {way} LIMIT :rows""")  # noqa: S608  # of our own words
    found = [Entry(**each) for each in connection.execute(asked, parameters).mappings()]
    last = found[limit - 1] if len(found) > limit else None
    next_one = None if last is None else cursor.encode(question, [last.revision, last.position])
    return TimelinePage(found[:limit], next_one)


def may_be_seen(connection: Connection, incident_id: str, scope: Scope) -> bool:
    """Whether there is an incident of that id within a scope."""
    within, parameters = domains_within(scope)
    asked = text(f"SELECT 1 FROM incidents WHERE id = :id AND {within}")  # noqa: S608  # of our own words
    return connection.scalar(asked, parameters | {"id": without_nul(incident_id)}) is not None


def without_nul(name: str) -> str:
    """A name as a parameter can hold it; none that is known has a NUL."""
    return name.replace("\0", "\N{REPLACEMENT CHARACTER}")
