"""``spillway config test``: cases pass or fail with sentences, rules no case needs are named, mutations are noticed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.catalog import check_config
from pipeline.cli.config import config as config_command
from pipeline.feeds import ADAPTERS
from tests.catalog.directory import EXAMPLE, component, write

CATALOG = "---\n".join(
    (component("shop", spec="dependsOn: [component:pay]"), component("pay"), component("wiki", spec="domain: office"))
)
RULES = """
    rules:
      jobs: {match: {labels.kind: job}, join: always, group_by: [labels.run], window: {seconds: 60}}
      spare: {match: {labels.kind: spare}, join: always, group_by: [labels.run]}
      idle: {match: {labels.kind: idle}, join: never}
      broken: {when: 'labels.kind == "job" && labels.absent.startsWith("x")', join: never}
"""
JOB = "name: Failed, labels: {kind: job, run: r1}"


def run(tmp_path: Path, cases: str, *options: str, rules: str = RULES) -> Result:
    files = {"catalog/a.yaml": CATALOG, "correlation.yaml": rules, "tests/a.yaml": cases}
    return CliRunner().invoke(config_command, ["test", str(write(tmp_path, files)), *options])


def report(tmp_path: Path, cases: str, *options: str, rules: str = RULES) -> dict[str, Any]:
    result = run(tmp_path, cases, "--json", *options, rules=rules)
    found: dict[str, Any] = orjson.loads(result.output)
    assert result.exit_code == (0 if found["ok"] else 1)
    return found


def differences(tmp_path: Path, expect: str, alerts: str, more: str = "") -> list[str]:
    text = f"one:\n  alerts:\n{alerts}\n  expect: {expect}\n{more}"
    (case,) = report(tmp_path, text)["cases"]
    return [str(each) for each in case["differences"]]


def lines(*alerts: str) -> str:
    return "\n".join(f"    - {{{each}}}" for each in alerts)


def test_the_cases_of_the_example_company_pass_and_notice_every_change_of_its_rules() -> None:
    result = CliRunner().invoke(config_command, ["test", str(EXAMPLE), "--mutate", "--json"])
    found = orjson.loads(result.output)
    assert (result.exit_code, found["mutation"]["unnoticed"]) == (0, [])
    assert found["mutation"]["mutations"] == found["mutation"]["noticed"] > 10
    assert len(found["coverage"]["fired"]) == found["coverage"]["rules"]


TWO = lines(f"id: a, {JOB}, host: h1", f"id: b, at: 30s, {JOB}, host: h2", "id: c, at: 40s, name: Other, host: h3")


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("{incidents: [{alerts: [a, b]}, {alerts: [c]}]}", []),
        ("{together: [[a, b]], apart: [[a, c], [b, c]]}", []),
        (
            "{incidents: [{alerts: [a]}, {alerts: [b, c]}]}",
            [
                "one incident of a is expected: a is in INC (h1: Failed) with b",
                "one incident of b, c is expected: b is in INC (h1: Failed) with a; c is in INC (h3: Other)",
            ],
        ),
        (
            "{incidents: [{alerts: [a, b], priority: P9, title: x, service: wiki}], none: [c]}",
            [
                "incident of a, b: priority is 'P3', expected 'P9'",
                "incident of a, b: title is 'h1: Failed', expected 'x'",
                "incident of a, b: service is 'unlisted:host/h1', expected 'component:default/wiki'",
                "INC (h3: Other) is not expected: c",
                "alert c shall be in no incident, and is in INC (h3: Other)",
            ],
        ),
        (
            "{together: [[a, c]], apart: [[a, b]]}",
            [
                "a, c shall be in one incident: a is in INC (h1: Failed) with b; c is in INC (h3: Other)",
                "a and b shall be apart, and are both in INC (h1: Failed)",
            ],
        ),
    ],
)
def test_every_difference_is_a_sentence(tmp_path: Path, expect: str, said: list[str]) -> None:
    assert [re.sub(r"INC-\w+", "INC", each) for each in differences(tmp_path, expect, TWO)] == said


def test_what_waits_or_is_suppressed_is_in_none_with_the_reason(tmp_path: Path) -> None:
    change = "  changes: [{kind: maintenance, targets: [wiki], lasts: 2h, suppress: true}]\n"
    alerts = lines("id: a, at: 1m, name: Down, labels: {service: wiki}")
    assert differences(tmp_path, "{none: [a]}", alerts, change) == []
    (said,) = differences(tmp_path, "{incidents: [{alerts: [a]}]}", alerts, change)
    assert said == "one incident of a is expected: a is in none, suppressed (maintenance)"


def test_an_alert_recovers_and_its_incident_is_resolved(tmp_path: Path) -> None:
    alerts = lines("id: a, name: Down, labels: {service: wiki}", "resolves: a, at: 5m")
    assert differences(tmp_path, "{incidents: [{alerts: [a], state: resolved}]}", alerts) == []


def test_raw_messages_are_read_by_the_feeds_adapter(tmp_path: Path) -> None:
    body = "{alerts: [{status: firing, labels: {alertname: X, kind: job, run: r1, instance: %s}}]}"
    alerts = lines(*(f"id: {name}, feed: alertmanager, raw: {body % name}" for name in "ab"))
    assert differences(tmp_path, "{incidents: [{alerts: [a, b]}]}", alerts) == []
    (said, _) = differences(tmp_path, "{incidents: [{alerts: [a]}]}", lines("id: a, raw: {alerts: 7}"))
    assert said.startswith("alert a cannot be read: ")


def test_people_merge_and_split_and_the_rules_go_on_from_there(tmp_path: Path) -> None:
    alerts = lines(
        f"id: a, {JOB}, host: h1",
        "id: w, at: 5s, name: Down, labels: {service: wiki}",
        f"id: b, at: 30s, {JOB}, host: h2",
    )
    merged = "  people: [{at: 10s, merge: a, into: w}]\n"
    assert differences(tmp_path, "{incidents: [{alerts: [a, b, w]}]}", alerts, merged) == []
    split = "  people: [{at: 40s, split: [b]}]\n"
    assert differences(tmp_path, "{incidents: [{alerts: [a]}, {alerts: [b]}, {alerts: [w]}]}", alerts, split) == []


def test_a_desk_feed_brings_tickets(tmp_path: Path) -> None:
    alerts = lines("id: a, feed: jira, name: T, summary: the wiki is down", "id: b, feed: zabbix, name: X, host: h")
    assert differences(tmp_path, "{incidents: [{alerts: [a], service: wiki}, {alerts: [b]}]}", alerts) == []


def test_coverage_names_rules_that_no_case_needs(tmp_path: Path) -> None:
    text = f"one:\n  alerts:\n{TWO}\n  expect: {{together: [[a, b]]}}\n"
    found = report(tmp_path, text)["coverage"]
    assert [row["rule"] for row in found["fired"]] == ["jobs"]
    assert [(row["rule"], row["line"]) for row in found["never_matched"]] == [("spare", 3), ("idle", 4), ("broken", 5)]
    assert [(row["rule"], row["times"]) for row in found["could_not_be_asked"]] == [("broken", 2)]
    out = run(tmp_path, text).output
    assert "coverage: 1 of 4 rules decided something" in out
    assert f"{tmp_path}/correlation.yaml:3: rule 'spare' never matched" in out


def test_mutation_names_what_no_case_notices(tmp_path: Path) -> None:
    rules = "rules:\n  jobs: {match: {labels.kind: [job, task]}, join: always, group_by: [labels.run]}\n"
    text = f"one:\n  alerts:\n{TWO}\n  expect: {{together: [[a, b]]}}\n"
    found = report(tmp_path, text, "--mutate", rules=rules)["mutation"]
    assert {row["part"] for row in found["unnoticed"]} == {
        "match without labels.kind",
        "match: labels.kind without task",
        "the window without an end",
    }
    assert found["mutations"] == found["noticed"] + 3 == 5
    failing = text.replace("together", "apart")
    assert "mutation: not tried while a case fails" in run(tmp_path, failing, "--mutate", rules=rules).output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no cases; docs/correlation-rules.md says how one is written"),
        ("one: {alerts: [{id: a, name: x}], expect: {}}", "1: expect: expects nothing: say incidents, none, together"),
        ("one: {alerts: [{id: a, name: x}], expect: {none: [b]}}", "1: there is no alert 'b'"),
        (
            "one:\n  alerts: [{id: a, name: x}, {id: b, name: y}]\n  expect: {incidents: [{alerts: [a]}]}",
            "3: alert 'b' is expected nowhere: add it to an incident or to none",
        ),
        ("one: {alerts: [{id: a, name: x}, {id: a, name: y}], expect: {none: [a]}}", "1: alert 'a' is on line 1"),
        ("one: {alerts: [{id: a, at: soon, name: x}], expect: {none: [a]}}", "'soon' is no span of time"),
        ("one: {alerts: [{id: a, nam: x}], expect: {none: [a]}}", "unknown field 'alerts.0.nam'; did you mean 'name'?"),
        ("one: {alerts: [{id: a}], expect: {none: [a]}}", "an alert needs a name, or raw"),
        ("one: {alerts: [{id: a, name: x, feed: zabix}], expect: {none: [a]}}", "there is no feed 'zabix'; did you"),
        (
            "one: {alerts: [{id: a, raw: {}}, {resolves: a, at: 1s}], expect: {none: [a]}}",
            "'a' is raw, or comes later: give its recovery as a raw message of its own",
        ),
        (
            "one: {alerts: [{id: a, at: 1m, name: x}], people: [{split: [a]}], expect: {none: [a]}}",
            "nothing is decided of 'a' at the moment at which a person acts on it",
        ),
        ("- a", "expected a mapping: the name of each case, then what it holds"),
        ("one: {", "not YAML"),
    ],
)
def test_broken_cases_are_told_in_a_sentence_and_exit_2(tmp_path: Path, text: str, said: str) -> None:
    result = run(tmp_path, text)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_broken_configuration_exits_2(tmp_path: Path) -> None:
    result = run(tmp_path, "", rules="rules: {a: {join: sometimes}}")
    assert result.exit_code == 2
    assert "correlation.yaml:1" in result.output


def test_cases_are_no_part_of_the_configuration_or_its_version(tmp_path: Path) -> None:
    directory = write(tmp_path, {"catalog/a.yaml": CATALOG})
    before = check_config(directory, ADAPTERS)
    write(tmp_path, {"tests/a.yaml": "nonsense: [", "tests/deep/b.yml": "x"})
    after = check_config(directory, ADAPTERS)
    assert (before.config, after.problems) == (after.config, ())


def test_the_examples_of_the_page_work_as_they_stand(tmp_path: Path) -> None:
    page = (EXAMPLE.parent / "docs" / "correlation-rules.md").read_text("utf-8")
    rules, case = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    directory = tmp_path / "config"
    shutil.copytree(EXAMPLE, directory)
    shutil.rmtree(directory / "tests")
    write(directory, {"correlation.yaml": rules, "tests/page.yaml": case})
    result = CliRunner().invoke(config_command, ["test", str(directory)])
    assert result.exit_code == 0, result.output
    assert "1 case, none failed" in result.output
