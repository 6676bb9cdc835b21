"""Service level targets and the calendars that they count on."""

from __future__ import annotations

from datetime import time
from typing import Literal

from pydantic import Field

from pipeline.models.catalog import Frozen


class Targets(Frozen):
    """Service level targets of one priority, in minutes.

    Attributes:
        calendar: ``always`` runs the clocks day and night; ``business`` in business hours only.
    """

    respond_minutes: int = Field(gt=0)
    resolve_minutes: int = Field(gt=0)
    update_minutes: int | None = Field(default=None, gt=0)
    calendar: Literal["always", "business"] = "always"


class BusinessHours(Frozen):
    """A weekly calendar in local time. Days: 0 is Monday."""

    timezone: str = "UTC"
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    start: time = time(9, 0)
    end: time = time(17, 0)
    holidays: tuple[str, ...] = ()
