"""Major Incidents and their members in the records store, and the incidents that a service is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select, true
from sqlalchemy.sql.elements import ColumnElement

from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.records.tables import INCIDENTS

LIST_MAX: Final = 200
"""Major Incidents listed, the newest first: a company that has more in sight has other questions."""

MEMBERS_MAX: Final = 500
"""Members read of one bridge incident; it says itself how many there are."""

Domains = frozenset[str] | None
"""Domains that somebody may see; None: all."""

_OVER: Final = frozenset({*ENDED_STATES, "resolved"})


def bridges(connection: Connection, scope: Domains, *, open_only: bool, limit: int = LIST_MAX) -> list[dict[str, Any]]:
    """Snapshots of bridge incidents that somebody may see, the newest first."""
    query = select(INCIDENTS.c.snapshot).where(INCIDENTS.c.kind == "bridge", seen(scope))
    if open_only:
        query = query.where(INCIDENTS.c.state.not_in(sorted(_OVER)))
    query = query.order_by(INCIDENTS.c.opened_at.desc().nulls_last(), INCIDENTS.c.id).limit(limit)
    return [dict(each) for each in connection.scalars(query)]


def members(connection: Connection, ids: Sequence[str], scope: Domains) -> list[dict[str, Any]]:
    """Snapshots of incidents by their ids, the most urgent first; those out of scope are left out."""
    query = select(INCIDENTS.c.snapshot).where(INCIDENTS.c.id.in_(list(ids[:MEMBERS_MAX])), seen(scope))
    query = query.order_by(INCIDENTS.c.priority_rank.asc().nulls_last(), INCIDENTS.c.opened_at, INCIDENTS.c.id)
    return [dict(each) for each in connection.scalars(query)]


def about(connection: Connection, ref: str, scope: Domains, *, is_open: bool, limit: int) -> list[dict[str, Any]]:
    """Snapshots of the incidents that a service is in, the newest first: those that go on, or those that are over."""
    over = INCIDENTS.c.state.in_(sorted(_OVER))
    named = INCIDENTS.c.services.contains([ref])
    query = select(INCIDENTS.c.snapshot).where(INCIDENTS.c.kind == "incident", named, seen(scope))
    query = query.where(~over if is_open else over)
    query = query.order_by(INCIDENTS.c.opened_at.desc().nulls_last(), INCIDENTS.c.id).limit(limit)
    return [dict(each) for each in connection.scalars(query)]


def seen(scope: Domains) -> ColumnElement[bool]:
    """The condition that somebody may see an incident."""
    return true() if scope is None else INCIDENTS.c.domains.overlap(sorted(scope))
