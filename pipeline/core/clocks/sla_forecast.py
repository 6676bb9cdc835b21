"""When the clocks of an incident that is detected at a moment would warn and be due, and over which holidays."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from pipeline.core.clocks import sla
from pipeline.core.clocks.calendars import Calendar
from pipeline.core.clocks.clockwork import points
from pipeline.models.incident_clock import Clock
from pipeline.models.policy import DomainPolicy


class Forecast(NamedTuple):
    """One clock, if nothing happens.

    Attributes:
        clock: its name: ``response``, ``update``, ``resolution``.
        calendar: the name of the calendar that it counts on.
        target_ms: working time that it allows.
        warns_ms: when each warning would go out, epoch milliseconds.
        due_ms: when it would be missed.
        holidays: days in between that the week would have had, as ``2026-12-25 Christmas Day``.
    """

    clock: str
    calendar: str
    target_ms: int
    warns_ms: tuple[int, ...]
    due_ms: int
    holidays: tuple[str, ...]


def forecast(policy: DomainPolicy, priority: str, detected_ms: int) -> list[Forecast]:
    """Every clock of a priority; none where the pack has no targets for it."""
    targets = policy.targets.get(priority)
    found = []
    for name in sla.CLOCKS if targets is not None else ():
        minutes = targets.minutes_of(name) if targets is not None else None
        if targets is None or minutes is None:
            continue
        hours = targets.calendar_of(name)
        clock = Clock(target_ms=minutes * sla.MINUTE_MS, priority=priority, calendar=hours)
        gear = sla.gear_of(policy, clock)
        due_ms = gear.after(detected_ms, clock.target_ms)
        warns = tuple(gear.after(detected_ms, point) for point in points(clock, gear))
        holidays = tuple(_holidays(gear.calendar, detected_ms, due_ms)) if gear.calendar is not None else ()
        found.append(Forecast(name, hours, clock.target_ms, warns, due_ms, holidays))
    return found


def _holidays(calendar: Calendar, from_ms: int, to_ms: int) -> list[str]:
    day, last = calendar.local(from_ms).date(), calendar.local(to_ms).date()
    found = []
    while day <= last:
        if (name := calendar.lost(day)) is not None:
            found.append(f"{day.isoformat()} {name}")
        day += timedelta(days=1)
    return found
