"""What an iCalendar file must not ask: size, and recurrences that could cost without end.

A rule is looked at as it is written, before any library reads it. Refused are rules by the second, minute and hour
(a turn is longer), lists of hours and shorter, intervals of nothing, and rules that match no day in years, which
would be searched to the end of time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import MAXYEAR, date, datetime, time, timedelta
from typing import Any, Final

from dateutil.rrule import rrulestr

from pipeline.core.escalation.oncall_calendar import UNFOLDING_ERRORS, parsed, people_of, unfolding
from pipeline.models.oncall import OncallCalendar

CALENDAR_BYTES_MAX: Final = 1 << 20
"""A feed of two years of daily turns is a tenth of it."""

EVENTS_MAX: Final = 2_000
"""Five years of daily events that do not recur."""

RECURRING_MAX: Final = 200
"""Events with a rule. A rotation has one for each person; exceptions have none."""

ZONES_MAX: Final = 50
COUNT_MAX: Final = 10_000
"""Turns of one rule: 27 years of daily ones."""

DATES_MAX: Final = 5_000
"""RDATE and EXDATE of one file."""

EVENT_DAYS_MAX: Final = 366
"""Length of an event: whoever is on call for longer needs no calendar."""

YEAR_MIN: Final = 2000
"""Of the begin of an event: a rule is counted from there."""

SEARCH_DAYS: Final = 4 * 366 + 1
"""A rule that is right matches in its first four years; the 29th of February does."""

CYCLE_YEARS: Final = 400
"""After so many years the Gregorian calendar has the same weekdays."""

YEARS_LEFT_MIN: Final = 8
OCCURRENCES_MAX: Final = 100_000
"""Turns that the rules of a file have from their beginnings on: a second's work, once. 27 daily rules of ten years."""

YEARS_AHEAD: Final = 5
"""For how long after its newest event a file is reckoned to be in use."""

_OF_A_YEAR: Final = {"DAILY": 366, "WEEKLY": 53, "MONTHLY": 12, "YEARLY": 1}
_NEVER_NEEDED: Final = ("BYYEARDAY", "BYWEEKNO", "BYEASTER")
_PERIODS: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS: Final = re.compile(r"([A-Z-]+)=([^;]+)")
_FINE: Final = ("BYSECOND", "BYMINUTE", "BYHOUR")


@dataclass(slots=True)
class _Line:
    """One unfolded line. Attributes: number of its first line in the file, name, parameters and value as written."""

    number: int
    name: str
    parameters: str
    value: str


@dataclass(slots=True)
class _Scan:
    """What is gathered from the lines."""

    problems: list[tuple[int, str]] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    rules: int = 0
    dates: int = 0
    zones: int = 0

    def refuse(self, number: int, message: str) -> None:
        self.problems.append((number, message))


def check_calendar(text: str) -> list[tuple[int, str]]:
    """What is wrong with a file, as line and words; nothing where it can be used."""
    scan = _Scan()
    if len(text.encode("utf-8", "replace")) > CALENDAR_BYTES_MAX:
        scan.refuse(1, f"larger than {CALENDAR_BYTES_MAX:,} bytes; export less of the past")
        return scan.problems
    inside: list[str] = []
    for line in _unfolded(text):
        _look_at(line, inside, scan)
        if scan.problems:
            return scan.problems
    try:
        events = list(parsed(text).walk("VEVENT"))
    except ValueError as error:
        return [(1, f"not iCalendar: {error}")]
    return [*_events(events, scan)] or [*_tried(text, events, scan.events)]


def nameless(text: str, calendar: OncallCalendar) -> Iterator[int]:
    """Lines of events that name nobody in the way that the rotation asks for."""
    lines = [line.number for line in _unfolded(text) if (line.name, line.value.strip().upper()) == ("BEGIN", "VEVENT")]
    for number, event in zip(lines, parsed(text).walk("VEVENT"), strict=False):
        if not list(people_of(event, calendar.person, {})):
            yield number


