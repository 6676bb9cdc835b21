"""Service level clocks of an incident: set by its priority, met, warned of, breached."""

from __future__ import annotations

from pipeline.core.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.draft import Draft
from pipeline.core.prioritise import clocks
from pipeline.models.incident import IncidentChange


def set_clocks(desk: Desk, draft: Draft) -> None:
    """Set the clocks of the incident's priority, counted from detection; what was met or missed stays so."""
    incident = draft.incident
    before = incident.clocks
    incident.clocks = clocks(desk.policy(incident), incident.priority, incident.detected_at_ms)
    for name, clock in incident.clocks.items():
        known = before.get(name)
        if known is not None and (known.met_at_ms is not None or known.breached_at_ms is not None):
            clock.met_at_ms, clock.breached_at_ms, clock.warn_at_ms = known.met_at_ms, known.breached_at_ms, None


def run_clocks(desk: Desk, draft: Draft) -> None:
    """Warn and record breaches that are due."""
    for name, clock in draft.incident.clocks.items():
        if clock.met_at_ms is not None:
            continue
        if clock.warn_at_ms is not None and clock.warn_at_ms <= draft.now_ms:
            clock.warn_at_ms = None
            left_ms = clock.due_at_ms - draft.now_ms
            if left_ms > 0:  # a priority that rose late may find its target missed already
                left = max(1, round(left_ms / MINUTE_MS))
                text = f"{name} target is due in {left} minute{'s' if left > 1 else ''}"
                draft.note("sla_warning", MACHINE, text, IncidentChange.SLA_WARNING, clock=name)
        if clock.breached_at_ms is None and clock.due_at_ms <= draft.now_ms:
            clock.breached_at_ms, clock.warn_at_ms = clock.due_at_ms, None
            text = f"{name} target of {draft.incident.priority} was missed"
            draft.note("sla_breached", MACHINE, text, IncidentChange.SLA_BREACHED, clock=name)


def run_on(draft: Draft, name: str) -> None:
    """What a clock waits for had happened, and has turned out not to hold."""
    clock = draft.incident.clocks.get(name)
    if clock is not None:
        clock.met_at_ms = None


def meet(draft: Draft, name: str) -> None:
    """What a clock waits for has happened."""
    clock = draft.incident.clocks.get(name)
    if clock is not None and clock.met_at_ms is None:
        clock.met_at_ms, clock.warn_at_ms = draft.now_ms, None
