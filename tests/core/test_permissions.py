"""Who may do what: each command, role and state; what a pack narrows; a refusal changes nothing but the timeline."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict
from typing import Any

import pytest

from pipeline.core.draft import Draft
from pipeline.core.practice.commands import apply_command
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.models.command import Command, CommandType, Role, Target
from pipeline.models.incident import IncidentState
from pipeline.models.permissions import DEFAULT_PERMISSIONS, Permission, permission_of
from tests.core.desks import desk, logged

# Columns: viewer, responder, commander, administrator, source, system. "x": may.
TABLE = {
    "acknowledge":     ". x x x x x",
    "unacknowledge":   ". x x x . x",
    "start":           ". x x x x x",
    "assign":          ". x x x x x",
    "unassign":        ". x x x x x",
    "set_priority":    ". x x x x x",
    "note":            ". x x x x x",
    "link":            ". x x x x x",
    "escalate":        ". x x x . x",
    "wait":            ". x x x x x",
    "resume":          ". x x x x x",
    "mitigate":        ". x x x x x",
    "add_action":      ". x x x x x",
    "complete_action": ". x x x x x",
    "resolve":         ". x x x x x",
    "close":           ". x x x x x",
    "reopen":          ". x x x x x",
    "cancel":          ". . x x . x",
    "merge":           ". x x x x x",
    "split":           ". x x x . x",
    "link_bridge":     ". . . . . x",
    "unlink_bridge":   ". . . . . x",
    "offer_known_error": ". . . . . x",
}  # fmt: skip
CELLS = [(kind, role, cell == "x") for kind, row in TABLE.items() for role, cell in zip(Role, row.split(), strict=True)]
ARGUMENTS: dict[str, Any] = {
    "assignee": "bob",
    "priority": "P2",
    "note": "words",
    "reason": "test",
    "workaround": "moved",
    "waiting_for": "vendor",
    "link": {"kind": "chat", "id": "1"},
    "action": {"id": "A", "text": "alarm"},
    "resolution": {"code": "fixed", "summary": "done"},
}


def asked(kind: str, role: str | None, **fields: Any) -> Command:
    given = {"command_id": "c", "type": kind, "actor": "ann", "role": role, "target": Target(incident_id="INC-1")}
    return Command.model_validate(given | fields)


def tried(at: Desk, command: Command, **incident: Any) -> tuple[Draft, dict[str, Any], str]:
    """The draft after a command, the incident before it, and the first thing that the timeline says."""
    draft = logged(at, **incident)
    draft.entries.clear()
    before = deepcopy(asdict(draft.incident))
    apply_command(at, draft, command)
    return draft, before, draft.entries[0].text


def is_forbidden(text: str) -> bool:
    return " policy lets " in text


@pytest.mark.parametrize(("kind", "role", "may"), CELLS)
def test_each_command_by_each_role(kind: str, role: Role, may: bool) -> None:
    _, _, text = tried(desk(), asked(kind, role, **ARGUMENTS))
    assert is_forbidden(text) is not may


@pytest.mark.parametrize(("kind", "role", "may"), CELLS)
def test_in_no_state_a_role_may_more_and_a_refusal_changes_nothing(kind: str, role: Role, may: bool) -> None:
    at = desk()
    for state in IncidentState:
        draft, before, text = tried(at, asked(kind, role, **ARGUMENTS), state=state, priority="P3")
        if state in ENDED_STATES:
            assert text == f"{kind} changes nothing: the incident is {state}"
        elif not may:
            assert is_forbidden(text)
        if draft.entries[0].action.startswith("refused"):
            assert asdict(draft.incident) == before
            assert draft.changes == []


def test_a_command_that_does_not_say_its_role_counts_as_a_responders() -> None:
    assert is_forbidden(tried(desk(), asked("cancel", None, reason="test"))[2])
    assert not is_forbidden(tried(desk(), asked("resolve", None))[2])


NARROW = {"resolve": Permission(
    roles=(Role.RESPONDER, Role.COMMANDER, Role.SOURCE),
    bridge=(Role.COMMANDER,),
    states={"waiting_vendor": (Role.COMMANDER, Role.SOURCE)},
    priorities={"P1": (Role.RESPONDER, Role.COMMANDER)},
)}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "incident", "may"),
    [
        ("responder", {"priority": "P2"}, True),
        ("source", {"priority": "P2"}, True),
        ("source", {"priority": "P1"}, False),
        ("responder", {"priority": "P1"}, True),
        ("responder", {"priority": "P2", "state": "waiting_vendor"}, False),
        ("source", {"priority": "P2", "state": "waiting_vendor"}, True),
        ("source", {"priority": "P1", "state": "waiting_vendor"}, False),
        ("responder", {"kind": "bridge"}, False),
        ("commander", {"kind": "bridge"}, True),
        ("administrator", {}, False),
        ("system", {"kind": "bridge", "state": "waiting_vendor"}, True),
    ],
)
def test_a_pack_narrows_by_kind_state_and_priority(role: str, incident: dict[str, Any], may: bool) -> None:
    text = tried(desk(permissions=NARROW), asked("resolve", role, **ARGUMENTS), **incident)[2]
    assert is_forbidden(text) is not may


def test_every_command_but_the_bridges_own_has_a_permission_that_lets_no_viewer_and_some_person() -> None:
    people = {Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR}
    for kind in CommandType:
        roles = set(permission_of({}, kind).roles)
        assert Role.VIEWER not in roles
        assert bool(roles & people) is (kind not in {"link_bridge", "unlink_bridge", "offer_known_error"})
    assert set(DEFAULT_PERMISSIONS) <= set(CommandType)
