"""What may be told later, or lower, so that people are called for what matters: learned holds and chronic alerts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.models.catalog import Frozen

LEARNED = "learned"
"""A hold whose length follows from how long such runs usually take to end by themselves."""


def _seconds_or_learned(value: Any) -> Any:
    """One sentence for what is neither, instead of one for each."""
    if value == LEARNED or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError("give seconds, or 'learned'")


HoldSeconds = Annotated[int | Literal["learned"], BeforeValidator(_seconds_or_learned)]


class LearnedHold(Frozen):
    """Limits of a learned hold, in seconds. What is not known to end by itself within them does not wait.

    Attributes:
        least_seconds: a shorter one is lengthened to this.
        most_seconds: nothing waits longer for what was learned.
    """

    least_seconds: int = Field(default=60, ge=1, le=900)
    most_seconds: int = Field(default=300, ge=60, le=900)


class ChronicRule(Frozen):
    """When a condition is chronic: it fires often, and hardly ever matters. Its incidents get the lowest urgency.

    Only while nothing else speaks for the incident and it does not get worse. Counts fade, by half in a week.

    Attributes:
        severity_at_most: the worst severity that may rank lower; null: nothing does. Critical never does.
        incidents_at_least: incidents that the condition was in.
        days_at_least: different days among them.
        mattered_at_most: share of them that somebody acknowledged, took or resolved, or that had other symptoms.
    """

    severity_at_most: Literal["info", "warning", "error"] | None = "warning"
    incidents_at_least: float = Field(default=10, gt=0)
    days_at_least: float = Field(default=5, gt=0)
    mattered_at_most: float = Field(default=0.1, ge=0, lt=1)
