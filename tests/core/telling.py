"""Words of the tests of communications: a desk with audiences, an incident that is told, and time that passes."""

from __future__ import annotations

from typing import Any

from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.practice import deadlines
from pipeline.core.practice.commands import apply_command
from pipeline.core.practice.desk import Desk
from pipeline.models.command import Command
from pipeline.models.communications import AudienceRule, CommunicationRules
from pipeline.models.incident import Incident
from pipeline.models.incident_parts import Communication
from tests.core.desks import desk, later, logged

PAGE = {"priorities": ("P1",), "approval": "none"}


def told_by(**rules: Any) -> CommunicationRules:
    """Rules of audiences, and no status page beside them."""
    audiences = {name: AudienceRule(**rule) for name, rule in rules.items()}
    return CommunicationRules(status_page=(), audiences=audiences)


def at_desk(**rules: Any) -> Desk:
    return desk(communication=told_by(**rules))


def begun(at: Desk, **fields: Any) -> Draft:
    draft = logged(at, **fields)
    communicate.keep(at, draft)
    return draft


def messages(incident: Incident, audience: str = "public") -> list[Communication]:
    return [each for each in incident.communications if each.audience == audience]


def states(draft: Draft, audience: str = "public") -> list[str]:
    return [each.state for each in messages(draft.incident, audience)]


def ask(at: Desk, draft: Draft, kind: str, now_ms: int, **fields: Any) -> Draft:
    given_fields = {"command_id": f"{kind}-{now_ms}", "type": kind, "actor": "ann", "target": {"incident_id": "INC-1"}}
    step = later(draft, now_ms)
    apply_command(at, step, Command.model_validate(given_fields | fields))
    communicate.keep(at, step)
    return step


def run(at: Desk, incident: Incident, until_ms: int) -> list[tuple[int, Draft]]:
    """Let time pass as a processor does: deadline by deadline, each followed by its revision."""
    done: list[tuple[int, Draft]] = []
    for _ in range(1_000):
        due_ms = deadlines.deadline_ms(at, incident)
        if due_ms is None or due_ms > until_ms:
            return done
        draft = Draft(incident, due_ms)
        deadlines.on_deadline(at, draft)
        communicate.keep(at, draft)
        done.append((due_ms, draft))
    raise AssertionError("deadlines without end")


def actions(draft: Draft) -> list[str]:
    return [each.action for each in draft.entries]
