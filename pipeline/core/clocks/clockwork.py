"""One service level clock: run, paused, met, stopped, given another target. Knows no incident and no policy.

Whatever happens to a clock first settles what it has used, on the calendar that it counted on until then. So used time
is exact over pauses and changes of calendar, and never becomes less.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from pipeline.core.clocks.calendars import YEARS_AHEAD_MAX, Calendar
from pipeline.models.incident_clock import CLOCK_REASONS_MAX, Clock

FAR_MS: Final = YEARS_AHEAD_MAX * 365 * 86_400_000
"""When a target is due that its calendar has no time for: the pipeline goes on, and `config check` refuses such."""


class Gear(NamedTuple):
    """What a clock runs by.

    Attributes:
        calendar: what it counts on; None: day and night.
        shares: of the target at which a warning goes out.
    """

    calendar: Calendar | None
    shares: tuple[float, ...]

    def worked_ms(self, from_ms: int, to_ms: int) -> int:
        """Working time between two moments; 0 where the second is not later."""
        if self.calendar is None:
            return max(0, to_ms - from_ms)
        return self.calendar.worked_ms(from_ms, to_ms)

    def after(self, from_ms: int, span_ms: int) -> int:
        """When so much working time from a moment on is over."""
        if span_ms <= 0 or self.calendar is None:
            return from_ms + max(0, span_ms)
        found = self.calendar.after(from_ms, span_ms)
        return from_ms + FAR_MS if found is None else found


def elapsed_ms(clock: Clock, gear: Gear, now_ms: int) -> int:
    """Working time that a clock has used."""
    if clock.running_since_ms is None:
        return clock.elapsed_ms
    return clock.elapsed_ms + gear.worked_ms(clock.running_since_ms, now_ms)


def settle(clock: Clock, gear: Gear, now_ms: int) -> None:
    """Count what a clock has used until now; it runs on from here if it runs."""
    if clock.running_since_ms is not None:
        clock.elapsed_ms = elapsed_ms(clock, gear, now_ms)
        clock.running_since_ms = max(now_ms, clock.running_since_ms)


def aim(clock: Clock, gear: Gear) -> None:
    """Set when a running clock is due and when it warns next. One that was missed has been due."""
    if clock.running_since_ms is None or clock.breached_at_ms is not None:
        clock.warn_at_ms = None
        return
    clock.due_at_ms = gear.after(clock.running_since_ms, clock.target_ms - clock.elapsed_ms)
    clock.warn_at_ms = None
    if clock.warned < len(gear.shares):
        used_ms = round(clock.target_ms * gear.shares[clock.warned])
        clock.warn_at_ms = gear.after(clock.running_since_ms, used_ms - clock.elapsed_ms)


def points(clock: Clock, gear: Gear) -> list[int]:
    """Used time at which each warning goes out."""
    return [round(clock.target_ms * share) for share in gear.shares]


def passed(clock: Clock, gear: Gear, now_ms: int) -> int:
    """How many warnings' shares are used up."""
    return bisect_right(points(clock, gear), elapsed_ms(clock, gear, now_ms))


def retarget(clock: Clock, before: Gear, after: Gear, target_ms: int, now_ms: int) -> None:
    """Give a clock another target, with the time kept that it has used. Warnings of the new target are to come."""
    settle(clock, before, now_ms)
    if target_ms != clock.target_ms:
        clock.target_ms = target_ms
        clock.warned = min(clock.warned, passed(clock, after, now_ms))
    aim(clock, after)


def run(clock: Clock, gear: Gear, now_ms: int) -> None:
    """Let a clock run, from now where it did not."""
    if clock.running_since_ms is None:
        clock.running_since_ms, clock.met_at_ms = now_ms, None
    aim(clock, gear)


def halt(clock: Clock, gear: Gear, now_ms: int) -> None:
    """Let a clock run no further: it is paused or over. When it is due nobody knows then."""
    settle(clock, gear, now_ms)
    clock.running_since_ms = clock.warn_at_ms = None
    if clock.breached_at_ms is None:
        clock.due_at_ms = None


def meet(clock: Clock, gear: Gear, now_ms: int) -> None:
    """What a clock waits for has happened. When it would have been due stays known."""
    due_at_ms = clock.due_at_ms
    halt(clock, gear, now_ms)
    clock.met_at_ms, clock.due_at_ms = now_ms, due_at_ms


def begin(clock: Clock, now_ms: int) -> None:
    """A new period: nothing is used of the target yet. Whether it runs stays."""
    clock.started_at_ms, clock.elapsed_ms, clock.paused_ms, clock.warned = now_ms, 0, 0, 0
    clock.breached_at_ms = clock.due_at_ms = clock.warn_at_ms = None
    clock.because = []
    if clock.running_since_ms is not None:
        clock.running_since_ms = now_ms
    else:  # one that was missed kept when it had been due, and is missed no longer
        clock.due_at_ms = None
    if clock.held_since_ms is not None:
        clock.held_since_ms = now_ms


def remember(clock: Clock, reason: str) -> None:
    """Keep what has cost time."""
    clock.because = [*clock.because, reason][-CLOCK_REASONS_MAX:]
