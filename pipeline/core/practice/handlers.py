"""What a handler of a command is, and how it refuses: with words, on the record, and without a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.core.draft import Draft
from pipeline.core.practice.desk import Desk
from pipeline.models.command import Command, CommandType

Handler = Callable[[Desk, Draft, Command], None]
"""Applies a command to the incident of the draft, or refuses it by `refuse`."""

Handlers = Mapping[CommandType, Handler]
"""The handlers of one concern."""


def refuse(draft: Draft, command: Command, because: str, **facts: Any) -> None:
    """Say on the timeline why a command changes nothing. The caller has changed nothing, and does not from here on."""
    text = f"{command.type} changes nothing: {because}"
    draft.note(f"refused_{command.type}", command.actor, text, **facts)


def needs(draft: Draft, command: Command, *names: str) -> bool:
    """Whether a command brings its arguments; where it does not, that is on the timeline."""
    missing = [name for name in names if not getattr(command, name)]
    if missing:
        refuse(draft, command, f"it lacks {', '.join(missing)}", missing=missing)
    return not missing


def said(command: Command) -> str:
    """A command's note, as the end of a sentence."""
    return f": {command.note}" if command.note else ""
