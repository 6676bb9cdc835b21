"""Lint of packs as such: parents without heirs, and matrices against the grain."""

from __future__ import annotations

from pathlib import Path

from tests.catalog.test_lint import found


def test_a_parent_that_no_pack_extends_is_told(tmp_path: Path) -> None:
    files = {"domains/_base.yaml": "version: '2'\n", "domains/_other.yaml": "extends: _base\n"}
    assert found(tmp_path, files) == [
        "domains/_other.yaml:1: unused-parent: no pack extends '_other', and no domain works by it"
    ]


def test_a_matrix_against_the_grain_is_told_at_the_cell(tmp_path: Path) -> None:
    pack = "extends: built-in\nmatrix:\n  low: {low: P3}\n"
    assert found(tmp_path, {"domains/retail.yaml": pack}) == [
        "domains/retail.yaml:2: matrix-falls: urgency 'medium' and impact 'low' give P4, "
        "but 'low' and 'low', which is less, give P3",
        "domains/retail.yaml:3: matrix-falls: urgency 'low' and impact 'medium' give P4, "
        "but 'low' and 'low', which is less, give P3",
    ]


def test_what_is_wrong_in_a_parent_is_told_once_however_many_inherit_it(tmp_path: Path) -> None:
    parent = "categories:\n  - {name: a, words: [disk]}\n  - {name: b, words: [disk]}\n"
    files = {
        "domains/_base.yaml": parent,
        "domains/retail.yaml": "extends: _base\n",
        "domains/default.yaml": "extends: _base\n",
    }
    told = [each for each in found(tmp_path, files) if "shadowed" in each]
    assert [each.partition(": shadowed")[0] for each in told] == ["domains/_base.yaml:3"]
