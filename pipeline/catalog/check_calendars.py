"""What calendars and targets must hold: times and dates that mean something, holidays that exist, time to work in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import available_timezones

from pipeline.catalog.packs import Source
from pipeline.catalog.problems import Findings, suggestion
from pipeline.core.clocks.calendars import calendar, never_opens
from pipeline.core.clocks.weekly import WrongCalendar, check_public, days_of, week_of
from pipeline.models.clocks import ALWAYS, BUSINESS, RESOLUTION, RESPONSE, UPDATE, BusinessHours, Targets
from pipeline.models.policy import DomainPolicy

_DAYS: Final = range(7)
_MINUTE_MS: Final = 60_000
_SOME_DAY_MS: Final = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1_000)
"""A day to count from, to know whether a calendar has time for a target; any other would do."""


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def check_timezone(name: str, source: Source, findings: Findings, *path: str | int) -> None:
    """The zone must be in the time zone database."""
    if name not in _timezones():
        near = suggestion(name, _timezones())
        findings.problem(source.at(*path), f"unknown time zone '{name}'{near}")


def check_calendars(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    """Every calendar of a pack, and that each target names one that has time for it."""
    usable = {BUSINESS: check_hours(policy.business_hours, source, findings, "business_hours")}
    for name, hours in policy.calendars.items():
        if name in (ALWAYS, BUSINESS):
            findings.problem(source.at("calendars", name), f"calendars: '{name}' means another; take another name")
        usable[name] = check_hours(hours, source, findings, "calendars", name)
    for priority, targets in policy.targets.items():
        for clock in (RESPONSE, UPDATE, RESOLUTION):
            _check_target(policy, (priority, targets, clock), usable, source, findings)


def check_hours(hours: BusinessHours, source: Source, findings: Findings, *here: str) -> bool:
    """One calendar; whether it can be used."""
    said = len(findings.problems)
    check_timezone(hours.timezone, source, findings, *here, "timezone")
    if hours.week is None:
        _check_plain(hours, source, findings, *here)
    _tried(lambda: week_of(hours), source, findings, *here)
    for index, text in enumerate(hours.holidays):
        key = text if isinstance(hours.holidays, Mapping) else index
        try:
            days_of(BusinessHours(holidays=(text,)))
        except WrongCalendar as wrong:
            findings.problem(source.at(*here, "holidays", key), str(wrong))
    if hours.public_holidays is not None:
        public = hours.public_holidays
        _tried(lambda: check_public(public), source, findings, *here)
    if len(findings.problems) == said and never_opens(hours):
        message = f"{here[-1]}: nobody works within ten years of some day; check week, days and holidays"
        findings.problem(source.at(*here), message)
    return len(findings.problems) == said


def _check_plain(hours: BusinessHours, source: Source, findings: Findings, *here: str) -> None:
    name = here[-1]
    if hours.start >= hours.end:
        message = f"{name}: start must be before end, as in '09:00', '17:00'; spans over midnight are for 'week'"
        findings.problem(source.at(*here, "start"), message)
    if not hours.days:
        findings.problem(source.at(*here, "days"), f"{name}: no day at all; days are 0 (Monday) to 6")
    for index, day in enumerate(hours.days):
        if day not in _DAYS:
            findings.problem(source.at(*here, "days", index), f"{name}: day {day}; 0 is Monday, 6 is Sunday")


def _tried(read: Callable[[], object], source: Source, findings: Findings, *here: str) -> None:
    try:
        read()
    except WrongCalendar as wrong:
        findings.problem(source.at(*here, *wrong.path), str(wrong))


def _check_target(
    policy: DomainPolicy,
    target: tuple[str, Targets, str],
    usable: dict[str, bool],
    source: Source,
    findings: Findings,
) -> None:
    """The calendar of a clock exists, and has time for its target within ten years."""
    priority, targets, clock = target
    name, minutes = targets.calendar_of(clock), targets.minutes_of(clock)
    path = ("calendars", clock) if clock in targets.calendars else ("calendar",)
    where = source.at("targets", priority, *path)
    if name == ALWAYS or minutes is None:
        return
    if name not in usable:
        near = suggestion(name, [ALWAYS, *usable]) or f"; known: {', '.join([ALWAYS, *usable])}"
        findings.problem(where, f"targets: unknown calendar '{name}'{near}")
    elif usable[name]:
        hours = policy.business_hours if name == BUSINESS else policy.calendars[name]
        if calendar(hours).after(_SOME_DAY_MS, minutes * _MINUTE_MS) is None:
            message = f"targets: {minutes:,} min of {clock} take more than ten years on calendar '{name}'"
            findings.problem(where, message)
