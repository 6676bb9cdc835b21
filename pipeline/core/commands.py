"""Commands on incidents: what people and downstream tools ask, applied once, answered on the timeline."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from pipeline.core import calling, ending, response, sla
from pipeline.core.desk import Desk
from pipeline.core.draft import Draft
from pipeline.core.lifecycle import UNANSWERED_STATES
from pipeline.models.command import Command, CommandType
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.incident import IncidentChange, IncidentKind
from pipeline.models.wire import to_json

COMMANDS_REMEMBERED_MAX: Final = 100
"""Command ids remembered by an incident: covers any sender's retries, bounds the record."""

_COMMAND: Final = TypeAdapter(Command)


OUTLIVES_A_MERGE: Final = frozenset(
    {CommandType.ACKNOWLEDGE, CommandType.START, CommandType.ASSIGN, CommandType.NOTE, CommandType.LINK}
)
"""What is asked of an incident that was merged meanwhile and is meant for the one that goes on: somebody answers a page
that has the old id. To end what was merged, as a desk does that hears of the merge, ends nothing else."""


def parse_command(value: bytes | None) -> Command:
    """Read a command.

    Raises:
        BadRecord: it is empty, not JSON, or not a command; the detail names the field.
    """
    if not value:
        raise BadRecord(Reason.EMPTY, "a command without a value")
    try:
        return _COMMAND.validate_json(value)
    except ValidationError as error:
        raise BadRecord(Reason.WRONG_TYPE, describe(error)) from None


def describe(error: ValidationError) -> str:
    """A validation error in one line that names fields, never values."""
    parts = [f"{'.'.join(str(each) for each in item['loc']) or 'value'}: {item['msg']}" for item in error.errors()[:3]]
    return "; ".join(parts)


def encode_command(command: Command) -> bytes:
    """The wire form of a command of ours."""
    return to_json(command.model_dump(mode="json", exclude_none=True))


def aimed_at(command: Command, incident_id: str) -> Command:
    """The same command for one incident by its id: how what was meant for a bridge incident travels on."""
    target = command.target.model_copy(update={"incident_id": incident_id, "bridge": False})
    return command.model_copy(update={"target": target})


def remember(draft: Draft, command: Command) -> bool:
    """Note the command's id on the incident; False where it was applied before."""
    known = draft.incident.commands
    if command.command_id in known:
        return False
    known.append(command.command_id)
    del known[:-COMMANDS_REMEMBERED_MAX]
    return True


def apply_command(desk: Desk, draft: Draft, command: Command) -> None:
    """Apply a command that concerns one incident alone. Merge and split concern several and are correlate's."""
    actor, incident = command.actor, draft.incident
    match command.type:
        case CommandType.ACKNOWLEDGE:
            response.acknowledge(desk, draft, actor, command.note)
        case CommandType.START:
            response.start(desk, draft, actor, command.note)
        case CommandType.ASSIGN if command.assignee:
            response.assign(desk, draft, actor, command.assignee)
        case CommandType.SET_PRIORITY if command.priority:
            _set_priority(desk, draft, actor, command.priority)
        case CommandType.NOTE if command.note:
            draft.note("note", actor, command.note, IncidentChange.NOTED)
        case CommandType.LINK if command.link:
            response.link(desk, draft, actor, command.link)
        case CommandType.RESOLVE:
            ending.resolve(desk, draft, actor, command.resolution)
        case CommandType.REOPEN:
            ending.reopen(desk, draft, actor, f"reopened by {actor}" + (f": {command.note}" if command.note else ""))
        case CommandType.CLOSE:
            _close(desk, draft, command)
        case CommandType.LINK_BRIDGE if command.bridge_id:
            incident.bridge_id = command.bridge_id
            text = command.note or "linked"
            draft.note("bridge", actor, f"bridge incident {command.bridge_id}: {text}", IncidentChange.BRIDGED)
        case CommandType.UNLINK_BRIDGE:
            incident.bridge_id = None
            draft.note("bridge", actor, "no longer linked to a bridge incident", IncidentChange.BRIDGED)
        case _:
            draft.note(f"refused_{command.type}", actor, f"{command.type} lacks its argument: nothing was changed")


def _set_priority(desk: Desk, draft: Draft, actor: str, priority: str) -> None:
    incident = draft.incident
    known = sorted({each for row in desk.policy(incident).matrix.values() for each in row.values()})
    if priority not in known:
        text = f"priority {priority} is not one of {', '.join(known)}: nothing was changed"
        draft.note("refused_set_priority", actor, text)
        return
    before, incident.priority, incident.priority_by = incident.priority, priority, actor
    draft.note("priority", actor, f"priority set from {before} to {priority} by {actor}", IncidentChange.UPDATED)
    sla.set_clocks(desk, draft)
    if incident.kind == IncidentKind.INCIDENT and incident.state in UNANSWERED_STATES:
        calling.begin(desk, draft)


def _close(desk: Desk, draft: Draft, command: Command) -> None:
    """Close; a resolution that comes with it completes the record."""
    said = command.resolution
    incident = draft.incident
    if said is not None and incident.resolution is not None:
        incident.resolution |= said.model_dump(exclude_none=True)
        if said.corrective_action:
            draft.note("corrective_action", command.actor, f"corrective action: {said.corrective_action}")
    missing = [name for name in desk.policy(incident).closure.require if not (incident.resolution or {}).get(name)]
    if missing:
        text = f"not closed: the {incident.domain} policy asks for {', '.join(missing)}"
        draft.note("refused_close", command.actor, text, missing=missing)
        return
    ending.close(
        desk, draft, command.actor, f"closed by {command.actor}" + (f": {command.note}" if command.note else "")
    )
