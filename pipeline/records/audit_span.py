"""Audits of a span of time, one incident after another: what was done, what was told to whom, who has looked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_

from pipeline.core.outward.delivery_body import rfc3339
from pipeline.records.access.tables import ACCESS_LOG
from pipeline.records.audit import Trail, trail_of
from pipeline.records.tables import DELIVERIES, INCIDENTS

PAGE_INCIDENTS: Final = 200
"""Ids read at once: a year of incidents passes through, and is never in memory."""

DELIVERIES_MAX: Final = 5_000
ACCESSES_MAX: Final = 5_000
"""Of one incident; what is more is counted, and stays in the store."""

Place = tuple[datetime, str]
"""When an incident was opened, and its id."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which incidents are exported.

    Attributes:
        from_ms: opened from then on, epoch milliseconds.
        to_ms: and before then.
        domains: of these service domains alone; None: of all.
    """

    from_ms: int
    to_ms: int
    domains: frozenset[str] | None = None

    def condition(self) -> ColumnElement[bool]:
        """The incidents, as PostgreSQL is asked for them."""
        begin, end = (datetime.fromtimestamp(each / 1_000, UTC) for each in (self.from_ms, self.to_ms))
        opened = INCIDENTS.c.opened_at
        within = (opened >= begin) & (opened < end)
        return within if self.domains is None else within & INCIDENTS.c.domains.overlap(sorted(self.domains))


def count_of(connection: Connection, span: Span) -> int:
    """How many incidents a span has."""
    return connection.scalar(select(func.count()).select_from(INCIDENTS).where(span.condition())) or 0


def documents_of(connection: Connection, span: Span) -> Iterator[dict[str, Any]]:
    """The audit of each incident of a span, in order of opening. What is opened meanwhile may be left out."""
    after: Place | None = None
    while True:
        page = page_of(connection, span, after)
        for _, incident_id in page:
            document = document_of(connection, incident_id)
            if document is not None:
                yield document
        if len(page) < PAGE_INCIDENTS:
            return
        after = page[-1]


def page_of(connection: Connection, span: Span, after: Place | None) -> list[Place]:
    """The next incidents of a span, in order of opening; fewer than `PAGE_INCIDENTS`: there are no more."""
    order = (INCIDENTS.c.opened_at, INCIDENTS.c.id)
    query: Select[Any] = select(*order).where(span.condition())
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*after))
    rows = connection.execute(query.order_by(*order).limit(PAGE_INCIDENTS)).all()
    return [(row.opened_at, row.id) for row in rows]


def document_of(connection: Connection, incident_id: str) -> dict[str, Any] | None:
    """The whole audit of an incident; None where there is none of that id."""
    trail = trail_of(connection, incident_id)
    return None if trail is None else whole(connection, trail)


def whole(connection: Connection, trail: Trail) -> dict[str, Any]:
    """An audit with what was told to whom, what was owed, and who has looked at the incident."""
    snapshot = trail.incident
    incident_id = str(snapshot.get("id"))
    told, of_delivery = DELIVERIES.c, DELIVERIES.c.incident_id == incident_id
    columns = (told.at, told.sink, told.direction, told.outcome, told.revision, told.attempt)
    deliveries = select(*columns).where(of_delivery).order_by(told.at, told.topic_partition, told.topic_offset)
    seen, of_access = ACCESS_LOG.c, ACCESS_LOG.c.target == incident_id
    accesses = select(seen.at, seen.subject, seen.action, seen.status).where(of_access).order_by(seen.id)
    return trail.document() | {
        "deliveries": _rows(connection, deliveries.limit(DELIVERIES_MAX)),
        "deliveries_total": _total(connection, of_delivery, DELIVERIES),
        "communications": snapshot.get("communications") or [],
        "duties": snapshot.get("duties") or [],
        "accesses": _rows(connection, accesses.limit(ACCESSES_MAX)),
        "accesses_total": _total(connection, of_access, ACCESS_LOG),
    }


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    # SQLAlchemy's names of columns are texts of a kind that JSON is not made of.
    rows = [{str(name): value for name, value in each.items()} for each in connection.execute(query).mappings()]
    return [each | {"at": rfc3339(round(each["at"].timestamp() * 1_000))} for each in rows]


def _total(connection: Connection, condition: ColumnElement[bool], table: Any) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(condition)) or 0
