"""Figures of a grouping against the truth, each episode counted once.

B-cubed (Bagga and Baldwin, 1998): for each episode, precision is the share of its group that belongs to its true
class, recall the share of its true class that is in its group; the figure is the mean over episodes. Pairs: of all
pairs put together, how many belong together, and the other way round. Adjusted Rand index (Hubert and Arabie, 1985);
normalised mutual information with the arithmetic mean.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import comb, log
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

Classes = Mapping[str, str]
"""Episode id -> true class; a noise episode is a class of its own."""

RESAMPLES: Final = 2_000
INTERVAL: Final = 0.95


class Figures(NamedTuple):
    """What a grouping is worth; everything from 0 to 1 but the two counts, and the Rand index may be below 0."""

    bcubed_precision: float
    bcubed_recall: float
    bcubed_f1: float
    pair_precision: float
    pair_recall: float
    pair_f1: float
    rand_index: float
    mutual_information: float
    groups: int
    classes: int


def figures(groups: Mapping[str, str], classes: Classes) -> Figures:
    """Compare a grouping with the truth over the episodes that have a class.

    Args:
        groups: episode id -> group; an episode without one is a group of its own.
        classes: the truth.

    Raises:
        ValueError: there is no episode.
    """
    if not classes:
        raise ValueError("no episodes: nothing can be said")
    table = Counter((groups.get(name, name), class_) for name, class_ in classes.items())
    by_group, by_class = Counter[str](), Counter[str]()
    for (group, class_), count in table.items():
        by_group[group] += count
        by_class[class_] += count
    total = len(classes)
    precision = sum(count * count / by_group[group] for (group, _), count in table.items()) / total
    recall = sum(count * count / by_class[class_] for (_, class_), count in table.items()) / total
    pairs = _pairs(table, by_group, by_class, total)
    return Figures(
        precision,
        recall,
        harmonic(precision, recall),
        *pairs,
        _mutual_information(table, by_group, by_class, total),
        len(by_group),
        len(by_class),
    )


def harmonic(precision: float, recall: float) -> float:
    """F1; 0 where both are."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _pairs(
    table: Mapping[tuple[str, str], int], by_group: Mapping[str, int], by_class: Mapping[str, int], total: int
) -> tuple[float, float, float, float]:
    """Pair precision, recall and F1, and the adjusted Rand index. Without any pair there is no mistake."""
    both = sum(comb(count, 2) for count in table.values())
    together = sum(comb(count, 2) for count in by_group.values())
    true = sum(comb(count, 2) for count in by_class.values())
    precision = both / together if together else 1.0
    recall = both / true if true else 1.0
    expected = together * true / comb(total, 2) if total > 1 else 0.0
    largest = (together + true) / 2
    index = (both - expected) / (largest - expected) if largest != expected else 1.0
    return precision, recall, harmonic(precision, recall), index


def _mutual_information(
    table: Mapping[tuple[str, str], int], by_group: Mapping[str, int], by_class: Mapping[str, int], total: int
) -> float:
    shared = sum(
        count / total * log(count * total / (by_group[group] * by_class[class_]))
        for (group, class_), count in table.items()
    )
    mean = (_entropy(by_group, total) + _entropy(by_class, total)) / 2
    return shared / mean if mean else 1.0


def _entropy(counts: Mapping[str, int], total: int) -> float:
    return -sum(count / total * log(count / total) for count in counts.values())


class Interval(NamedTuple):
    """A mean, or another statistic, over seeds, and where it lies with 95 %."""

    mean: float
    low: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """Where the mean lies, by bootstrap over seeds.

    Raises:
        ValueError: no values.
    """
    return bootstrap(values, lambda drawn: sum(drawn) / len(drawn))


def bootstrap(values: Sequence[T], statistic: Callable[[Sequence[T]], float], seed: int = 1) -> Interval:
    """Where a statistic lies (Efron, 1979, percentiles): alerts of one world are not independent, worlds are.

    Args:
        values: one for each world.
        statistic: of so many worlds, drawn with replacement.
        seed: of the draw.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values: no interval")
    chance = random.Random(seed)  # noqa: S311 a repeatable sequence, not a secret
    count = len(values)
    drawn = sorted(statistic(chance.choices(values, k=count)) for _ in range(RESAMPLES))
    cut = (1 - INTERVAL) / 2
    return Interval(statistic(values), drawn[int(cut * RESAMPLES)], drawn[int((1 - cut) * RESAMPLES) - 1])
