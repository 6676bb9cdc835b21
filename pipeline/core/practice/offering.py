"""Known errors that are offered: whoever works on an incident is told what helped the last time."""

from __future__ import annotations

from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, needs
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import IncidentChange

KNOWN_ERRORS_MAX: Final = 5
"""Known errors on one incident: who has to choose from more is not helped."""


def _offer(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "link", "workaround") or command.link is None:
        return
    incident, link = draft.incident, command.link
    if len(incident.known_errors) >= KNOWN_ERRORS_MAX or any(each["id"] == link.id for each in incident.known_errors):
        return
    title = link.state or link.id
    known = {
        "id": link.id,
        "title": title,
        "workaround": command.workaround,
        "url": link.url,
        "because": command.reason,
    }
    incident.known_errors.append(known)
    because = f" ({command.reason})" if command.reason else ""
    text = f"known error {link.id}, {title}{because}: {command.workaround}"
    draft.note("known_error", command.actor, text, IncidentChange.UPDATED, known_error=link.id, url=link.url)


HANDLERS: Final[Handlers] = {CommandType.OFFER_KNOWN_ERROR: _offer}
"""Which handler has which command."""
