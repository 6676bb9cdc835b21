"""Commands on incidents: what people and downstream tools ask, applied once, answered on the timeline."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from pipeline.core import adopt, answering, closing
from pipeline.core.desk import Desk
from pipeline.core.draft import Draft
from pipeline.core.handlers import Handlers, needs, refuse
from pipeline.models.command import Command, CommandType
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.incident import IncidentChange
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
    handler = HANDLERS.get(command.type)
    if handler is None:
        refuse(draft, command, "it cannot be done to this incident")
    else:
        handler(desk, draft, command)


def _link_bridge(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "bridge_id"):
        draft.incident.bridge_id = command.bridge_id
        text = f"bridge incident {command.bridge_id}: {command.note or 'linked'}"
        draft.note("bridge", command.actor, text, IncidentChange.BRIDGED)


def _unlink_bridge(desk: Desk, draft: Draft, command: Command) -> None:
    draft.incident.bridge_id = None
    draft.note("bridge", command.actor, "no longer linked to a bridge incident", IncidentChange.BRIDGED)


HANDLERS: Final[Handlers] = {
    **answering.HANDLERS,
    **closing.HANDLERS,
    **adopt.HANDLERS,
    CommandType.LINK_BRIDGE: _link_bridge,
    CommandType.UNLINK_BRIDGE: _unlink_bridge,
}
"""Every command that concerns one incident alone, by the concern that has it: a new concern is one line here."""
