"""Commands on incidents: what people and downstream tools ask, applied once, answered on the timeline."""

from __future__ import annotations

from itertools import islice, zip_longest
from typing import Final

from pydantic import TypeAdapter, ValidationError

from pipeline.core.communication import telling
from pipeline.core.draft import Draft
from pipeline.core.escalation import escalating
from pipeline.core.practice import actions, adopt, answering, closing, majors, offering, waiting
from pipeline.core.practice.admission import admitted
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, refuse
from pipeline.models.command import Command, CommandType, Role, Target
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.incident import Incident
from pipeline.models.wire import to_json

COMMANDS_REMEMBERED_MAX: Final = 100
"""Command ids remembered by an incident: covers any sender's retries, bounds the record."""

_COMMAND: Final = TypeAdapter(Command)


OUTLIVES_A_MERGE: Final = frozenset(
    {
        CommandType.ACKNOWLEDGE,
        CommandType.START,
        CommandType.ASSIGN,
        CommandType.NOTE,
        CommandType.LINK,
        CommandType.ADD_ACTION,
        CommandType.COMPLETE_ACTION,
        CommandType.WAIT,
        CommandType.RESUME,
        CommandType.COMMUNICATE,
        CommandType.FULFIL_DUTY,
    }
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


def gone(command: Command, goes_on: str | None, what: str = "incident") -> BadRecord:
    """Why a command finds nothing that it could change, and what to do instead.

    Args:
        command: what is asked.
        goes_on: the incident into which the one that it names was merged, if it was.
        what: ``incident`` or ``bridge incident``.
    """
    words = f"{command.type}: no open {what} matches the target"
    if goes_on is not None:
        words = f"{words}, which was merged into {goes_on}; ask for that one"
    elif command.type == CommandType.REOPEN:
        words = (
            f"{words}; only what is resolved is reopened. What is closed, cancelled or merged stays so: what fires "
            "again opens a new one, and a note there may name this one"
        )
    else:
        words = f"{words}; what is closed, cancelled or merged stays so. `spillway incident list` has those to ask for"
    return BadRecord(Reason.UNKNOWN_TARGET, words)


def passed_on(command: Command, incident_id: str) -> Command:
    """What a person asked of a bridge incident, and may, for one of its members: he is not asked for his role again."""
    update = {
        "command_id": f"{command.command_id}/{incident_id}",
        "target": Target(incident_id=incident_id),
        "role": Role.SYSTEM,
        "expected_revision": None,
        "if_state": None,
    }
    return command.model_copy(update=update)


def remembered(one: Incident, other: Incident) -> list[str]:
    """The newest command ids of two incidents, of each as many: for the one in which both go on."""
    newest = zip_longest(reversed(one.commands), reversed(other.commands))
    both = dict.fromkeys(each for pair in newest for each in pair if each is not None)
    return list(islice(both, COMMANDS_REMEMBERED_MAX))[::-1]


def remember(draft: Draft, command: Command) -> bool:
    """Note the command's id on the incident and the revision; False where it was applied before."""
    draft.command_id = command.command_id
    known = draft.incident.commands
    if command.command_id in known:
        return False
    known.append(command.command_id)
    del known[:-COMMANDS_REMEMBERED_MAX]
    return True


def apply_command(desk: Desk, draft: Draft, command: Command, own: Handlers | None = None) -> None:
    """Apply a command to the incident of the draft, or refuse it on the timeline.

    Args:
        desk: the incident desk.
        draft: the incident's draft.
        command: what is asked.
        own: handlers of the stage that asks, for what concerns several incidents, which are its own.
    """
    draft.event_at_ms = command.at_ms
    if not admitted(desk, draft, command):
        return
    handler = (own or HANDLERS).get(command.type) or HANDLERS.get(command.type)
    if handler is None:
        refuse(draft, command, "it cannot be done to this incident")
    else:
        handler(desk, draft, command)


HANDLERS: Final[Handlers] = {
    **answering.HANDLERS,
    **waiting.HANDLERS,
    **actions.HANDLERS,
    **closing.HANDLERS,
    **adopt.HANDLERS,
    **escalating.HANDLERS,
    **telling.HANDLERS,
    **majors.HANDLERS,
    **offering.HANDLERS,
}
"""Every command that concerns one incident alone, by the concern that has it: a new concern is one line here."""
