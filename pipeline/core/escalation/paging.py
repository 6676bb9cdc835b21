"""Calling somebody: the one place where a call goes on record, with the step that it is a part of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.incident_parts import Page

PAGES_MAX: Final = 200
"""Calls on the record of an incident, the newest; a path of five levels that is run through ten times makes as many.
All of them are on the timeline."""

MINUTES_TOLD_MAX: Final = 120
"""From here on a time is told in hours."""


def step_of(incident: Incident, what: str) -> str:
    """The id of a step: incident, reopenings, run of the path, round of the run, and the level or what else it is."""
    escalation = incident.escalation
    return f"{incident.id}/{incident.reopened}/{escalation.run}/{escalation.repeat + 1}/{what}"


def page_all(desk: Desk, draft: Draft, calls: Iterable[Page], what: str) -> None:
    """Call several people for one step."""
    step = step_of(draft.incident, what)
    for call in calls:
        page(desk, draft, call, step)


def page(desk: Desk, draft: Draft, call: Page, step: str) -> bool:
    """Call somebody, with the runbook; nobody twice for one step, nor while it is muted. Whether one was called."""
    escalation = draft.incident.escalation
    if draft.incident.muted is not None:
        return False
    if any(each.step == step and each.person == call.person for each in escalation.paged):
        return False
    call.step = step
    escalation.paged.append(call)
    dropped = len(escalation.paged) - PAGES_MAX
    if dropped > 0:
        del escalation.paged[:dropped]
        escalation.called_from = max(0, escalation.called_from - dropped)
    escalation.nobody = None
    service = f" for {desk.topology.title(call.service)}" if call.service else ""
    runbook = f"; runbook {call.runbook}" if call.runbook else ""
    rotation = f" ({call.rotation})" if call.rotation else ""
    draft.note(
        "page",
        MACHINE,
        f"paged {call.person}{rotation}{service}: {call.because}{runbook}",
        IncidentChange.ESCALATED,
        person=call.person,
        target=call.target,
        service=call.service,
        runbook=call.runbook,
        step=step,
        **({"evidence": call.evidence} if call.evidence else {}),
    )
    return True


def nobody(draft: Draft, because: str) -> None:
    """Nobody can be found: say so where it cannot be overlooked, as an event, on the timeline and in a field."""
    draft.incident.escalation.nobody = because
    draft.note("page_failed", MACHINE, f"nobody was called: {because}", IncidentChange.ESCALATED)


def forget_calls(incident: Incident, now_ms: int, *, but_for_ms: int = 0) -> None:
    """Whoever was called until now may be called again, but for those whom it rang within the last milliseconds."""
    escalation = incident.escalation
    escalation.since_ms = now_ms
    older = sum(each.at_ms <= now_ms - but_for_ms for each in escalation.paged) if but_for_ms else len(escalation.paged)
    escalation.called_from = max(escalation.called_from, older)


def span(milliseconds: int) -> str:
    """A time in words: "45 minutes", "3 hours"."""
    minutes = max(0, milliseconds) // MINUTE_MS
    if minutes < MINUTES_TOLD_MAX:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    hours = minutes // 60
    return f"{hours} hours"
