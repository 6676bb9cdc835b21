"""Rotations that a calendar keeps: what Google, Outlook and PagerDuty export, exceptions, and files that mean harm."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.escalation.oncall import duty, on_call
from pipeline.core.escalation.oncall_calendar import calendar_people
from pipeline.core.escalation.oncall_schedule import schedule
from pipeline.core.escalation.oncall_untrusted import CALENDAR_BYTES_MAX, check_calendar, nameless
from pipeline.models.oncall import OncallCalendar, Rotation

BAD_SECONDS_MAX = 2.0
"""A file that means harm is refused in less, on a busy machine."""


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def calendar(*events: str, head: str = "") -> str:
    """A calendar with events, each as its lines."""
    body = "".join(f"BEGIN:VEVENT\nUID:{number}\n{each.strip()}\nEND:VEVENT\n" for number, each in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{head}{body}END:VCALENDAR\n".replace("\n", "\r\n")


def rotation(text: str, *, zone: str = "Europe/Berlin", **fields: Any) -> Rotation:
    assert check_calendar(text) == []
    found = OncallCalendar(**fields).with_text(text)
    return Rotation.model_construct(
        **Rotation(name="r", timezone=zone, calendar=OncallCalendar()).model_copy(update={"calendar": found}).__dict__
    )


def called(given: Rotation, moment: str) -> list[str]:
    return [each.person for each in duty(given, ms(moment))]


# As Google Calendar exports it: times in UTC, the zone of the calendar in X-WR-TIMEZONE, folded lines.
GOOGLE = """BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALNAME:Payments on call
X-WR-TIMEZONE:Europe/Berlin
BEGIN:VEVENT
DTSTART;TZID=Europe/Berlin:20260302T090000
DTEND;TZID=Europe/Berlin:20260309T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
DTSTAMP:20260210T101010Z
UID:7kukuqrfedlm2f9t0vr3q8d2a1@google.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Amara
  Okafor;X-NUM-GUESTS=0:mailto:amara.okafor@pay.example
ATTENDEE;CUTYPE=RESOURCE;PARTSTAT=ACCEPTED:mailto:room@resource.calendar.google.com
EXDATE;TZID=Europe/Berlin:20260330T090000
SUMMARY:On call
END:VEVENT
BEGIN:VEVENT
DTSTART:20260309T080000Z
DTEND:20260316T080000Z
UID:single@google.com
ATTENDEE;PARTSTAT=DECLINED:mailto:amara.okafor@pay.example
ATTENDEE;PARTSTAT=ACCEPTED:mailto:J.Weber@pay.example
SUMMARY:On call
END:VEVENT
END:VCALENDAR
"""

# As Outlook does: a zone by its Windows name, defined in the file, the first day of which is in 1601.
OUTLOOK = """BEGIN:VCALENDAR
PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN
VERSION:2.0
METHOD:PUBLISH
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
CLASS:PUBLIC
DTSTART;TZID="W. Europe Standard Time":20260105T180000
DTEND;TZID="W. Europe Standard Time":20260106T080000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
ORGANIZER;CN="Mia Schuster":mailto:mia.schuster@halden.example
SUMMARY;LANGUAGE=en-us:Nights: Mia
UID:040000008200E00074C5B7101A82E008
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID="W. Europe Standard Time":20260107T200000
DTEND;TZID="W. Europe Standard Time":20260108T080000
RECURRENCE-ID;TZID="W. Europe Standard Time":20260107T180000
ORGANIZER;CN="Ivan Petrov":mailto:ivan.petrov@halden.example
SUMMARY:Nights: Ivan, from eight
UID:040000008200E00074C5B7101A82E008
END:VEVENT
END:VCALENDAR
"""

# As PagerDuty's feed of a schedule does: one event a shift, in UTC, the person as attendee.
PAGERDUTY = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//PagerDuty//OnCall//EN
X-WR-CALNAME:On Call Schedule for Payments
BEGIN:VEVENT
DTSTART;VALUE=DATE-TIME:20260302T080000Z
DTEND;VALUE=DATE-TIME:20260309T080000Z
UID:Q0NDJ5V2NQ8X8A
URL:https://pay.pagerduty.example/schedules#PI7DH85
SUMMARY:On Call - Amara Okafor - Payments
ATTENDEE:mailto:amara.okafor@pay.example
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE-TIME:20260309T080000Z
DTEND;VALUE=DATE-TIME:20260316T080000Z
UID:Q0NDJ5V2NQ8X8B
SUMMARY:On Call - Jonas Weber - Payments
ATTENDEE:mailto:jonas.weber@pay.example
END:VEVENT
END:VCALENDAR
"""

