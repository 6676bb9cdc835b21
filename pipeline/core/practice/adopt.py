"""Adopting a policy: an open incident goes by the pack in force instead of the one that it was opened under.

A change of policy by itself changes no open incident (`pipeline.core.practice.shelf`). Somebody decides for each, with
the preview at hand (`spillway policy preview`), and what that did is on the timeline.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Final

from pipeline.core.clocks import sla
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, refuse, said
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import Incident, IncidentChange

NOTHING: Final = "nothing else changes"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an incident stands by its pack; what adopting another may change.

    Attributes:
        due_ms: when each clock that is neither met nor missed is due, epoch milliseconds.
        escalation_level: index of the next level to fire.
        escalation_next_ms: when it fires; None: none does.
    """

    policy_version: str
    priority: str
    due_ms: dict[str, int] = field(default_factory=dict)
    escalation_level: int = 0
    escalation_next_ms: int | None = None


def standing(incident: Incident) -> Standing:
    """Where an incident stands now."""
    return Standing(
        incident.policy_version,
        incident.priority,
        {
            name: clock.due_at_ms
            for name, clock in incident.clocks.items()
            if clock.due_at_ms is not None and clock.met_at_ms is None and clock.breached_at_ms is None
        },
        incident.escalation.level,
        incident.escalation.next_at_ms,
    )


def begin(desk: Desk, draft: Draft, command: Command) -> bool:
    """Go by the pack in force; False, with the reason on the timeline, where the incident does already."""
    incident = draft.incident
    if incident.policy_version == desk.stamp(incident.domain):
        refuse(draft, command, f"the incident goes by the pack in force, {incident.policy_version}")
        return False
    sla.count(desk, draft)
    switch(desk, incident)
    return True


def switch(desk: Desk, incident: Incident) -> None:
    """Go by the pack in force. A priority that a person fixed stays, where that pack has it."""
    desk.adopt(incident)
    if incident.priority not in desk.policy(incident).priorities:
        incident.priority_by = None


def settle(desk: Desk, draft: Draft) -> None:
    """Clocks and escalation of the new pack: what was met, missed or called stays so."""
    sla.set_clocks(desk, draft)
    calling.reschedule(desk, draft.incident)


def tell(draft: Draft, command: Command, before: Standing) -> None:
    """Put on the timeline what adopting did, before and after."""
    after = standing(draft.incident)
    text = "; ".join(
        (f"policy {before.policy_version} -> {after.policy_version}{said(command)}", *changes(before, after))
    )
    facts = {"before": asdict(before), "after": asdict(after)}
    draft.note("adopt_policy", command.actor, text, IncidentChange.UPDATED, **facts)


def changes(before: Standing, after: Standing) -> list[str]:
    """What is different, in words."""
    words = [f"priority {before.priority} -> {after.priority}"] if before.priority != after.priority else []
    for name in sorted({*before.due_ms, *after.due_ms}):
        was, becomes = before.due_ms.get(name), after.due_ms.get(name)
        if was != becomes:
            words.append(f"{name} due {moment(was)} -> {moment(becomes)}")
    if before.escalation_next_ms != after.escalation_next_ms:
        words.append(f"escalation next {moment(before.escalation_next_ms)} -> {moment(after.escalation_next_ms)}")
    return words or [NOTHING]


def moment(at_ms: int | None) -> str:
    """A moment in words; never, for none."""
    return "never" if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M} UTC"


def _adopt(desk: Desk, draft: Draft, command: Command) -> None:
    """Of a bridge incident: it has the highest priority of its domain, unless a person set another."""
    incident = draft.incident
    before = standing(incident)
    if not begin(desk, draft, command):
        return
    if incident.priority_by is None:
        incident.priority = desk.policy(incident).top_priority()
    if incident.clocks:
        sla.set_clocks(desk, draft)
    tell(draft, command, before)


HANDLERS: Final[Handlers] = {CommandType.ADOPT_POLICY: _adopt}
"""Which handler has which command."""
