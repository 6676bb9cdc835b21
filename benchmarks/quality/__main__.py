"""``python -m benchmarks.quality --topologies FILE``: every method on the same worlds, as a table.

Seeds from 1 to 999 are for development; whoever tunes by them must not publish them. Test worlds are those from 1,001
on.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.quality.baselines import baselines
from benchmarks.quality.episodes import Labels, Played, play
from benchmarks.quality.faults import LEVELS, make_faults
from benchmarks.quality.metrics import Figures, figures, interval
from benchmarks.quality.stream import NOISE, Day, make_day
from benchmarks.quality.world import make_world

BEGIN_MS: Final = 1_772_600_000_000
HOUR_MS: Final = 3_600_000
OURS: Final = ("Spillway, final", "Spillway, online")
SHOWN: Final = (
    "bcubed_precision", "bcubed_recall", "bcubed_f1", "pair_precision", "pair_recall", "pair_f1", "rand_index",
    "mutual_information",
)  # fmt: skip


def day(topologies: Path, level: str, seed: int, hours: int) -> dict[str, Figures]:
    """Figures of every method on one day of one company."""
    world = make_world(topologies, seed)
    faults = make_faults(world, LEVELS[level], BEGIN_MS, seed, hours * HOUR_MS)
    told = make_day(world, faults, LEVELS[level], BEGIN_MS, seed, hours * HOUR_MS)
    played = play(world.config, told.records)
    classes = classes_of(played, told)
    labels: dict[str, Labels] = dict(zip(OURS, (played.final, played.online), strict=True))
    labels |= {name: method(played.episodes, world.config.catalogue) for name, method in baselines().items()}
    return {name: figures(groups, classes) for name, groups in labels.items()}


def classes_of(played: Played, told: Day) -> dict[str, str]:
    """The true class of each episode that is scored.

    What announced maintenance made and was held back for it is no method's task: nobody is paged for it, here or by
    the silences that users of other tools write for the same hours. What came through in spite of it counts.
    """
    expected = {each.name for each in told.works if each.is_expected}
    classes: dict[str, str] = {}
    for each in played.episodes:
        name = told.truth[each.place]
        if name not in expected or each.episode_id in played.final:
            classes[each.episode_id] = each.episode_id if name == NOISE else name
    return classes


def rows(found: dict[str, list[Figures]]) -> Iterator[dict[str, object]]:
    """One row a method: mean, and for B-cubed F1 where it lies with 95 %."""
    for method, runs in found.items():
        means = {name: round(sum(getattr(run, name) for run in runs) / len(runs), 3) for name in SHOWN}
        _, low, high = interval([run.bcubed_f1 for run in runs])
        groups, classes = (round(sum(getattr(run, name) for run in runs) / len(runs)) for name in ("groups", "classes"))
        yield {
            "method": method,
            **means,
            "low": round(low, 3),
            "high": round(high, 3),
            "groups": groups,
            "true": classes,
        }


def main() -> None:
    """Run, and print a table for each level, or a JSON line for each row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--topologies", type=Path, required=True, help="call graphs: topologies.json")
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    console = Console(stderr=asked.json)
    for level in asked.levels:
        found: dict[str, list[Figures]] = defaultdict(list)
        for seed in track(asked.seeds, f"{level}: {len(asked.seeds)} days", console=console):
            for method, one in day(asked.topologies, level, seed, asked.hours).items():
                found[method].append(one)
        if asked.json:
            for row in rows(found):
                print(orjson.dumps({"level": level, **row}).decode())  # noqa: T201 for machines
        else:
            console.print(_table(level, list(rows(found))))


def _table(level: str, found: list[dict[str, object]]) -> Table:
    table = Table(title=level, title_justify="left")
    for name in (
        "method",
        "B3 P",
        "B3 R",
        "B3 F1",
        "95 %",
        "pair P",
        "pair R",
        "pair F1",
        "ARI",
        "NMI",
        "groups",
        "true",
    ):
        table.add_column(name, justify="left" if name == "method" else "right")
    for row in found:
        shown = [f"{row[name]:.3f}" for name in SHOWN]
        shown.insert(3, f"{row['low']:.3f}-{row['high']:.3f}")
        table.add_row(str(row["method"]), *shown, str(row["groups"]), str(row["true"]))
    return table


if __name__ == "__main__":
    main()
