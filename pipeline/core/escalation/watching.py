"""Watching over who has it: an answer stops escalation whatever its way, and escalation resumes where nothing follows.

`watch` is run once for each revision, on what the record has done: so that whatever a person does counts as progress,
and whatever takes the incident out of the unanswered states stops the calls.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.clocks import sla
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling, engaging, routing
from pipeline.core.escalation.paging import span
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.practice.lifecycle import ANSWERED_STATES, OPEN_STATES, UNANSWERED_STATES, WAITING_STATES, Step
from pipeline.models.clocks import RESOLUTION
from pipeline.models.incident import Incident, IncidentKind, IncidentState
from pipeline.models.incident_parts import TimelineEntry

_ANSWERS: Final = frozenset({Step.ACKNOWLEDGE.value, Step.START.value})


def due_ms(incident: Incident) -> int | None:
    """When escalation next has something to do by itself."""
    escalation = incident.escalation
    dues = [escalation.next_at_ms, escalation.stalls_at_ms, escalation.hand_back_at_ms]
    if incident.cases_owed:
        dues.append(routing.remind_at_ms(incident))
    return min([due for due in dues if due is not None], default=None)


def on_due(desk: Desk, draft: Draft) -> None:
    """Do what is due: the next level, a resumption, a reminder of a case, a hand-back."""
    calling.escalate(desk, draft)
    _resume(desk, draft)
    routing.remind(desk, draft)
    escalation = draft.incident.escalation
    if escalation.hand_back_at_ms is not None and escalation.hand_back_at_ms <= draft.now_ms:
        engaging.hand_back_quiet(desk, draft)
        escalation.hand_back_at_ms = engaging.quiet_at_ms(desk, draft.incident)


def watch(desk: Desk, draft: Draft) -> None:
    """Bring escalation up to date with what a record has done to the incident."""
    incident = draft.incident
    if incident.kind != IncidentKind.INCIDENT:
        return
    escalation = incident.escalation
    for entry in draft.entries:
        if entry.actor != MACHINE and not entry.action.startswith("refused"):
            _heard(draft, entry)
    if incident.cases_owed:
        routing.settle_cases(draft)
    if incident.state in UNANSWERED_STATES:
        escalation.stalls_at_ms = None
        if escalation.next_at_ms is None:
            calling.reschedule(desk, incident)
    else:
        escalation.next_at_ms = None
        _note_share(desk, incident)
        escalation.stalls_at_ms = stalls_at_ms(desk, incident)
    if not incident.engaged:
        return
    if incident.state in OPEN_STATES:
        escalation.hand_back_at_ms = engaging.quiet_at_ms(desk, incident)
    else:
        engaging.end_all(draft)
        escalation.hand_back_at_ms = None


def stalls_at_ms(desk: Desk, incident: Incident) -> int | None:
    """When escalation resumes unless somebody does something; None where it does not.

    While it waits for somebody outside, only the policy's time for that counts. What is mitigated does not stall.
    """
    muted, waits = incident.muted is not None, incident.state in WAITING_STATES
    restored = incident.state == IncidentState.MITIGATED or (waits and incident.mitigated_at_ms is not None)
    if muted or restored or incident.state not in ANSWERED_STATES:
        return None
    path = desk.escalator.path(desk.policy(incident), incident.priority)
    if path is None or incident.resolve_at_ms is not None:  # all is clear, and it is about to be resolved
        return None
    minutes = path.resume_waiting_after_minutes if waits else path.resume_after_minutes
    dues = [] if minutes is None else [_heard_ms(incident) + round(minutes * MINUTE_MS)]
    share_ms = None if waits else share_at_ms(desk, incident, path.resume_at_share)
    return min([*dues, *([] if share_ms is None else [share_ms])], default=None)


def share_at_ms(desk: Desk, incident: Incident, share: float | None) -> int | None:
    """When a share of the resolution time is used; None where that was before somebody took it, or did its work."""
    if share is None or incident.escalation.share_used:
        return None
    at_ms = sla.share_at_ms(desk, incident, RESOLUTION, share)
    return at_ms if at_ms is not None and at_ms > _answered_ms(incident) else None


def _note_share(desk: Desk, incident: Incident) -> None:
    """Who took it after that share was used is left to work, also when the clock was stopped and runs again."""
    path = desk.escalator.path(desk.policy(incident), incident.priority)
    if path is None or path.resume_at_share is None or incident.state not in ANSWERED_STATES:
        return
    at_ms = sla.share_at_ms(desk, incident, RESOLUTION, path.resume_at_share)
    if at_ms is not None and at_ms <= _answered_ms(incident):
        incident.escalation.share_used = True


def _resume(desk: Desk, draft: Draft) -> None:
    """Nothing follows of what was acknowledged: the next level is called, with that."""
    incident, escalation = draft.incident, draft.incident.escalation
    if escalation.stalls_at_ms is None or escalation.stalls_at_ms > draft.now_ms:
        return
    # The policy may be another one since the deadline was set.
    escalation.stalls_at_ms = stalls_at_ms(desk, incident)
    if escalation.stalls_at_ms is None or escalation.stalls_at_ms > draft.now_ms:
        return
    because = _stalled(desk, draft)
    if desk.step(draft, Step.ESCALATE, MACHINE, f"escalated: {because}"):
        escalation.stalls_at_ms = None
        calling.next_level(desk, draft, because, anew=True)


def _stalled(desk: Desk, draft: Draft) -> str:
    """What was heard last, in words; notes where the resolution clock is what speaks."""
    incident, escalation = draft.incident, draft.incident.escalation
    path = desk.escalator.path(desk.policy(incident), incident.priority)
    share_ms = share_at_ms(desk, incident, path.resume_at_share if path is not None else None)
    who = escalation.answered_by or "somebody"
    answered_ms, heard_ms = _answered_ms(incident), _heard_ms(incident)
    since = "nothing since" if heard_ms <= answered_ms else f"last heard of {span(draft.now_ms - heard_ms)} ago"
    words = f"acknowledged by {who} {span(draft.now_ms - answered_ms)} ago, {since}"
    if incident.state in WAITING_STATES:
        return f"{words}; {incident.state.replace('_', ' for ')}"
    if share_ms is not None and share_ms <= draft.now_ms and path is not None:
        escalation.share_used = True
        return f"{path.resume_at_share or 1:.0%} of the time to resolve is used; {words}"
    return words


def _heard(draft: Draft, entry: TimelineEntry) -> None:
    escalation = draft.incident.escalation
    escalation.progress_at_ms = draft.now_ms
    if entry.action in _ANSWERS:
        escalation.answered_by, escalation.answered_at_ms = entry.actor, draft.now_ms
    engaging.heard_of(draft, entry.actor)


def _answered_ms(incident: Incident) -> int:
    answered_ms = incident.escalation.answered_at_ms or incident.acknowledged_at_ms
    return answered_ms if answered_ms is not None else incident.detected_at_ms


def _heard_ms(incident: Incident) -> int:
    return max(incident.escalation.progress_at_ms or 0, _answered_ms(incident))
