"""Handlers of the end: resolve, close, reopen, cancel."""

from __future__ import annotations

from typing import Any, Final

from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.practice import ending, lifecycle
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, needs, refuse, said
from pipeline.core.practice.lifecycle import Step
from pipeline.models.command import Command, CommandType, Role

_NO_PERSON: Final = frozenset({Role.SYSTEM, Role.SOURCE})
"""Roles in which no person is there to be asked for more."""

CANCEL_CODES: Final = frozenset({"false_alarm", "duplicate", "test"})
"""Reasons of a cancellation that are its resolution code as well; any other has `CANCELLED_CODE`."""

CANCELLED_CODE: Final = "cancelled"


def _resolve(desk: Desk, draft: Draft, command: Command) -> None:
    excused = command.as_role == Role.SYSTEM
    ending.resolve(desk, draft, command.actor, command.resolution, excused=excused)


def _reopen(desk: Desk, draft: Draft, command: Command) -> None:
    reason = command.reason or command.note
    if not reason and command.as_role not in _NO_PERSON:
        refuse(draft, command, "it lacks a reason", missing=["reason"])
        return
    ending.reopen(desk, draft, command.actor, f"reopened by {command.actor}" + (f": {reason}" if reason else ""))


def _close(desk: Desk, draft: Draft, command: Command) -> None:
    """Close; a resolution that comes with it completes the record."""
    incident, given = draft.incident, command.resolution
    if lifecycle.advance(incident.state, Step.CLOSE) is None:
        refuse(draft, command, f"the incident is {incident.state}")
        return
    whole: dict[str, Any] = dict(incident.resolution or {})
    if given is not None:
        whole |= given.model_dump(exclude_none=True) | {"by": command.actor}
    if command.as_role != Role.SYSTEM:
        because = ending.unknown_code(desk, incident, given)
        missing = ending.missing(desk, incident, whole)
        if because is not None or missing:
            refuse(draft, command, because or ending.asks_for(incident, missing), missing=missing)
            return
    if given is not None:
        incident.resolution = whole
        ending.keep_action(draft, command.actor, given)
    ending.close(desk, draft, command.actor, f"closed by {command.actor}{said(command)}")


def _cancel(desk: Desk, draft: Draft, command: Command) -> None:
    """It was none: a false alarm, a duplicate, a test. Whatever it had opened elsewhere is ended."""
    if not needs(draft, command, "reason"):
        return
    incident, reason = draft.incident, command.reason or ""
    word = reason.strip().lower().replace(" ", "_")
    firing = incident.episodes_open
    still = f"; what still fires ({firing}) belongs to no incident from here on" if firing else ""
    text = f"cancelled by {command.actor}: {reason}{said(command)}{still}"
    if not desk.step(draft, Step.CANCEL, command.actor, text):
        return
    incident.resolution = {
        "code": word if word in CANCEL_CODES else CANCELLED_CODE,
        "summary": reason,
        "by": command.actor,
    }
    incident.closed_at_ms, incident.resolve_at_ms = draft.now_ms, None
    incident.escalation.next_at_ms, incident.waiting = None, []
    ending.end_tickets(draft, "told that it is cancelled")
    communicate.tell(desk, draft, "cancelled")


HANDLERS: Final[Handlers] = {
    CommandType.RESOLVE: _resolve,
    CommandType.REOPEN: _reopen,
    CommandType.CLOSE: _close,
    CommandType.CANCEL: _cancel,
}
"""Which handler has which command."""
