"""Calling people: the escalation path of an incident runs until somebody has it."""

from __future__ import annotations

from pipeline.core.desk import MACHINE, Desk
from pipeline.core.draft import Draft
from pipeline.core.lifecycle import UNANSWERED_STATES
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.incident_parts import Page


def begin(desk: Desk, draft: Draft) -> None:
    """Start the escalation path of the incident's priority from its first level, now."""
    escalation = draft.incident.escalation
    escalation.level, escalation.started_at_ms = 0, draft.now_ms
    reschedule(desk, draft.incident)
    escalate(desk, draft)


def escalate(desk: Desk, draft: Draft) -> None:
    """Fire every level that is due, unless somebody has acknowledged."""
    incident = draft.incident
    path = desk.escalator.path(desk.policy(incident), incident.priority)
    escalation = incident.escalation
    if escalation.next_at_ms is not None:
        # The path may be another one since the deadline was set (priority, configuration). Where it is gone or
        # shorter, the old deadline would be due for ever.
        reschedule(desk, incident)
    while path and escalation.next_at_ms is not None and escalation.next_at_ms <= draft.now_ms:
        level = path.levels[escalation.level]
        for call in desk.escalator.pages(incident, path, level, draft.now_ms):
            page(desk, draft, call)
        if not escalation.paged:
            who = f"nobody is on call for {desk.topology.title(incident.service)}"
            draft.note("page_failed", MACHINE, f"{who}: level {escalation.level + 1} called nobody")
        escalation.level += 1
        reschedule(desk, incident)


def page(desk: Desk, draft: Draft, call: Page) -> None:
    """Call somebody, with the runbook."""
    draft.incident.escalation.paged.append(call)
    service = f" for {desk.topology.title(call.service)}" if call.service else ""
    runbook = f"; runbook {call.runbook}" if call.runbook else ""
    rotation = f" ({call.rotation})" if call.rotation else ""
    draft.note(
        "page",
        MACHINE,
        f"paged {call.person}{rotation}{service}: {call.because}{runbook}",
        IncidentChange.ESCALATED,
        person=call.person,
        target=call.target,
        service=call.service,
        runbook=call.runbook,
    )


def reschedule(desk: Desk, incident: Incident) -> None:
    """Set when the next level fires: while nobody has it, by the path of the priority that it has now."""
    waits = incident.state in UNANSWERED_STATES
    path = desk.escalator.path(desk.policy(incident), incident.priority) if waits else None
    incident.escalation.next_at_ms = desk.escalator.due_ms(incident, path)
