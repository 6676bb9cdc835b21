"""One incident on a desk for tests of escalation: asked and left alone by turns, and read back after each step."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.core.draft import Draft
from pipeline.core.escalation import watching
from pipeline.core.practice.commands import apply_command
from pipeline.core.practice.desk import Desk
from pipeline.models.command import Command
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.incident_parts import TimelineEntry
from pipeline.models.wire import to_json
from tests.core.desks import logged


def path(*levels: tuple[float, str], **fields: Any) -> EscalationPath:
    given: dict[str, Any] = {"priorities": ("P1",)} | fields
    made = tuple(EscalationLevel(after_minutes=after, notify=tuple(who.split())) for after, who in levels)
    return EscalationPath(levels=made, **given)


class Case:
    """One incident on a desk, as correlate would have it: every step is watched, and its state read back."""

    def __init__(self, at: Desk, **fields: Any) -> None:
        self.at = at
        self.entries: list[TimelineEntry] = []
        self.incident = self.done(logged(at, **fields))

    def done(self, draft: Draft) -> Incident:
        watching.watch(self.at, draft)
        self.entries += draft.entries
        self.incident = incident_from_wire(orjson.loads(to_json(draft.incident)))
        return self.incident

    def ask(self, kind: str, at_ms: int, actor: str = "ann", **fields: Any) -> list[str]:
        """Give a command; the actions that it led to."""
        value = {"command_id": f"{kind}-{at_ms}", "type": kind, "actor": actor, "target": {"incident_id": "INC-1"}}
        draft = Draft(self.incident, at_ms)
        apply_command(self.at, draft, Command.model_validate(value | fields))
        self.done(draft)
        return [each.action for each in draft.entries]

    def until(self, until_ms: int) -> list[str]:
        """Let time pass; the actions that it led to."""
        done: list[str] = []
        while (due_ms := watching.due_ms(self.incident)) is not None and due_ms <= until_ms:
            done += self.at_deadline(due_ms)
        return done

    def at_deadline(self, at_ms: int) -> list[str]:
        """What is due at a moment is done; the actions that it led to."""
        draft = Draft(self.incident, at_ms)
        watching.on_due(self.at, draft)
        self.done(draft)
        return [each.action for each in draft.entries]

    def people(self) -> list[str]:
        return [each.facts["person"] for each in self.entries if each.action == "page"]

    def said(self, action: str) -> list[str]:
        return [each.text for each in self.entries if each.action == action]
