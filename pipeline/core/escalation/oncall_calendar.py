"""Turns that an iCalendar file has (RFC 5545), unfolded a few weeks at a time.

The file is somebody else's: `check_calendar` refuses what could cost without end before anything is unfolded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from pipeline.core.escalation.oncall_turns import Turn, from_ms, to_ms, wall_ms
from pipeline.models.oncall import Layer, OncallCalendar

if TYPE_CHECKING:
    from icalendar import Calendar, Component
    from recurring_ical_events import CalendarQuery

WINDOW_MS: Final = 28 * 86_400_000
"""Events are unfolded for so long at a time: most questions are about now, and schedules about a few months."""

WINDOWS_REMEMBERED_MAX: Final = 512
"""Three years of a dozen calendars."""

CALENDARS_REMEMBERED_MAX: Final = 64
MARGIN: Final = timedelta(days=2)
"""Times without a zone are compared across zones in a query: no zone is farther away."""

PEOPLE_AT_ONCE_MAX: Final = 10
"""People whom one moment of a calendar may name: who invites the company does not mean that all are called."""

UNFOLDING_ERRORS: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)
"""What the library raises over series that contradict themselves. Found at load for the newest event of a file."""

_NOT_PEOPLE: Final = frozenset({"ROOM", "RESOURCE"})

Key = tuple[str, str, str, tuple[tuple[str, str], ...]]


@lru_cache(maxsize=CALENDARS_REMEMBERED_MAX)
def parsed(text: str) -> Calendar:
    """The calendar of a file.

    Raises:
        ValueError: it is none.
    """
    from icalendar import Calendar  # a quarter of a second, for those whose rotations are in calendars
    from icalendar.timezone import tzp

    tzp.use_default()  # forgets the zones that other files defined under the same name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a zone that is known by the end of its name is what was meant
        found = Calendar.from_ical(text)
    if isinstance(found, Calendar):
        return found
    raise ValueError("expected one BEGIN:VCALENDAR ... END:VCALENDAR")


@lru_cache(maxsize=CALENDARS_REMEMBERED_MAX)
def unfolding(text: str) -> CalendarQuery:
    """The recurring events of a file, ready to be asked. What raises here or when asked is refused at load."""
    import recurring_ical_events

    return recurring_ical_events.of(parsed(text))


def calendar_turns(layer: Layer, start_ms: int, end_ms: int) -> list[Turn]:
    """Events of a layer's calendar that touch a window and name somebody; the order is stable."""
    calendar = layer.calendar
    if calendar is None or not calendar.text:
        return []
    key = (calendar.text, layer.timezone or "UTC", calendar.person, _folded(calendar))
    found: dict[Turn, None] = {}
    for window in range(start_ms // WINDOW_MS, (end_ms - 1) // WINDOW_MS + 1):
        found |= dict.fromkeys(_window(key, window))
    return sorted(
        (each for each in found if each.start_ms < end_ms and each.end_ms > start_ms),
        key=lambda each: (each.start_ms, -each.end_ms, each.people),
    )


def calendar_turn_at(layer: Layer, at_ms: int) -> Turn | None:
    """Who has a moment by a calendar; where events overlap, those who began last come first. None: no event is on."""
    events = calendar_turns(layer, at_ms, at_ms + 1)[::-1]
    if not events:
        return None
    people = tuple(dict.fromkeys(person for each in events for person in each.people))[:PEOPLE_AT_ONCE_MAX]
    return Turn(
        max(each.start_ms for each in events),
        min(each.end_ms for each in events),
        people,
        because=events[0].because,
    )


@lru_cache(maxsize=WINDOWS_REMEMBERED_MAX)
def _window(key: Key, number: int) -> tuple[Turn, ...]:
    text, zone_name, how, people = key
    zone, known = ZoneInfo(zone_name), dict(people)
    start_ms, end_ms = number * WINDOW_MS, (number + 1) * WINDOW_MS
    turns: list[Turn] = []
    try:
        events = unfolding(text).between(from_ms(start_ms) - MARGIN, from_ms(end_ms) + MARGIN)
    except UNFOLDING_ERRORS:
        return ()  # a calendar that fails later on calls the fall-back, and does not end the process
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        begins, ends = _moment_ms(event["DTSTART"].dt, zone), _moment_ms(event["DTEND"].dt, zone)
        called = tuple(people_of(event, how, known))[:PEOPLE_AT_ONCE_MAX]
        if called and begins < ends and begins < end_ms and ends > start_ms:
            turns.append(Turn(begins, ends, called, because=_because(event)))
    return tuple(turns)


def _because(event: Component) -> str:
    summary = " ".join(str(event.get("SUMMARY", "")).split())[:120]
    return f"event '{summary}' of the calendar" if summary else "an event of the calendar"


def _moment_ms(written: date, zone: ZoneInfo) -> int:
    """A date is its midnight, a time without zone is local; both by the zone of the layer."""
    if not isinstance(written, datetime):
        return wall_ms(datetime.combine(written, time(0, 0)), zone)
    if written.tzinfo is None:
        return wall_ms(written, zone)
    return to_ms(written.astimezone(UTC))


def _folded(calendar: OncallCalendar) -> tuple[tuple[str, str], ...]:
    """The mapping to people, ready for comparing."""
    return tuple((_address(name), person) for name, person in calendar.people.items())


def _address(written: str) -> str:
    return written.strip().casefold().removeprefix("mailto:")


def people_of(event: Component, how: str, known: dict[str, str]) -> Iterator[str]:
    """Whom an event names, each once.

    Args:
        event: of a calendar.
        how: `attendee`, `summary` or `organizer`.
        known: address or words of a summary, folded -> person.
    """
    if how == "summary":
        yield from _in_summary(" ".join(str(event.get("SUMMARY", "")).split()), known)
        return
    seen: set[str] = set()
    for written in _listed(event.get(how.upper())):
        parameters = getattr(written, "params", {})
        declined = str(parameters.get("PARTSTAT", "")).upper() == "DECLINED"
        address = _address(str(written))
        person = known.get(address) or address.partition("@")[0]
        if person and not declined and parameters.get("CUTYPE", "").upper() not in _NOT_PEOPLE and person not in seen:
            seen.add(person)
            yield person


def calendar_people(layer: Layer) -> tuple[str, ...]:
    """Everybody whom the events of a layer's calendar name, in the order of the file."""
    calendar = layer.calendar
    if calendar is None or not calendar.text:
        return ()
    known = dict(_folded(calendar))
    events = parsed(calendar.text).walk("VEVENT")
    return tuple(dict.fromkeys(person for each in events for person in people_of(each, calendar.person, known)))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _in_summary(summary: str, known: dict[str, str]) -> Iterator[str]:
    """People whose words stand in a summary, in its order; the summary itself where none do."""
    folded = summary.casefold()
    found: dict[str, int] = {}
    for words, person in known.items():
        hit = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", folded) if words else None
        if hit is not None:
            found[person] = min(hit.start(), found.get(person, hit.start()))
    if found:
        yield from sorted(found, key=found.__getitem__)
    elif summary:
        yield summary
