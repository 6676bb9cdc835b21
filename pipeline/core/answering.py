"""Handlers of the response: acknowledge, start, assign, set the priority, note, link, escalate."""

from __future__ import annotations

from typing import Final

from pipeline.core import calling, response, sla
from pipeline.core.desk import Desk
from pipeline.core.draft import Draft
from pipeline.core.handlers import Handlers, needs, refuse
from pipeline.core.lifecycle import UNANSWERED_STATES, Step
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import IncidentChange, IncidentKind


def _acknowledge(desk: Desk, draft: Draft, command: Command) -> None:
    response.acknowledge(desk, draft, command.actor, command.note)


def _start(desk: Desk, draft: Draft, command: Command) -> None:
    response.start(desk, draft, command.actor, command.note)


def _assign(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "assignee"):
        response.assign(desk, draft, command.actor, command.assignee or "")


def _note(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "note"):
        draft.note("note", command.actor, command.note or "", IncidentChange.NOTED)


def _link(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "link") and command.link is not None:
        response.link(desk, draft, command.actor, command.link)


def _escalate(desk: Desk, draft: Draft, command: Command) -> None:
    if desk.step(draft, Step.ESCALATE, command.actor, f"{command.actor} escalated: {command.reason or command.note}"):
        calling.begin(desk, draft)


def _set_priority(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "priority"):
        return
    incident, priority, actor = draft.incident, command.priority or "", command.actor
    known = desk.policy(incident).priorities
    if priority not in known:
        refuse(draft, command, f"priority {priority} is not one of {', '.join(known)}")
        return
    before, incident.priority, incident.priority_by = incident.priority, priority, actor
    draft.note("priority", actor, f"priority set from {before} to {priority} by {actor}", IncidentChange.UPDATED)
    sla.set_clocks(desk, draft)
    if incident.kind == IncidentKind.INCIDENT and incident.state in UNANSWERED_STATES:
        calling.begin(desk, draft)


HANDLERS: Final[Handlers] = {
    CommandType.ACKNOWLEDGE: _acknowledge,
    CommandType.START: _start,
    CommandType.ASSIGN: _assign,
    CommandType.SET_PRIORITY: _set_priority,
    CommandType.NOTE: _note,
    CommandType.LINK: _link,
    CommandType.ESCALATE: _escalate,
}
"""Which handler has which command."""
