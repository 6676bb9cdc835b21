"""``spillway config show --effective``: what it says of a service is what the pipeline does, and where it stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.catalog import load_config
from pipeline.cli import main
from pipeline.core.step import StreamRecord
from pipeline.recording import to_ms
from pipeline.replay import Replay, incident_lines
from tests.catalog.directory import EXAMPLE, component, write
from tests.stories import payloads

AT = "2026-03-12T12:00:00Z"
STORY = EXAMPLE.parent / "tests" / "stories" / "checkout.ndjson"


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["config", "show", *arguments])


def shown(service: str, *more: str, directory: Path = EXAMPLE) -> dict[str, dict[str, tuple[Any, str]]]:
    """Section -> name -> value and origin; of one name the first."""
    result = run(str(directory), "--effective", service, "--json", *more)
    assert result.exit_code == 0, result.output
    sections = json.loads(result.output)["sections"]
    return {
        title: {each["name"]: (each["value"], each["from"]) for each in reversed(facts)}
        for title, facts in sections.items()
    }


@cache
def lines(file: str) -> list[str]:
    return (EXAMPLE / file).read_text("utf-8").splitlines()


SERVICES = [entity.name for entity in load_config(EXAMPLE).catalogue.entities.values() if entity.kind == "component"]


@pytest.mark.parametrize("service", SERVICES)
def test_priority_and_calls_are_those_of_an_incident_that_begins_then(service: str) -> None:
    config = load_config(EXAMPLE)
    started = datetime.fromisoformat(AT)
    found = shown(service, "--at", AT)
    for severity in ("critical", "warning"):
        labels = {"alertname": "Probe", "service": service, "severity": severity}
        value = orjson.dumps(payloads.alertmanager(labels, "unwell", started))
        record = StreamRecord("alerts.raw.x509", 0, 0, to_ms(AT), None, value)
        outcome = Replay(config).run([record], run_on_seconds=3_600)
        told_of = incident_lines(outcome.decisions, (event.value or b"" for event in outcome.events))
        (incident,) = [each for each in map(orjson.loads, told_of) if each["kind"] == "incident"]
        priority, _, because = found["priority of its alerts"][f"{severity} alert"][0].partition(": ")
        assert (priority, because) == (incident["priority"], "; ".join(incident["priority_because"][:2]))
        first_round = f"{incident['id']}/0/1/1/"
        called = [page["person"] for page in incident["escalation"]["paged"] if page["step"].startswith(first_round)]
        told = [
            person.partition(" (")[0]
            for name, (people, _) in found["escalation"].items()
            if priority in name.partition(" after")[0].split(", ") and isinstance(people, list)
            for person in people
        ]
        assert sorted(told) == sorted(called)
        assert found["owner"]["owner"][0] == incident["owner"]
        assert found["policy pack"]["version"][0] == incident["policy_version"]


def test_each_origin_leads_to_the_line_that_says_it() -> None:
    found = shown("payments-db", "--at", AT)
    for section, name, word in (
        ("service", "tier", "tier"),
        ("service", "runbook.database", "runbook.database"),
        ("service", "domain", "domain: retail"),
        ("owner", "owner", "owner: payments-sre"),
        ("owner", "email", "email"),
        ("on call", "rotation", "services:"),
        ("policy pack", "version", "version:"),
        ("categories", "database", "database"),
        ("matrix", "urgency medium", "medium:"),
        ("targets", "P4", "P4:"),
        ("escalation", "P1 after 5 min", "after_minutes: 5"),
        ("depends on", "resource:default/eu-central-1a", "resource:eu-central-1a"),
        ("needed by", "component:default/checkout", "component:payments-api"),
        ("names", "label DBInstanceIdentifier", "DBInstanceIdentifier"),
        ("correlation", "flap_quiet_seconds", "flap_quiet_seconds"),
    ):
        file, _, line = found[section][name][1].partition(" ")[0].rpartition(":")
        assert word in lines(file)[int(line) - 1], (section, name, found[section][name])


def test_what_stands_in_another_namespace_or_in_a_second_description_is_found_there(tmp_path: Path) -> None:
    by_hand = component("till", spec="owner: ops/cash\nsystem: ops/shop")
    imported = component("till", annotations="spillway.dev/generated-by: cmdb\nspillway.dev/tier: '2'")
    system = component("shop", kind="System", spec="domain: retail").replace(
        "name: shop", "name: shop\n  namespace: ops"
    )
    team = component("cash", kind="Group", annotations="spillway.dev/oncall: desk").replace(
        "name: cash", "name: cash\n  namespace: ops"
    )
    files = {
        "catalog/a.yaml": by_hand + "---\n" + system + "---\n" + team,
        "catalog/generated.yaml": imported,
        "domains/retail.yaml": "title: Shop\n",
        "oncall/desk.yaml": "people: [amara.okafor]\nstart: 2026-01-05T09:00:00Z\n",
    }
    found = shown("till", directory=write(tmp_path, files))
    assert found["service"]["tier"] == (2, "catalog/generated.yaml:7")
    assert found["service"]["domain"] == ("retail", "catalog/a.yaml:17 by its system")
    assert found["owner"]["owner"] == ("ops/cash", "catalog/a.yaml:7")
    assert found["on call"]["rotation"] == ("desk", "catalog/a.yaml:25 by its owner")


def test_what_nobody_wrote_is_the_default() -> None:
    found = shown("checkout", "--at", AT)
    assert found["policy pack"]["users a report stands for"] == (50, "default")
    assert found["service"]["environment"] == ("production", "default")
    assert found["correlation"]["ttl_seconds"] == (None, "default")


def test_a_catalogue_alone_works_by_the_pack_that_is_built_in(tmp_path: Path) -> None:
    write(tmp_path, {"catalog/a.yaml": component("checkout", spec="domain: retail")})
    found = shown("checkout", directory=tmp_path)
    assert found["policy pack"]["pack"] == ("built in", "default")
    assert {origin for facts in (found["categories"], found["targets"]) for _, origin in facts.values()} == {"default"}
    assert found["on call"] == {"rotation": (None, "default")}
    assert found["escalation"]["P1, P2 after 0 min"] == ("nobody new (oncall)", "default")


def test_a_domain_without_a_pack_has_the_directory_s_default(tmp_path: Path) -> None:
    files = {"catalog/a.yaml": component("checkout", spec="domain: retail"), "domains/default.yaml": "version: '7'\n"}
    catalogue = files["catalog/a.yaml"] + "---\n" + component("retail", kind="Domain")
    found = shown("checkout", directory=write(tmp_path, {**files, "catalog/a.yaml": catalogue}))
    assert found["policy pack"]["pack"] == ("default", "domains/default.yaml:1 as domain 'retail' has none")
    version, origin = found["policy pack"]["version"]
    assert (version.partition("+")[0], origin) == ("7", "domains/default.yaml:1")
    assert found["service"]["domain"][0] == "retail"


def test_an_override_says_until_when_and_who_is_next() -> None:
    found = shown("payments-api", "--at", AT)["on call"]
    primary, origin = found["primary"]
    assert primary == "jonas.weber"
    assert origin.endswith("by an override until 2026-03-14 08:00 UTC")
    assert found["next"][0] == "amara.okafor from 2026-03-14 08:00 UTC"


def test_a_hand_off_is_found_to_the_minute_by_the_local_clock() -> None:
    before = shown("payments-api", "--at", "2026-03-29T12:00:00Z")["on call"]
    person, _, moment = before["next"][0].partition(" from ")
    assert moment == "2026-03-30 07:00 UTC"  # 09:00 in Amsterdam, where summer time began the day before
    after = shown("payments-api", "--at", "2026-03-30T07:00:00Z")["on call"]
    assert (before["primary"][0] != person, after["primary"][0]) == (True, person)


def test_maintenance_on_it_or_on_what_it_runs_on_says_whether_it_is_on(tmp_path: Path) -> None:
    window = "start: 2026-03-10T10:00:00Z, end: 2026-03-10T12:00:00Z"
    files = {
        "catalog/a.yaml": component("shop", spec="dependsOn: [resource:db-1]")
        + "---\n"
        + component("db-1", kind="Resource", spec="dependsOn: [resource:rack-7]").replace("type: service", "type: host")
        + "---\n"
        + component("rack-7", kind="Resource").replace("type: service", "type: rack")
        + "---\n"
        + component("other"),
        "maintenance.yaml": f"rack: {{{window}, targets: [rack-7]}}\nother: {{{window}, targets: [other]}}\n"
        f"probes: {{{window}, labels: {{job: probe}}}}\n",
    }
    directory = write(tmp_path, files)
    told = {
        when: shown("db-1", "--at", f"2026-03-10T{when}:00Z", directory=directory)["maintenance"]
        for when in ("09:59", "10:00", "12:00")
    }
    assert [each["rack"][0].partition(",")[0] for each in told.values()] == ["ahead", "on now", "over"]
    assert told["10:00"]["rack"] == (
        "on now, 2026-03-10 10:00 UTC to 2026-03-10 12:00 UTC, on rack-7", "maintenance.yaml:1",
    )  # fmt: skip
    assert told["10:00"]["probes"][0].endswith("alerts with job=probe")
    assert "other" not in told["10:00"]


def test_recorded_alerts_about_it_are_counted_by_feed() -> None:
    assert "recorded alerts are about it" not in str(shown("checkout")["feeds"])
    told, origin = shown("checkout", "--recording", str(STORY))["feeds"]["alertmanager"]
    assert told == "16 of 100 recorded alerts are about it"
    assert lines("feeds.yaml")[int(origin.rpartition(":")[2]) - 1].startswith("alertmanager")


def test_a_name_that_means_another_entity_says_so(tmp_path: Path) -> None:
    files = {
        "catalog/a.yaml": component("till", annotations="spillway.dev/aliases: ledger") + "---\n" + component("ledger")
    }
    found = shown("till", directory=write(tmp_path, files))
    assert found["names"]["alias"][0] == "ledger (means component:default/ledger instead)"


@pytest.mark.parametrize(
    "name", ["component:default/checkout", "Checkout", "basket", "checkout.northwind-market.example"]
)
def test_it_is_found_by_any_of_its_names(name: str) -> None:
    assert shown(name)["service"]["reference"][0] == "component:default/checkout"


def test_people_see_facts_with_their_files() -> None:
    output = run(str(EXAMPLE), "--effective", "checkout", "--at", AT).output
    assert output.startswith("component:default/checkout at 2026-03-12T12:00:00.000Z, configuration ")
    line = next(line for line in output.splitlines() if "P1 after 5 min" in line)
    assert "oncall-secondary" in line
    assert line.rstrip().endswith("config/domains/retail.yaml:60")


def test_what_cannot_be_answered_is_one_line(tmp_path: Path) -> None:
    assert run(str(EXAMPLE), "--effective", "chekout").output == (
        "Error: nothing in the catalogue is called 'chekout'; did you mean 'checkout'?\n"
    )
    assert run(str(EXAMPLE), "--at", AT).output == "Error: --at and --recording go with --effective SERVICE\n"
    broken = str(write(tmp_path, {"correlation.yaml": "a: 1\n"}))
    assert run(broken, "--effective", "x").output == f"Error: {broken}/correlation.yaml:1: unknown field 'a'\n"


def test_now_is_the_moment_where_none_is_named() -> None:
    told = json.loads(run(str(EXAMPLE), "--effective", "checkout", "--json").output)["at"]
    assert abs(datetime.fromisoformat(told) - datetime.now(UTC)).total_seconds() < 60
