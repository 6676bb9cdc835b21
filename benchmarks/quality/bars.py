"""The bars: what the project promises of its correlation. Each has its limit, what was measured, and met or missed.

All are of test worlds and real splices that nothing was tuned on, by the labels at the end, noise included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.bar import Bar
from benchmarks.quality.days import FINAL, Row
from benchmarks.quality.large import LEVEL as LARGE
from benchmarks.quality.major import MajorFigures, Majors, over
from benchmarks.quality.roots import RankFigures, rank_figures
from benchmarks.quality.summary import GAPS, Level, levels, pooled

Levels = Mapping[str, Level]

SIMULATED: Final = ("calm", "busy", "storm")


def _f1(level: str) -> Callable[[Levels], float]:
    return lambda found: found[level].methods[FINAL].mean("bcubed_f1")


def _above_gap(level: str) -> Callable[[Levels], float]:
    return lambda found: found[level].above(found[level].best_gap()).mean


def _online(found: Levels) -> float:
    return max(found[level].online_behind() for level in SIMULATED)


def _swallowed(found: Levels) -> float:
    return float(sum(found[level].methods[FINAL].swallowed() for level in SIMULATED))


def _major(found: Levels) -> MajorFigures:
    rows = pooled([found[level] for level in SIMULATED], lambda level: level.methods[FINAL].rows)
    return over([Majors(**row["major"]) for row in rows])


def _roots(found: Levels) -> RankFigures:
    rows = pooled([found[level] for level in SIMULATED], lambda level: level.methods[FINAL].rows)
    return rank_figures([rank for row in rows for rank in row["roots"]["final"]])


def _recovered(found: Levels) -> float:
    row = found[LARGE].methods[FINAL].rows[0]
    return float(row["recovered"]) if row["state"] == "resolved" else 0.0


def _above_every_gap(at_once: int) -> Callable[[Levels], float]:
    """The least that our F1 is above any of the gaps by, at the low end of its interval."""

    def figure(found: Levels) -> float:
        level = found[f"real, {at_once} at once"]
        return min(level.above(level.methods[name]).low for name in GAPS)

    return figure


BARS: Final[tuple[Bar[Levels], ...]] = (
    Bar("B-cubed F1, calm", 0.93, _f1("calm")),
    Bar("B-cubed F1, busy", 0.88, _f1("busy")),
    Bar("B-cubed F1, storm", 0.80, _f1("storm")),
    Bar("F1 above the best global gap, busy", 0.08, _above_gap("busy")),
    Bar("F1 above the best global gap, storm", 0.08, _above_gap("storm")),
    Bar("F1 of the first decisions behind the final ones, worst level", 0.06, _online, least=False),
    Bar("pair precision, busy", 0.85, lambda found: found["busy"].methods[FINAL].mean("pair_precision")),
    Bar("failures of tier 1 swallowed by an incident of another", 0, _swallowed, least=False),
    Bar("Major Incidents: recall", 0.90, lambda found: _major(found).recall),
    Bar("Major Incidents: precision", 0.85, lambda found: _major(found).precision),
    Bar(
        "Major Incidents: p50 delay after the true crossing, s",
        60,
        lambda found: _major(found).delay_p50_s,
        least=False,
    ),
    Bar(
        "Major Incidents: false ones a day, busy",
        1,
        lambda found: found["busy"].methods[FINAL].major().false_a_day,
        least=False,
    ),
    Bar("true root among the top 3 suspects", 0.85, lambda found: _roots(found).top_3),
    Bar("true root is the top suspect", 0.65, lambda found: _roots(found).top_1),
    Bar(
        "real data, 3 at once: F1 above every global gap, low end of the interval", 0, _above_every_gap(3), strict=True
    ),
    Bar(
        "real data, 10 at once: F1 above every global gap, low end of the interval",
        0,
        _above_every_gap(10),
        strict=True,
    ),
    Bar("alerts in one incident, every recovery intact", 10_000, _recovered),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A bar and what was measured; None where it was not."""

    bar: Bar[Levels]
    value: float | None

    @property
    def verdict(self) -> str:
        """In one word or two."""
        if self.value is None:
            return "not measured"
        return "met" if self.bar.met(self.value) else "missed"


def outcomes(rows: Iterable[Row], bars: Iterable[Bar[Levels]] = BARS) -> list[Outcome]:
    """Each bar against rows."""
    found: dict[str, Any] = levels(rows)

    def value(bar: Bar[Levels]) -> float | None:
        try:
            return bar.figure(found)
        except KeyError:
            return None

    return [Outcome(bar, value(bar)) for bar in bars]
