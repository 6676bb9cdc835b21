"""On-call files: layers and calendars as they are written, what is wrong with them, and the days ahead."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalog import check_config, load_config, open_config
from pipeline.catalog.lint import RULES, Level, lint_oncall
from pipeline.core.escalation.oncall import duty
from pipeline.feeds import ADAPTERS
from pipeline.recording import to_ms
from tests.catalog.directory import EXAMPLE, component, write

NOW_MS = to_ms("2026-03-02T00:00:00Z")
DUTY = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
DTSTART:20260302T080000Z
DTEND:20260309T080000Z
RRULE:FREQ=WEEKLY;INTERVAL=2
ATTENDEE:mailto:ann@a.example
END:VEVENT
END:VCALENDAR
"""
ROTATION = "people: [amara.okafor, jonas.weber]\nstart: 2026-01-05T09:00:00Z\n"


def shop(tier: int = 1, more: str = "") -> str:
    return "---\n".join(
        (
            component(
                "checkout",
                annotations=f"spillway.dev/tier: '{tier}'\nspillway.dev/runbook: https://r.example",
                spec="owner: shop-team",
            ),
            component("search", annotations="spillway.dev/tier: '3'", spec="owner: shop-team"),
            component("shop-team", kind="Group", annotations="spillway.dev/oncall: shop"),
            *([more] if more else []),
        )
    )


def said(directory: Path, days: int = 90) -> list[str]:
    report = lint_oncall(open_config(directory, ADAPTERS), NOW_MS, NOW_MS, days)
    return [f"{each.place.file}:{each.place.line}: {each.rule}: {each.message}" for each in report.findings]


def test_a_calendar_beside_its_rotation_is_read_by_its_name(tmp_path: Path) -> None:
    files = {"oncall/shop.yaml": "calendar: {people: {ann@a.example: ann.lee}}\n", "oncall/shop.ics": DUTY}
    rotation = load_config(write(tmp_path, files)).rotations["shop"]
    assert [each.person for each in duty(rotation, NOW_MS + 86_400_000)] == ["ann.lee"]


def test_a_layer_may_have_its_own_calendar_beside_layers_of_people(tmp_path: Path) -> None:
    text = """
        layers:
          - {name: week, calendar: {file: duty.ics}}
          - {name: rest, people: [bob], start: 2026-01-05, hand_off: 08:00}
          - {name: secondary, people: [cem], start: 2026-01-05, hand_off: 08:00}
        """
    rotation = load_config(write(tmp_path, {"oncall/shop.yaml": text, "oncall/duty.ics": DUTY})).rotations["shop"]
    monday, later = to_ms("2026-03-03T00:00:00Z"), to_ms("2026-03-10T00:00:00Z")
    assert [[each.person for each in duty(rotation, at_ms)] for at_ms in (monday, later)] == [
        ["ann", "cem"],
        ["bob", "cem"],
    ]


def test_a_change_of_a_calendar_changes_the_version(tmp_path: Path) -> None:
    write(tmp_path, {"oncall/shop.yaml": "calendar: {}\n", "oncall/shop.ics": DUTY})
    before = load_config(tmp_path).version
    write(tmp_path, {"oncall/shop.ics": DUTY.replace("ann@", "bob@")})
    after = load_config(tmp_path)
    assert after.version != before
    assert [each.person for each in duty(after.rotations["shop"], NOW_MS + 86_400_000)] == ["bob"]


