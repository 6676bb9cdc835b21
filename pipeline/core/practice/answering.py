"""Handlers of the response: acknowledge, hand back, start, assign, set the priority, note, link."""

from __future__ import annotations

from typing import Final

from pipeline.core.clocks import sla
from pipeline.core.communication import telling
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling
from pipeline.core.practice import response, waiting
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.handlers import Handlers, needs, refuse, said
from pipeline.core.practice.lifecycle import UNANSWERED_STATES
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import IncidentChange, IncidentKind

INTERNAL: Final = "internal"
"""Whom a note is for that does not say: those who work on the incident."""


def _acknowledge(desk: Desk, draft: Draft, command: Command) -> None:
    response.acknowledge(desk, draft, command.actor, command.note)


def _hand_back(desk: Desk, draft: Draft, command: Command) -> None:
    text = f"{command.actor} hands it back{said(command)}"
    response.hand_back(desk, draft, command.actor, text)


def _start(desk: Desk, draft: Draft, command: Command) -> None:
    response.start(desk, draft, command.actor, command.note)


def _assign(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "assignee"):
        response.assign(desk, draft, command.actor, command.assignee)


def _unassign(desk: Desk, draft: Draft, command: Command) -> None:
    if draft.incident.assignee is None:
        refuse(draft, command, "it is assigned to nobody")
    else:
        response.assign(desk, draft, command.actor, None)


def _note(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "note") and not telling.note(desk, draft, command):
        audience = command.audience or INTERNAL
        draft.note("note", command.actor, command.note or "", IncidentChange.NOTED, audience=audience)


def _link(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "link") and command.link is not None:
        response.link(desk, draft, command.actor, command.link)
        waiting.heard(desk, draft, command.link)


def _set_priority(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "priority"):
        return
    incident, priority, actor = draft.incident, command.priority or "", command.actor
    known = desk.policy(incident).priorities
    spelt = {each.upper(): each for each in known}
    priority = spelt.get(priority.upper(), priority)
    if priority not in known:
        refuse(draft, command, f"priority {priority} is not one of {', '.join(known)}")
        return
    if actor == MACHINE and incident.priority_by is not None:
        refuse(draft, command, f"{incident.priority_by} has set it")
        return
    before, incident.priority = incident.priority, priority
    incident.priority_by = None if actor == MACHINE else actor
    incident.last_step_at_ms[CommandType.SET_PRIORITY.value] = draft.asked_at_ms
    draft.note("priority", actor, f"priority set from {before} to {priority} by {actor}", IncidentChange.UPDATED)
    sla.set_clocks(desk, draft)
    if incident.kind == IncidentKind.INCIDENT and incident.state in UNANSWERED_STATES:
        calling.priority_changed(desk, draft, before)


HANDLERS: Final[Handlers] = {
    CommandType.ACKNOWLEDGE: _acknowledge,
    CommandType.UNACKNOWLEDGE: _hand_back,
    CommandType.START: _start,
    CommandType.ASSIGN: _assign,
    CommandType.UNASSIGN: _unassign,
    CommandType.SET_PRIORITY: _set_priority,
    CommandType.NOTE: _note,
    CommandType.LINK: _link,
}
"""Which handler has which command."""
