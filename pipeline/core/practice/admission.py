"""Whether a command may do anything at all: who asks, in what state the incident is, and what he knew when he asked.

Nothing is changed here. A refusal is on the timeline with its reason.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pipeline.core.communication.telling import INTERNAL
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import refuse
from pipeline.core.practice.lifecycle import ENDED_STATES, Step
from pipeline.models.command import Command, CommandType, Role
from pipeline.models.incident import Incident, IncidentKind
from pipeline.models.permissions import permission_of
from pipeline.models.policy import DomainPolicy

_BACK: Final = (Step.REOPEN, Step.UNACKNOWLEDGE)
_WAITS: Final = (Step.WAIT_FOR_CUSTOMER, Step.WAIT_FOR_VENDOR, Step.WAIT_FOR_PROVIDER)

CONTRADICTS: Final[dict[CommandType, tuple[str, ...]]] = {
    CommandType.ACKNOWLEDGE: _BACK,
    CommandType.START: _BACK,
    CommandType.UNACKNOWLEDGE: (Step.ACKNOWLEDGE, Step.START),
    CommandType.WAIT: (Step.REOPEN, Step.RESUME),
    CommandType.RESUME: (*_WAITS, Step.MITIGATE),
    CommandType.MITIGATE: (Step.REOPEN,),
    CommandType.RESOLVE: (Step.REOPEN,),
    CommandType.CLOSE: (Step.REOPEN,),
    CommandType.CANCEL: (Step.REOPEN,),
    CommandType.REOPEN: (Step.RESOLVE,),
    CommandType.ASSIGN: (CommandType.ASSIGN,),
    CommandType.UNASSIGN: (CommandType.ASSIGN,),
    CommandType.SET_PRIORITY: (CommandType.SET_PRIORITY,),
    CommandType.CORRECT_IMPACT: (CommandType.CORRECT_IMPACT,),
    CommandType.SET_STATUS: (CommandType.SET_STATUS, Step.REOPEN),
    CommandType.ASSIGN_COMMANDER: (CommandType.ASSIGN_COMMANDER,),
}
"""What a command would undo. One that was asked before that happened did not know of it, and came late."""


def admitted(desk: Desk, draft: Draft, command: Command) -> bool:
    """Whether a command goes to its handler; where it does not, the timeline says why."""
    because = (
        _ended(draft.incident)
        or _forbidden(desk, draft.incident, command)
        or _unexpected(draft.incident, command)
        or _late(draft.incident, command)
    )
    if because is not None:
        refuse(draft, command, because)
    return because is None


def _ended(incident: Incident) -> str | None:
    return f"the incident is {incident.state}" if incident.state in ENDED_STATES else None


def _forbidden(desk: Desk, incident: Incident, command: Command) -> str | None:
    is_bridge = incident.kind == IncidentKind.BRIDGE
    policy = desk.policy(incident)
    return forbidden(policy, command, is_bridge=is_bridge, state=incident.state, priority=incident.priority)


def forbidden(policy: DomainPolicy, command: Command, *, is_bridge: bool, state: str, priority: str) -> str | None:
    """Why a policy does not let the role of a command give it to such an incident, in words; None: it does."""
    role = command.as_role
    if role == Role.SYSTEM:
        return None
    roles: tuple[Role, ...] = ()
    for kind in _what_it_does(command):
        roles = permission_of(policy.permissions, kind).lets(bridge=is_bridge, state=state, priority=priority)
        if role not in roles:
            break
    else:
        return None
    who = ", ".join(roles) or "nobody"
    what = f"{priority} bridge incident" if is_bridge else f"{priority} incident"
    return f"the {policy.domain} policy lets {who} do that to a {what} that is {state}, not a {role}"


def _what_it_does(command: Command) -> tuple[CommandType, ...]:
    """The commands that somebody must be allowed: a note to an audience is a message to it as well."""
    if command.type == CommandType.NOTE and command.audience not in {None, INTERNAL}:
        return CommandType.NOTE, CommandType.COMMUNICATE
    return (command.type,)


def _unexpected(incident: Incident, command: Command) -> str | None:
    """The sender says what he went by, and it is another by now."""
    if command.expected_revision not in (None, incident.revision):
        return f"it was meant for revision {command.expected_revision}, this is {incident.revision}"
    if command.if_state not in (None, incident.state):
        return f"it was meant for an incident that is {command.if_state}, this is {incident.state}"
    return None


def _late(incident: Incident, command: Command) -> str | None:
    asked_ms = command.at_ms
    if asked_ms is None:
        return None
    done = {name: incident.last_step_at_ms.get(name, 0) for name in CONTRADICTS.get(command.type, ())}
    latest = max(done, key=done.__getitem__, default=None)
    if latest is None or done[latest] <= asked_ms:
        return None
    return f"it was asked at {_moment(asked_ms)}, before {latest} at {_moment(done[latest])}"


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S}Z"
