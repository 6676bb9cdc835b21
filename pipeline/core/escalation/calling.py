"""Calling people: the escalation path of an incident runs, round after round, until somebody has it.

Who answers stops it (`pipeline.core.escalation.watching` sees to that whatever the way), and it resumes where nothing
follows.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.escalation.escalate import waited
from pipeline.core.escalation.paging import forget_calls, nobody, page_all, span
from pipeline.core.escalation.routing import take_route
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.practice.lifecycle import ANSWERED_STATES, UNANSWERED_STATES, Step
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.incident import Incident, IncidentChange, IncidentState
from pipeline.models.policy import DomainPolicy

RANG_MINUTES: Final = 5
"""Who was called within so many minutes is not called anew because the priority rose: the phone still rings."""

_NO_PATH: Final = EscalationPath(
    priorities=(), levels=(EscalationLevel(after_minutes=0, notify=("oncall", "owner")),), hops_max=0
)
"""Who is called where a person escalates what the policy has no path for."""


def begin(desk: Desk, draft: Draft, because: str | None = None) -> None:
    """Start the escalation path of the incident's priority from its first level, now. Nobody is called again."""
    escalation = draft.incident.escalation
    escalation.run += 1
    escalation.level, escalation.repeat = 0, 0
    escalation.started_at_ms = escalation.run_at_ms = draft.now_ms
    escalation.fired_at_ms = escalation.exhausted_at_ms = escalation.stalls_at_ms = None
    path = _path(desk, draft.incident)
    if path is not None and draft.incident.state in UNANSWERED_STATES:
        take_route(desk, draft, path, call=False)
    reschedule(desk, draft.incident)
    escalate(desk, draft, because)


def begin_again(desk: Desk, draft: Draft, because: str) -> None:
    """Start from the first level, and call whom it was called before: somebody is needed again."""
    forget_calls(draft.incident, draft.now_ms)
    draft.incident.escalation.routed.clear()
    draft.incident.escalation.route = None
    draft.incident.escalation.share_used = False
    draft.incident.escalation.pushed_over.clear()
    begin(desk, draft, because)


def priority_changed(desk: Desk, draft: Draft, before: str) -> bool:
    """A priority escalates by its own path; what was acknowledged as something lesser needs somebody again.

    Whether it was so acknowledged, and is so no longer.
    """
    incident = draft.incident
    escalator, policy = desk.escalator, desk.policy(incident)
    was, now = _rank_of(policy, incident, before), policy.rank(incident.priority)
    path, path_before = escalator.path(policy, incident.priority), escalator.path(policy, before)
    because = f"priority {before} -> {incident.priority}"
    taken_back, rises = False, now < was
    if rises:
        incident.escalation.share_used = False
    if incident.state in ANSWERED_STATES and rises and path is not None and path is not path_before:
        text = f"acknowledged as {before}, it is {incident.priority} now and needs somebody again"
        taken_back = desk.step(draft, Step.UNACKNOWLEDGE, MACHINE, text)
        if taken_back:
            forget_calls(incident, draft.now_ms)
    elif incident.state in UNANSWERED_STATES and rises:
        forget_calls(incident, draft.now_ms, but_for_ms=RANG_MINUTES * MINUTE_MS)
    if incident.state in UNANSWERED_STATES:
        if rises or taken_back or (path is not path_before and now != was):
            begin(desk, draft, because)
        else:  # whoever is called next is called when he would have been
            reschedule(desk, incident)
    return taken_back


def _rank_of(policy: DomainPolicy, incident: Incident, priority: str) -> int:
    """Place of the priority that an incident had; of one that the pack calls otherwise, as the one before placed it."""
    if priority in policy.priorities or incident.priority_rank is None:
        return policy.rank(priority)
    return incident.priority_rank


def escalate(desk: Desk, draft: Draft, because: str | None = None) -> None:
    """Fire every level that is due, begin the next round, or say that the path has ended; unless somebody has it."""
    incident = draft.incident
    path = _path(desk, incident)
    escalation = incident.escalation
    if escalation.next_at_ms is not None:
        # The path may be another one since the deadline was set (priority, configuration). Where it is gone or
        # shorter, the old deadline would be due for ever.
        reschedule(desk, incident)
    while path and escalation.next_at_ms is not None and escalation.next_at_ms <= draft.now_ms:
        if escalation.level < len(path.levels):
            _fire(desk, draft, path, because)
        elif escalation.repeat + 1 < path.rounds:
            _begin_round(incident, path, draft.now_ms)
        else:
            _exhausted(desk, draft, path)
        reschedule(desk, incident)


