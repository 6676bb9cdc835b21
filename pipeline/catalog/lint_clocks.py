"""Rules about clocks and calendars: what counts as time when it should not, or will no longer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pipeline.catalog.lint_context import Finding
from pipeline.catalog.packs import Source
from pipeline.core.clocks.calendars import calendar
from pipeline.core.clocks.weekly import days_of
from pipeline.models.clocks import ALWAYS, BUSINESS, RESPONSE, UPDATE, BusinessHours
from pipeline.models.policy import DomainPolicy

_LOOKED_AHEAD_MS: Final = round(timedelta(days=366) / timedelta(milliseconds=1))
"""A year of a calendar says whether it ever closes."""


def check_clocks(policy: DomainPolicy, source: Source, now_ms: int) -> Iterator[Finding]:
    """Every rule about the clocks of one pack."""
    yield from _urgent_by_day(policy, source, now_ms)
    yield from _late_updates(policy, source)
    yield from _past_holidays(policy.business_hours, source, now_ms, "business_hours")
    for name, hours in policy.calendars.items():
        yield from _past_holidays(hours, source, now_ms, "calendars", name)


def _hours(policy: DomainPolicy, name: str) -> BusinessHours | None:
    return policy.business_hours if name == BUSINESS else policy.calendars.get(name)


def _urgent_by_day(policy: DomainPolicy, source: Source, now_ms: int) -> Iterator[Finding]:
    """At night nobody is late, so nobody is warned; and nobody may come."""
    priority = policy.top_priority()
    targets = policy.targets.get(priority)
    name = targets.calendar_of(RESPONSE) if targets is not None else ALWAYS
    hours = _hours(policy, name)
    if name == ALWAYS or hours is None:
        return
    until_ms = now_ms + _LOOKED_AHEAD_MS
    if calendar(hours).worked_ms(now_ms, until_ms) < _LOOKED_AHEAD_MS:
        message = f"response to {priority} waits while calendar '{name}' is closed: nobody is late at night"
        yield Finding("urgent-by-day-only", source.at("targets", priority, "calendar"), message)


def _late_updates(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    for priority, targets in policy.targets.items():
        same = targets.calendar_of(UPDATE) == targets.calendar_of("resolution")
        if targets.update_minutes is not None and same and targets.update_minutes >= targets.resolve_minutes:
            message = (
                f"{priority} is to be resolved in {targets.resolve_minutes} min, and people are told something "
                f"after {targets.update_minutes}"
            )
            yield Finding("update-after-target", source.at("targets", priority, "update_minutes"), message)


def _past_holidays(hours: BusinessHours, source: Source, now_ms: int, *here: str) -> Iterator[Finding]:
    own, yearly = days_of(hours)
    if not own or yearly or hours.public_holidays is not None:
        return
    last = max(own)
    if last < calendar(hours).local(now_ms).date():
        message = (
            f"{here[-1]}: the last of its holidays was {last.isoformat()}; "
            "name the next ones, or a country in 'public_holidays'"
        )
        yield Finding("holidays-past", source.at(*here, "holidays"), message)
