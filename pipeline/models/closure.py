"""What resolving and closing take."""

from __future__ import annotations

from pydantic import Field

from pipeline.models.catalog import Frozen


class Closure(Frozen):
    """What closing takes.

    Attributes:
        resolve_quiet_seconds: how long all episodes must be quiet before the incident counts as resolved.
        close_after_minutes: from resolved to closed, when nobody objects.
        reopen_minutes: a new run of a member's condition within this time reopens the resolved incident.
        require: fields of the resolution that a person's resolve must bring.
        problem_review: priorities that get a problem review on the next business day.
    """

    resolve_quiet_seconds: int = Field(default=0, ge=0)
    close_after_minutes: int = Field(default=24 * 60, gt=0)
    reopen_minutes: int = Field(default=30, ge=0)
    require: tuple[str, ...] = ()
    problem_review: tuple[str, ...] = ("P1",)
