"""A service level clock of an incident, as it travels and is kept.

How it runs is in `pipeline.core.clocks.clockwork`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CLOCK_REASONS_MAX: Final = 6
"""Reasons kept on a clock: more than anybody reads in one sentence, and bounds the record."""


@dataclass(slots=True, kw_only=True)
class Clock:
    """One service level clock: how much working time it allows, how much is used, when that is over.

    Working time is counted exactly: what has passed until `running_since_ms` is in `elapsed_ms`, and what has passed
    since follows from the calendar. Used time never becomes less, but where a new period begins: of the update clock
    with each update, and after a reopening where the pack says so.

    Attributes:
        due_at_ms: when the target will be used up if nothing pauses it; None while it is paused or stopped. Of a clock
            that was met: when it would have been.
        warn_at_ms: when the next warning goes out; None when none is left, or while it does not run.
        met_at_ms: when what it waits for happened; None again when that did not last.
        breached_at_ms: when the target was used up and nothing had happened.
        started_at_ms: what it counts from: detection; of the update clock the last update.
        target_ms: working time that it allows.
        elapsed_ms: working time used until ``running_since_ms``, or altogether while it does not run.
        running_since_ms: until when used time has been counted; None while it does not run.
        held_since_ms: since when it is paused, or since when somebody waits though it runs.
        held_for: whom somebody waits for, with the record there: ``vendor CASE-12``; "" while nobody does.
        paused_ms: real time for which it was paused, without the pause that is on.
        warned: warnings that have gone out of its target.
        missed: earlier periods of the update clock that were missed.
        priority: the priority whose target it has.
        calendar: name of the calendar that it counts on.
        because: what has cost time so far, in words; of more than `CLOCK_REASONS_MAX` the newest.
    """

    due_at_ms: int | None = None
    warn_at_ms: int | None = None
    met_at_ms: int | None = None
    breached_at_ms: int | None = None
    started_at_ms: int = 0
    target_ms: int = 0
    elapsed_ms: int = 0
    running_since_ms: int | None = None
    held_since_ms: int | None = None
    held_for: str = ""
    paused_ms: int = 0
    warned: int = 0
    missed: int = 0
    priority: str = ""
    calendar: str = "always"
    because: list[str] = field(default_factory=list)
