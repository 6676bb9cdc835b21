"""``python -m benchmarks.quality.train --topologies FILE``: train the weights of the evidence, and write them down.

Examples are what correlate itself weighs on training days. It decides first by the truth, then by what was learned
from all decisions so far, so that it learns to go on from its own mistakes (Ross, Gordon and Bagnell, "A reduction of
imitation learning to no-regret online learning", 2011). Development days say how good each round is; nobody publishes
figures of either.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import track

from benchmarks.quality.learn import MEASURES, PAIRS, Examples, learn
from benchmarks.quality.metrics import Figures
from benchmarks.quality.seeds import Purpose, first, require
from benchmarks.quality.watch import Watched, decide, make_watched
from pipeline.core.clustering.evidence import Weights

TRAINING_DAYS: Final = {"calm": 12, "busy": 8, "storm": 5}
"""So many episodes of each level that all three count; a storm has ten times as many as a calm day."""

DEVELOPMENT_DAYS: Final = {"calm": 6, "busy": 3, "storm": 2}
ROUNDS: Final = 4
PROCESSES: Final = 2
WEIGHTS_FILE: Final = Path("pipeline/core/clustering/weights.json")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train on.

    Attributes:
        training: level and seed of each day; ``development``: of those that say how good it is.
        measures: those that may be used, and ``pairs`` of them.
    """

    training: Sequence[tuple[str, int]]
    development: Sequence[tuple[str, int]]
    measures: Sequence[str] = MEASURES
    pairs: Sequence[tuple[str, str]] = PAIRS
    rounds: int = ROUNDS


def plan_of(days: dict[str, int], purpose: Purpose) -> list[tuple[str, int]]:
    """So many days of each level, by the first seeds of a purpose."""
    return [(level, seed) for level, count in days.items() for seed in first(count, purpose)]


def watch_all(topologies: Path, days: Sequence[tuple[str, int]], console: Console) -> list[Watched]:
    """Make the days."""
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as workers:
        made = workers.map(make_watched, [topologies] * len(days), *zip(*days, strict=True))
        return list(track(made, "days", total=len(days), console=console))


def fit(training: Sequence[Watched], development: Sequence[Watched], plan: Plan, console: Console) -> dict[str, Any]:
    """Train, and answer the best round's weights with their training record."""
    examples, trial = Examples(), None
    best: tuple[float, dict[str, Any]] = (-1.0, {})
    for number in range(plan.rounds):
        seen = [each for each, _ in _each(training, trial, console, f"round {number + 1}: decide")]
        shares = _shares([day.level for day in training], seen)
        for day, each in zip(training, seen, strict=True):
            examples.extend(each, shares[day.level])
        document = learn(examples, plan.measures, plan.pairs)
        trial = Weights.read(orjson.dumps(document))
        scores = defaultdict[str, list[float]](list)
        for (_, found), day in zip(_each(development, trial, console, "look"), development, strict=True):
            scores[day.level].append(found.bcubed_f1)
        means = {level: round(sum(each) / len(each), 4) for level, each in scores.items()}
        console.print(f"round {number + 1}: {len(examples.together):,} examples; B-cubed F1 {means}")
        mean = sum(means.values()) / len(means) if means else number  # without a look at others the last is taken
        if mean > best[0]:
            record = _record(plan, number + 1, len(examples.together), means)
            best = mean, document | {"training": record | document["training"]}
    return best[1]


def _shares(levels: Sequence[str], seen: Sequence[Examples]) -> dict[str, float]:
    """How much an example of each level counts, so that all levels count the same: a storm has many times as many."""
    totals = Counter[str]()
    for level, examples in zip(levels, seen, strict=True):
        totals[level] += len(examples.together)
    return {level: totals.total() / (len(totals) * count) for level, count in totals.items()}


def _record(plan: Plan, rounds: int, examples: int, scores: dict[str, float]) -> dict[str, Any]:
    return {
        "by": "python -m benchmarks.quality.train",
        "training_days": [f"{level} {seed}" for level, seed in plan.training],
        "development_days": [f"{level} {seed}" for level, seed in plan.development],
        "rounds": rounds,
        "examples": examples,
        "development_bcubed_f1": scores,
    }


def _each(
    days: Sequence[Watched], trial: Weights | None, console: Console, what: str
) -> Iterator[tuple[Examples, Figures]]:
    """What was seen of each day and how good the decisions were, in their order."""
    with ProcessPoolExecutor(PROCESSES, get_context("fork")) as workers:
        yield from track(workers.map(_decided, days, [trial] * len(days)), what, total=len(days), console=console)


def _decided(day: Watched, trial: Weights | None) -> tuple[Examples, Figures]:
    examples = Examples()
    decided = decide(day, trial, lambda *seen: examples.add(seen[0], together=seen[1], weight=seen[2]))
    return examples, decided.figures(day)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.train", description=__doc__)
    parser.add_argument("--topologies", type=Path, required=True, help="call graphs: topologies.json")
    parser.add_argument("--write", type=Path, default=WEIGHTS_FILE, help="where the weights go (default: %(default)s)")
    asked = parser.parse_args()
    console = Console(stderr=True)
    plan = Plan(plan_of(TRAINING_DAYS, Purpose.TRAINING), plan_of(DEVELOPMENT_DAYS, Purpose.DEVELOPMENT))
    require((seed for _, seed in plan.training), Purpose.TRAINING)
    training = watch_all(asked.topologies, plan.training, console)
    development = watch_all(asked.topologies, plan.development, console)
    document = fit(training, development, plan, console)
    asked.write.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    console.print(f"written to {asked.write}")


if __name__ == "__main__":
    main()
