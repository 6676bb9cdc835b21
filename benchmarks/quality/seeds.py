"""Which worlds are for what: whoever tunes by a world must not publish figures of it.

Worlds to train on, worlds to look at while developing and worlds to publish are told apart by their seeds, and every
command asks here before it makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

DEVELOPMENT: Final = range(1, 1_000)
TEST: Final = range(1_001, 2_000)
TRAINING: Final = range(2_000, 10_000)


class Purpose(StrEnum):
    """What a world is for."""

    DEVELOPMENT = "development"
    TEST = "test"
    TRAINING = "training"


RANGES: Final = {Purpose.DEVELOPMENT: DEVELOPMENT, Purpose.TEST: TEST, Purpose.TRAINING: TRAINING}


class SeedError(ValueError):
    """A seed of another purpose; the message names the seed and the range that is allowed."""


def require(seeds: Iterable[int], purpose: Purpose) -> list[int]:
    """The seeds, if they are all for this purpose.

    Raises:
        SeedError: one is not.
    """
    allowed, found = RANGES[purpose], list(seeds)
    for seed in found:
        if seed not in allowed:
            raise SeedError(
                f"seed {seed} is not for {purpose} worlds: those are {allowed.start} to {allowed.stop - 1}; figures of "
                "worlds that anything was tuned on say nothing"
            )
    return found


def first(count: int, purpose: Purpose) -> list[int]:
    """The first so many seeds of a purpose."""
    return require(range(RANGES[purpose].start, RANGES[purpose].start + count), purpose)


def purpose_of(seeds: Sequence[int]) -> Purpose:
    """What all these seeds are for.

    Raises:
        SeedError: they are for nothing, or for more than one thing.
    """
    for purpose, allowed in RANGES.items():
        if seeds and seeds[0] in allowed:
            require(seeds, purpose)
            return purpose
    listed = ", ".join(f"{purpose} {allowed.start}-{allowed.stop - 1}" for purpose, allowed in RANGES.items())
    raise SeedError(f"seeds {list(seeds)} are for nothing: {listed}")
