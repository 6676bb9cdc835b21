"""Handlers of the end: resolve, reopen, close."""

from __future__ import annotations

from typing import Final

from pipeline.core import ending
from pipeline.core.desk import Desk
from pipeline.core.draft import Draft
from pipeline.core.handlers import Handlers, refuse, said
from pipeline.models.command import Command, CommandType


def _resolve(desk: Desk, draft: Draft, command: Command) -> None:
    ending.resolve(desk, draft, command.actor, command.resolution)


def _reopen(desk: Desk, draft: Draft, command: Command) -> None:
    ending.reopen(desk, draft, command.actor, f"reopened by {command.actor}{said(command)}")


def _close(desk: Desk, draft: Draft, command: Command) -> None:
    """Close; a resolution that comes with it completes the record."""
    resolution, incident = command.resolution, draft.incident
    if resolution is not None and incident.resolution is not None:
        incident.resolution |= resolution.model_dump(exclude_none=True)
        if resolution.corrective_action:
            text = f"corrective action: {resolution.corrective_action}"
            draft.note("corrective_action", command.actor, text)
    missing = [name for name in desk.policy(incident).closure.require if not (incident.resolution or {}).get(name)]
    if missing:
        refuse(draft, command, f"the {incident.domain} policy asks for {', '.join(missing)}", missing=missing)
        return
    ending.close(desk, draft, command.actor, f"closed by {command.actor}{said(command)}")


HANDLERS: Final[Handlers] = {
    CommandType.RESOLVE: _resolve,
    CommandType.REOPEN: _reopen,
    CommandType.CLOSE: _close,
}
"""Which handler has which command."""
