"""The life of an incident, as one table. Nothing else changes an incident's state.

detected -> logged -> acknowledged -> in progress -> resolved -> closed, with reopening, and merged as an end.
A pair that is not in the table changes nothing, and the caller says so on the timeline.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pipeline.models.incident import IncidentState as S


class Step(StrEnum):
    """What can happen to an incident."""

    LOG = "log"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    START = "start"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    MERGE = "merge"


TRANSITIONS: Final[dict[tuple[str, str], S]] = {
    (S.DETECTED, Step.LOG): S.LOGGED,
    (S.LOGGED, Step.ACKNOWLEDGE): S.ACKNOWLEDGED,
    (S.LOGGED, Step.START): S.IN_PROGRESS,
    (S.LOGGED, Step.RESOLVE): S.RESOLVED,
    (S.LOGGED, Step.MERGE): S.MERGED,
    (S.ACKNOWLEDGED, Step.UNACKNOWLEDGE): S.LOGGED,
    (S.ACKNOWLEDGED, Step.START): S.IN_PROGRESS,
    (S.ACKNOWLEDGED, Step.RESOLVE): S.RESOLVED,
    (S.ACKNOWLEDGED, Step.MERGE): S.MERGED,
    (S.IN_PROGRESS, Step.UNACKNOWLEDGE): S.LOGGED,
    (S.IN_PROGRESS, Step.RESOLVE): S.RESOLVED,
    (S.IN_PROGRESS, Step.MERGE): S.MERGED,
    # A failure that comes back needs somebody again: the incident waits for acknowledgement.
    (S.RESOLVED, Step.REOPEN): S.LOGGED,
    (S.RESOLVED, Step.CLOSE): S.CLOSED,
    (S.RESOLVED, Step.MERGE): S.MERGED,
}

OPEN_STATES: Final = frozenset({S.DETECTED, S.LOGGED, S.ACKNOWLEDGED, S.IN_PROGRESS})
ENDED_STATES: Final = frozenset({S.CLOSED, S.MERGED})


def advance(state: str, step: Step) -> S | None:
    """The state after a step, or None where the step means nothing in this state."""
    return TRANSITIONS.get((state, step))


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {S.DETECTED}"]
    lines += [f"    {before} --> {after}: {step}" for (before, step), after in TRANSITIONS.items()]
    lines += [f"    {state} --> [*]" for state in sorted(ENDED_STATES)]
    return "\n".join(lines) + "\n"