def next_level(desk: Desk, draft: Draft, because: str, *, anew: bool) -> None:
    """Fire the next level at once; after the last level, that one again.

    Args:
        desk: the incident desk.
        draft: of an incident that nobody has.
        because: why.
        anew: somebody had it, so who was called before is called again.
    """
    incident = draft.incident
    path, escalation = _path(desk, incident), incident.escalation
    if path is None:
        forget_calls(incident, draft.now_ms)  # no level follows: the same people are called, each time
        found = desk.escalator.level(incident, _NO_PATH, _NO_PATH.levels[0], draft.now_ms, because)
        escalation.run += 1
        page_all(desk, draft, found.new, "by-hand")
        if not found.anybody:
            why = desk.escalator.why_nobody(incident, draft.now_ms)
            nobody(draft, f"{why}, and {incident.priority} has no escalation path")
        return
    last = len(path.levels) - 1
    if anew or escalation.level > last or escalation.exhausted_at_ms is not None:
        escalation.run, escalation.repeat = escalation.run + 1, 0
        escalation.run_at_ms, escalation.exhausted_at_ms = draft.now_ms, None
        forget_calls(incident, draft.now_ms)
    escalation.level = min(escalation.level, last)
    escalation.started_at_ms = draft.now_ms - round(path.levels[escalation.level].after_minutes * MINUTE_MS)
    reschedule(desk, incident)
    escalate(desk, draft, because)


def reschedule(desk: Desk, incident: Incident) -> None:
    """Set when the next level fires: while nobody has it, by the path of the priority that it has now."""
    calls = incident.state in UNANSWERED_STATES and incident.muted is None
    path = _path(desk, incident) if calls else None
    incident.escalation.next_at_ms = desk.escalator.due_ms(incident, path)


def _path(desk: Desk, incident: Incident) -> EscalationPath | None:
    return desk.escalator.path(desk.policy(incident), incident.priority)


def _fire(desk: Desk, draft: Draft, path: EscalationPath, because: str | None) -> None:
    """Call whom the next level leads to; where it leads to nobody, the fall-back."""
    incident, escalation = draft.incident, draft.incident.escalation
    level = path.levels[escalation.level]
    why = because or _waited(draft, path, level)
    if (escalation.level or escalation.repeat) and incident.state != IncidentState.ESCALATED:
        desk.step(draft, Step.ESCALATE, MACHINE, f"escalated to level {escalation.level + 1}: {why}")
    found = desk.escalator.level(incident, path, level, draft.now_ms, why)
    step = str(escalation.level + 1)
    page_all(desk, draft, found.new, step)
    if not found.anybody:
        _fall_back(desk, draft, path, why)
    escalation.level += 1
    escalation.fired_at_ms, escalation.exhausted_at_ms = draft.now_ms, None


def _fall_back(desk: Desk, draft: Draft, path: EscalationPath, why: str) -> None:
    incident, escalation = draft.incident, draft.incident.escalation
    step = str(escalation.level + 1)
    text = f"{why}; level {step} finds nobody"
    found = desk.escalator.find(incident, path.hops_max, path.fallback, draft.now_ms, text, as_what="fallback")
    page_all(desk, draft, found.new, step)
    if not found.anybody and len(escalation.paged) <= escalation.called_from:
        fallback = "the fall-back finds nobody either" if path.fallback else "the path has no fall-back"
        nobody(draft, f"{desk.escalator.why_nobody(incident, draft.now_ms)}; {fallback}")


def _begin_round(incident: Incident, path: EscalationPath, now_ms: int) -> None:
    """The path begins again: whoever did not answer is called again."""
    escalation = incident.escalation
    escalation.repeat += 1
    escalation.level = 0
    escalation.started_at_ms = now_ms - round(path.levels[0].after_minutes * MINUTE_MS)
    forget_calls(incident, now_ms)


def _exhausted(desk: Desk, draft: Draft, path: EscalationPath) -> None:
    """The path has ended and nobody has answered: a person has to call by hand, and is told whom."""
    incident, escalation = draft.incident, draft.incident.escalation
    escalation.exhausted_at_ms = draft.now_ms
    by_hand = desk.escalator.by_hand(incident, path, draft.now_ms)
    whom = ", ".join(by_hand) or f"whoever knows {_title(desk, incident)}: nobody is named for it"
    rounds = f"{escalation.repeat + 1} round{'s' if escalation.repeat else ''}"
    text = f"the escalation path of {incident.priority} has ended after {rounds} without an answer"
    facts = {"by_hand": by_hand, "rounds": escalation.repeat + 1}
    draft.note("escalation_exhausted", MACHINE, f"{text}; call by hand: {whom}", IncidentChange.ESCALATED, **facts)


def _waited(draft: Draft, path: EscalationPath, level: EscalationLevel) -> str:
    """Why a level fires, where nothing but time has passed since the run began."""
    escalation = draft.incident.escalation
    if escalation.run_at_ms in (None, escalation.started_at_ms):
        return waited(level)
    waits = f"not acknowledged after {span(draft.now_ms - (escalation.run_at_ms or 0))}"
    return f"{waits}, round {escalation.repeat + 1} of {path.rounds}" if escalation.repeat else waits


def _title(desk: Desk, incident: Incident) -> str:
    return desk.topology.title(incident.service)
