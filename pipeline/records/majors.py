"""Major Incidents and their members in the records store; and how services are: by the incidents that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ARRAY, Connection, Text, bindparam, select, text, true
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


def health(connection: Connection, scope: Domains) -> dict[str, dict[str, Any]]:
    """How services are: reference -> ``open`` incidents, the most urgent one's ``rank`` and ``priority``, ``breached``.

    A service without an open incident is not among them.
    """
    asked = {"scope": None if scope is None else sorted(scope), "over": sorted(_OVER)}
    return {row["ref"]: dict(row) for row in connection.execute(_HEALTH, asked).mappings()}


# `incidents_open` is the index of those that are not over; what is resolved and may come back counts as well.
_HEALTH: Final = text(
    """SELECT ref, count(*) AS open, min(priority_rank) AS rank,
    (array_agg(priority ORDER BY priority_rank NULLS LAST, opened_at))[1] AS priority,
    count(*) FILTER (WHERE breached) AS breached, min(opened_at) AS since
    FROM incidents CROSS JOIN LATERAL unnest(services) AS ref
    WHERE state NOT IN ('closed', 'merged', 'cancelled') AND NOT state = ANY(:over) AND kind = 'incident'
    AND (cast(:scope AS text[]) IS NULL OR domains && :scope) GROUP BY ref"""
).bindparams(bindparam("scope", type_=ARRAY(Text)), bindparam("over", type_=ARRAY(Text)))


def seen(scope: Domains) -> ColumnElement[bool]:
    """The condition that somebody may see an incident."""
    return true() if scope is None else INCIDENTS.c.domains.overlap(sorted(scope))