def _unfolded(text: str) -> Iterator[_Line]:
    """Logical lines: one that begins with a space or tab goes on from the one before (RFC 5545, 3.1).

    The library has it go on over empty lines as well. Here they must not hide from us what it reads.
    """
    number, gathered = 0, ""
    for at, raw in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if not raw:
            continue
        if raw[:1] in {" ", "\t"} and gathered:
            gathered += raw[1:]
            continue
        if gathered:
            yield _line(number, gathered)
        number, gathered = at, raw
    if gathered:
        yield _line(number, gathered)


def _line(number: int, text: str) -> _Line:
    head, _, value = text.partition(":")
    name, _, parameters = head.partition(";")
    return _Line(number, name.strip().upper(), parameters, value)


def _look_at(line: _Line, inside: list[str], scan: _Scan) -> None:
    """Judge one line, knowing what it is inside of."""
    if line.name == "BEGIN":
        inside.append(line.value.strip().upper())
        _count(line, inside[-1], scan)
    elif line.name == "END" and inside:
        inside.pop()
    elif line.name in {"RRULE", "EXRULE"}:
        _rule(line, "VTIMEZONE" in inside, scan)
    elif line.name in {"RDATE", "EXDATE"}:
        scan.dates += line.value.count(",") + 1
        if scan.dates > DATES_MAX:
            scan.refuse(line.number, f"more than {DATES_MAX:,} dates in {line.name} lines; export less of the past")


def _count(line: _Line, what: str, scan: _Scan) -> None:
    if what == "VEVENT":
        scan.events.append(line.number)
        if len(scan.events) > EVENTS_MAX:
            scan.refuse(line.number, f"more than {EVENTS_MAX:,} events; export less of the past")
    elif what == "VTIMEZONE":
        scan.zones += 1
        if scan.zones > ZONES_MAX:
            scan.refuse(line.number, f"more than {ZONES_MAX} time zones")


def _rule(line: _Line, of_zone: bool, scan: _Scan) -> None:
    """Refuse a rule that could cost without end."""
    rule = dict(_PARTS.findall(line.value.upper()))
    period = rule.get("FREQ", "")
    if line.name == "EXRULE":
        scan.refuse(line.number, "EXRULE is not read; write the exceptions as EXDATE")
    elif of_zone:
        if period != "YEARLY":
            scan.refuse(line.number, f"a zone changes yearly, not FREQ={period}")
    else:
        scan.rules += 1
        if (wrong := _wrong(rule, period)) is not None:
            scan.refuse(line.number, wrong)
        elif scan.rules > RECURRING_MAX:
            scan.refuse(line.number, f"more than {RECURRING_MAX} events that recur")


def _wrong(rule: dict[str, str], period: str) -> str | None:
    """What is wrong with the parts of a rule of an event."""
    if period not in _PERIODS:
        return f"RRULE: FREQ={period or '?'} is not taken: turns recur {', '.join(_PERIODS)}"
    for name in ("INTERVAL", "COUNT"):
        number = rule.get(name, "1")
        if not (number.isdigit() and 1 <= int(number[:9]) <= COUNT_MAX and len(number) < 9):
            return f"RRULE: {name}={number[:20]} is not taken: 1 to {COUNT_MAX:,}"
    if any("," in rule.get(name, "") for name in _FINE):
        return "RRULE: several hours, minutes or seconds in a rule; write one event for each hand-off of the day"
    if found := [name for name in _NEVER_NEEDED if name in rule]:
        return f"RRULE: {found[0]} is not taken: turns go by days, weekdays and months"
    if rule.get("BYSETPOS", "1").lstrip("+-") != "1":
        return "RRULE: BYSETPOS is taken as 1 or -1, the first or the last"
    return None


def _events(events: list[Any], scan: _Scan) -> Iterator[tuple[int, str]]:
    """Judge the events as they were read. The first that is wrong is enough: each costs a search."""
    if not events:
        yield 1, "no event: nobody would be on call"
    for number, event in zip(scan.events, events, strict=False):
        wrong = _wrong_event(event)
        if wrong is not None:
            yield number, wrong
            return


