"""Routing: cloud, on-premises, hybrid and SaaS failures call different people and owe different cases outside.

A path's routes are asked when the path begins and when another cause is identified. Each route calls once, and is on
the record.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.escalation.paging import page_all, span
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.escalation import EscalationPath, EscalationRoute
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.incident_parts import CaseOwed

CASES_MAX: Final = 10
"""Cases outside that one incident owes by itself: more than it has suspects."""

_CASES: Final = {"provider_case": "a support case at the provider", "vendor_ticket": "a ticket at the vendor"}

_KINDS: Final = {
    "provider_case": ("provider_case", "provider_ticket", "provider", "support_case"),
    "vendor_ticket": ("vendor_ticket", "vendor_case", "vendor"),
}
"""Kinds of a link that settle a case, as people and tools spell them."""


def take_route(desk: Desk, draft: Draft, path: EscalationPath, *, call: bool) -> None:
    """Take the route that fits what is suspected now. ``call``: at once; else its people come with the first level."""
    escalation = draft.incident.escalation
    route = desk.escalator.route(draft.incident, path) if path.routes else None
    if route is None:
        if escalation.route is not None:
            text = f"no longer routed as {escalation.route}: {_what(desk, draft.incident)}"
            escalation.route = None
            draft.note("route", MACHINE, text, IncidentChange.UPDATED, route=None)
        return
    if route.title == escalation.route:
        return
    before, escalation.route = escalation.route, route.title
    if route.title in escalation.routed:  # back to one whose people were called
        return
    escalation.routed.append(route.title)
    instead = f" instead of {before}" if before else ""
    text = f"routed as {route.title}{instead}: {_what(desk, draft.incident)}"
    draft.note("route", MACHINE, text, IncidentChange.UPDATED, route=route.title)
    if call:
        _call(desk, draft, path, route)
    _owe(desk, draft, route)


def reroute(desk: Desk, draft: Draft) -> None:
    """Another cause is identified: its kind may be another's to solve."""
    path = desk.escalator.path(desk.policy(draft.incident), draft.incident.priority)
    if path is not None and path.routes:
        take_route(desk, draft, path, call=True)


def settle_cases(draft: Draft) -> None:
    """Cases that were owed and are linked now."""
    incident = draft.incident
    for case in incident.cases_owed:
        if case.settled_ms is not None:
            continue
        taken = {each.link_id for each in incident.cases_owed}
        for link in incident.links:
            if link["kind"] in _KINDS[case.kind] and link["id"] not in taken:
                case.link_id, case.settled_ms = link["id"], draft.now_ms
                draft.note("case_settled", MACHINE, f"{_CASES[case.kind]} is open: {case.link_id}", link=case.link_id)
                break


def unsettled(incident: Incident) -> list[CaseOwed]:
    """Cases that nobody has linked yet."""
    return [case for case in incident.cases_owed if case.settled_ms is None]


def words_of(case: CaseOwed) -> str:
    """What is owed, in words."""
    return _CASES[case.kind]


def remind_at_ms(incident: Incident) -> int | None:
    """When a case that is owed is next reminded of; None: none is, or nobody is to be bothered with it."""
    if incident.muted is not None or incident.state not in OPEN_STATES:
        return None
    return min((case.remind_at_ms for case in unsettled(incident) if case.remind_at_ms is not None), default=None)


def remind(desk: Desk, draft: Draft) -> None:
    """Remind of cases that are owed, each after twice as long as the time before."""
    incident = draft.incident
    if (remind_at_ms(incident) or draft.now_ms + 1) > draft.now_ms:
        return
    who = incident.assignee or incident.escalation.answered_by or incident.owner
    for case in unsettled(incident):
        if case.remind_at_ms is None or case.remind_at_ms > draft.now_ms:
            continue
        waited_ms = draft.now_ms - case.at_ms
        case.remind_at_ms = draft.now_ms + 2 * waited_ms
        about = desk.topology.title(case.ref)
        since = f"{_CASES[case.kind]} for {about} has been owed for {span(waited_ms)}, and none is linked"
        text = f"{since}: {who or 'nobody'} is to open and link it"
        facts = {"kind": case.kind, "ref": case.ref, "owner": who}
        draft.note("remind_case", MACHINE, text, IncidentChange.UPDATED, **facts)


def carry_cases(loser: Incident, survivor: Incident) -> None:
    """Cases that a merged incident owes are owed by the one that goes on."""
    known = {(each.kind, each.ref) for each in survivor.cases_owed}
    owed = [each for each in unsettled(loser) if (each.kind, each.ref) not in known]
    survivor.cases_owed = [*survivor.cases_owed, *owed][:CASES_MAX]


def _call(desk: Desk, draft: Draft, path: EscalationPath, route: EscalationRoute) -> None:
    because = f"routed as {route.title}: {_what(desk, draft.incident)}"
    targets = (*route.notify, *route.also)
    found = desk.escalator.find(draft.incident, path.hops_max, targets, draft.now_ms, because)
    about = _about(draft.incident)
    for page in found.new:  # it is the suspect that they are called for, not what fails because of it
        page.service, page.runbook = about, desk.escalator.runbook(draft.incident, about) or page.runbook
    page_all(desk, draft, found.new, f"route:{route.title}")


def _owe(desk: Desk, draft: Draft, route: EscalationRoute) -> None:
    incident = draft.incident
    if route.case is None or len(incident.cases_owed) >= CASES_MAX:
        return
    ref = _about(incident)
    if any(each.kind == route.case and each.ref == ref for each in incident.cases_owed):
        return
    because = f"routed as {route.title}"
    due_ms = draft.now_ms + round(route.case_minutes * MINUTE_MS)
    owed = CaseOwed(kind=route.case, ref=ref, at_ms=draft.now_ms, because=because, remind_at_ms=due_ms)
    incident.cases_owed.append(owed)
    text = f"{_CASES[route.case]} is owed for {desk.topology.title(ref)}: open it and link it here"
    draft.note("case_owed", MACHINE, text, IncidentChange.UPDATED, kind=route.case, ref=ref)


def _about(incident: Incident) -> str | None:
    return incident.suspects[0].ref if incident.suspects else incident.service


def _what(desk: Desk, incident: Incident) -> str:
    """What the routes go by, in words."""
    stated = (incident.hosting_model, incident.infrastructure_layer, incident.category)
    kind = ", ".join(each for each in stated if each) or "of no known kind"
    return f"{desk.topology.title(_about(incident))} is {kind}"
