"""A schedule as iCalendar, for the calendars that people have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from icalendar import Calendar, Event

from pipeline.core.escalation.oncall_schedule import Shift
from pipeline.core.escalation.oncall_turns import from_ms
from pipeline.core.identity import content_hash
from pipeline.models.oncall import POSITIONS, Rotation

_PRODUCT: Final = "-//Spillway//On-call schedule//EN"


def schedule_calendar(rotation: Rotation, shifts: Iterable[Shift]) -> bytes:
    """A schedule as iCalendar: one event for each person and shift; the same schedule gives the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"On call: {rotation.name}")
    for shift in shifts:
        for one in shift.people:
            event = Event()
            began, ends = from_ms(shift.start_ms), from_ms(shift.end_ms)
            uid = content_hash(rotation.name, one.position, one.person, str(shift.start_ms), str(shift.end_ms))
            event.add("uid", f"{uid}@{rotation.name}.spillway")
            event.add("dtstamp", began)  # of the event itself, so that an export is the same each time
            event.add("dtstart", began)
            event.add("dtend", ends)
            event.add("summary", one.person if one.position == POSITIONS[0] else f"{one.person} ({one.position})")
            event.add("description", f"{one.position} of {rotation.name}: {one.because}")
            event.add("categories", [one.position])
            calendar.add_component(event)
    return bytes(calendar.to_ical())
