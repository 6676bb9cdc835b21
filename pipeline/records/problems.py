"""Problems in the records store: each as its newest revision says, and every action on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from pipeline.core.chain import content_of
from pipeline.core.outward.incident_event import ProblemEvent
from pipeline.core.problems.problem_life import OPEN_STATES
from pipeline.records.changes import Changed
from pipeline.records.tables import PROBLEM_EVENTS, PROBLEMS
from pipeline.records.values import insert_new, moment_of, number_of, text_of, upsert_newest

LIST_MAX: Final = 1_000

_TEXTS: Final = (
    "state",
    "title",
    "reason",
    "domain",
    "service",
    "owner",
    "assignee",
    "cause_ref",
    "category",
)
_TIMES: Final = ("opened", "resolved", "closed", "updated")


def write(connection: Connection, events: Sequence[ProblemEvent]) -> list[Changed]:
    """Write events; rows that are there already change nothing, old ones undo nothing.

    Returns:
        The newest revision of each problem.
    """
    # Sorted, so that two workers that write the same rows wait for each other in one order, and not crosswise.
    ordered = sorted(events, key=lambda event: (event.problem_id, event.revision))
    newest = {event.problem_id: event for event in ordered}
    insert_new(connection, PROBLEM_EVENTS, [_event_row(event) for event in ordered])
    upsert_newest(connection, PROBLEMS, [_problem_row(event) for event in newest.values()])
    return [_changed(event) for event in newest.values()]


def listed(connection: Connection, *, open_only: bool, limit: int = LIST_MAX) -> list[dict[str, Any]]:
    """Snapshots of problems, the most recently opened first."""
    query = select(PROBLEMS.c.snapshot).order_by(PROBLEMS.c.opened_at.desc().nulls_last(), PROBLEMS.c.id)
    if open_only:
        query = query.where(PROBLEMS.c.state.in_(sorted(OPEN_STATES)))
    return list(connection.scalars(query.limit(limit)))


def shown(connection: Connection, problem_id: str) -> dict[str, Any] | None:
    """A problem with its ``timeline``, or None."""
    snapshot = connection.scalar(select(PROBLEMS.c.snapshot).where(PROBLEMS.c.id == problem_id))
    if snapshot is None:
        return None
    entries = select(PROBLEM_EVENTS.c.entries).where(PROBLEM_EVENTS.c.problem_id == problem_id)
    told = connection.scalars(entries.order_by(PROBLEM_EVENTS.c.revision))
    return dict(snapshot) | {"timeline": [entry for each in told for entry in each]}


def _changed(event: ProblemEvent) -> Changed:
    state, domain = (text_of(event.problem.get(name)) for name in ("state", "domain"))
    domains = [domain] if domain else []
    return Changed(event.problem_id, event.revision, "problem", event.change, state or "", "", domains)


def _problem_row(event: ProblemEvent) -> dict[str, Any]:
    problem = event.problem
    texts = {name: text_of(problem.get(name)) for name in _TEXTS}
    times = {f"{name}_at": moment_of(problem.get(f"{name}_at_ms")) for name in _TIMES}
    total = number_of(problem.get("occurrences_total"))
    own = {"id": event.problem_id, "revision": event.revision, "snapshot": problem, "occurrences_total": total}
    return own | texts | times


def _event_row(event: ProblemEvent) -> dict[str, Any]:
    content = content_of(event.problem_id, event.revision, event.change, event.at_ms, event.entries)
    return {
        "problem_id": event.problem_id,
        "revision": event.revision,
        "change": event.change,
        "at": moment_of(event.at_ms),
        "entries": event.entries,
        "sealed": content.decode() if event.seal else None,
        "seal": event.seal,
        "command_id": event.command_id,
    }
