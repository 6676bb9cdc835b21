"""Worlds for training, for development and for publishing are kept apart."""

from __future__ import annotations

import pytest

from benchmarks.quality.seeds import RANGES, Purpose, SeedError, first, purpose_of, require


def test_no_seed_is_for_two_purposes() -> None:
    seeds = [seed for allowed in RANGES.values() for seed in allowed]
    assert len(seeds) == len(set(seeds))


@pytest.mark.parametrize(
    ("seed", "purpose"),
    [
        (1, Purpose.TEST),
        (1_001, Purpose.DEVELOPMENT),
        (1_001, Purpose.TRAINING),
        (2_000, Purpose.TEST),
        (1_000, Purpose.TEST),
    ],
)
def test_a_seed_of_another_purpose_is_refused_with_the_range_that_is_allowed(seed: int, purpose: Purpose) -> None:
    with pytest.raises(
        SeedError, match=f"seed {seed} is not for {purpose} worlds: those are {RANGES[purpose].start} to"
    ):
        require([seed], purpose)


def test_the_first_test_worlds_begin_at_1001() -> None:
    assert first(2, Purpose.TEST) == [1_001, 1_002]


def test_seeds_tell_what_they_are_for_unless_they_are_mixed() -> None:
    assert purpose_of([2_000, 2_001]) == Purpose.TRAINING
    with pytest.raises(SeedError):
        purpose_of([999, 1_001])
    with pytest.raises(SeedError, match="for nothing"):
        purpose_of([0])
