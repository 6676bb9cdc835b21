"""Handlers of escalation: a person goes to the next level at once, or says that a suspect is not the cause."""

from __future__ import annotations

from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.escalation import calling, engaging
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, needs, refuse
from pipeline.core.practice.lifecycle import ANSWERED_STATES, Step
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import IncidentChange, IncidentKind, IncidentState


def _escalate(desk: Desk, draft: Draft, command: Command) -> None:
    """The next level at once, whether somebody has it or not."""
    incident = draft.incident
    reason = command.reason or command.note
    because = f"escalated by {command.actor}" + (f": {reason}" if reason else "")
    text = f"{command.actor} escalated" + (f": {reason}" if reason else "")
    answered = incident.state in ANSWERED_STATES
    if incident.state == IncidentState.ESCALATED:
        draft.note(Step.ESCALATE, command.actor, text, IncidentChange.ESCALATED)
    elif not desk.step(draft, Step.ESCALATE, command.actor, text):
        return
    if incident.kind == IncidentKind.INCIDENT:
        if incident.muted is not None:
            incident.escalation.pushed_over = list(incident.muted["by"])
        incident.muted = None  # who escalates wants people called, whatever mutes it
        calling.next_level(desk, draft, because, anew=answered)


def _clear_suspect(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "ref"):
        return
    incident, ref = draft.incident, command.ref or ""
    suspected = [each.ref for each in incident.suspects]
    engaged = [each.ref for each in incident.engaged if each.ended_ms is None]
    if ref not in suspected and ref not in engaged and ref != incident.identified:
        known = f"; suspected are {', '.join(suspected)}" if suspected else ""
        refuse(draft, command, f"{ref} is not suspected{known}")
        return
    engaging.clear_suspect(desk, draft, command.actor, ref, command.reason or command.note)


HANDLERS: Final[Handlers] = {
    CommandType.ESCALATE: _escalate,
    CommandType.CLEAR_SUSPECT: _clear_suspect,
}
"""Which handler has which command."""
