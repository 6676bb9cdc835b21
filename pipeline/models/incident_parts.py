"""Parts of an incident: timeline entries, suspects, tickets, clocks, pages, communications.

Incidents travel on our own topics only, so these are plain slotted dataclasses, as `pipeline.models.incident` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class TimelineEntry:
    """One action on the record: when, what, by whom, in words; ``facts`` holds the same for machines.

    Attributes:
        at_ms: when it went on record: stream time.
        event_at_ms: when it happened, by the clock of whoever says so; None: then.
        changed: fields of the incident that it changed -> value before and after; None: none of `AUDITED`.
    """

    at_ms: int
    action: str
    actor: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)
    event_at_ms: int | None = None
    changed: dict[str, tuple[Any, Any]] | None = None


@dataclass(slots=True, kw_only=True)
class Suspect:
    """A probable cause, with the reasons in words.

    Attributes:
        ref: catalogue reference.
        score: relative weight; comparable within one incident only.
        change_id: the change on it that is suspected, if one is.
    """

    ref: str
    score: float
    because: list[str] = field(default_factory=list)
    change_id: str | None = None


@dataclass(slots=True, kw_only=True)
class TicketLink:
    """A service-desk ticket of the incident and the state that we want it to be in."""

    id: str
    feed: str
    state: str
    summary: str
    episode_id: str


@dataclass(slots=True, kw_only=True)
class Waiting:
    """Somebody outside has the ball.

    Attributes:
        kind: whom the incident waits for: ``customer``, ``vendor``, ``provider``.
        since_ms: when somebody said so.
        by: who said so.
        link_kind: what ``id`` names, as on the incident's links: their case, their ticket.
        id: of that record; None: there is none.
        state: of that record there, as last heard; None: never.
    """

    kind: str
    since_ms: int
    by: str
    link_kind: str | None = None
    id: str | None = None
    state: str | None = None


@dataclass(slots=True, kw_only=True)
class CorrectiveAction:
    """What keeps it from coming back, or fixes what a workaround stands in for.

    Attributes:
        id: unique on the incident.
        text: what is to be done.
        owner: who does it; None: nobody said so.
        due_date: the day by which; None: none was agreed.
        state: ``open`` or ``done``.
        opened_by, opened_at_ms, done_by, done_at_ms: who and when.
    """

    id: str
    text: str
    opened_by: str
    opened_at_ms: int
    owner: str | None = None
    due_date: str | None = None
    state: str = "open"
    done_by: str | None = None
    done_at_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class Clock:
    """One service level clock: when it is due, when it was met, when it was breached.

    Attributes:
        warn_at_ms: when a warning goes out; None once it has, or when the clock has stopped.
    """

    due_at_ms: int
    warn_at_ms: int | None = None
    met_at_ms: int | None = None
    breached_at_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class Page:
    """Somebody was called: who, for which service, why, and with which runbook.

    Attributes:
        target: the escalation target that led to the person: ``oncall``, ``dependency``, ``owner``...
    """

    at_ms: int
    person: str
    rotation: str | None
    service: str | None
    target: str
    runbook: str | None
    because: str


@dataclass(slots=True, kw_only=True)
class Escalation:
    """Where the incident is on its escalation path.

    Attributes:
        level: index of the next level to fire.
        next_at_ms: when it fires; None when stopped.
        started_at_ms: what ``after_minutes`` counts from.
        since_ms: when the incident was opened or last reopened: who was called before may be called again.
    """

    level: int = 0
    started_at_ms: int = 0
    since_ms: int = 0
    next_at_ms: int | None = None
    paged: list[Page] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Communication:
    """One update for a status page. ``state``: investigating, identified, resolved."""

    at_ms: int
    page: str
    state: str
    text: str


@dataclass(slots=True, kw_only=True)
class ProblemReview:
    """A review of the underlying problem, owed on a date (local to the domain)."""

    due_date: str
    because: str
