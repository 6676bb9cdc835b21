"""The figures, against values worked out by hand and properties that must hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.metrics import figures, interval

NAMES = "abcdef"
LABELS = st.fixed_dictionaries({name: st.sampled_from("123") for name in NAMES})


def test_a_grouping_like_the_truth_is_worth_one_in_everything() -> None:
    found = figures({"a": "x", "b": "x", "c": "y"}, {"a": "1", "b": "1", "c": "2"})

    assert found[:8] == (1, 1, 1, 1, 1, 1, 1, 1)
    assert (found.groups, found.classes) == (2, 2)


def test_one_mistake_is_worth_what_it_is_by_hand() -> None:
    # Groups {a, b, c} and {d}; classes {a, b} and {c, d}.
    found = figures({"a": "x", "b": "x", "c": "x", "d": "y"}, {"a": "1", "b": "1", "c": "2", "d": "2"})

    assert found.bcubed_precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert found.bcubed_recall == pytest.approx((1 + 1 + 1 / 2 + 1 / 2) / 4)
    assert found.pair_precision == pytest.approx(1 / 3)
    assert found.pair_recall == pytest.approx(1 / 2)
    assert found.rand_index == pytest.approx((1 - 3 * 2 / 6) / (2.5 - 3 * 2 / 6))
    assert found.mutual_information == pytest.approx(0.3437, abs=1e-4)


def test_an_episode_that_no_method_labelled_stands_alone() -> None:
    assert figures({}, {"a": "1", "b": "1"}).groups == 2


def test_everything_in_one_group_has_perfect_recall_and_says_nothing() -> None:
    found = figures(dict.fromkeys(NAMES, "x"), {name: name for name in NAMES})

    assert found.bcubed_recall == 1
    assert found.bcubed_precision == pytest.approx(1 / 6)
    assert found.mutual_information == pytest.approx(0)


@given(groups=LABELS, classes=LABELS)
def test_names_of_groups_do_not_matter_and_figures_stay_in_range(
    groups: dict[str, str], classes: dict[str, str]
) -> None:
    found = figures(groups, classes)
    renamed = figures({name: f"other-{group}" for name, group in groups.items()}, classes)

    assert found == pytest.approx(renamed)
    assert all(-1e-9 <= value <= 1 + 1e-9 for value in (*found[:6], found.mutual_information))
    assert found.rand_index <= 1 + 1e-9


@given(groups=LABELS, classes=LABELS)
def test_swapping_groups_and_truth_swaps_precision_and_recall(groups: dict[str, str], classes: dict[str, str]) -> None:
    found, swapped = figures(groups, classes), figures(classes, groups)

    assert found.bcubed_precision == pytest.approx(swapped.bcubed_recall)
    assert found.pair_precision == pytest.approx(swapped.pair_recall)
    assert found.rand_index == pytest.approx(swapped.rand_index)


def test_an_interval_holds_its_mean_and_shrinks_to_it_without_spread() -> None:
    spread = interval([0.7, 0.8, 0.9, 0.8])

    assert spread.low < spread.mean < spread.high
    assert interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)
