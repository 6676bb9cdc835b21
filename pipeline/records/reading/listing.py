"""Incidents, the newest first: what lists page through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.reading import cursor
from pipeline.records.reading.conditions import conditions
from pipeline.records.reading.filters import Filters
from pipeline.records.reading.found import IncidentRow, rows_of
from pipeline.records.reading.lexical import facts_of
from pipeline.records.reading.scope import Scope
from pipeline.records.reading.stepping import KEY_KINDS, OPENED, newest

PAGE_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class IncidentsPage:
    """A part of a list.

    Attributes:
        next: cursor of what comes after; None: that was all.
    """

    rows: list[IncidentRow]
    next: str | None


def incidents(
    connection: Connection, scope: Scope, *, filters: Filters | None = None, after: str | None = None, limit: int = 100
) -> IncidentsPage:
    """Incidents, open or not, the most recently opened first; `search` is what looks for ``filters.q``.

    Args:
        connection: to the records store.
        scope: what may be seen.
        filters: what it is narrowed to; None: nothing.
        after: cursor of the page before; None for the first.
        limit: rows at most; 500 at most.

    Raises:
        BadCursorError: no cursor of this list with these filters.
    """
    filters = replace(filters or Filters(), q="")
    limit = max(1, min(limit, PAGE_MAX))
    question = f"incidents {filters.question}"
    where, parameters = conditions(filters, scope)
    before = filters.opened_to
    if after is not None:
        before, last_id = cursor.decode(question, after, KEY_KINDS)
        where += f" AND ({OPENED}, incidents.id) < (:after_opened, :after_id)"
        parameters |= {"after_opened": before, "after_id": last_id}
    found = newest(
        connection,
        facts_of(filters, scope),
        where,
        parameters,
        limit + 1,
        before=before,
        since=filters.opened_from,
    )
    next_one = cursor.encode(question, found[limit - 1]) if len(found) > limit else None
    return IncidentsPage(rows_of(connection, [each.id for each in found[:limit]], where, parameters), next_one)


def snapshots(connection: Connection, scope: Scope, filters: Filters, limit: int) -> list[dict[str, Any]]:
    """Whole snapshots, the most recently opened first."""
    where, parameters = conditions(filters, scope)
    facts, since = facts_of(filters, scope), filters.opened_from
    found = newest(connection, facts, where, parameters, limit, before=filters.opened_to, since=since)
    asked = text(f"SELECT id, snapshot FROM incidents WHERE id = ANY(cast(:ids AS text[])) AND {where}")  # noqa: S608  # of our own words
    rows = connection.execute(asked, parameters | {"ids": [each.id for each in found]})
    told = {each.id: each.snapshot for each in rows}
    return [told[each.id] for each in found if each.id in told]
