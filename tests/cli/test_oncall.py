"""``spillway oncall``: who, show and lint, as people, scripts and calendars read them."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.catalog import check_config, load_config
from pipeline.cli import main
from pipeline.core.escalation.oncall_schedule import schedule
from pipeline.recording import to_ms
from tests.catalog.directory import EXAMPLE, component, write

AT = ("--at", "2026-03-10T10:00:00Z")
FROM = ("--from", "2026-03-09T00:00:00Z")


def run(*arguments: str, directory: Path = EXAMPLE) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["oncall", *arguments, "--config", str(directory)])


def lines(result: Result) -> list[str]:
    """Lines, with spaces between columns as one."""
    return [" ".join(line.split()) for line in result.output.splitlines()]


def alone(tmp_path: Path, rotation: str) -> Path:
    files = {
        "catalog/a.yaml": component("checkout", annotations="spillway.dev/aliases: the till"),
        "oncall/nights.yaml": rotation,
    }
    return write(tmp_path, files)


NIGHTS = """
services: [checkout]
people: [ann, bob]
start: 2026-01-05T22:00:00Z
on_duty: [{start: 22:00, end: 06:00}]
"""


def test_who_is_on_call_why_until_when_and_what_if_nobody() -> None:
    result = run("who", "health records", *AT)
    assert result.exit_code == 0
    assert lines(result)[:6] == [
        "Electronic health records (component:default/electronic-health-records) at 2026-03-10T10:00:00.000Z",
        "rotation clinical-applications (Europe/Dublin), oncall/clinical-applications.yaml:1 by its list of services",
        "primary aoife.brennan until Mon 2026-03-16 08:00 GMT: turn in layer 'primary'",
        "secondary samuel.adeyemi until Mon 2026-03-16 08:00 GMT: turn in layer 'secondary'",
        "next ruth.gallagher from Mon 2026-03-16 08:00 GMT",
        "if nobody rotation hospital-infrastructure (Asia/Kolkata)",
    ]
    assert any(line.startswith("runbook certificate https://") for line in lines(result))


def test_every_name_of_the_catalogue_is_understood() -> None:
    by_names = [
        run("who", name, *AT).output for name in ("corporate-mail", "component:default/corporate-mail", "email")
    ]
    assert len(set(by_names)) == 1


def test_who_for_machines() -> None:
    found = json.loads(run("who", "payments-api", "--at", "2026-03-12T12:00:00Z", "--json").output)
    first = found["rotations"][0]
    assert (found["reached"], first["rotation"]) == (True, "payments")
    assert first["people"][0]["person"] == "jonas.weber"
    assert first["people"][0]["until"] == "2026-03-14T08:00:00.000Z"
    assert first["next"]["people"][0]["person"] == "amara.okafor"


def test_where_nobody_is_on_call_it_says_why_and_ends_with_one(tmp_path: Path) -> None:
    result = run("who", "the till", *AT, directory=alone(tmp_path, NIGHTS))
    assert result.exit_code == 1
    assert "primary nobody: layer 'primary' is not on duty at Tuesday 10:00 in UTC" in lines(result)
    assert "next bob from Tue 2026-03-10 22:00 UTC" in lines(result)


def test_a_service_without_a_rotation_is_answered_too(tmp_path: Path) -> None:
    result = run("who", "checkout", *AT, directory=alone(tmp_path, NIGHTS.replace("[checkout]", "[]")))
    assert (result.exit_code, "on call nobody: no rotation covers it" in lines(result)) == (1, True)


UNKNOWN: dict[tuple[str, ...], str] = {
    ("who", "chekout"): "did you mean 'checkout'?",
    ("who", "storefront-sre"): "nothing in the catalogue is called 'storefront-sre'",
    ("who", "retail-platform"): "'retail-platform' is a rotation, not a service: spillway oncall show retail-platform",
    ("show", "payment-s"): "did you mean 'payments'?",
}


@pytest.mark.parametrize("arguments", UNKNOWN)
def test_a_name_that_means_nothing_is_answered_with_help(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, UNKNOWN[arguments] in result.output) == (1, True), result.output


def test_a_schedule_is_shown_in_the_rotations_own_time() -> None:
    result = run("show", "clinical-applications", *FROM, "--days", "14")
    assert lines(result)[2:5] == [
        "Mon 2026-03-09 00:00 Mon 2026-03-09 08:00 ruth.gallagher samuel.adeyemi turn in layer 'primary'",
        "Mon 2026-03-09 08:00 Mon 2026-03-16 08:00 aoife.brennan samuel.adeyemi turn in layer 'primary'",
        "Mon 2026-03-16 08:00 Wed 2026-03-18 08:00 ruth.gallagher grace.mulligan stands in instead of niall.oconnor "
        "until 2026-03-18 08:00 UTC: bank holiday of Saint Patrick's Day (arranged by aoife.brennan)",
    ]


def test_a_schedule_is_found_by_a_service_too() -> None:
    assert run("show", "checkout", *FROM).output == run("show", "storefront", *FROM).output


def test_a_schedule_for_machines_has_no_holes() -> None:
    found = json.loads(run("show", "retail-platform", *FROM, "--days", "30", "--json").output)
    shifts = found["shifts"]
    assert all(before["until"] == after["from"] for before, after in pairwise(shifts))
    assert (shifts[0]["from"], shifts[-1]["until"]) == ("2026-03-09T00:00:00Z", "2026-04-08T00:00:00Z")


def test_an_exported_calendar_is_read_as_the_same_schedule(tmp_path: Path) -> None:
    export = ("show", "payments", *FROM, "--days", "60", "--position", "primary", "--ics")
    exported = run(*export).output
    assert exported == run(*export).output, "the same bytes each time"
    text = exported.replace("\r\n", "\n")
    copy = write(tmp_path, {"oncall/copy.yaml": "calendar: {person: summary}\n", "oncall/copy.ics": text})
    start_ms, end_ms = to_ms("2026-03-09T00:00:00Z"), to_ms("2026-05-08T00:00:00Z")
    given, copied = (
        [
            (shift.start_ms, shift.end_ms, shift.people[0].person)
            for shift in schedule(load_config(directory).rotations[name], start_ms, end_ms)
        ]
        for directory, name in ((EXAMPLE, "payments"), (copy, "copy"))
    )
    assert (given, len(given) > 8) == (copied, True)


def test_lint_names_what_is_ahead_and_ends_with_one_for_an_error(tmp_path: Path) -> None:
    assert run("lint", *FROM, "--days", "365").output == "0 errors, 0 of advice\n"
    directory = alone(tmp_path, NIGHTS)
    assert "oncall-gap" in run("lint", *FROM, directory=directory).output
    assert run("lint", *FROM, directory=directory).exit_code == 0
    assert run("lint", *FROM, "--strict", directory=directory).exit_code == 1
    write(tmp_path, {"catalog/a.yaml": component("checkout", annotations="spillway.dev/tier: '1'")})
    found = run("lint", *FROM, "--json", directory=directory)
    assert (found.exit_code, json.loads(found.output)["errors"]) == (1, 1)


def test_a_directory_that_cannot_be_used_is_refused_with_file_and_line(tmp_path: Path) -> None:
    result = run("who", "checkout", directory=alone(tmp_path, NIGHTS + "turn_dayz: 3\n"))
    assert result.exit_code == 1
    assert f"{tmp_path}/oncall/nights.yaml:5: unknown field 'turn_dayz'" in result.output


PAGE = (EXAMPLE.parent / "docs" / "on-call.md").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [("who", "checkout", *AT), ("show", "retail-platform", "--from", "2026-03-28T00:00:00Z", "--days", "2")],
)
def test_what_the_page_shows_is_what_is_printed(arguments: tuple[str, ...]) -> None:
    shown = PAGE.partition(f"$ spillway oncall {' '.join(arguments)}\n")[2].partition("```")[0]
    assert [" ".join(line.split()) for line in shown.splitlines()] == lines(run(*arguments))


def test_the_rotations_of_the_page_load(tmp_path: Path) -> None:
    names = ("payments-api", "payments-db", "card-processor", "orders-api", "search", "corporate-mail", "mail-routing")
    files = {"catalog/a.yaml": "---\n".join(component(name) for name in names)}
    blocks = re.findall(r"```yaml\n(services:.*?)```", PAGE, re.DOTALL)
    files |= {f"oncall/r{number}.yaml": block for number, block in enumerate(blocks)}
    files["oncall/r2.ics"] = (EXAMPLE / "oncall" / "messaging.ics").read_text("utf-8")
    files["oncall/workplace.yaml"] = "people: [mia.schuster]\nstart: 2026-01-05T08:00:00+01:00\n"
    assert (len(blocks), check_config(write(tmp_path, files)).problems) == (3, ())
