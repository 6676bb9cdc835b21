"""The response: somebody acknowledges, starts, is assigned, links records elsewhere; or hands the incident back."""

from __future__ import annotations

from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.escalation import calling
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.lifecycle import Step
from pipeline.models.command import CommandType, Link
from pipeline.models.incident import Incident, IncidentChange, IncidentKind

LINKS_MAX: Final = 50
"""Records elsewhere that one incident names: more than any has, and bounds the record."""


def answered(draft: Draft) -> None:
    """Somebody has it: escalation stops. The response clock is met by the state."""
    incident = draft.incident
    incident.acknowledged_at_ms = incident.acknowledged_at_ms or draft.now_ms
    incident.escalation.next_at_ms = None


def acknowledge(desk: Desk, draft: Draft, actor: str, note: str | None = None) -> None:
    """Somebody has it."""
    text = f"{actor} acknowledged" + (f": {note}" if note else "")
    if desk.step(draft, Step.ACKNOWLEDGE, actor, text):
        answered(draft)


def start(desk: Desk, draft: Draft, actor: str, note: str | None = None) -> None:
    """Work has begun; that acknowledges as well."""
    if desk.step(draft, Step.START, actor, f"{actor} works on it" + (f": {note}" if note else "")):
        answered(draft)


def forget_workaround(draft: Draft) -> None:
    """The service is not restored after all: the clock runs on. What the workaround was is on the timeline."""
    incident = draft.incident
    if incident.mitigated_at_ms is not None:
        incident.mitigated_at_ms = incident.workaround = None


def hand_back(desk: Desk, draft: Draft, actor: str, text: str) -> None:
    """Nobody has it any more: people are called again, from the first level."""
    if not desk.step(draft, Step.UNACKNOWLEDGE, actor, text):
        return
    forget_workaround(draft)
    if draft.incident.kind == IncidentKind.INCIDENT:
        calling.begin_again(desk, draft, f"handed back by {actor}")


def assign(desk: Desk, draft: Draft, actor: str, assignee: str | None) -> None:
    """Give it to somebody; to nobody, where there is no assignee."""
    incident = draft.incident
    before, incident.assignee = incident.assignee, assignee
    incident.last_step_at_ms[CommandType.ASSIGN.value] = draft.asked_at_ms
    text = f"assigned to {assignee}" if assignee else f"no longer assigned to {before}"
    draft.note("assign" if assignee else "unassign", actor, text, IncidentChange.ASSIGNED)


def too_many_links(incident: Incident, kind: str, link_id: str) -> bool:
    """Whether the incident cannot take one more link, and this would be one."""
    links = incident.links
    return len(links) >= LINKS_MAX and all((each["kind"], each["id"]) != (kind, link_id) for each in links)


def link(desk: Desk, draft: Draft, actor: str, link: Link) -> None:
    """Attach a record elsewhere, or bring its state up to date."""
    links = draft.incident.links
    known = next((each for each in links if (each["kind"], each["id"]) == (link.kind, link.id)), None)
    if too_many_links(draft.incident, link.kind, link.id):
        draft.note("refused_link", actor, f"link changes nothing: the incident has {LINKS_MAX} links already")
        return
    if known is None:
        links.append(link.model_dump())
    else:
        known.update(link.model_dump(exclude_none=True))
    state = f" ({link.state})" if link.state else ""
    draft.note("link", actor, f"linked {link.kind} {link.id}{state}", IncidentChange.UPDATED)
