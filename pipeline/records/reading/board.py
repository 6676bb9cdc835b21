"""The board: what is open, the most urgent first, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.reading import cursor
from pipeline.records.reading.conditions import OPEN, conditions
from pipeline.records.reading.filters import Filters
from pipeline.records.reading.found import COLUMNS, IncidentRow, row_of
from pipeline.records.reading.scope import Scope

PAGE_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are of one kind, priority and state.

    Attributes:
        at_risk: of these, with a clock that is due soon or has missed its target.
        breached: of these, with a clock that has missed its target.
        unassigned: of these, nobody's.
    """

    kind: str | None
    priority: str | None
    priority_rank: int | None
    state: str | None
    incidents: int
    at_risk: int
    breached: int
    unassigned: int


@dataclass(frozen=True, slots=True)
class BoardPage:
    """A part of the board.

    Attributes:
        rows: the most urgent first: by priority, then what is due next, then what is open longest.
        counts: of all that the filters let through, those of ``state`` and ``priority`` left out; also of resolved
            ones, which no row shows unless the filters ask for them.
        next: cursor of what comes after; None: that was all.
    """

    rows: list[IncidentRow]
    counts: list[Count]
    next: str | None

    @property
    def by_priority(self) -> dict[str, int]:
        """Priority -> how many are worked on, resolved ones not counted; the most urgent first."""
        found: dict[str, int] = {}
        for each in sorted(self.counts, key=lambda count: _RANK_LAST if (r := count.priority_rank) is None else r):
            if each.state != RESOLVED:
                name = each.priority or ""
                found[name] = found.get(name, 0) + each.incidents
        return found

    @property
    def by_state(self) -> dict[str, int]:
        """State -> how many."""
        found: dict[str, int] = {}
        for each in self.counts:
            found[each.state or ""] = found.get(each.state or "", 0) + each.incidents
        return found


RESOLVED: Final = "resolved"
_RANK_LAST: Final = 999

# As the index `incidents_board` has it. A rank that is not known comes last, so does what is never due.
_KEYS: Final = (
    "coalesce(incidents.priority_rank, 999)",
    "coalesce(incidents.due_at, '9000-01-01 00:00:00+00'::timestamptz)",
    "coalesce(incidents.opened_at, '9000-01-01 00:00:00+00'::timestamptz)",
    "incidents.id",
)
_KINDS: Final = (int, datetime, datetime, str)
_ORDER: Final = ", ".join(_KEYS)
_WORKED_ON: Final = f"{OPEN} AND incidents.state <> 'resolved'"


def board(
    connection: Connection, scope: Scope, *, filters: Filters | None = None, after: str | None = None, limit: int = 100
) -> BoardPage:
    """A part of the board.

    Resolved incidents are on it only if ``filters.state`` names that state.

    Args:
        connection: to the records store.
        scope: what may be seen.
        filters: what it is narrowed to; None: nothing.
        after: cursor of the page before; None for the first.
        limit: rows at most; 500 at most.

    Raises:
        BadCursorError: no cursor of this board with these filters.
    """
    filters = filters or Filters()
    limit = max(1, min(limit, PAGE_MAX))
    question = f"board {filters.question}"
    condition, parameters = conditions(filters, scope)
    # Spelled out again where it follows from the states, so that the partial index is used.
    shown = OPEN if filters.state else _WORKED_ON
    where = f"{shown} AND {condition}"
    if after is not None:
        values = cursor.decode(question, after, _KINDS)
        where += f" AND ({_ORDER}) > (:after_0, :after_1, :after_2, :after_3)"
        parameters |= {f"after_{number}": value for number, value in enumerate(values)}
    keys = ", ".join(f"{key} AS key_{number}" for number, key in enumerate(_KEYS))
    asked = text(f"SELECT {COLUMNS}, {keys} FROM incidents WHERE {where} ORDER BY {_ORDER} LIMIT :rows")  # noqa: S608  # of our own words
    found = connection.execute(asked, parameters | {"rows": limit + 1}).mappings().all()
    last = found[limit - 1] if len(found) > limit else None
    next_one = None if last is None else cursor.encode(question, [last[f"key_{number}"] for number in range(4)])
    return BoardPage([row_of(each) for each in found[:limit]], counts(connection, scope, filters), next_one)


def counts(connection: Connection, scope: Scope, filters: Filters) -> list[Count]:
    """How many are open of each kind, priority and state; filters of these do not narrow it."""
    condition, parameters = conditions(replace(filters, state=(), priority=()), scope)
    risk = "incidents.breached OR incidents.due_at < :risk_by"
    asked = text(f"""
        SELECT kind, priority, min(priority_rank) AS priority_rank, state, count(*) AS incidents,
            count(*) FILTER (WHERE {risk}) AS at_risk, count(*) FILTER (WHERE breached) AS breached,
            count(*) FILTER (WHERE assignee IS NULL) AS unassigned
        FROM incidents WHERE {OPEN} AND {condition}
        GROUP BY kind, priority, state ORDER BY min(priority_rank) NULLS LAST, priority, state, kind""")  # noqa: S608  # of our own words
    told: dict[str, Any] = parameters | {"risk_by": filters.risk_by}
    return [Count(**each) for each in connection.execute(asked, told).mappings()]
