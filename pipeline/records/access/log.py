"""The access log: written in batches, read by administrators, kept for a time. Functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, select

from pipeline.records.access.tables import ACCESS_LOG

PAGE_MAX: Final = 500
SWEEP_ROWS: Final = 10_000
"""Rows that are deleted in one statement: a lock of milliseconds, also where a year falls due at once."""

_L: Final = ACCESS_LOG.c


class Entry(NamedTuple):
    """Somebody did or looked at something, or was refused.

    Attributes:
        subject: who; None: nobody who is known.
        came_by: ``oidc``, ``token`` or ``session``.
        credential: id of the token or session, never a secret.
        address: of the client.
        action: what it was about: the route's own name.
        path: without its query, which may hold what people search for.
        target: id of the one thing that it was about.
        reason: of a refusal.
    """

    at: datetime
    request_id: str
    subject: str | None
    came_by: str | None
    credential: str | None
    address: str
    action: str
    method: str
    path: str
    target: str | None
    status: int
    reason: str | None


def write_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write a batch."""
    if entries:
        connection.execute(ACCESS_LOG.insert(), [entry._asdict() for entry in entries])


def access_log(
    connection: Connection,
    *,
    subject: str | None = None,
    target: str | None = None,
    action: str | None = None,
    refused: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Entries, the newest first.

    Args:
        connection: to the records store.
        subject: of this person or token alone.
        target: about this thing alone.
        action: of this kind alone.
        refused: True: refusals alone; False: what was done alone.
        since: from then on.
        until: before then.
        before: the ``id`` of the last entry of the page before.
        limit: at most so many, and never over `PAGE_MAX`.
    """
    query = select(ACCESS_LOG).order_by(_L.id.desc()).limit(min(limit, PAGE_MAX))
    for column, value in ((_L.subject, subject), (_L.target, target), (_L.action, action)):
        if value is not None:
            query = query.where(column == value)
    if refused is not None:
        query = query.where(_L.status >= 400 if refused else _L.status < 400)
    if since is not None:
        query = query.where(_L.at >= since)
    if until is not None:
        query = query.where(_L.at < until)
    if before is not None:
        query = query.where(_L.id < before)
    return [dict(row) for row in connection.execute(query).mappings()]


def sweep_log(connection: Connection, before: datetime) -> int:
    """Delete some of what is older; how many. To be called again while it is `SWEEP_ROWS`."""
    old = select(_L.id).where(_L.at < before).order_by(_L.at).limit(SWEEP_ROWS)
    return connection.execute(delete(ACCESS_LOG).where(_L.id.in_(old))).rowcount
