"""Major Incident criteria and populations as they are written: what is refused, what is advised, what is inherited."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import ConfigError, load_config, open_config
from pipeline.catalog.lint import lint
from pipeline.core.topology import Topology
from pipeline.feeds import ADAPTERS
from pipeline.models.major import MajorIncidentMode
from tests.catalog.directory import component, write
from tests.catalog.test_lint import NOW_MS, ROTATION, shop

REFUSED: dict[str, tuple[dict[str, str], list[str]]] = {
    "rules of Major Incidents": (
        {"domains/retail.yaml": """
            major_incident:
              users_at_least: 5000
              manager: [nobody]
              rules:
                - {name: many, users_at_least: 5000, priorities: [P0]}
                - {name: many}
            """},
        ["domains/retail.yaml:2: users_at_least: with 'rules' thresholds stand in the rules; make it one of them",
         "domains/retail.yaml:3: manager: unknown rotation or person 'nobody'",
         "domains/retail.yaml:5: priorities: unknown priority 'P0'; known: P1, P2, P3, P4",
         "domains/retail.yaml:6: rules: 'many' is already rule 1",
         "domains/retail.yaml:6: rules: a rule without a condition never holds; state a threshold"],
    ),
    "populations that are none": (
        {"catalog/a.yaml": component("checkout", annotations="spillway.dev/population: staff//berlin")},
        ["catalog/a.yaml:6: spillway.dev/population: expected a name such as staff, or a part of one such as "
         "staff/berlin, found 'staff//berlin'"],
    ),
}  # fmt: skip

ADVISED: dict[str, tuple[str, list[str]]] = {
    "a trigger rule that never wins": (
        """
        major_incident:
          manager: [shop]
          rules:
            - {users_at_least: 1000, mode: propose}
            - {users_at_least: 5000, sites_at_least: 2}
            - {users_at_least: 500}
            - {regulatory: [pci-dss], priorities: [P3]}
        """,
        ["domains/retail.yaml:5: shadowed-trigger: trigger rule 2 never wins: rule 1 holds whenever it does"],
    ),
    "a proposal that nobody hears of": (
        "major_incident:\n  rules: [{users_at_least: 1000, mode: propose}]\n",
        ["domains/retail.yaml:2: proposal-to-nobody: proposals call nobody: name a 'manager'"],
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_cannot_be_meant_is_refused_with_file_and_line(case: str, tmp_path: Path) -> None:
    files, expected = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, files), ADAPTERS)
    assert sorted(str(problem) for problem in caught.value.problems) == expected


@pytest.mark.parametrize("case", ADVISED, ids=str)
def test_what_would_hurt_at_night_is_found_by_lint(case: str, tmp_path: Path) -> None:
    pack, expected = ADVISED[case]
    files = {"catalog/shop.yaml": shop(), "oncall/shop.yaml": ROTATION, "domains/retail.yaml": pack}
    report = lint(open_config(write(tmp_path, files), ADAPTERS), NOW_MS)
    told = [f"{each.place.file}:{each.place.line}: {each.rule}: {each.message}" for each in report.findings]
    assert told == expected


def test_the_single_rule_of_older_packs_is_read_as_it_was(tmp_path: Path) -> None:
    pack = "major_incident: {users_at_least: 7, priorities: [P1]}\n"
    rule = load_config(write(tmp_path, {"domains/retail.yaml": pack})).domains["retail"].major_incident
    assert (rule.users_at_least, rule.priorities, rule.rules) == (7, ("P1",), ())


def test_a_list_of_rules_declares_unless_it_says_otherwise(tmp_path: Path) -> None:
    pack = "major_incident: {rules: [{users_at_least: 7}, {sites_at_least: 2, mode: promote}]}\n"
    rule = load_config(write(tmp_path, {"domains/retail.yaml": pack})).domains["retail"].major_incident
    assert [each.mode for each in rule.rules] == [MajorIncidentMode.DECLARE, MajorIncidentMode.PROMOTE]


def test_a_population_is_inherited_from_the_system(tmp_path: Path) -> None:
    documents = [
        component("mail", kind="System", annotations="spillway.dev/population: Staff/Berlin"),
        component("webmail", spec="system: mail"),
        component("archive", spec="system: mail", annotations="spillway.dev/population: legal"),
    ]
    entities = load_config(write(tmp_path, {"catalog/a.yaml": "---\n".join(documents)})).catalogue.entities
    told = {each.name: each.population for each in entities.values()}
    assert told == {"mail": "staff/berlin", "webmail": "staff/berlin", "archive": "legal"}


def test_sites_are_those_of_what_something_runs_on_unless_it_says_its_own(tmp_path: Path) -> None:
    documents = [
        component("app", spec="dependsOn: [resource:node-1, resource:node-2, component:other]"),
        component("kiosk", spec="dependsOn: [resource:node-1]", annotations="spillway.dev/sites: rome"),
        component("other", annotations="spillway.dev/sites: oslo"),
        component("node-1", kind="Resource", spec="dependsOn: [resource:berlin-1]").replace("service", "host"),
        component("node-2", kind="Resource", annotations="spillway.dev/sites: paris").replace("service", "host"),
        component("berlin-1", kind="Resource").replace("service", "datacenter"),
    ]
    topology = Topology(load_config(write(tmp_path, {"catalog/a.yaml": "---\n".join(documents)})).catalogue)
    found = {each: topology.sites(f"component:default/{each}") for each in ("app", "kiosk", "other")}
    assert found == {"app": ("berlin-1", "paris"), "kiosk": ("rome",), "other": ("oslo",)}
    assert topology.sites("unlisted:host/x") == ()
