"""``python -m benchmarks.quality.ablation --topologies FILE``: what each kind of evidence is worth.

Weights are trained again without it, several times on training days of other seeds, each tried on the same development
days. Small, so that it takes minutes: fewer days and rounds than the shipped weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console

from benchmarks.quality.learn import MEASURES
from benchmarks.quality.seeds import Purpose, first
from benchmarks.quality.train import Plan, fit, watch_all
from benchmarks.quality.watch import Watched, decide
from benchmarks.quality.worth import scores, sheet, worths
from pipeline.core.clustering.evidence import Weights

KINDS: Final[Mapping[str, frozenset[str]]] = {
    "the same thing": frozenset({"same_condition", "same_entity", "still_fires"}),
    "the dependency graph": frozenset(
        {f"{kind}_{hops}" for kind in ("needs", "needed", "common") for hops in (1, 2, 3)}
        | {"related", "strangers", "same_system"}
    ),
    "shared places": frozenset({"host", "rack", "cluster", "zone"}),
    "texts": frozenset(
        {"people_name_it", "business_terms", "same_terms", "similar_text", "names_it", "is_named", "unknown", "people"}
    ),
    "time": frozenset({"age", "gap", "burst"}),
    "size": frozenset({"episodes", "entities", "open"}),
    "what else goes on": frozenset({"hot"}),
}
"""Kind of evidence -> its measures."""

DRAWS: Final = 2
DAYS_OF_A_DRAW: Final = {"calm": 4, "busy": 3, "storm": 1}
TRIED_ON: Final = {"calm": 4, "busy": 2, "storm": 1}
ROUNDS: Final = 2


def main() -> None:
    """Train, try, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.ablation", description=__doc__)
    parser.add_argument("--topologies", type=Path, required=True, help="call graphs: topologies.json")
    asked = parser.parse_args()
    console, quiet = Console(), Console(stderr=True)
    training = [
        (level, seed) for level, count in DAYS_OF_A_DRAW.items() for seed in first(count * DRAWS, Purpose.TRAINING)
    ]
    tried = [(level, seed) for level, count in TRIED_ON.items() for seed in first(count, Purpose.DEVELOPMENT)]
    days = {(each.level, each.seed): each for each in watch_all(asked.topologies, training + tried, quiet)}
    draws = [_draw(days, number) for number in range(DRAWS)]

    def trained(some: Sequence[Watched], measures: frozenset[str]) -> Weights:
        kept = [name for name in MEASURES if name in measures]
        return Weights.read(orjson.dumps(fit(some, [], Plan([], [], measures=kept, rounds=ROUNDS), quiet)))

    found = list(scores(KINDS, draws, {f"{level} {seed}": days[level, seed] for level, seed in tried}, trained, _f1))
    console.print(sheet(worths(found), KINDS).rich())


def _draw(days: Mapping[tuple[str, int], Watched], number: int) -> list[Watched]:
    """The training days of one draw."""
    chosen: list[Watched] = []
    for level, count in DAYS_OF_A_DRAW.items():
        seeds = first(count * DRAWS, Purpose.TRAINING)[count * number : count * (number + 1)]
        chosen += [days[level, seed] for seed in seeds]
    return chosen


def _f1(day: Watched, weights: Weights) -> float:
    return decide(day, weights).figures(day).bcubed_f1


if __name__ == "__main__":
    main()
