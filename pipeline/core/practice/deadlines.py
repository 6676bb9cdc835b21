"""Time on the desk: when an incident needs attention by itself, and what is done then."""

from __future__ import annotations

from pipeline.core.clocks import sla
from pipeline.core.communication import communicate, duties
from pipeline.core.draft import Draft
from pipeline.core.escalation import watching
from pipeline.core.practice import ending, lifecycle
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.models.incident import Incident, IncidentChange


def deadline_ms(desk: Desk, incident: Incident) -> int | None:
    """When the incident next needs attention by itself; None once it has ended."""
    if incident.state in lifecycle.ENDED_STATES:
        return None
    if incident.resolved_at_ms is not None:
        ends_ms = _ends_ms(desk, incident) if incident.remind_at_ms is None else incident.remind_at_ms
        return min(ends_ms, communicate.next_due_ms(incident) or ends_ms, incident.settle_at_ms or ends_ms)
    dues = [watching.due_ms(incident), incident.resolve_at_ms, communicate.next_due_ms(incident)]
    if incident.muted is not None:
        dues.append(incident.muted.get("until_ms"))
    for clock in incident.clocks.values():
        if clock.met_at_ms is None and clock.breached_at_ms is None:
            dues += (clock.warn_at_ms, clock.due_at_ms)
    return min([due for due in dues if due is not None], default=None)


def on_deadline(desk: Desk, draft: Draft) -> None:
    """Do what is due."""
    incident = draft.incident
    if incident.resolved_at_ms is not None:
        communicate.on_due(desk, draft)
        if closes(desk, draft):
            _close_or_remind(desk, draft)
        return
    watching.on_due(desk, draft)
    sla.run_clocks(desk, draft)
    if incident.resolve_at_ms is not None and incident.resolve_at_ms <= draft.now_ms:
        ending.resolve(desk, draft, MACHINE, None)
    communicate.on_due(desk, draft)
    sla.run_update_clock(desk, draft)  # what has just been said is an update


def closes(desk: Desk, draft: Draft) -> bool:
    """Whether a resolved incident is to be closed now; of what else is due to it, no notice or message says so."""
    return (draft.incident.remind_at_ms or _ends_ms(desk, draft.incident)) <= draft.now_ms


def _ends_ms(desk: Desk, incident: Incident) -> int:
    """When the time for objections to the resolution is over, and no notice is owed any more."""
    window_ms = desk.policy(incident).closure.of("close_after_minutes", incident.priority) * MINUTE_MS
    return duties.closes_at_ms(incident, (incident.resolved_at_ms or 0) + window_ms)


def _close_or_remind(desk: Desk, draft: Draft) -> None:
    """The time for objections is over. What must be documented first stays, and its owner is reminded."""
    incident = draft.incident
    closure = desk.policy(incident).closure
    waits = closure.of("close_undocumented", incident.priority) == "never"
    if not waits or ending.is_documented(desk, incident):
        ending.close(desk, draft, MACHINE, "closed: nobody objected to the resolution")
        return
    incident.remind_at_ms = draft.now_ms + closure.remind_minutes * MINUTE_MS
    who = incident.assignee or incident.owner or "nobody"
    lacks = ending.missing(desk, incident, incident.resolution or {}) or ["code", "summary"]
    text = (
        f"not closed, as nobody has said how it ended: {who} is to record {', '.join(ending.in_words(incident, lacks))}"
    )
    draft.note("remind", MACHINE, text, IncidentChange.UPDATED, owner=incident.assignee or incident.owner)
