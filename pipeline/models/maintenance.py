"""Maintenance windows: trouble that is expected, once or again and again."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.models.catalog import Frozen

DURATION_MINUTES_MAX: Final = 7 * 24 * 60
"""A week: work that takes longer is planned with a begin and an end."""

EXCEPTIONS_MAX: Final = 366
"""Days on which a recurring window does not occur: a year of a daily one."""

_RECURS: Final = ("rrule", "timezone", "duration_minutes")


class MaintenanceWindow(Frozen):
    """Expected trouble: alerts on the targets are suppressed, never dropped; their end restores the truth.

    One-off with ``start`` and ``end``; recurring with ``every``, or with ``rrule``, ``start``, ``timezone`` and
    ``duration_minutes``.

    Attributes:
        start: when it begins; of a recurring one the first local begin in its ``timezone``, written without an offset.
        end: when a one-off window ends.
        every: a recurring window in words: ``sunday 02:00-04:00 Europe/Dublin``, ``weekday 22:00-01:00 UTC``,
            ``second tuesday 20:00-23:00 America/New_York``.
        rrule: when it recurs, as RFC 5545 has it: ``FREQ=WEEKLY;BYDAY=SU``.
        timezone: whose clock a recurring window follows, through summer and winter time.
        duration_minutes: how long each occurrence takes, as time passes.
        exceptions: local days on which no occurrence begins.
        targets: what is worked on, in any name that the catalogue knows; includes what runs on it.
        labels: only alerts that carry all these labels; without targets, any alert that carries them.
    """

    name: str
    start: datetime | None = None
    end: datetime | None = None
    every: str | None = Field(default=None, max_length=128)
    rrule: str | None = Field(default=None, max_length=256)
    timezone: str | None = None
    duration_minutes: int | None = Field(default=None, gt=0, le=DURATION_MINUTES_MAX)
    exceptions: tuple[date, ...] = Field(default=(), max_length=EXCEPTIONS_MAX)
    targets: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    owner: str = ""

    @property
    def recurs(self) -> bool:
        """Whether it comes again and again."""
        return self.every is not None or self.rrule is not None

    @model_validator(mode="after")
    def _one_way_to_say_when(self) -> Self:
        given = [name for name in ("start", "end", "every", *_RECURS) if getattr(self, name) is not None]
        if self.every is not None:
            if given != ["every"]:
                raise ValueError("'every' says when by itself: leave out start, end, rrule, timezone, duration_minutes")
        elif self.rrule is not None:
            lacks = [name for name in ("start", *_RECURS) if name not in given]
            if lacks or self.end is not None:
                raise ValueError("'rrule' needs start, timezone and duration_minutes, and takes no end")
        elif self.start is None or self.end is None:
            raise ValueError("a window needs start and end; one that recurs 'every', or rrule with start")
        elif set(given) & set(_RECURS) or self.exceptions:
            raise ValueError("timezone, duration_minutes and exceptions are of a window that recurs")
        return self
