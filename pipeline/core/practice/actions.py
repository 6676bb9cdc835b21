"""Corrective actions: what is to be done so that it does not come back. Open ones outlive the incident."""

from __future__ import annotations

from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, refuse, said
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.incident_parts import CorrectiveAction
from pipeline.models.problem import ProblemCommand, ProblemCommandType

CORRECTIVE_ACTIONS_MAX: Final = 50
"""Corrective actions of one incident: more than any review agrees on, and bounds the record."""


def _add(desk: Desk, draft: Draft, command: Command) -> None:
    """Add an action; one whose id is known is brought up to date."""
    asked, incident = command.action, draft.incident
    known = _of(incident, asked.id if asked is not None else None)
    if asked is None or not (asked.text or known):
        refuse(draft, command, "it lacks the action's text", missing=["action"])
    elif known is not None and known.state != "open":
        refuse(draft, command, f"action {known.id} is {known.state}")
    elif known is not None:
        known.text, known.owner = asked.text or known.text, asked.owner or known.owner
        known.due_date = asked.due.isoformat() if asked.due else known.due_date
        draft.note("corrective_action", command.actor, f"corrective action: {_words(known)}", IncidentChange.UPDATED)
    elif len(incident.corrective_actions) >= CORRECTIVE_ACTIONS_MAX:
        refuse(draft, command, f"the incident has {CORRECTIVE_ACTIONS_MAX} corrective actions already")
    else:
        due = asked.due.isoformat() if asked.due else None
        open_action(draft, command.actor, asked.id or command.command_id, asked.text or "", asked.owner, due)


def _complete(desk: Desk, draft: Draft, command: Command) -> None:
    known = _of(draft.incident, command.action.id if command.action is not None else None)
    if known is None:
        ids = ", ".join(each.id for each in draft.incident.corrective_actions if each.state == "open")
        refuse(draft, command, f"it names no corrective action of the incident; open: {ids or 'none'}")
    elif known.state != "open":
        refuse(draft, command, f"action {known.id} is {known.state}")
    else:
        known.state, known.done_by, known.done_at_ms = "done", command.actor, draft.now_ms
        text = f"corrective action done: {known.text}{said(command)}"
        draft.note("action_done", command.actor, text, IncidentChange.UPDATED, action_id=known.id)


def _of(incident: Incident, action_id: str | None) -> CorrectiveAction | None:
    return next((each for each in incident.corrective_actions if each.id == action_id), None)


def _words(action: CorrectiveAction) -> str:
    owner = f", {action.owner}" if action.owner else ""
    return f"{action.text}{owner}" + (f", by {action.due_date}" if action.due_date else "")


def open_action(
    draft: Draft, actor: str, action_id: str, text: str, owner: str | None = None, due_date: str | None = None
) -> None:
    """Put an open action on the incident, and on its timeline; where it has as many as it can, on that alone."""
    found = CorrectiveAction(
        id=action_id, text=text, opened_by=actor, opened_at_ms=draft.now_ms, owner=owner, due_date=due_date
    )
    actions = draft.incident.corrective_actions
    if len(actions) < CORRECTIVE_ACTIONS_MAX:
        actions.append(found)
    facts = {"action_id": action_id}
    draft.note("corrective_action", actor, f"corrective action: {_words(found)}", IncidentChange.UPDATED, **facts)


def owe(draft: Draft, command: Command, text: str) -> None:
    """Open the action that a command leads to; its owner is whom the command names, or who has the incident."""
    asked, incident = command.action, draft.incident
    owner = (asked.owner if asked is not None else None) or incident.assignee or incident.owner
    due = asked.due.isoformat() if asked is not None and asked.due else None
    known = _of(incident, asked.id if asked is not None else None)
    if known is not None and known.state == "open":  # the same fix is owed, again
        known.text, known.owner, known.due_date = text, owner, due or known.due_date
        draft.note("corrective_action", command.actor, f"corrective action: {_words(known)}", IncidentChange.UPDATED)
        return
    own = asked.id if asked is not None and known is None else None
    open_action(draft, command.actor, own or command.command_id, text, owner, due)


def completion(command: Command) -> ProblemCommand | None:
    """That an action is done, as the problem of an incident that has ended is told; None: it is not that."""
    incident_id, action = command.target.incident_id, command.action
    if command.type != CommandType.COMPLETE_ACTION or not incident_id or action is None or action.id is None:
        return None
    return ProblemCommand(
        command_id=command.command_id,
        type=ProblemCommandType.COMPLETE_ACTION,
        actor=command.actor,
        problem_id=incident_id,
        role=command.role,
        at=command.at,
        text=command.note,
        action_id=action.id,
    )


HANDLERS: Final[Handlers] = {
    CommandType.ADD_ACTION: _add,
    CommandType.COMPLETE_ACTION: _complete,
}
"""Which handler has which command."""
