"""One day of one company: made, played through the product and through every other method, and measured.

A measurement is one row a method, plain enough for a line of JSON; tables, plots and bars are made from rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.quality.baselines import baselines
from benchmarks.quality.episodes import Labels, Played, play
from benchmarks.quality.faults import LEVELS, Fault, make_faults
from benchmarks.quality.history import Declared, history
from benchmarks.quality.major import Majors, by_rule, crossings, judge
from benchmarks.quality.metrics import Figures, figures
from benchmarks.quality.roots import ranks, swallowed
from benchmarks.quality.stream import NOISE, Day, make_day
from benchmarks.quality.world import MAJOR, World, make_world

BEGIN_MS: Final = 1_772_600_000_000
HOUR_MS: Final = 3_600_000
FINAL: Final = "Spillway, final"
ONLINE: Final = "Spillway, online"
OURS: Final = (FINAL, ONLINE)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A day to be measured: the company, what truly failed in it, and all that arrives.

    Attributes:
        faults: what failed; work on systems is in ``told.works``.
    """

    level: str
    seed: int
    hours: int
    world: World
    faults: list[Fault]
    told: Day


def make_case(topologies: Path, level: str, seed: int, hours: int = 24) -> Case:
    """The day of a seed; the same seed is the same day."""
    world = make_world(topologies, seed)
    faults = make_faults(world, LEVELS[level], BEGIN_MS, seed, hours * HOUR_MS)
    told = make_day(world, faults, LEVELS[level], BEGIN_MS, seed, hours * HOUR_MS)
    return Case(level, seed, hours, world, faults, told)


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


def labels_of(case: Case, played: Played) -> dict[str, Labels]:
    """Each method's groups, ours first."""
    labels: dict[str, Labels] = dict(zip(OURS, (played.final, played.online), strict=True))
    catalogue = case.world.config.catalogue
    return labels | {name: method(played.episodes, catalogue) for name, method in baselines().items()}


def measure(case: Case) -> list[Row]:
    """Play a day, and measure every method on it."""
    played = play(case.world.config, case.told.records)
    classes = classes_of(played, case.told)
    told = {name for name in classes.values() if not name.startswith("EP-")}
    known = {episode_id: name for episode_id, name in classes.items() if name in told}
    failures = [*case.faults, *case.told.works]
    rows: list[Row] = []
    said = history(played.outcome.events)
    truth = crossings(case.world, failures, MAJOR.users_at_least or 0)
    for name, labels in labels_of(case, played).items():
        ours = name in OURS
        declared: list[Declared] = (
            said.declared
            if ours
            else by_rule(played.episodes, labels, case.world.config.catalogue, MAJOR.users_at_least or 0)
        )
        labellings = (played.online, played.final) if ours else (labels,)
        rows.append(
            {
                "level": case.level,
                "seed": case.seed,
                "method": name,
                "episodes": len(classes),
                "all": rounded(figures(labels, classes)),
                "faults": rounded(figures(labels, known)),
                "reassigned": len(played.reassigned & classes.keys()) if name == FINAL else 0,
                "major": _major(judge(declared, truth, classes, case.hours * HOUR_MS)),
                "swallowed": len(swallowed(case.world, failures, played.episodes, classes, *labellings)),
            }
        )
    found = ranks(failures, played.final, classes, said)
    rows[0] |= {"roots": {"final": found.final, "early": found.early}}
    return rows


def rounded(found: Figures) -> Row:
    """Figures for a row: to four digits, more of them say nothing."""
    return {name: round(value, 4) for name, value in found._asdict().items()}


def _major(majors: Majors) -> Row:
    return {name: getattr(majors, name) for name in ("first", "duplicates", "false", "missed", "delays_ms", "days")}
