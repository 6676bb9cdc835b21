"""``matching.yaml``: what loads, in which order, and what is refused with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.catalog import check_config, load_config
from pipeline.core.alerts.enrich import Enricher
from pipeline.feeds import ADAPTERS
from tests.catalog.directory import EXAMPLE, component, write
from tests.core.test_enrich import alert

CATALOG = "---\n".join((component("basket", annotations="spillway.dev/aliases: trolley"), component("prices")))


def config_of(tmp_path: Path, text: str) -> Path:
    return write(tmp_path, {"catalog/a.yaml": CATALOG, "matching.yaml": text})


def test_rules_load_in_the_order_in_which_they_are_written(tmp_path: Path) -> None:
    text = """
        zebra: {labels: {task: "(?P<app>[a-z]+)-[0-9]+"}, entity: "{app}"}
        ant: {feeds: [zabbix], text: "(?i)till", entity: trolley}
    """
    loaded = load_config(config_of(tmp_path, text), ADAPTERS)
    assert [each.name for each in loaded.matching] == ["zebra", "ant"]
    subject = alert(labels={"task": "prices-12"})
    Enricher(loaded).enrich(subject)
    assert (subject.entity, subject.matched_by) == ("component:default/prices", "rule:zebra")


def test_the_example_of_the_page_loads_as_it_stands(tmp_path: Path) -> None:
    page = (EXAMPLE.parent / "docs" / "catalogue.md").read_text("utf-8")
    block = re.search(r"```yaml\n(.*?)```", page.partition("\n### Rules\n")[2], re.DOTALL)
    assert block
    others = "---\n".join((component("payments-api"), component("card-processor"), component("prices")))
    loaded = load_config(write(tmp_path, {"catalog/a.yaml": others, "matching.yaml": block[1]}), ADAPTERS)
    said = alert("Till is down again", labels={"task": "prices-import-20260310"})
    Enricher(loaded).enrich(said)
    assert (said.entity, said.matched_by) == ("component:default/prices", "rule:batch-jobs")
    said = alert("Till is down again")
    Enricher(loaded).enrich(said)
    assert (said.entity, said.matched_by) == ("component:default/card-processor", "rule:till-mails")


X = 'a:\n  labels: {x: "1"}\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: {entity: basket}", "1: a rule needs labels, text or both; this one would match every alert"),
        ('a:\n  labels:\n    x: "(a"\n  entity: basket', "3: labels.x: not a pattern of RE2: missing ): (a"),
        ('a:\n  text: "(?=a)"\n  entity: basket', "2: text: not a pattern of RE2: invalid perl operator: (?="),
        (X + "  entity: nobody", "3: entity: nothing is called 'nobody'"),
        (X + '  entity: "{app}"', "3: entity: no pattern of this rule has a group (?P<app>...)"),
        (X + "  feeds: [zabix]\n  entity: basket", "3: feeds: there is no feed 'zabix'"),
        ('a:\n  label: {x: "1"}\n  entity: basket', "2: unknown field 'label'; did you mean 'labels'?"),
        (X, "1: field 'entity' is missing"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    checked = check_config(config_of(tmp_path, text), ADAPTERS)
    assert [str(each) for each in checked.problems] == [f"matching.yaml:{problem}"]