def _tried(text: str, events: list[Any], lines: list[int]) -> Iterator[tuple[int, str]]:
    """What the library raises over a file when it unfolds the day of its newest event: every series is asked for it."""
    days = [event["DTSTART"].dt for event in events]
    newest = max((day.year, day.month, day.day) for day in days)
    if (expected := sum(_expected(event, newest[0] + YEARS_AHEAD) for event in events)) > OCCURRENCES_MAX:
        yield (
            lines[0],
            f"the rules have about {expected:,} turns from their beginnings on, and {OCCURRENCES_MAX:,} are taken; "
            "end old ones with UNTIL, or let them begin later",
        )
        return
    try:
        unfolding(text).between(newest, timedelta(days=1))
    except UNFOLDING_ERRORS as error:
        yield 1, f"cannot be unfolded: {error}"


def _expected(event: Any, year: int) -> int:
    """Days that the rules of an event are searched for, at most, until the end of a year."""
    days = 0
    for rule in _rules(event):
        interval = int((rule.get("INTERVAL") or [1])[0])
        years = year - event["DTSTART"].dt.year + 1
        period = str((rule.get("FREQ") or [""])[0]).upper()
        of_a_year = _OF_A_YEAR.get(period, 366)
        if period != "DAILY":  # a day is asked for once; a week or month may have several days
            of_a_year *= max(1, len(rule.get("BYDAY") or ()) * (5 if period == "MONTHLY" else 1))
        found = years * of_a_year // interval
        if (until := (rule.get("UNTIL") or [None])[0]) is not None:
            found = found * max(0, until.year - event["DTSTART"].dt.year + 1) // years if until.year < year else found
        days += min(found, int((rule.get("COUNT") or [found])[0]))
    return days


def _wrong_event(event: Any) -> str | None:
    start = getattr(event.get("DTSTART"), "dt", None)
    if start is None:
        return "an event without DTSTART"
    if start.year < YEAR_MIN or start.year > 2 * YEAR_MIN:
        return f"an event begins in {start.year}: from {YEAR_MIN} on is read"
    zone = getattr(event["DTSTART"], "params", {}).get("TZID")
    if zone and isinstance(start, datetime) and start.tzinfo is None:
        return f"TZID {zone} is unknown, and the file has no VTIMEZONE for it"
    try:
        length = event.duration
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        return f"the end of an event cannot be read: {error}"
    if not timedelta(0) <= length <= timedelta(days=EVENT_DAYS_MAX):
        return f"an event lasts {length.days:,} days; at most {EVENT_DAYS_MAX}, and it ends after its start"
    written = [rule.to_ical().decode() for rule in _rules(event)]
    # Judged as lines already; what the library has read is what it will unfold.
    found = (
        _wrong(parts := dict(_PARTS.findall(rule)), parts.get("FREQ", "")) or _never(rule, start) for rule in written
    )
    return next((wrong for wrong in found if wrong is not None), None)


def _rules(event: Any) -> list[Any]:
    rules = event.get("RRULE")
    return rules if isinstance(rules, list) else [rules] if rules is not None else []


def _never(rule: str, start: Any) -> str | None:
    """Words on a rule that matches nothing in its first years, or that cannot be read.

    The library searches until the year 9999. Days and weekdays are the same every 400 years, so the search begins in
    the last of those that it has left.
    """
    cycles = (MAXYEAR - YEARS_LEFT_MIN - start.year) // CYCLE_YEARS
    begin = datetime.combine(date(start.year + cycles * CYCLE_YEARS, start.month, start.day), time(0))
    bare = ";".join(part for part in rule.split(";") if not part.upper().startswith(("UNTIL=", "COUNT=")))
    try:
        first = next(iter(rrulestr(bare, dtstart=begin)), None)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        return f"RRULE cannot be read: {error}"
    if first is None or first - begin > timedelta(days=SEARCH_DAYS):
        return "RRULE matches no day in its first four years"
    return None
