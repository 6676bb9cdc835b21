"""From examples to weights: a generalised additive model with pairwise terms, as the tables that the product reads.

A gradient-boosted ensemble (scikit-learn) is fitted with its trees confined to one measure each, or to the pairs that
are named; what it says of every combination of bins of those is then all there is to it, exactly, and is written down
as tables. Relations may only speak for an episode, never against it: trust is worth more than the last thousandth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from pipeline.core.clustering.evidence import WEIGHTS_FORMAT
from pipeline.core.clustering.measures import SPEAKS_FOR

MEASURES: Final = (
    *("same_condition", "same_entity", "still_fires"),
    *("needs_1", "needs_2", "needs_3", "needed_1", "needed_2", "needed_3", "common_1", "common_2", "common_3"),
    *("host", "rack", "cluster", "zone", "same_system"),
    *("people_name_it", "business_terms", "same_terms", "people", "names_it", "is_named", "unknown", "similar_text"),
    *("age", "gap", "episodes", "entities", "strangers", "open", "related", "burst", "hot"),
)
"""All that is measured, in the order of the columns of an example."""

TIMES: Final = frozenset({"age", "gap"})
"""Measures of time, of which more may only speak against an episode, and of which 0 is nothing special."""

PAIRS: Final = (
    *(("host", "episodes"), ("rack", "episodes"), ("zone", "episodes"), ("common_1", "episodes")),
    *(("common_2", "episodes"), ("same_entity", "episodes"), ("same_condition", "episodes"), ("people", "age")),
    *(("age", "episodes"), ("age", "hot"), ("age", "gap"), ("age", "strangers"), ("gap", "episodes"), ("gap", "open")),
    *(("open", "episodes"), ("open", "strangers")),
)
"""What one measure is worth by the size of another: of the six hundred pairs those that told most beyond the two alone.
To be on the same host as one of three members says much, as one of a hundred little; how much time says depends on how
many incidents there are to choose from."""

BINS_OF_THE_JOINED: Final = 10
BINS_OF_ALL: Final = 5
"""Of one measure, beside the one for what is not there: a table that a person can read."""

BY_HAND: Final[dict[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "business_terms": ((0.0,), (0.0, 3.5)),
    "people_name_it": ((0.0,), (0.0, 3.5)),
    "same_terms": ((0.0,), (0.0, 1.5)),
    "similar_text": ((0.0, 0.2, 0.4, 0.6, 0.8), (0.0, 0.9, 1.8, 2.7, 3.6, 4.5)),
}
"""Curves that are not learned: in the simulated companies a ticket's words nearly always name one thing, and what that
is tells the rest. Who names in business terms what is broken, or says the same as another, finds the incident for as
long as people take to report."""

TREES: Final = 250
LEAVES: Final = 6
LEARNING_RATE: Final = 0.1
EXAMPLES_IN_A_LEAF_MIN: Final = 40
L2: Final = 1.0

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Examples:
    """Episodes beside candidates: measures, whether they belong together, and how much the example counts."""

    measures: list[Mapping[str, float]] = field(default_factory=list)
    together: list[bool] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)

    def add(self, measures: Mapping[str, float], *, together: bool, weight: float) -> None:
        """One more."""
        self.measures.append(measures)
        self.together.append(together)
        self.weight.append(weight)

    def extend(self, others: Examples, share: float = 1.0) -> None:
        """All of another's, each counting so many times as much."""
        self.measures += others.measures
        self.together += others.together
        self.weight += [share * weight for weight in others.weight]


def learn(
    examples: Examples, measures: Sequence[str] = MEASURES, pairs: Sequence[tuple[str, str]] = PAIRS
) -> dict[str, Any]:
    """The weights that tell these examples apart best, as ``weights.json`` has them, with the beginning of a record.

    Args:
        examples: what to learn from.
        measures: those that may be used.
        pairs: of them, those that get a table of their own.
    """
    values = np.array([[each.get(name, 0.0) for name in measures] for each in examples.measures])
    together = np.array(examples.together)
    above = [_edges(name, values[:, column], together) for column, name in enumerate(measures)]
    bins = np.column_stack([np.searchsorted(edges, values[:, column]) for column, edges in enumerate(above)])
    places = {name: column for column, name in enumerate(measures)}
    named = [(places[first], places[second]) for first, second in pairs if {first, second} <= places.keys()]
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=EXAMPLES_IN_A_LEAF_MIN,
        l2_regularization=L2,
        interaction_cst=[*({column} for column in range(len(measures))), *map(set, named)],
        monotonic_cst=[int(name in SPEAKS_FOR) - int(name in TIMES) for name in measures],
        early_stopping=False,
        random_state=1,
    ).fit(bins, together, sample_weight=np.array(examples.weight))
    written = _written(model, above, measures, named)
    for name in BY_HAND.keys() & set(measures):
        cuts, log_odds = BY_HAND[name]
        written["measures"][name] = {"above": cuts, "log_odds": log_odds}
    return written | {"training": {"set_by_hand": sorted(BY_HAND.keys() & set(measures))}}


def _edges(name: str, values: Floats, together: NDArray[np.bool_]) -> list[float]:
    """Where to cut: what is not there apart; the rest finely where episodes join, and coarsely beyond."""
    cuts = [] if name in TIMES else [0.0]
    for some, parts in ((values[together & (values > 0)], BINS_OF_THE_JOINED), (values[values > 0], BINS_OF_ALL)):
        if len(some):
            cuts += [float(each) for each in np.quantile(some, np.linspace(0, 1, parts + 1)[1:-1]).round(2)]
    largest = values.max(initial=0.0)
    return sorted({cut for cut in cuts if cut < largest or not cut})


def _written(
    model: HistGradientBoostingClassifier,
    above: Sequence[Sequence[float]],
    measures: Sequence[str],
    pairs: Sequence[tuple[int, int]],
) -> dict[str, Any]:
    """The model as tables: what it says where nothing is measured, of each measure alone, and of pairs beyond that."""
    sizes = [len(edges) + 1 for edges in above]
    bias = float(_asked(model, np.zeros((1, len(sizes))))[0])
    curves = [_alone(model, column, sizes) - bias for column in range(len(sizes))]
    planes = []
    for first, second in pairs:
        both = _both(model, (first, second), sizes) - bias - curves[first][:, None] - curves[second][None, :]
        planes.append({"of": measures[first], "by": measures[second], "log_odds": both.round(3).tolist()})
    needed = {each[side] for each in planes for side in ("of", "by")}
    return {
        "format": WEIGHTS_FORMAT,
        "bias": round(bias, 3),
        "measures": {
            name: {"above": above[column], "log_odds": curves[column].round(3).tolist()}
            for column, name in enumerate(measures)
            if name in needed or any(curves[column].round(3))
        },
        "planes": planes,
    }


def _alone(model: HistGradientBoostingClassifier, column: int, sizes: Sequence[int]) -> Floats:
    asked = np.zeros((sizes[column], len(sizes)))
    asked[:, column] = range(sizes[column])
    return _asked(model, asked)


def _both(model: HistGradientBoostingClassifier, columns: tuple[int, int], sizes: Sequence[int]) -> Floats:
    first, second = columns
    asked = np.zeros((sizes[first] * sizes[second], len(sizes)))
    asked[:, first] = np.repeat(range(sizes[first]), sizes[second])
    asked[:, second] = np.tile(range(sizes[second]), sizes[first])
    return _asked(model, asked).reshape(sizes[first], sizes[second])


def _asked(model: HistGradientBoostingClassifier, bins: Floats) -> Floats:
    """Log-odds."""
    answer: Floats = model.decision_function(bins)
    return answer
