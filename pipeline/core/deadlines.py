"""Time on the desk: when an incident needs attention by itself, and what is done then."""

from __future__ import annotations

from pipeline.core import calling, ending, lifecycle, sla
from pipeline.core.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.draft import Draft
from pipeline.models.incident import Incident


def deadline_ms(desk: Desk, incident: Incident) -> int | None:
    """When the incident next needs attention by itself; None once it has ended."""
    if incident.state in lifecycle.ENDED_STATES:
        return None
    if incident.resolved_at_ms is not None:
        return incident.resolved_at_ms + desk.policy(incident).closure.close_after_minutes * MINUTE_MS
    dues = [incident.escalation.next_at_ms, incident.resolve_at_ms]
    for clock in incident.clocks.values():
        if clock.met_at_ms is None and clock.breached_at_ms is None:
            dues += (clock.warn_at_ms, clock.due_at_ms)
    return min([due for due in dues if due is not None], default=None)


def on_deadline(desk: Desk, draft: Draft) -> None:
    """Do what is due."""
    incident = draft.incident
    if incident.resolved_at_ms is not None:
        ending.close(desk, draft, MACHINE, "closed: nobody objected to the resolution")
        return
    calling.escalate(desk, draft)
    sla.run_clocks(desk, draft)
    if incident.resolve_at_ms is not None and incident.resolve_at_ms <= draft.now_ms:
        ending.resolve(desk, draft, MACHINE, None)
