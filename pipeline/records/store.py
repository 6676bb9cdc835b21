"""The records store: projects incident events into PostgreSQL, and answers questions about incidents.

store = RecordsStore("postgresql://localhost/spillway")
store.migrate()
store.project(rows)          # again and again with the same rows: nothing changes
store.incidents(open_only=True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, Engine, create_engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pipeline.core.chain import content_of
from pipeline.core.incident_event import TIME_MS_MAX, IncidentEvent
from pipeline.models.suppression import Suppression
from pipeline.records import suppressions
from pipeline.records.indexed import indexable
from pipeline.records.tables import INCIDENT_EVENTS, INCIDENTS, TIMELINE, migrate

Answer = TypeVar("Answer")

FINAL_STATES: Final = ("closed", "merged", "cancelled")

# A database that does not answer a connection attempt by then counts as away, and the attempt is repeated.
CONNECT_SECONDS_MAX: Final = 5
# Rows of one statement: PostgreSQL takes 65,535 parameters in one, and an incident has 26 columns.
ROWS_MAX: Final = 1_000
LIST_MAX: Final = 1_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS: Final = (
    "kind",
    "space",
    "state",
    "title",
    "priority",
    "urgency",
    "impact",
    "category",
    "domain",
    "service",
    "owner",
    "assignee",
    "bridge_id",
    "merged_into",
)
_NUMBERS: Final = ("users_affected", "revenue_per_minute", "alerts_total", "episodes_total")
_TIMES: Final = ("opened", "acknowledged", "resolved", "closed", "updated")


class RecordsUrlError(Exception):
    """The address of the records store cannot be used; the message is one line without the password."""


class RecordsStore:
    """Incidents, their revisions and their timelines. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """Describe the store; nothing connects yet.

        Args:
            url: ``postgresql://user:password@host:port/database``.

        Raises:
            RecordsUrlError: not the address of a PostgreSQL database.
        """
        self._engine = _engine(url)

    def migrate(self) -> int:
        """Bring the schema to this release's version; see `pipeline.records.tables.migrate`."""
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
        incidents = [_incident_row(row) for row in newest.values()]
        with self._engine.begin() as connection:
            _insert_new(connection, INCIDENT_EVENTS, list(map(_event_row, rows, told)))
            _insert_new(connection, TIMELINE, [entry for row in rows for entry in _timeline_rows(row)])
            _upsert_incidents(connection, incidents)

    def keep(self, hidden: Sequence[Suppression]) -> None:
        """Write what was hidden, all or nothing; what is there already changes nothing.

        Raises:
            SQLAlchemyError: the database is away or refused; nothing was written.
        """
        if hidden:
            with self._engine.begin() as connection:
                suppressions.write(connection, hidden)

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

    def timeline(self, incident_id: str) -> list[dict[str, Any]]:
        """Actions on an incident, in order: what columns `TIMELINE` has of them."""
        names = ("revision", "at", "action", "actor", "text", "facts", "event_at", "changed")
        columns = (TIMELINE.c[name] for name in names)
        query = select(*columns).where(TIMELINE.c.incident_id == incident_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(TIMELINE.c.revision, TIMELINE.c.position)).mappings()
            return [dict(row) for row in rows]


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
    except ArgumentError:
        raise RecordsUrlError("records store: not a postgresql:// address") from None
    if address.get_backend_name() not in ("postgresql", "postgres"):
        raise RecordsUrlError(f"records store: PostgreSQL is needed, got {address.get_backend_name()}://")
    return create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,  # a restarted server would otherwise cost the first batch after it a retry
        connect_args={"connect_timeout": CONNECT_SECONDS_MAX, "application_name": "spillway"},
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )


def _insert_new(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    for chunk in _chunks(rows):
        connection.execute(insert(table).values(chunk).on_conflict_do_nothing())


def _upsert_incidents(connection: Connection, rows: list[dict[str, Any]]) -> None:
    for chunk in _chunks(rows):
        statement = insert(INCIDENTS).values(chunk)
        changes = {name: statement.excluded[name] for name in INCIDENTS.c.keys() if name != "id"}  # noqa: SIM118
        is_newer = INCIDENTS.c.revision < statement.excluded.revision
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes, where=is_newer))


def _chunks(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (rows[start : start + ROWS_MAX] for start in range(0, len(rows), ROWS_MAX))


def _incident_row(row: IncidentEvent) -> dict[str, Any]:
    incident = row.incident
    texts = {name: _text(incident.get(name)) for name in _TEXTS}
    numbers = {name: _number(incident.get(name)) for name in _NUMBERS}
    times = {f"{name}_at": _moment(incident.get(f"{name}_at_ms")) for name in _TIMES}
    return {"id": row.incident_id, "revision": row.revision, "snapshot": incident, **texts, **numbers, **times}


def _event_row(row: IncidentEvent, told: IncidentEvent) -> dict[str, Any]:
    """A row and the event as it was told: what is sealed is that, to the letter."""
    body, seal = row.incident, told.seal
    content = content_of(told.incident_id, told.revision, told.change, told.at_ms, told.entries) if seal else None
    return {
        "incident_id": row.incident_id,
        "revision": row.revision,
        "change": row.change,
        "at": _moment(row.at_ms),
        "body": body,
        "sealed": content.decode() if content else None,
        "seal": seal,
    }


def _timeline_rows(row: IncidentEvent) -> list[dict[str, Any]]:
    return [
        {
            "incident_id": row.incident_id,
            "revision": row.revision,
            "position": position,
            "at": _moment(entry.get("at_ms")),
            "action": _text(entry.get("action")),
            "actor": _text(entry.get("actor")),
            "text": _text(entry.get("text")),
            "facts": indexable(entry.get("facts") or {}),
            "event_at": _moment(entry.get("event_at_ms")),
            "changed": _mapping(entry.get("changed")),
        }
        for position, entry in enumerate(row.entries)
    ]


def _text(value: Any) -> str | None:
    """A value for a text column; the snapshot beside it keeps the original, whatever it is."""
    return value if isinstance(value, str) else None


def _mapping(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _moment(value: Any) -> datetime | None:
    """Epoch milliseconds as a moment; None where it is no time that PostgreSQL can hold."""
    if not isinstance(value, int) or not 0 <= value <= TIME_MS_MAX:
        return None
    return _EPOCH + timedelta(milliseconds=value)


def _without_nul(row: IncidentEvent) -> IncidentEvent:
    """The row without NUL characters, which PostgreSQL cannot store and a monitored program may well print."""
    if b"\\u0000" not in orjson.dumps([row.entries, row.incident]):
        return row
    return row._replace(entries=_replace_nul(row.entries), incident=_replace_nul(row.incident))


def _replace_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_replace_nul(member) for member in value]
    if isinstance(value, dict):
        return {_replace_nul(name): _replace_nul(member) for name, member in value.items()}
    return value
