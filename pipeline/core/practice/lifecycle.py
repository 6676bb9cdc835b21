"""The life of an incident, as one table. Nothing else changes an incident's state.

A pair that is not in the table changes nothing, and the caller says so on the timeline.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pipeline.models.incident import Incident
from pipeline.models.incident import IncidentState as S


class Step(StrEnum):
    """What can happen to an incident."""

    LOG = "log"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    START = "start"
    ESCALATE = "escalate"
    WAIT_FOR_CUSTOMER = "wait_for_customer"
    WAIT_FOR_VENDOR = "wait_for_vendor"
    WAIT_FOR_PROVIDER = "wait_for_provider"
    RESUME = "resume"
    MITIGATE = "mitigate"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    CANCEL = "cancel"
    MERGE = "merge"


WAITING_STATES: Final = (S.WAITING_CUSTOMER, S.WAITING_VENDOR, S.WAITING_PROVIDER)
"""Somebody has it and waits for somebody outside."""

UNANSWERED_STATES: Final = frozenset({S.DETECTED, S.LOGGED, S.ESCALATED, S.REOPENED})
"""Nobody has it: escalation goes on."""

ANSWERED_STATES: Final = frozenset({S.ACKNOWLEDGED, S.IN_PROGRESS, S.MITIGATED, *WAITING_STATES})
"""Somebody has it."""

OPEN_STATES: Final = UNANSWERED_STATES | ANSWERED_STATES
ENDED_STATES: Final = frozenset({S.CLOSED, S.MERGED, S.CANCELLED})

_WAITS: Final = {
    Step.WAIT_FOR_CUSTOMER: S.WAITING_CUSTOMER,
    Step.WAIT_FOR_VENDOR: S.WAITING_VENDOR,
    Step.WAIT_FOR_PROVIDER: S.WAITING_PROVIDER,
}


def _table() -> dict[tuple[str, str], S]:
    table: dict[tuple[str, str], S] = {(S.DETECTED, Step.LOG): S.LOGGED}
    table[S.DETECTED, Step.CANCEL] = S.CANCELLED  # the proposal of a Major Incident that none becomes of
    unanswered = (S.LOGGED, S.ESCALATED, S.REOPENED)
    answered = (S.ACKNOWLEDGED, S.IN_PROGRESS, *WAITING_STATES, S.MITIGATED)
    for state in unanswered:
        table[state, Step.ACKNOWLEDGE] = S.ACKNOWLEDGED
    for state in answered:
        table[state, Step.UNACKNOWLEDGE] = S.LOGGED
    for state in (*unanswered, S.ACKNOWLEDGED):
        table[state, Step.START] = S.IN_PROGRESS
    for state in (S.LOGGED, S.REOPENED, S.ACKNOWLEDGED, S.IN_PROGRESS, *WAITING_STATES):
        table[state, Step.ESCALATE] = S.ESCALATED
    for state in (*unanswered, *answered):
        for step, waiting in _WAITS.items():
            if state != waiting:
                table[state, step] = waiting
    for state in (*WAITING_STATES, S.MITIGATED):
        table[state, Step.RESUME] = S.IN_PROGRESS
    for state in (*unanswered, S.ACKNOWLEDGED, S.IN_PROGRESS, *WAITING_STATES):
        table[state, Step.MITIGATE] = S.MITIGATED
    for state in (*unanswered, *answered):
        table[state, Step.RESOLVE] = S.RESOLVED
        table[state, Step.CANCEL] = S.CANCELLED
        table[state, Step.MERGE] = S.MERGED
    # A failure that comes back needs somebody again: the incident waits for acknowledgement.
    table[S.RESOLVED, Step.REOPEN] = S.REOPENED
    table[S.RESOLVED, Step.CLOSE] = S.CLOSED
    table[S.RESOLVED, Step.MERGE] = S.MERGED
    return table


TRANSITIONS: Final = _table()


def advance(state: str, step: Step) -> S | None:
    """The state after a step, or None where the step means nothing in this state."""
    return TRANSITIONS.get((state, step))


def move(incident: Incident, step: Step, after: S, now_ms: int, asked_ms: int) -> None:
    """Put an incident into the state that a step leads to, and account for the time that it spent in the one before.

    Args:
        incident: in the state before.
        step: taken.
        after: as `advance` answered.
        now_ms: stream time.
        asked_ms: when the step was asked for, by the clock of who asked.
    """
    before, since_ms = incident.state, incident.state_since_ms or incident.detected_at_ms
    incident.time_in[str(before)] = incident.time_in.get(before, 0) + max(0, now_ms - since_ms)
    incident.state, incident.state_since_ms = after, max(now_ms, since_ms)
    incident.last_step_at_ms[step.value] = asked_ms
    if after not in WAITING_STATES:
        incident.waiting_for = incident.waiting_since_ms = None
        return
    incident.waiting_for = after.removeprefix("waiting_")
    if before not in WAITING_STATES:
        incident.waiting_since_ms = now_ms


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {S.DETECTED}"]
    lines += [f"    {before} --> {after}: {step}" for (before, step), after in TRANSITIONS.items()]
    lines += [f"    {state} --> [*]" for state in sorted(ENDED_STATES)]
    return "\n".join(lines) + "\n"
