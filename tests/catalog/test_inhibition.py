"""Rules of inhibition are checked with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import check_config
from pipeline.feeds import ADAPTERS
from tests.catalog.directory import component, write

GOOD = "source: {match: {entity_type: host}}, target: {match: {severity: warning}}"


def problems(tmp_path: Path, rule: str, name: str = "one") -> list[str]:
    files = {"catalog/a.yaml": component("shop"), "correlation.yaml": f"inhibit:\n  {name}: {{{rule}}}\n"}
    return [str(each) for each in check_config(write(tmp_path, files), ADAPTERS).problems]


def test_a_rule_of_inhibition_loads(tmp_path: Path) -> None:
    assert problems(tmp_path, f"{GOOD}, along: dependencies, hops: 2, equal: [labels.cluster]") == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (GOOD, "needs 'along: dependencies' or 'equal'"),
        ("source: {match: {fed: x}}, target: {match: {name: x}}, along: dependencies", "there is no fact 'fed'"),
        ("source: {match: {entity: shop}}, target: {match: {service: shp}}, equal: [host]", "nothing is called 'shp'"),
        ("source: {match: {entity: shop}}, target: {when: '1 + 1'}, equal: [host]", "target.when: must be true"),
        (f"{GOOD}, equal: [terms]", "terms has several values"),
        (f"{GOOD}, equal: [colour]", "there is no fact 'colour'"),
        (f"{GOOD}, along: everything", "inhibit.one.along"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, rule: str, words: str) -> None:
    (found,) = problems(tmp_path, rule)
    assert found.startswith("correlation.yaml:2: ")
    assert words in found


def test_a_name_stands_on_records(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"{GOOD}, along: dependencies", "A b")
    assert "rule 'A b': must be at most 63" in found


def test_what_is_never_silenced_is_a_priority_of_the_domain(tmp_path: Path) -> None:
    files = {"catalog/a.yaml": component("shop"), "domains/retail.yaml": "silence_never: [P9]\n"}
    (found,) = check_config(write(tmp_path, files), ADAPTERS).problems
    assert str(found).startswith("domains/retail.yaml:1: silence_never: unknown priority 'P9'")
