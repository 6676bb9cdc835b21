"""Problems, as far as somebody may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.core.problems.problem_life import OPEN_STATES
from pipeline.records.problems import shown
from pipeline.records.reading import cursor
from pipeline.records.reading.scope import Scope, domain_within
from pipeline.records.reading.timeline import without_nul

PAGE_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class ProblemsPage:
    """A part of the problems.

    Attributes:
        problems: snapshots.
        next: cursor of what comes after; None: that was all.
    """

    problems: list[dict[str, Any]]
    next: str | None


_OPENED: Final = "coalesce(opened_at, '1971-01-01 00:00:00+00'::timestamptz)"


def problems(
    connection: Connection, scope: Scope, *, open_only: bool = False, after: str | None = None, limit: int = 100
) -> ProblemsPage:
    """Problems, the most recently opened first.

    Args:
        connection: to the records store.
        scope: what may be seen.
        open_only: leave out those that are resolved or closed.
        after: cursor of the page before; None for the first.
        limit: problems at most; 500 at most.

    Raises:
        BadCursorError: no cursor of this list.
    """
    limit = max(1, min(limit, PAGE_MAX))
    question = f"problems {open_only}"
    where, parameters = domain_within(scope, "domain")
    if open_only:
        where += " AND state = ANY(cast(:states AS text[]))"
        parameters["states"] = sorted(OPEN_STATES)
    if after is not None:
        opened, last_id = cursor.decode(question, after, (datetime, str))
        where += f" AND ({_OPENED}, id) < (:after_opened, :after_id)"
        parameters |= {"after_opened": opened, "after_id": last_id}
    asked = text(f"""
        SELECT id, {_OPENED} AS opened, snapshot FROM problems WHERE {where}
        ORDER BY {_OPENED} DESC, id DESC LIMIT :rows""")  # noqa: S608  # of our own words
    found = connection.execute(asked, parameters | {"rows": limit + 1}).mappings().all()
    last = found[limit - 1] if len(found) > limit else None
    next_one = None if last is None else cursor.encode(question, [last["opened"], last["id"]])
    return ProblemsPage([each["snapshot"] for each in found[:limit]], next_one)


def problem(connection: Connection, problem_id: str, scope: Scope) -> dict[str, Any] | None:
    """A problem with its ``timeline``; None where there is none of that id that may be seen."""
    within, parameters = domain_within(scope, "domain")
    asked = text(f"SELECT 1 FROM problems WHERE id = :id AND {within}")  # noqa: S608  # of our own words
    known_id = without_nul(problem_id)
    if connection.scalar(asked, parameters | {"id": known_id}) is None:
        return None
    return shown(connection, known_id)
