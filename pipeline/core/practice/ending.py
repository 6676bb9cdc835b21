"""The end of an incident: resolved, documented, reopened, closed; what each asks for and leads to."""

from __future__ import annotations

from typing import Any

from pipeline.core.clocks.calendars import next_business_day
from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling, engaging
from pipeline.core.escalation.routing import unsettled, words_of
from pipeline.core.practice import actions, response
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.practice.lifecycle import Step
from pipeline.models.closure import CASES, WORKAROUND_OR_FIX
from pipeline.models.command import Resolution
from pipeline.models.incident import Incident, IncidentChange, IncidentKind, IncidentState
from pipeline.models.incident_parts import ProblemReview


def resolve(desk: Desk, draft: Draft, actor: str, resolution: Resolution | None, *, excused: bool = False) -> bool:
    """Service is restored: clocks stop, every linked ticket is told, a problem review is owed where policy says.

    Args:
        desk: the incident desk.
        draft: the incident's draft.
        actor: who resolves it.
        resolution: how; None: nobody knows yet.
        excused: the policy's demands do not hold, as they do not for what the machine itself finds.
    """
    incident = draft.incident
    documents = incident.state == IncidentState.RESOLVED and actor != MACHINE and resolution is not None
    if documents and (by := (incident.resolution or {}).get("by")) != MACHINE:
        draft.note("refused_resolve", actor, f"resolve changes nothing: it was resolved by {by}")
        return False
    if not (excused or actor == MACHINE) and _refused(desk, draft, actor, resolution):
        return False
    if documents and resolution is not None:
        text = f"resolution recorded by {actor}: {resolution.summary}"
        draft.note("resolution", actor, text, IncidentChange.UPDATED)
        _document(draft, actor, resolution)
        incident.remind_at_ms = None
        return True
    said = resolution.summary if resolution else "all alerts are clear"
    if not desk.step(draft, Step.RESOLVE, actor, f"resolved by {actor}: {said}"):
        return False
    incident.resolved_at_ms, incident.resolve_at_ms, incident.waiting = draft.now_ms, None, []
    _document(draft, actor, resolution or Resolution(code="cleared", summary=said))
    incident.escalation.next_at_ms = None
    if actor != MACHINE and incident.episodes_open:
        incident.settle_at_ms = draft.now_ms + desk.policy(incident).closure.settle_minutes * MINUTE_MS
    end_tickets(draft, "told that it is resolved")
    communicate.tell(desk, draft, "resolved")
    _owe_review(desk, draft)
    return True


def _refused(desk: Desk, draft: Draft, actor: str, resolution: Resolution | None) -> bool:
    """Whether a person's resolve lacks what the policy asks for, which is on the timeline then."""
    incident = draft.incident
    lacks = missing(desk, incident, resolution.model_dump() if resolution else {})
    because = unknown_code(desk, incident, resolution) or (asks_for(incident, lacks) if lacks else None)
    if because is not None:
        draft.note("refused_resolve", actor, f"resolve changes nothing: {because}", missing=lacks)
    return because is not None


def missing(desk: Desk, incident: Incident, given: dict[str, Any]) -> list[str]:
    """What the policy asks of a resolution for this priority, and is neither in it nor on the incident."""
    known = given | {name: given.get(name) or value for name, value in _known(incident).items()}
    known[WORKAROUND_OR_FIX] = known.get("workaround") or known.get("fix")
    required = desk.policy(incident).closure.of("require", incident.priority)
    return [name for name in required if not known.get(name)]


def _known(incident: Incident) -> dict[str, Any]:
    """Fields of a resolution that the incident has on record already."""
    found = incident.corrective_actions
    action = found[0].text if found else None
    return {"workaround": incident.workaround, "corrective_action": action, CASES: not unsettled(incident)}


def asks_for(incident: Incident, lacks: list[str]) -> str:
    """The words for what is missing."""
    return f"the {incident.domain} policy asks for {', '.join(in_words(incident, lacks))}"


def in_words(incident: Incident, lacks: list[str]) -> list[str]:
    """What is missing, with the cases that are owed spelled out."""
    cases = " and ".join(f"{words_of(each)} ({each.kind})" for each in unsettled(incident))
    return [f"a link to {cases}" if each == CASES else each for each in lacks]


def unknown_code(desk: Desk, incident: Incident, resolution: Resolution | None) -> str | None:
    """Why the resolution's code is none of the policy's; None: it is, or any will do."""
    codes = desk.policy(incident).closure.codes
    if resolution is None or codes is None or resolution.code in codes:
        return None
    return f"code {resolution.code} is not one of {', '.join(codes)}"


def is_documented(desk: Desk, incident: Incident) -> bool:
    """Whether a person has said how it ended, and all that the policy asks for."""
    resolution = incident.resolution or {}
    return resolution.get("by") != MACHINE and not missing(desk, incident, resolution)


def end_tickets(draft: Draft, told: str) -> None:
    """Tell every linked ticket that is open that it is over."""
    for ticket in draft.incident.tickets:
        if ticket.state != "resolved":
            ticket.state = "resolved"
            draft.note("ticket", MACHINE, f"ticket {ticket.id}: {told}", ticket=ticket.id)


def _document(draft: Draft, actor: str, resolution: Resolution) -> None:
    incident = draft.incident
    incident.resolution = {
        "code": resolution.code,
        "summary": resolution.summary,
        "by": actor,
        "cause": resolution.cause,
        "corrective_action": resolution.corrective_action,
        "fix": resolution.fix,
        "workaround": resolution.workaround or incident.workaround,
    }
    keep_action(draft, actor, resolution)


def keep_action(draft: Draft, actor: str, resolution: Resolution) -> None:
    """What a resolution promises is an open corrective action, once."""
    incident, text = draft.incident, resolution.corrective_action
    if text and all(each.text != text for each in incident.corrective_actions):
        action_id = f"{incident.id}/{len(incident.corrective_actions) + 1}"
        actions.open_action(draft, actor, action_id, text, incident.assignee or incident.owner)


def _owe_review(desk: Desk, draft: Draft) -> None:
    incident = draft.incident
    policy = desk.policy(incident)
    if incident.priority not in policy.closure.problem_review or incident.problem_review is not None:
        return
    due = next_business_day(policy.business_hours, draft.now_ms).isoformat()
    because = f"{incident.priority} incidents get a review on the next business day"
    incident.problem_review = ProblemReview(due_date=due, because=because)
    draft.note("problem_review", MACHINE, f"problem review on {due}: {because}", due_date=due)


def reopen(desk: Desk, draft: Draft, actor: str, text: str) -> bool:
    """It is back: the incident waits for acknowledgement again and its clocks run on."""
    if not desk.step(draft, Step.REOPEN, actor, text):
        return False
    incident = draft.incident
    incident.reopened += 1
    incident.resolved_at_ms = incident.resolution = incident.acknowledged_at_ms = incident.remind_at_ms = None
    incident.settle_at_ms = None
    for ticket in incident.tickets:
        ticket.state = "open"
    response.forget_workaround(draft)
    communicate.tell(desk, draft, "investigating")
    if incident.kind == IncidentKind.INCIDENT:
        calling.begin_again(desk, draft, "reopened")
        engaging.come_back(desk, draft)
    return True


def close(desk: Desk, draft: Draft, actor: str, text: str) -> bool:
    """The record is complete."""
    if not desk.step(draft, Step.CLOSE, actor, text):
        return False
    draft.incident.closed_at_ms, draft.incident.remind_at_ms = draft.now_ms, None
    draft.incident.settle_at_ms = None
    return True
