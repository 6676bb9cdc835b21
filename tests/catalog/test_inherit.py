"""Inheritance of policy packs: what an heir has, where each value comes from, and what is refused, by file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.catalog import ConfigError, load_config, open_config
from pipeline.catalog.inherit import PARENTS_MAX
from pipeline.core.practice.shelf import stamp_of
from pipeline.models.policy import DomainPolicy
from tests.catalog.directory import write

BASE = """
    version: "7"
    users_per_report: 9
    categories:
      - {name: certificate, words: [certificate]}
      - {name: mail, words: [mail]}
    closure: {reopen_minutes: 5, require: [cause]}
    targets:
      P1: {respond_minutes: 1, resolve_minutes: 10}
      P2: {respond_minutes: 2, resolve_minutes: 20}
      P3: {respond_minutes: 3, resolve_minutes: 30}
      P4: {respond_minutes: 4, resolve_minutes: 40}
"""


LEVELS = ("high", "medium", "low")
PAIRS = [(one, other) for one in LEVELS for other in LEVELS if (one, other) != ("low", "high")]


def pack(tmp_path: Path, heir: str, **others: str) -> DomainPolicy:
    """The pack of domain ``shop``, which is written so."""
    files = {"domains/_base.yaml": BASE, "domains/shop.yaml": heir}
    files |= {f"domains/{name}.yaml": text for name, text in others.items()}
    return load_config(write(tmp_path, files)).domains["shop"]


def problems(tmp_path: Path, files: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, {f"domains/{name}.yaml": text for name, text in files.items()}))
    return [str(each) for each in caught.value.problems]


def names(policy: DomainPolicy) -> list[str]:
    return [category.name for category in policy.categories]


def test_what_an_heir_does_not_say_is_as_its_parent_has_it(tmp_path: Path) -> None:
    policy = pack(tmp_path, "extends: _base\n")
    assert (policy.version, policy.users_per_report, policy.closure.reopen_minutes) == ("7", 9, 5)
    assert names(policy) == ["certificate", "mail"]
    assert policy.domain == "shop"


def test_a_mapping_is_merged_key_by_key_at_any_depth(tmp_path: Path) -> None:
    heir = "extends: _base\nclosure: {reopen_minutes: 6}\ntargets: {P2: {resolve_minutes: 25}}\n"
    policy = pack(tmp_path, heir)
    assert (policy.closure.reopen_minutes, policy.closure.require) == (6, ("cause",))
    assert {name: each.resolve_minutes for name, each in policy.targets.items()} == {
        "P1": 10, "P2": 25, "P3": 30, "P4": 40,
    }  # fmt: skip
    assert policy.targets["P2"].respond_minutes == 2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[{name: vpn, words: [vpn]}]", ["vpn"]),
        ("{before: [{name: vpn, words: [vpn]}]}", ["vpn", "certificate", "mail"]),
        ("{after: [{name: vpn, words: [vpn]}]}", ["certificate", "mail", "vpn"]),
        (
            "{before: [{name: a, words: [a]}], after: [{name: z, words: [z]}]}",
            ["a", "certificate", "mail", "z"],
        ),
        ("{before: [{name: mail, words: [outlook]}]}", ["mail", "certificate"]),
        ("null", names(DomainPolicy(domain="x"))),
    ],
)
def test_a_list_replaces_or_adds_before_and_after(tmp_path: Path, written: str, expected: list[str]) -> None:
    assert names(pack(tmp_path, f"extends: _base\ncategories: {written}\n")) == expected


def test_lists_of_words_are_added_to_as_well(tmp_path: Path) -> None:
    policy = pack(tmp_path, "extends: _base\nclosure: {require: {after: [corrective_action]}}\n")
    assert policy.closure.require == ("cause", "corrective_action")


def test_without_a_parent_what_is_added_is_added_to_the_built_in_list(tmp_path: Path) -> None:
    built_in = names(DomainPolicy(domain="x"))
    assert names(pack(tmp_path, "categories: {before: [{name: vpn, words: [vpn]}]}\n")) == ["vpn", *built_in]
    written = "categories: {after: [{name: vpn, words: [vpn]}]}\n"
    assert names(pack(tmp_path, "extends: _empty\n", _empty=written)) == [*built_in, "vpn"]


def test_without_extends_a_matrix_replaces_the_built_in_one_and_with_built_in_it_is_merged(tmp_path: Path) -> None:
    policy = pack(tmp_path, "extends: built-in\nmatrix: {high: {low: P2}}\n")
    assert policy.matrix["high"] == {"high": "P1", "medium": "P2", "low": "P2"}
    assert set(policy.matrix) == {"high", "medium", "low"}
    assert "categories" not in policy.model_fields_set, "what nobody wrote is stated by nobody"


def test_the_built_in_parent_speaks_in_the_words_of_the_heirs_scale(tmp_path: Path) -> None:
    policy = pack(tmp_path, "extends: built-in\npriorities: [sev1, sev2, sev3]\nmatrix: {high: {low: sev2}}\n")
    assert policy.matrix["high"] == {"high": "sev1", "medium": "sev2", "low": "sev2"}
    assert list(policy.targets) == ["sev1", "sev2", "sev3"]


def test_null_takes_an_inherited_entry_away_and_a_value_of_null_stays_one(tmp_path: Path) -> None:
    parent = "targets: {P1: {respond_minutes: 1, resolve_minutes: 10, update_minutes: 5}}\n"
    parent += "chronic: {severity_at_most: error}\n"
    parent += "matrix: {high: {high: P1, medium: P1, low: P1}, medium: {high: P1, medium: P1, low: P1}}\n"
    parent += "urgency: [{level: high, severity_at_least: error}, {level: medium}]\n"
    heir = (
        "extends: one\ntargets: {P1: {update_minutes: null}}\nchronic: {severity_at_most: null}\n"
        "urgency: [{level: high}]\nmatrix: {medium: null}\n"
    )
    policy = pack(tmp_path, heir, one=parent)
    assert policy.targets["P1"].update_minutes is None
    assert policy.chronic.severity_at_most is None
    assert list(policy.matrix) == ["high"]


def test_a_line_of_parents_may_be_long_and_the_nearest_wins(tmp_path: Path) -> None:
    line = {"_one": "extends: _base\nversion: '8'\n", "_two": "extends: _one\nusers_per_report: 10\n"}
    policy = pack(tmp_path, "extends: _two\n", **line)
    assert (policy.version, policy.users_per_report, policy.closure.reopen_minutes) == ("8", 10, 5)


def test_a_domain_may_inherit_from_another_one_but_not_its_name_and_title(tmp_path: Path) -> None:
    policy = pack(tmp_path, "extends: retail\n", retail="domain: retail\ntitle: Retail\nversion: '3'\n")
    assert (policy.domain, policy.title, policy.version) == ("shop", "", "3")


def test_a_parent_alone_is_no_domain(tmp_path: Path) -> None:
    files = {
        "domains/_base.yaml": BASE,
        "domains/company.yaml": "abstract: true\n",
        "domains/shop.yaml": "extends: company\n",
    }
    assert list(load_config(write(tmp_path, files)).domains) == ["shop"]


def test_a_change_of_a_parent_is_another_version_of_its_heirs(tmp_path: Path) -> None:
    before = stamp_of(pack(tmp_path / "a", "extends: _base\n"))
    assert before == stamp_of(pack(tmp_path / "b", "extends: _base\n"))
    assert before != stamp_of(pack(tmp_path / "c", "extends: _base\nclosure: {reopen_minutes: 4}\n"))


def test_every_value_knows_the_file_and_line_that_says_it(tmp_path: Path) -> None:
    heir = "extends: _base\ncategories:\n  before:\n    - {name: vpn, words: [vpn]}\nclosure:\n  reopen_minutes: 6\n"
    opened = open_config(write(tmp_path, {"domains/_base.yaml": BASE, "domains/shop.yaml": heir}))
    source = opened.packs.sources["domain", "shop"]
    places: list[tuple[tuple[Any, ...], str, int]] = [
        (("version",), "domains/_base.yaml", 1),
        (("categories", 0), "domains/shop.yaml", 4),
        (("categories", 1), "domains/_base.yaml", 4),
        (("closure", "reopen_minutes"), "domains/shop.yaml", 6),
        (("closure", "require", 0), "domains/_base.yaml", 6),
        (("targets", "P3"), "domains/_base.yaml", 10),
    ]
    for path, file, line in places:
        assert source.at(*path) == (file, line), path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"shop": "title: Shop\nextends: _bsae\n", "_base": "version: '1'\n"},
            ["domains/shop.yaml:2: extends: there is no pack '_bsae' in domains/; did you mean '_base'?"],
        ),
        (
            {"shop": "extends: other\n", "other": "extends: shop\n"},
            [
                "domains/other.yaml:1: extends: runs in a circle: shop -> other -> shop",
                "domains/shop.yaml:1: extends: runs in a circle: other -> shop -> other",
            ],
        ),
        ({"shop": "extends: shop\n"}, ["domains/shop.yaml:1: extends: runs in a circle: shop -> shop"]),
        (
            {"shop": "extends: 7\n"},
            ["domains/shop.yaml:1: extends: there is no pack '7' in domains/; 'built-in' is the built-in one"],
        ),
        (
            {"shop": "extends: _base\n", "_base": "version: '1'\nclosure: {reopn_minutes: 3}\n"},
            ["domains/_base.yaml:2: unknown field 'closure.reopn_minutes'; did you mean 'reopen_minutes'?"],
        ),
        (
            {"shop": "extends: _base\n", "_base": "version: '1'\nmatrix: {low: {high: P9}}\n"},
            [
                "domains/_base.yaml:2: matrix: unknown priority 'P9'; known: P1, P2, P3, P4",
                *(
                    f"domains/_base.yaml:2: matrix: no priority for urgency '{one}' and impact '{other}'"
                    for one, other in PAIRS
                ),
            ],
        ),
        (
            {"shop": "extends: _base\n", "_base": "version: [\n"},
            ["domains/_base.yaml:1: empty", "domains/_base.yaml:2: not YAML"],
        ),
    ],
)
def test_what_cannot_be_is_refused_with_file_and_line(
    tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    found = problems(tmp_path, files)
    assert len(found) == len(expected), found
    for told, begins in zip(sorted(found), sorted(expected), strict=True):
        assert told.startswith(begins)


def test_a_line_of_too_many_parents_is_refused(tmp_path: Path) -> None:
    files = {f"_{number}": f"extends: _{number + 1}\n" for number in range(PARENTS_MAX + 1)}
    found = problems(tmp_path, {"shop": "extends: _0\n", f"_{PARENTS_MAX + 1}": "version: '1'\n", **files})
    assert any(f"more than {PARENTS_MAX} parents in a line: shop -> _0" in each for each in found)
