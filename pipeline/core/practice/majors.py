"""Major Incidents, as an incident sees them: a person declares one or puts impact right, a bridge takes it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any, Final

from pipeline.core.clocks import sla
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.handlers import Handlers, needs, refuse
from pipeline.core.practice.impacts import Impact, total
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.core.practice.prioritise import Facts
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.incident_parts import Correction, Declaration, TicketLink
from pipeline.models.summary import LINKS_TOLD_MAX

FOR_THE_BRIDGE: Final = frozenset(
    {
        CommandType.DEMOTE_MAJOR,
        CommandType.CONFIRM_MAJOR,
        CommandType.REJECT_MAJOR,
        CommandType.ASSIGN_COMMANDER,
        CommandType.SET_STATUS,
    }
)
"""What is asked of an incident and always meant for the bridge incident that it is a member of."""


def correct(draft: Draft, command: Command) -> bool:
    """Put the estimates of impact right, and say who did and why. Whether it did."""
    because = command.reason or command.note
    if command.users is None and command.revenue_per_minute is None:
        refuse(draft, command, "it lacks users or revenue_per_minute")
        return False
    if not because:
        refuse(draft, command, "it lacks reason")
        return False
    incident = draft.incident
    known = incident.corrected
    correction = Correction(
        by=command.actor,
        because=because,
        at_ms=draft.now_ms,
        users=command.users if command.users is not None else known.users if known else None,
        revenue_per_minute=command.revenue_per_minute
        if command.revenue_per_minute is not None
        else known.revenue_per_minute
        if known
        else None,
        estimated_users=known.estimated_users if known else incident.users_affected,
        estimated_revenue_per_minute=known.estimated_revenue_per_minute if known else incident.revenue_per_minute,
    )
    incident.corrected = correction
    incident.last_step_at_ms[CommandType.CORRECT_IMPACT.value] = draft.asked_at_ms
    parts = []
    if command.users is not None:
        parts.append(f"{incident.users_affected:,} -> {command.users:,} users")
        incident.users_affected = command.users
    if command.revenue_per_minute is not None:
        parts.append(f"{incident.revenue_per_minute:,.0f} -> {command.revenue_per_minute:,.0f} a minute")
        incident.revenue_per_minute = command.revenue_per_minute
    text = f"impact put right by {command.actor}, {', '.join(parts)}: {because}"
    draft.note("correct_impact", command.actor, text, IncidentChange.UPDATED)
    return True


def corrected_facts(incident: Incident, facts: Facts) -> Facts:
    """The facts as far as a person has not put them right; what is estimated meanwhile is kept beside."""
    correction = incident.corrected
    if correction is None:
        return facts
    correction.estimated_users = facts.users
    correction.estimated_revenue_per_minute = facts.revenue_per_minute
    users = facts.users if correction.users is None else correction.users
    revenue = facts.revenue_per_minute
    if correction.revenue_per_minute is not None:
        revenue = correction.revenue_per_minute
    return replace(facts, users=users, revenue_per_minute=revenue)


def corrected_impacts(impacts: dict[str, Impact], incident: Incident) -> dict[str, Impact]:
    """Impacts whose totals are what a person said: less on each service in proportion, or what is more beside them."""
    correction = incident.corrected
    if correction is None:
        return impacts
    users, revenue = total(impacts.values())
    wanted_users = users if correction.users is None else correction.users
    wanted_revenue = revenue if correction.revenue_per_minute is None else correction.revenue_per_minute
    scaled = {
        ref: (
            system,
            served * wanted_users // users if users > wanted_users else served,
            money * (wanted_revenue / revenue) if revenue > wanted_revenue else money,
            population,
        )
        for ref, (system, served, money, population) in impacts.items()
    }
    users, revenue = total(scaled.values())
    rest = f"{incident.id}/corrected"
    more = max(0, wanted_users - users), max(0.0, round(wanted_revenue - revenue, 2))
    return scaled | ({rest: (rest, *more, rest)} if any(more) else {})


def links_told(incident: Incident) -> list[dict[str, Any]]:
    """An incident's records elsewhere with their states, for the bridge: cases and vendor tickets first."""
    told = [{name: each.get(name) for name in ("kind", "id", "state", "url")} for each in incident.links]
    left = max(0, LINKS_TOLD_MAX - len(told))
    told += [_ticket(each) for each in islice(incident.tickets, left)]
    return told[:LINKS_TOLD_MAX]


def _ticket(ticket: TicketLink) -> dict[str, Any]:
    return {"kind": "ticket", "id": ticket.id, "state": ticket.state, "url": None}


def _declare(desk: Desk, draft: Draft, command: Command) -> None:
    because = command.reason or command.note
    incident = draft.incident
    if not because:
        refuse(draft, command, "it lacks reason")
    elif incident.state not in OPEN_STATES:
        refuse(draft, command, f"the incident is {incident.state}")
    else:
        incident.declared = Declaration(
            by=command.actor, because=because, at_ms=draft.now_ms, command_id=command.command_id
        )
        draft.note("declare", command.actor, f"{command.actor} declared a Major Incident: {because}")


def _in_none(desk: Desk, draft: Draft, command: Command) -> None:
    refuse(draft, command, "the incident is in no Major Incident")


def _link_bridge(desk: Desk, draft: Draft, command: Command) -> None:
    if needs(draft, command, "bridge_id"):
        draft.incident.bridge_id = command.bridge_id
        text = f"bridge incident {command.bridge_id}: {command.note or 'linked'}"
        draft.note("bridge", command.actor, text, IncidentChange.BRIDGED)
        sla.settle(desk, draft)


def _unlink_bridge(desk: Desk, draft: Draft, command: Command) -> None:
    """Leave a bridge incident; the one of another is left alone. From then on the incident speaks for itself again."""
    incident = draft.incident
    if command.bridge_id is not None and command.bridge_id != incident.bridge_id:
        refuse(draft, command, f"the incident is not linked to {command.bridge_id}")
        return
    incident.bridge_id = None
    why = f": {command.note}" if command.note else ""
    draft.note("bridge", command.actor, f"no longer linked to a bridge incident{why}", IncidentChange.BRIDGED)
    sla.settle(desk, draft)


HANDLERS: Final[Handlers] = {
    CommandType.DECLARE_MAJOR: _declare,
    CommandType.LINK_BRIDGE: _link_bridge,
    CommandType.UNLINK_BRIDGE: _unlink_bridge,
    **dict.fromkeys(FOR_THE_BRIDGE, _in_none),
}
"""Which handler has which command."""
