"""Rows of single days and splices become figures with intervals, by level and method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.quality.baselines import GAPS_SECONDS
from benchmarks.quality.days import FINAL, ONLINE, Row
from benchmarks.quality.major import MajorFigures, Majors, over
from benchmarks.quality.metrics import Interval, bootstrap, interval
from benchmarks.quality.roots import RankFigures, rank_figures

GAPS: Final = tuple(f"global gap {seconds} s" for seconds in GAPS_SECONDS)
FIGURES: Final = {
    "bcubed_precision": "B\u00b3 P",
    "bcubed_recall": "B\u00b3 R",
    "bcubed_f1": "B\u00b3 F1",
    "pair_precision": "pair P",
    "pair_recall": "pair R",
    "pair_f1": "pair F1",
    "rand_index": "ARI",
    "mutual_information": "NMI",
}
"""Figures of a grouping, and how tables call them."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method on one level: its rows, one a seed, in the order of the seeds."""

    name: str
    rows: Sequence[Row]

    def mean(self, figure: str, among: str = "all") -> float:
        """Mean of a figure; ``among`` is ``all`` episodes, or those of ``faults`` alone, without noise."""
        return sum(float(row[among][figure]) for row in self.rows) / len(self.rows)

    def interval(self, figure: str = "bcubed_f1", among: str = "all") -> Interval:
        """The same with where it lies."""
        return interval([float(row[among][figure]) for row in self.rows])

    def compression(self) -> tuple[float, float]:
        """Episodes an incident, and episodes a true class: what it would be at best."""
        episodes = sum(row["episodes"] for row in self.rows)
        groups, classes = (sum(row["all"][name] for row in self.rows) for name in ("groups", "classes"))
        return episodes / groups, episodes / classes

    def reassigned(self) -> float:
        """Share of episodes that were ever moved to another incident."""
        return float(sum(row["reassigned"] for row in self.rows) / sum(row["episodes"] for row in self.rows))

    def has(self, part: str) -> bool:
        """Whether every row has a part: real data has neither noise, nor users, nor roots that are told."""
        return all(part in row for row in self.rows)

    def major(self) -> MajorFigures:
        """Major Incidents over all days."""
        return over([Majors(**row["major"]) for row in self.rows])

    def major_interval(self, figure: str) -> Interval:
        """A figure of Major Incidents with where it lies."""
        days = [Majors(**row["major"]) for row in self.rows]
        return bootstrap(days, lambda drawn: float(getattr(over(drawn), figure)))

    def swallowed(self) -> int:
        """Failures of the highest priority that got no incident of their own, over all days."""
        return int(sum(row["swallowed"] for row in self.rows))


@dataclass(frozen=True, slots=True)
class Level:
    """All methods on one level, ours first."""

    name: str
    methods: dict[str, Method]

    @property
    def is_compared(self) -> bool:
        """Whether other methods were measured on it too."""
        return len(self.methods) > 1

    @property
    def seeds(self) -> list[int]:
        """What it was measured on."""
        return [row["seed"] for row in self.methods[FINAL].rows]

    def best_gap(self) -> Method:
        """The best of the global gaps by B-cubed F1 over all seeds."""
        return max((self.methods[name] for name in GAPS), key=lambda method: method.mean("bcubed_f1"))

    def above(self, other: Method) -> Interval:
        """By how much our final B-cubed F1 is above that of another method, on the same seeds pair by pair."""
        pairs = zip(self.methods[FINAL].rows, other.rows, strict=True)
        return interval([ours["all"]["bcubed_f1"] - theirs["all"]["bcubed_f1"] for ours, theirs in pairs])

    def online_behind(self) -> float:
        """By how much the first decisions are behind the final ones, in B-cubed F1."""
        return self.methods[FINAL].mean("bcubed_f1") - self.methods[ONLINE].mean("bcubed_f1")

    def ranks(self, when: str = "final") -> RankFigures:
        """Where true roots stand among the suspects; ``final`` or ``early``."""
        return rank_figures(_ranks(self.methods[FINAL].rows, when))

    def ranks_interval(self, figure: str, when: str = "final") -> Interval:
        """A figure of the ranks with where it lies."""
        return bootstrap(
            self.methods[FINAL].rows, lambda rows: float(getattr(rank_figures(_ranks(rows, when)), figure))
        )


def _ranks(rows: Iterable[Row], when: str) -> list[int]:
    return [rank for row in rows for rank in row["roots"][when]]


def levels(rows: Iterable[Row]) -> dict[str, Level]:
    """Group rows by level and method, both in the order in which they came, seeds ascending."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        if "method" in row:
            found.setdefault(row["level"], {}).setdefault(row["method"], []).append(row)
    return {
        name: Level(
            name,
            {method: Method(method, sorted(each, key=lambda row: int(row["seed"]))) for method, each in of.items()},
        )
        for name, of in found.items()
    }


def pooled(found: Iterable[Level], pick: Callable[[Level], Sequence[Any]]) -> list[Any]:
    """What several levels have, together."""
    return [each for level in found for each in pick(level)]