MAPPED = {"j.weber@PAY.example": "jonas.weber"}
EXPORTS: dict[str, tuple[str, dict[str, Any], list[tuple[str, list[str]]]]] = {
    "google": (GOOGLE, {"people": MAPPED}, [
        ("2026-03-02T07:59:59Z", []),
        ("2026-03-02T08:00:00Z", ["amara.okafor"]),  # the room is not called
        ("2026-03-09T07:59:59Z", ["amara.okafor"]),
        ("2026-03-09T08:00:00Z", ["jonas.weber"]),  # who declined is not called
        ("2026-03-30T12:00:00Z", []),  # EXDATE
        ("2026-04-13T06:59:59Z", []),
        ("2026-04-13T07:00:00Z", ["amara.okafor"]),  # summer time: nine in Berlin
    ]),
    "outlook": (OUTLOOK, {"person": "organizer"}, [
        ("2026-01-05T16:59:59Z", []),
        ("2026-01-05T17:00:00Z", ["mia.schuster"]),
        ("2026-01-07T18:59:59Z", []),  # the moved one
        ("2026-01-07T19:00:00Z", ["ivan.petrov"]),
        ("2026-01-10T17:00:00Z", []),  # Saturday
        ("2026-07-06T15:59:59Z", []),
        ("2026-07-06T16:00:00Z", ["mia.schuster"]),
    ]),
    "pagerduty by attendee": (PAGERDUTY, {}, [
        ("2026-03-09T07:59:59Z", ["amara.okafor"]), ("2026-03-09T08:00:00Z", ["jonas.weber"]),
        ("2026-03-16T08:00:00Z", []),
    ]),
    "pagerduty by summary": (
        PAGERDUTY, {"person": "summary", "people": {"Amara Okafor": "amara", "Jonas Weber": "jonas", "Jo": "joan"}},
        [("2026-03-09T07:59:59Z", ["amara"]), ("2026-03-09T08:00:00Z", ["jonas"])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("export", EXPORTS)
def test_what_other_tools_export_is_read(export: str, line_end: str) -> None:
    text, fields, expected = EXPORTS[export]
    read = rotation(text.replace("\n", line_end), **fields)
    assert [(moment, called(read, moment)) for moment, _ in expected] == expected


def test_an_event_of_whole_days_is_those_of_the_rotations_zone() -> None:
    text = calendar("DTSTART;VALUE=DATE:20260310\nDTEND;VALUE=DATE:20260312\nATTENDEE:mailto:ann@a.example")
    tokyo = rotation(text, zone="Asia/Tokyo")
    assert [on_call(tokyo, ms(f"2026-03-{each}T15:00:00Z") - ago) for each in ("09", "11") for ago in (1, 0)] == [
        None, "ann", "ann", None,
    ]  # fmt: skip


def test_a_time_without_a_zone_is_local_to_the_rotation() -> None:
    text = calendar("DTSTART:20260310T090000\nDURATION:PT8H\nATTENDEE:mailto:ann@a.example")
    assert on_call(rotation(text, zone="America/New_York"), ms("2026-03-10T13:00:00Z")) == "ann"
    assert on_call(rotation(text, zone="America/New_York"), ms("2026-03-10T13:00:00Z") - 1) is None


def test_of_events_that_overlap_who_began_last_is_called_first() -> None:
    week = "DTSTART:20260302T000000Z\nDTEND:20260309T000000Z\nATTENDEE:mailto:ann@a.example"
    day = "DTSTART:20260304T000000Z\nDTEND:20260305T000000Z\nATTENDEE:mailto:bob@a.example"
    read = rotation(calendar(week, day))
    assert [called(read, f"2026-03-{each}T12:00:00Z") for each in ("03", "04", "05")] == [
        ["ann"],
        ["bob", "ann"],
        ["ann"],
    ]


def test_a_cancelled_event_calls_nobody() -> None:
    text = calendar("DTSTART:20260302T000000Z\nDTEND:20260309T000000Z\nSTATUS:CANCELLED\nATTENDEE:mailto:ann@a.example")
    assert called(rotation(text), "2026-03-03T00:00:00Z") == []


def test_two_files_may_define_a_zone_of_one_name_each_its_own_way() -> None:
    def zone(offset: str) -> str:
        return (
            "BEGIN:VTIMEZONE\nTZID:Plant\nBEGIN:STANDARD\nDTSTART:20000101T000000\n"
            f"TZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n"
        )

    event = "DTSTART;TZID=Plant:20260302T000000\nDTEND;TZID=Plant:20260303T000000\nATTENDEE:mailto:ann@a.example"
    east, west = (rotation(calendar(event, head=zone(offset))) for offset in ("+0500", "-0500"))
    assert [called(each, "2026-03-01T20:00:00Z") for each in (east, west)] == [["ann"], []]
    assert [called(each, "2026-03-03T04:00:00Z") for each in (east, west)] == [[], ["ann"]]


@pytest.mark.parametrize(
    "zone", ["/freeassociation.sourceforge.net/Europe/Berlin", "W. Europe Standard Time", "Europe/Berlin"]
)
def test_a_zone_is_known_by_the_names_that_other_tools_give_it(zone: str) -> None:
    text = calendar(f"DTSTART;TZID={zone}:20260310T090000\nDURATION:PT8H\nATTENDEE:mailto:ann@a.example")
    assert [called(rotation(text), f"2026-03-10T0{hour}:59:59Z") for hour in (7, 8)] == [[], ["ann"]]


def test_a_schedule_of_a_calendar_has_its_gaps() -> None:
    shifts = schedule(rotation(PAGERDUTY), ms("2026-03-01T00:00:00Z"), ms("2026-04-01T00:00:00Z"))
    assert [[each.person for each in shift.people] for shift in shifts] == [
        [], ["amara.okafor"], ["jonas.weber"], [],
    ]  # fmt: skip


def test_everybody_whom_a_calendar_names_is_known() -> None:
    assert calendar_people(rotation(GOOGLE, people=MAPPED).whole()[0]) == ("amara.okafor", "jonas.weber")


def test_events_that_name_nobody_are_known_by_their_line() -> None:
    assert list(nameless(OUTLOOK, OncallCalendar(person="attendee"))) == [20, 30]


def test_a_rule_of_decades_is_unfolded_near_the_moment_and_once() -> None:
    text = calendar(*(
        f"DTSTART:20000103T{hour:02d}0000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nATTENDEE:mailto:p{hour}@a.example"
        for hour in (9, 10, 11)
    ))  # fmt: skip
    read = rotation(text)
    assert on_call(read, ms("2026-03-10T10:30:00Z")) == "p10"
    began = time.perf_counter()
    assert [on_call(read, ms("2026-03-10T10:30:00Z") + number * 60_000) for number in range(1_000)]
    assert time.perf_counter() - began < BAD_SECONDS_MAX


def event(rule: str, start: str = "DTSTART:20260302T090000Z") -> str:
    return f"{start}\nDURATION:P1D\nRRULE:{rule}\nATTENDEE:mailto:ann@a.example"


HARM: dict[str, tuple[str, int, str]] = {
    "every second": (calendar(event("FREQ=SECONDLY")), 8, "FREQ=SECONDLY is not taken"),
    "every minute": (calendar(event("FREQ=MINUTELY;COUNT=5")), 8, "FREQ=MINUTELY is not taken"),
    "every hour": (calendar(event("FREQ=HOURLY")), 8, "FREQ=HOURLY is not taken"),
    "in lower case and folded": (calendar(event("freq=sec\n ondly")), 8, "FREQ=SECONDLY is not taken"),
    "hidden in a fold over an empty line": (
        calendar(event("FREQ=SECONDLY").replace("RRULE", "RRUL\n\n E")), 8, "FREQ=SECONDLY is not taken",
    ),
    "without a period": (calendar(event("COUNT=3")), 8, "FREQ=? is not taken"),
    "a count without end": (calendar(event("FREQ=DAILY;COUNT=999999999999")), 8, "COUNT=999999999999 is not taken"),
    "a count that is high": (calendar(event("FREQ=DAILY;COUNT=10001")), 8, "COUNT=10001 is not taken"),
    "an interval of nothing": (calendar(event("FREQ=DAILY;INTERVAL=0")), 8, "INTERVAL=0 is not taken"),
    "each second of a day": (
        calendar(event("FREQ=DAILY;BYSECOND=" + ",".join(map(str, range(60))))), 8, "several hours, minutes or seconds",
    ),
    "a day that never comes": (calendar(event("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")), 4, "matches no day"),
    "turns without end": (
        calendar(*[event("FREQ=DAILY", "DTSTART:20000103T090000Z")] * 150), 4, "the rules have about 329,400 turns",
    ),
    "a position that no month has": (calendar(event("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9")), 8, "BYSETPOS is taken as 1"),
    "a week that few years have": (calendar(event("FREQ=DAILY;BYWEEKNO=53")), 8, "BYWEEKNO is not taken"),
    "a zone that changes each second": (
        calendar(head="BEGIN:VTIMEZONE\nTZID:Bad\nBEGIN:STANDARD\nDTSTART:19700101T000000\nRRULE:FREQ=SECONDLY\n"
                 "TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:STANDARD\nEND:VTIMEZONE\n"), 8, "a zone changes yearly",
    ),
    "exceptions by rule": (
        calendar("DTSTART:20260302T090000Z\nEXRULE:FREQ=SECONDLY"), 7, "EXRULE is not read",
    ),
    "dates without end": (
        calendar("DTSTART:20260302T090000Z\nRDATE:" + "20260302T090000Z," * 5_001), 7, "5,000 dates in RDATE",
    ),
    "rules without end": (calendar(*[event("FREQ=DAILY")] * 201), 1408, "more than 200 events that recur"),
    "events without end": (calendar(*["DTSTART:20260302T090000Z"] * 2_001), 8_004, "more than 2,000 events"),
    "too large": ("X" * (CALENDAR_BYTES_MAX + 1), 1, "larger than 1,048,576 bytes"),
    "an event of a thousand years": (
        calendar("DTSTART:20260302T090000Z\nDTEND:30260302T090000Z"), 4, "an event lasts 365,242 days",
    ),
    "an event that ends before it begins": (
        calendar("DTSTART:20260302T090000Z\nDTEND:20260301T090000Z"), 4, "it ends after its start",
    ),
    "an event of long ago": (calendar(event("FREQ=DAILY", "DTSTART:16010101T000000Z")), 4, "begins in 1601"),
    "an event without a start": (calendar("SUMMARY:x"), 4, "an event without DTSTART"),
    "a zone that nobody knows": (
        calendar("DTSTART;TZID=Mars/Base:20260302T090000\nDURATION:P1D"), 4, "TZID Mars/Base is unknown",
    ),
    "no event": (calendar(), 1, "no event"),
    "no calendar": ("people: [ann]\n", 1, "not iCalendar"),
    "nothing": ("", 1, "not iCalendar"),
}  # fmt: skip


@pytest.mark.parametrize("case", HARM)
def test_a_file_that_could_cost_without_end_is_refused_at_its_line(case: str) -> None:
    text, line, words = HARM[case]
    began = time.process_time()  # what it costs, not how long others keep it waiting
    (found,) = check_calendar(text)
    assert time.process_time() - began < BAD_SECONDS_MAX
    assert (found[0], words in found[1]) == (line, True), found


LINES = st.sampled_from(
    [*GOOGLE.splitlines(), *OUTLOOK.splitlines(), "RRULE:FREQ=DAILY;UNTIL=2026", "DTSTART:", "DTEND:2026", "DURATION:P",
     "RRULE:FREQ=WEEKLY;BYDAY=XX", "EXDATE:x", "RDATE;VALUE=PERIOD:20260302T090000Z/P1D", "END:VEVENT", "BEGIN:VEVENT",
     "RECURRENCE-ID:20260302T090000Z", "RRULE:FREQ=YEARLY;BYWEEKNO=53", "RRULE:FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(LINES | st.text(max_size=20), max_size=30), whole=st.booleans())
def test_junk_is_refused_or_unfolded_and_never_raises(lines: list[str], whole: bool) -> None:
    text = "\n".join(lines)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\n{text}\nEND:VCALENDAR\n" if whole else text
    if check_calendar(text) == []:
        list(schedule(rotation(text), ms("2026-01-01T00:00:00Z"), ms("2026-05-01T00:00:00Z")))
