"""The records store: projects incident events into PostgreSQL, and answers questions about incidents.

store = RecordsStore("postgresql://localhost/spillway")
store.migrate()
store.write(told, ends)      # again and again with the same records: nothing changes
store.incidents(open_only=True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, func, select

from pipeline.core.outward.incident_event import IncidentEvent, ProblemEvent
from pipeline.core.outward.record import Fact, Told
from pipeline.models.suppression import Suppression
from pipeline.records import projection
from pipeline.records.address import engine_of
from pipeline.records.migrations import migrate
from pipeline.records.months import Months
from pipeline.records.projected import Ends
from pipeline.records.tables import INCIDENT_EVENTS, INCIDENTS, TIMELINE

Answer = TypeVar("Answer")

FINAL_STATES: Final = ("closed", "merged", "cancelled")

LIST_MAX: Final = 1_000


class RecordsStore:
    """Incidents, their revisions and their timelines. Safe to use from several threads."""

    def __init__(self, url: str, schema: str | None = None) -> None:
        """Describe the store; nothing connects yet.

        Args:
            url: ``postgresql://user:password@host:port/database``.
            schema: one beside the usual one, for a store that is made anew there.

        Raises:
            RecordsUrlError: not the address of a PostgreSQL database.
        """
        self._engine = engine_of(url, schema)
        self._months = Months(self._engine)

    def migrate(self) -> int:
        """Bring the schema to this release's version; see `pipeline.records.migrations.migrate`."""
        return migrate(self._engine)

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()

    def write(self, told: Sequence[Told], ends: Ends, *, tells: bool = True) -> int:
        """Write a batch, all or nothing, and each record once; the number of those that were not there yet.

        Args:
            told: records in the order of each partition.
            ends: how far the batch goes in each partition; see `pipeline.records.projected`.
            tells: those who listen hear of what has changed.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        self._months.ensure(told)
        with self._engine.begin() as connection:
            return projection.write(connection, told, ends, tells=tells)

    def project(self, events: Sequence[IncidentEvent]) -> None:
        """Write events that come from no topic. Those that are there already change nothing; old ones undo nothing.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        self._write_placeless(events)

    def keep(self, hidden: Sequence[Suppression]) -> None:
        """Write suppressions that come from no topic; what is there already changes nothing.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        self._write_placeless(hidden)

    def follow(self, events: Sequence[ProblemEvent]) -> None:
        """Write events of problems that come from no topic; what is there already changes nothing.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        self._write_placeless(events)

    def _write_placeless(self, facts: Sequence[Fact]) -> None:
        if facts:
            self.write([Told("", 0, 0, fact) for fact in facts], {})

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

    @contextmanager
    def alone(self, lock: int) -> Iterator[bool]:
        """Hold a lock of the database while it lasts, or say that somebody else has it."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            taken = bool(connection.scalar(select(func.pg_try_advisory_lock(lock))))
            try:
                yield taken
            finally:
                if taken:
                    connection.execute(select(func.pg_advisory_unlock(lock)))

    def forget_months(self) -> None:
        """Months may have been removed: look again which there are."""
        self._months.forget()

    def timeline(self, incident_id: str) -> list[dict[str, Any]]:
        """Actions on an incident, in order: what columns `TIMELINE` has of them."""
        names = ("revision", "at", "action", "actor", "text", "facts", "event_at", "changed")
        columns = (TIMELINE.c[name] for name in names)
        query = select(*columns).where(TIMELINE.c.incident_id == incident_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(TIMELINE.c.revision, TIMELINE.c.position)).mappings()
            return [dict(row) for row in rows]
