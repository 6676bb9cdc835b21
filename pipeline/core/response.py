"""The response: somebody acknowledges, starts, is assigned, links records elsewhere."""

from __future__ import annotations

from typing import Final

from pipeline.core import sla
from pipeline.core.desk import Desk
from pipeline.core.draft import Draft
from pipeline.core.lifecycle import Step
from pipeline.models.command import Link
from pipeline.models.incident import IncidentChange

LINKS_MAX: Final = 50
"""Records elsewhere that one incident names: more than any has, and bounds the record."""


def acknowledge(desk: Desk, draft: Draft, actor: str, note: str | None = None) -> None:
    """Somebody has it: the response clock is met and escalation stops."""
    text = f"{actor} acknowledged" + (f": {note}" if note else "")
    if desk.step(draft, Step.ACKNOWLEDGE, actor, text):
        incident = draft.incident
        incident.acknowledged_at_ms = incident.acknowledged_at_ms or draft.now_ms
        sla.meet(draft, "response")
        incident.escalation.next_at_ms = None


def start(desk: Desk, draft: Draft, actor: str, note: str | None = None) -> None:
    """Work has begun; that acknowledges as well."""
    if desk.step(draft, Step.START, actor, f"{actor} works on it" + (f": {note}" if note else "")):
        incident = draft.incident
        incident.acknowledged_at_ms = incident.acknowledged_at_ms or draft.now_ms
        sla.meet(draft, "response")
        incident.escalation.next_at_ms = None


def assign(desk: Desk, draft: Draft, actor: str, assignee: str) -> None:
    """Give it to somebody."""
    draft.incident.assignee = assignee
    draft.note("assign", actor, f"assigned to {assignee}", IncidentChange.ASSIGNED)


def link(desk: Desk, draft: Draft, actor: str, link: Link) -> None:
    """Attach a record elsewhere, or bring its state up to date."""
    links = draft.incident.links
    known = next((each for each in links if (each["kind"], each["id"]) == (link.kind, link.id)), None)
    if known is None and len(links) >= LINKS_MAX:
        draft.note("refused_link", actor, f"link changes nothing: the incident has {LINKS_MAX} links already")
        return
    if known is None:
        links.append(link.model_dump())
    else:
        known.update(link.model_dump(exclude_none=True))
    state = f" ({link.state})" if link.state else ""
    draft.note("link", actor, f"linked {link.kind} {link.id}{state}", IncidentChange.UPDATED)