WRONG: dict[str, tuple[dict[str, str], list[str]]] = {
    "a calendar that is not there": (
        {"oncall/shop.yaml": "calendar:\n  file: shift.ics\n", "oncall/shifts.ics": DUTY},
        ["oncall/shop.yaml:1: calendar: there is no file oncall/shift.ics; did you mean 'shifts.ics'?"],
    ),
    "a calendar elsewhere": (
        {"catalog/shop.ics": DUTY, "shop.ics": DUTY, "oncall/more/shop.ics": DUTY},
        ["catalog/shop.ics:1: *.ics is read in oncall/ alone; move it there",
         "oncall/more/shop.ics:1: *.ics is read in oncall/ alone; move it there",
         "shop.ics:1: not a file that Spillway reads"],
    ),
    "a path to a calendar": (
        {"oncall/shop.yaml": "calendar: {file: ../shop.ics}\n"},
        ["oncall/shop.yaml:1: calendar: file must be the name of a *.ics file in oncall/",
         "oncall/shop.yaml:1: calendar: there is no file oncall/../shop.ics"],
    ),
    "a rule that runs each second": (
        {"oncall/shop.yaml": "calendar: {}\n", "oncall/shop.ics": DUTY.replace("WEEKLY;INTERVAL=2", "SECONDLY")},
        ["oncall/shop.ics:8: RRULE: FREQ=SECONDLY is not taken: turns recur DAILY, WEEKLY, MONTHLY, YEARLY"],
    ),
    "an unfinished rotation": (
        {"oncall/shop.yaml": "timezone: UTC\n"},
        ["oncall/shop.yaml:1: give either 'people' with a 'start', or a 'calendar'"],
    ),
    "layers": (
        {"oncall/shop.yaml": """
            layers:
              - name: week
                people: [ann]
                start: 2026-01-05T09:00:00
                timezone: Mars/Base
              - {name: week, people: [bob], start: 2026-01-05T09:00:00Z, on_duty: [{days: [7]}]}
              - {name: more, people: [bob], start: 2026-01-05T08:00:00, hand_off: 09:00}
            """},
        ["oncall/shop.yaml:4: start: no time zone; write it as 2026-03-10T10:00:00Z",
         "oncall/shop.yaml:5: unknown time zone 'Mars/Base'",
         "oncall/shop.yaml:6: layers: 'week' is the name of two",
         "oncall/shop.yaml:6: on_duty: day 7; 0 is Monday, 6 is Sunday",
         "oncall/shop.yaml:7: start: no time zone; write it as 2026-03-10T10:00:00Z, or as a date beside hand_off"],
    ),
    "turns beside layers": (
        {"oncall/shop.yaml": "people: [ann]\nlayers: [{name: a, people: [ann], start: 2026-01-05T09:00:00Z}]\n"},
        ["oncall/shop.yaml:1: people belong into the layers where there are layers"],
    ),
    "overrides": (
        {"oncall/shop.yaml": ROTATION + """overrides:
  - {start: 2026-03-01T00:00:00Z, end: 2026-03-02T00:00:00Z, person: jonas.weber, instead_of: jonas.weber}
  - {start: 2026-03-01T00:00:00Z, end: 2026-03-02T00:00:00Z, person: a, instead_of: b, position: secondary}
"""},
        ["oncall/shop.yaml:4: overrides: jonas.weber stands in for themselves",
         "oncall/shop.yaml:5: overrides: give either 'position' or 'instead_of'"],
    ),
    "a fall-back that is none": (
        {"oncall/a.yaml": ROTATION + "escalate_to: bb\n", "oncall/b.yaml": ROTATION + "escalate_to: c\n",
         "oncall/c.yaml": ROTATION + "escalate_to: b\n"},
        ["oncall/a.yaml:3: escalate_to: no rotation is called 'bb'; did you mean 'b'?",
         "oncall/b.yaml:3: escalate_to: runs in a circle: b -> c -> b",
         "oncall/c.yaml:3: escalate_to: runs in a circle: c -> b -> c"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_file_and_line(case: str, tmp_path: Path) -> None:
    files, expected = WRONG[case]
    assert [str(problem) for problem in check_config(write(tmp_path, files)).problems] == expected


AHEAD: dict[str, tuple[dict[str, str], list[str]]] = {
    "all is well": ({"oncall/shop.yaml": ROTATION}, []),
    "a gap for a service of tier 1": (
        {"oncall/shop.yaml": """
            timezone: Europe/Berlin
            layers:
              - name: week
                people: [ann, bob]
                start: 2026-01-05
                hand_off: 09:00
                on_duty: [{days: [0, 1, 2, 3, 4]}]
            """},
        ["oncall/shop.yaml:1: oncall-gap-critical: nobody is on call for checkout, search from Sat 2026-03-07 00:00 to "
         "Mon 2026-03-09 00:00 CET and 12 times more in 90 days: layer 'week' is not on duty at Saturday 00:00 in "
         "Europe/Berlin; fill it or give it an escalate_to"],
    ),
    "a gap that the fall-back fills": (
        {"oncall/shop.yaml": ROTATION + "on_duty: [{days: [0, 1, 2, 3, 4]}]\nescalate_to: desk\n",
         "oncall/desk.yaml": ROTATION.replace("amara.okafor, jonas.weber", "ann, bob") + "services: [search]\n"},
        [],
    ),
    "a gap for services of lower tiers": (
        {"catalog/shop.yaml": shop(3), "oncall/shop.yaml": "calendar: {}\n", "oncall/shop.ics": DUTY},
        ["oncall/shop.yaml:1: oncall-gap: nobody is on call for checkout, search from Mon 2026-03-02 00:00 to Mon "
         "2026-03-02 08:00 UTC and 6 times more in 90 days: the calendar of layer 'primary' has no event at 2026-03-02 "
         "00:00 (UTC); fill it or give it an escalate_to"],
    ),
    "one person in two rotations at once": (
        {"oncall/shop.yaml": ROTATION, "oncall/a.yaml": ROTATION + "services: [search]\n"},
        ["oncall/shop.yaml:1: double-booking: amara.okafor is primary here and in rotation 'a' at once, from "
         "2026-03-02 09:00 UTC, and 6 times more in 90 days",
         "oncall/shop.yaml:1: double-booking: jonas.weber is primary here and in rotation 'a' at once, from "
         "2026-03-02 00:00 UTC, and 6 times more in 90 days"],
    ),
    "one person as primary and secondary": (
        {"oncall/shop.yaml": """
            layers:
              - {name: primary, people: [ann, bob], start: 2026-01-05T09:00:00Z}
              - {name: secondary, people: [ann, cem, bob], start: 2026-01-05T09:00:00Z}
            """},
        ["oncall/shop.yaml:1: primary-is-secondary: ann has the turn of the primary and of the secondary from "
         "2026-03-30 09:00 UTC",
         "oncall/shop.yaml:1: primary-is-secondary: bob has the turn of the primary and of the secondary from "
         "2026-03-23 09:00 UTC"],
    ),
    "a hand-off at night": (
        {"oncall/shop.yaml": ROTATION.replace("T09:00:00Z", "T03:00:00+01:00") + "timezone: Europe/Berlin\n"},
        ["oncall/shop.yaml:1: night-hand-off: layer 'primary' hands over at 03:00 in Europe/Berlin, first on "
         "2026-03-02"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AHEAD)
def test_the_days_ahead_are_looked_at(case: str, tmp_path: Path) -> None:
    files, expected = AHEAD[case]
    assert said(write(tmp_path, {"catalog/shop.yaml": shop(), **files})) == expected


def test_every_rule_of_the_days_ahead_is_among_the_cases() -> None:
    tried = {line.split(": ")[1] for _, expected in AHEAD.values() for line in expected}
    assert tried == {name for name, rule in RULES.items() if rule.finds.startswith("ahead: ")}


def test_a_comment_silences_a_rule_of_the_days_ahead_and_is_not_blamed_elsewhere(tmp_path: Path) -> None:
    night = ROTATION.replace("T09:00:00Z", "T03:00:00Z")
    files = {"catalog/shop.yaml": shop(), "oncall/shop.yaml": f"# spillway-lint: allow night-hand-off\n{night}"}
    assert said(write(tmp_path, files)) == []


def test_the_example_company_has_no_gap_in_a_year() -> None:
    report = lint_oncall(open_config(EXAMPLE, ADAPTERS), NOW_MS, NOW_MS, 365)
    assert report.findings == []
    assert report.count(Level.ERROR) == 0


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_junk_in_a_calendar_is_refused_and_never_raises(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = write(Path(folder), {"oncall/shop.yaml": "calendar: {}\n"})
        (directory / "oncall" / "shop.ics").write_bytes(data)
        assert check_config(directory).problems
