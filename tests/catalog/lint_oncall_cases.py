"""Cases of the rules about being on call, beside the good shop of `test_lint`."""

from __future__ import annotations

from typing import Final

from tests.catalog.directory import component

ROTATION: Final = "people: [amara.okafor, jonas.weber]\nstart: 2026-01-05T09:00:00Z\n"
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260302
ATTENDEE:mailto:ann@a.example
END:VEVENT
END:VCALENDAR
"""

ONCALL_CASES: Final[dict[str, tuple[dict[str, str], list[str]]]] = {
    "overrides of no use": (
        {"oncall/shop.yaml": ROTATION + """overrides:
  - {start: 2026-02-02T00:00:00Z, end: 2026-02-03T00:00:00Z, person: jonas.weber}
  - {start: 2026-04-01T00:00:00Z, end: 2026-04-02T00:00:00Z, person: eve, instead_of: amara.okafro}
  - {start: 2026-03-17T00:00:00Z, end: 2026-03-18T00:00:00Z, person: jonas.weber, instead_of: amara.okafor}
  - {start: 2026-03-17T00:00:00Z, end: 2026-03-18T00:00:00Z, person: amara.okafor, instead_of: lucia.ferrari}
"""},
        ["oncall/shop.yaml:4: override-past: the override by jonas.weber is over since 2026-02-03 00:00 UTC: remove it",
         "oncall/shop.yaml:5: unknown-person: amara.okafro takes no turn in rotation 'shop'; did you mean "
         "'amara.okafor'?",
         "oncall/shop.yaml:5: unknown-person: eve stands in and takes turns in no rotation",
         "oncall/shop.yaml:7: unknown-person: lucia.ferrari takes no turn in rotation 'shop'"],
    ),
    "an override instead of somebody who has no turn then": (
        {"oncall/shop.yaml": "people: [amara.okafor, jonas.weber, lucia.ferrari]\nstart: 2026-01-05T09:00:00Z\n"
         "overrides:\n"
         "  - {start: 2026-03-17T00:00:00Z, end: 2026-03-18T00:00:00Z, person: jonas.weber,"
         " instead_of: amara.okafor}\n"},
        ["oncall/shop.yaml:4: override-outside-turn: amara.okafor has no turn in that time: the override changes "
         "nothing"],
    ),
    "calendars of no use": (
        {"oncall/spare.ics": CALENDAR, "oncall/shop.ics": CALENDAR.replace("ATTENDEE:mailto:ann@a.example\n", ""),
         "oncall/shop.yaml": "calendar: {}\n"},
        ["oncall/shop.ics:4: event-of-nobody: this event has no ATTENDEE to name a person by: it calls nobody",
         "oncall/spare.ics:1: unused-calendar: no rotation reads this calendar: write 'calendar: {file: spare.ics}' in "
         "oncall/spare.yaml"],
    ),
    "a calendar that names somebody whom its mapping does not know": (
        {"oncall/shop.ics": CALENDAR, "oncall/shop.yaml": "calendar:\n  people: {bob@a.example: bob}\n"},
        ["oncall/shop.yaml:2: unknown-person: the calendar names ann, whom 'people' does not list: they are called so"],
    ),
    "runbooks": (
        {"catalog/more.yaml": "---\n".join((
            component("a", annotations="spillway.dev/tier: '1'", spec="owner: shop-team\ndependsOn: [checkout]"),
            component("b", annotations="spillway.dev/tier: '1'\nspillway.dev/runbook: http://wiki/b",
                      spec="owner: shop-team\ndependsOn: [checkout]"),
         ))},
        ["catalog/more.yaml:1: runbook-missing: 'a' is of tier 1 and has no spillway.dev/runbook: whoever is called "
         "finds nothing",
         "catalog/more.yaml:18: runbook-address: runbook 'http://wiki/b' is no https:// address that a page can link"],
    ),
}  # fmt: skip
