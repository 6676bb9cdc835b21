"""The records store: projects incident events into PostgreSQL, and answers questions about incidents.

store = RecordsStore("postgresql://localhost/spillway")
store.migrate()
store.project(rows)          # again and again with the same rows: nothing changes
store.incidents(open_only=True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, select

from pipeline.core.chain import content_of
from pipeline.core.outward.incident_event import IncidentEvent, ProblemEvent
from pipeline.models.suppression import Suppression
from pipeline.records import problems, suppressions
from pipeline.records.address import engine_of
from pipeline.records.analytics.measures import measure
from pipeline.records.indexed import indexable
from pipeline.records.migrations import migrate
from pipeline.records.rows import incident_row
from pipeline.records.tables import INCIDENT_EVENTS, INCIDENTS, TIMELINE
from pipeline.records.values import insert_new, mapping_of, moment_of, text_of, upsert_newest, without_nul

Answer = TypeVar("Answer")

FINAL_STATES: Final = ("closed", "merged", "cancelled")

LIST_MAX: Final = 1_000


class RecordsStore:
    """Incidents, their revisions and their timelines. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """Describe the store; nothing connects yet.

        Args:
            url: ``postgresql://user:password@host:port/database``.

        Raises:
            RecordsUrlError: not the address of a PostgreSQL database.
        """
        self._engine = engine_of(url)

    def migrate(self) -> int:
        """Bring the schema to this release's version; see `pipeline.records.migrations.migrate`."""
        return migrate(self._engine)

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()

    def project(self, rows: Sequence[IncidentEvent]) -> None:
        """Write a batch, all or nothing. Rows that are there already change nothing; old ones undo nothing.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        if not rows:
            return
        # Sorted, so that two workers that write the same rows wait for each other in one order, and not crosswise.
        told = sorted(rows, key=lambda row: (row.incident_id, row.revision))
        rows = list(map(_without_nul, told))
        newest: dict[str, IncidentEvent] = {}
        for row in rows:
            known = newest.get(row.incident_id)
            if known is None or known.revision < row.revision:
                newest[row.incident_id] = row
        incidents = [incident_row(row) for row in newest.values()]
        with self._engine.begin() as connection:
            insert_new(connection, INCIDENT_EVENTS, list(map(_event_row, rows, told)))
            insert_new(connection, TIMELINE, [entry for row in rows for entry in _timeline_rows(row)])
            upsert_newest(connection, INCIDENTS, incidents)
            measure(connection, list(newest))

    def keep(self, hidden: Sequence[Suppression]) -> None:
        """Write what was hidden, all or nothing; what is there already changes nothing.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        if hidden:
            with self._engine.begin() as connection:
                suppressions.write(connection, hidden)

    def follow(self, events: Sequence[ProblemEvent]) -> None:
        """Write events of problems, all or nothing; what is there already changes nothing.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        if events:
            with self._engine.begin() as connection:
                problems.write(connection, events)

    def incidents(self, *, open_only: bool = False, limit: int = LIST_MAX) -> list[dict[str, Any]]:
        """Snapshots, the most recently opened first.

        Args:
            open_only: leave out closed and merged incidents.
            limit: how many at most.
        """
        query = select(INCIDENTS.c.snapshot).order_by(INCIDENTS.c.opened_at.desc().nulls_last(), INCIDENTS.c.id)
        if open_only:
            query = query.where(INCIDENTS.c.state.not_in(FINAL_STATES))
        with self._engine.connect() as connection:
            return list(connection.scalars(query.limit(limit)))

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """The newest snapshot of an incident, or None."""
        with self._engine.connect() as connection:
            query = select(INCIDENTS.c.snapshot).where(INCIDENTS.c.id == incident_id)
            snapshot: dict[str, Any] | None = connection.scalar(query)
            return snapshot

    def events(self, incident_id: str) -> list[dict[str, Any]]:
        """Revisions of an incident in order: ``revision``, ``change``, ``at`` and ``body``."""
        columns = (INCIDENT_EVENTS.c[name] for name in ("revision", "change", "at", "body"))
        query = select(*columns).where(INCIDENT_EVENTS.c.incident_id == incident_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(INCIDENT_EVENTS.c.revision)).mappings()
            return [dict(row) for row in rows]

    def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """Put a question of `pipeline.records.questions` to the database, on one connection."""
        with self._engine.connect() as connection:
            return question(connection)

    def change(self, change: Callable[[Connection], Answer]) -> Answer:
        """Do something to the database, in one transaction."""
        with self._engine.begin() as connection:
            return change(connection)

    def timeline(self, incident_id: str) -> list[dict[str, Any]]:
        """Actions on an incident, in order: what columns `TIMELINE` has of them."""
        names = ("revision", "at", "action", "actor", "text", "facts", "event_at", "changed")
        columns = (TIMELINE.c[name] for name in names)
        query = select(*columns).where(TIMELINE.c.incident_id == incident_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(TIMELINE.c.revision, TIMELINE.c.position)).mappings()
            return [dict(row) for row in rows]


def _event_row(row: IncidentEvent, told: IncidentEvent) -> dict[str, Any]:
    """A row and the event as it was told: what is sealed is that, to the letter."""
    body, seal = row.incident, told.seal
    content = content_of(told.incident_id, told.revision, told.change, told.at_ms, told.entries) if seal else None
    return {
        "incident_id": row.incident_id,
        "revision": row.revision,
        "change": row.change,
        "at": moment_of(row.at_ms),
        "body": body,
        "sealed": content.decode() if content else None,
        "seal": seal,
        "command_id": row.command_id,
    }


def _timeline_rows(row: IncidentEvent) -> list[dict[str, Any]]:
    return [
        {
            "incident_id": row.incident_id,
            "revision": row.revision,
            "position": position,
            "at": moment_of(entry.get("at_ms")),
            "action": text_of(entry.get("action")),
            "actor": text_of(entry.get("actor")),
            "text": text_of(entry.get("text")),
            "facts": indexable(entry.get("facts") or {}),
            "event_at": moment_of(entry.get("event_at_ms")),
            "changed": mapping_of(entry.get("changed")),
        }
        for position, entry in enumerate(row.entries)
    ]


def _without_nul(row: IncidentEvent) -> IncidentEvent:
    """The row without NUL characters, which PostgreSQL cannot store and a monitored program may well print."""
    if b"\\u0000" not in orjson.dumps([row.entries, row.incident]):
        return row
    return row._replace(entries=without_nul(row.entries), incident=without_nul(row.incident))
