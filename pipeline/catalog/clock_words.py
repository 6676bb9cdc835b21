"""Calendars, targets and the rules of clocks in words, for those who print them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.models.clocks import ALWAYS, BUSINESS, BusinessHours, ClockRules, Targets

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CALENDARS: Final = {ALWAYS: "day and night", BUSINESS: "in business hours"}


def targets_words(targets: Targets) -> str:
    """Targets of one priority."""
    update = f", update every {targets.update_minutes} min" if targets.update_minutes else ""
    words = f"respond in {targets.respond_minutes} min, resolve in {targets.resolve_minutes} min{update}"
    words += f"; {_calendar(targets.calendar)}"
    words += "".join(f", {clock} {_calendar(name)}" for clock, name in targets.calendars.items())
    if targets.warn_at is not None:
        words += f"; warnings at {shares_words(targets.warn_at)}"
    if targets.pause_in is not None:
        words += f"; {pauses_words(targets.pause_in.items())}"
    return words


def _calendar(name: str) -> str:
    return _CALENDARS.get(name, f"on calendar {name}")


def shares_words(shares: tuple[float, ...]) -> str:
    """Shares at which warnings go out."""
    return ", ".join(f"{share * 100:g} %" for share in shares) or "no share"


def pauses_words(pauses: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    """Which clock pauses in which states."""
    words = [f"{clock} pauses in {', '.join(states)}" for clock, states in pauses if states]
    return "; ".join(words) or "no clock pauses"


def rules_words(rules: ClockRules) -> str:
    """The rules of a pack's clocks."""
    return (
        f"warnings at {shares_words(rules.warn_at)}; {pauses_words(rules.pause_in.items())}; "
        f"resolution met by {', '.join(rules.met_by)}; {rules.on_reopen} after a reopening"
    )


def week_words(hours: BusinessHours) -> str:
    """When people work in a week."""
    if hours.week is None:
        days = ", ".join(_DAYS[day] for day in hours.days)
        return f"{days} {hours.start:%H:%M} to {hours.end:%H:%M}"
    return "; ".join(f"{day} {', '.join(spans) or 'closed'}" for day, spans in hours.week.items())


def public_words(hours: BusinessHours) -> str:
    """Which public holidays a calendar has; empty for none."""
    rule = hours.public_holidays
    if rule is None:
        return ""
    where = f"{rule.country} {rule.subdivision}" if rule.subdivision else rule.country
    without = f", without {', '.join(rule.except_days)}" if rule.except_days else ""
    return f"{where} ({', '.join(rule.categories)}){without}"


def hours_words(hours: BusinessHours) -> str:
    """A calendar in one line."""
    words = f"{week_words(hours)} {hours.timezone}"
    if public := public_words(hours):
        words += f"; holidays of {public}"
    if hours.holidays:
        words += f"; {len(hours.holidays)} of its own"
    if hours.working_days:
        words += f"; {len(hours.working_days)} extra working days"
    return words
