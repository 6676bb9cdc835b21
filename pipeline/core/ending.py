"""The end of an incident: resolved, reopened, closed; what each asks for and leads to."""

from __future__ import annotations

from pipeline.core import calling, communicate, sla
from pipeline.core.calendars import next_business_day
from pipeline.core.desk import MACHINE, Desk
from pipeline.core.draft import Draft
from pipeline.core.lifecycle import Step
from pipeline.models.command import Resolution
from pipeline.models.incident import Incident, IncidentChange, IncidentKind, IncidentState
from pipeline.models.incident_parts import ProblemReview


def resolve(desk: Desk, draft: Draft, actor: str, resolution: Resolution | None) -> bool:
    """Service is restored: clocks stop, every linked ticket is told, a problem review is owed where policy says."""
    incident = draft.incident
    if incident.state == IncidentState.RESOLVED and actor != MACHINE and resolution is not None:
        return _complete(desk, draft, actor, resolution)
    missing = _missing(desk, incident, actor, resolution)
    if missing:
        text = f"not resolved: the {incident.domain} policy asks for {', '.join(missing)}"
        draft.note("refused_resolve", actor, text, missing=missing)
        return False
    said = resolution.summary if resolution else "all alerts are clear"
    if not desk.step(draft, Step.RESOLVE, actor, f"resolved by {actor}: {said}"):
        return False
    incident.resolved_at_ms, incident.resolve_at_ms = draft.now_ms, None
    _document(desk, draft, actor, resolution or Resolution(code="cleared", summary=said))
    sla.meet(draft, "response")
    sla.meet(draft, "resolution")
    incident.escalation.next_at_ms = None
    for ticket in incident.tickets:
        if ticket.state != "resolved":
            ticket.state = "resolved"
            draft.note("ticket", MACHINE, f"ticket {ticket.id}: told that it is resolved", ticket=ticket.id)
    communicate.tell(desk, draft, "resolved", f"Service is restored: {said}")
    _owe_review(desk, draft)
    return True


def _complete(desk: Desk, draft: Draft, actor: str, resolution: Resolution) -> bool:
    """A person documents what the alerts had resolved by themselves."""
    by = (draft.incident.resolution or {}).get("by")
    if by != MACHINE:
        draft.note("refused_resolve", actor, f"resolve changes nothing: it was resolved by {by}")
        return False
    draft.note("resolution", actor, f"resolution recorded by {actor}: {resolution.summary}", IncidentChange.UPDATED)
    _document(desk, draft, actor, resolution)
    return True


def _document(desk: Desk, draft: Draft, actor: str, resolution: Resolution) -> None:
    draft.incident.resolution = {
        "code": resolution.code,
        "summary": resolution.summary,
        "by": actor,
        "cause": resolution.cause,
        "corrective_action": resolution.corrective_action,
    }
    if resolution.corrective_action:
        draft.note("corrective_action", actor, f"corrective action: {resolution.corrective_action}")


def _missing(desk: Desk, incident: Incident, actor: str, resolution: Resolution | None) -> list[str]:
    """Fields that a person's resolve must bring and does not."""
    required = desk.policy(incident).closure.require if actor != MACHINE else ()
    given = resolution.model_dump() if resolution else {}
    return [name for name in required if not given.get(name)]


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
    incident.resolved_at_ms = incident.resolution = incident.acknowledged_at_ms = None
    incident.escalation.since_ms = draft.now_ms
    for ticket in incident.tickets:
        ticket.state = "open"
    resolution = incident.clocks.get("resolution")
    if resolution is not None:
        resolution.met_at_ms = None
    communicate.tell(desk, draft, "investigating", f"{incident.title}: the problem has come back")
    if incident.kind == IncidentKind.INCIDENT:
        calling.begin(desk, draft)
    return True


def close(desk: Desk, draft: Draft, actor: str, text: str) -> bool:
    """The record is complete."""
    if not desk.step(draft, Step.CLOSE, actor, text):
        return False
    draft.incident.closed_at_ms = draft.now_ms
    return True
