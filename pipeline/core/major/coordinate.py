"""Coordinating a Major Incident: its one status, its commander, and who is called for it."""

from __future__ import annotations

from typing import Final

from pipeline.core.clocks import sla
from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.escalation.paging import nobody, page_all
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import Step
from pipeline.models.command import CommandType
from pipeline.models.incident import IncidentChange
from pipeline.models.major import CoordinatedStatus as Status

ORDER: Final = {status.value: rank for rank, status in enumerate(Status)}

_TOLD: Final = {
    Status.INVESTIGATING: "investigating",
    Status.IDENTIFIED: "identified",
    Status.MITIGATING: "identified",
    Status.MONITORING: "mitigated",
}
"""What audiences are told of a status: a person's own words with it are internal."""


def begin(desk: Desk, draft: Draft) -> None:
    """It is in force: somebody looks into it, and it is told."""
    bridge = draft.incident
    bridge.status = Status.INVESTIGATING
    communicate.tell(desk, draft, "investigating")


def go_on(draft: Draft, status: str, because: str) -> None:
    """The status goes on by itself: forward only, since a person may know more."""
    bridge = draft.incident
    if ORDER.get(bridge.status, -1) < ORDER[status]:
        bridge.status = status
        draft.note("status", MACHINE, f"{status}: {because}", IncidentChange.UPDATED, status=status)


def set_status(desk: Desk, draft: Draft, actor: str, status: str, note: str | None) -> None:
    """A person sets the status, and it is told in our words."""
    bridge = draft.incident
    before, bridge.status = bridge.status, status
    bridge.last_step_at_ms[CommandType.SET_STATUS.value] = draft.asked_at_ms
    text = f"{before or 'no status'} -> {status}" + (f": {note}" if note else "")
    draft.note("status", actor, text, IncidentChange.UPDATED, status=status)
    communicate.tell(desk, draft, _TOLD[Status(status)])


def assign_commander(desk: Desk, draft: Draft, actor: str, commander: str) -> None:
    """One person leads the response. That somebody has it answers the response target."""
    bridge = draft.incident
    before, bridge.commander = bridge.commander, commander
    bridge.last_step_at_ms[CommandType.ASSIGN_COMMANDER.value] = draft.asked_at_ms
    text = f"{commander} is the commander" + (f", after {before}" if before else "")
    draft.note("commander", actor, text, IncidentChange.ASSIGNED, commander=commander)
    sla.meet(desk, draft, "response")


def cancel(desk: Desk, draft: Draft, actor: str, text: str) -> None:
    """It comes to nothing: nothing is due any more. Whoever was told of it is told that with the revision."""
    bridge = draft.incident
    if desk.step(draft, Step.CANCEL, actor, text):
        bridge.escalation.next_at_ms = bridge.resolve_at_ms = None
        bridge.closed_at_ms, bridge.waiting = draft.now_ms, []


def call(desk: Desk, draft: Draft, whom: str, because: str) -> None:
    """Call the Major Incident manager: a rotation, a person, or the owner of what it is about."""
    bridge = draft.incident
    found = desk.escalator.find(bridge, 0, (whom,), draft.now_ms, because, as_what="manager")
    page_all(desk, draft, found.new, f"manager {whom}")
    if not found.anybody:
        nobody(draft, f"'{whom}' leads to nobody, who is the Major Incident manager")
