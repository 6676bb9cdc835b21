"""Handlers of communications: say something to an audience, approve or discard a draft, record that a notice was given.

Whoever may approve (a commander, unless the pack says otherwise) publishes without asking.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.clocks import sla
from pipeline.core.communication import audiences, communicate, duties
from pipeline.core.communication.communicate import Words
from pipeline.core.communication.templates import MESSAGE_CHARACTERS_MAX
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, needs, refuse
from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.models.command import Command, CommandType, Role
from pipeline.models.communications import SPOKEN, STATES, UPDATE, VIEWS
from pipeline.models.incident import Incident, IncidentKind
from pipeline.models.incident_parts import AudienceStream, Communication
from pipeline.models.permissions import permission_of

INTERNAL: Final = "internal"
"""Audience of a note that is for nobody but the record."""


def note(desk: Desk, draft: Draft, command: Command) -> bool:
    """Say a note to the audience that it names; False: it names none, and is for the record alone."""
    if (command.audience or INTERNAL) == INTERNAL:
        return False
    _speak(desk, draft, command, command.note or "")
    return True


def _communicate(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "audience"):
        return
    if command.state is not None and command.state not in STATES:
        refuse(draft, command, f"there is no state {command.state}; known: {', '.join(STATES)}")
        return
    _speak(desk, draft, command, command.text or command.note or "")


def _speak(desk: Desk, draft: Draft, command: Command, text: str) -> None:
    """Say a text, or have the template of a state say the newest facts."""
    incident, audience = draft.incident, command.audience or ""
    if incident.state in ENDED_STATES:
        refuse(draft, command, f"the incident is {incident.state}, and whoever reads of it was told how it ended")
        return
    if len(text) > MESSAGE_CHARACTERS_MAX:
        refuse(draft, command, f"a message has {MESSAGE_CHARACTERS_MAX:,} characters at most")
        return
    found = audiences.channels_of(desk, incident, audience)
    if not found:
        known = sorted({*VIEWS, *(each.audience for each in audiences.channels(desk, incident))})
        refuse(draft, command, f"there is no audience {audience}; known: {INTERNAL}, {', '.join(known)}")
        return
    stream = next((incident.streams.get(each.key) for each in found), None)
    state = command.state or communicate.phase(incident, stream.state if stream is not None else "")
    template = SPOKEN if text else command.state or UPDATE
    words = Words(state, template, command.actor, text, approved=_may_publish(desk, incident, command.as_role))
    communicate.speak(desk, draft, audience, words)


def _may_publish(desk: Desk, incident: Incident, role: Role) -> bool:
    """Whether a role may approve what others say, and so needs nobody's approval itself."""
    permission = permission_of(desk.policy(incident).permissions, CommandType.APPROVE_COMMUNICATION)
    is_bridge = incident.kind == IncidentKind.BRIDGE
    may = permission.lets(bridge=is_bridge, state=incident.state, priority=incident.priority)
    return role == Role.SYSTEM or role in may


def _drafts(draft: Draft, command: Command) -> list[tuple[AudienceStream, Communication]]:
    """Drafts of the audience that a command names; none is refused."""
    incident: Incident = draft.incident
    found = [
        (stream, waiting)
        for stream in incident.streams.values()
        if stream.audience == command.audience and (waiting := communicate.pending(incident, stream)) is not None
    ]
    if not found:
        refuse(draft, command, f"no message for {command.audience} waits for approval")
    return found


def _approve(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "audience"):
        return
    for stream, waiting in _drafts(draft, command):
        communicate.publish(draft, stream, waiting, command.actor)
        sla.informed(desk, draft, stream.audience)


def _discard(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "audience"):
        return
    for stream, waiting in _drafts(draft, command):
        stream.number -= 1
        communicate.discard(draft, waiting, command.actor, command.note or command.reason or f"by {command.actor}")


def _fulfil(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "duty", "note"):
        return
    if not duties.fulfil(draft, command.duty or "", command.actor, command.note or ""):
        owed = [each.name for each in draft.incident.duties if each.done_at_ms is None]
        refuse(draft, command, f"it owes no notice {command.duty}; it owes: {', '.join(owed) or 'none'}")


HANDLERS: Final[Handlers] = {
    CommandType.COMMUNICATE: _communicate,
    CommandType.APPROVE_COMMUNICATION: _approve,
    CommandType.DISCARD_COMMUNICATION: _discard,
    CommandType.FULFIL_DUTY: _fulfil,
}
"""Which handler has which command."""
