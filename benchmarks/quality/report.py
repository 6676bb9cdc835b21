"""Tables: the same figures for the terminal and for the page, made from rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isinf
from typing import Final

from rich.table import Table

from benchmarks.quality.bars import Outcome
from benchmarks.quality.days import FINAL, Row
from benchmarks.quality.fit import NAMES
from benchmarks.quality.metrics import Interval
from benchmarks.quality.summary import FIGURES, GAPS, Level, Method, levels


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: its title, a head, and lines of texts; the first column is for names."""

    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]

    def rich(self) -> Table:
        """For the terminal."""
        table = Table(title=self.title, title_justify="left")
        for number, name in enumerate(self.head):
            table.add_column(name, justify="right" if number else "left")
        for line in self.lines:
            table.add_row(*line)
        return table

    def markdown(self) -> str:
        """For the page."""
        rule = ["---", *("---:" for _ in self.head[1:])]
        return "".join(f"| {' | '.join(line)} |\n" for line in (self.head, rule, *self.lines))


def grouping(level: Level) -> Sheet:
    """How each method groups: every figure, where F1 lies, and the same without noise."""
    head = ["method", *FIGURES.values(), "F1 95 %"]
    noisy = all(method.has("faults") for method in level.methods.values())
    head += ["F1 without noise"] * noisy + ["episodes an incident", "moved"]
    lines = []
    for method in level.methods.values():
        packed, _ = method.compression()
        lines.append(
            [
                method.name,
                *(_share(method.mean(name)) for name in FIGURES),
                _range(method.interval()),
                *([_share(method.mean("bcubed_f1", "faults"))] if noisy else []),
                f"{packed:.1f}",
                f"{method.reassigned():.1%}" if method.name == FINAL else "",
            ]
        )
    _, ideal = level.methods[FINAL].compression()
    lines.append(["the truth", *["1.000"] * len(FIGURES), "", *["1.000"] * noisy, f"{ideal:.1f}", ""])
    return Sheet(f"{level.name}: seeds {_seeds(level)}", head, lines)


def majors(found: Iterable[Level]) -> Sheet:
    """Major Incidents by level and method."""
    head = [
        "level, method",
        "true",
        "recall",
        "95 %",
        "precision",
        "95 %",
        "false a day",
        "p50 s",
        "p90 s",
        "swallowed",
    ]
    lines = []
    for level in found:
        for method in level.methods.values():
            if method.has("major") and (method.name == FINAL or not method.name.startswith("Spillway")):
                lines.append([f"{level.name}, {method.name}", *_major(method)])
    return Sheet("Major Incidents, and failures of tier 1 that got no incident of their own", head, lines)


def _major(method: Method) -> list[str]:
    figures = method.major()
    return [
        str(figures.true),
        _share(figures.recall),
        _range(method.major_interval("recall")),
        _share(figures.precision),
        _range(method.major_interval("precision")),
        f"{figures.false_a_day:.2f}",
        _seconds(figures.delay_p50_s),
        _seconds(figures.delay_p90_s),
        str(method.swallowed()),
    ]


def roots(found: Iterable[Level]) -> Sheet:
    """Where the true root stands among the suspects."""
    head = ["level, when", "faults", "top 1", "95 %", "top 3", "95 %", "mean reciprocal rank"]
    lines = []
    for level in found:
        ours = level.methods[FINAL]
        if not any("roots" in row for row in ours.rows):
            continue
        for when, words in (("final", "at the end"), ("early", "after 5 minutes")):
            figures = level.ranks(when)
            count = sum(len(row["roots"][when]) for row in ours.rows)
            one, three = (level.ranks_interval(name, when) for name in ("top_1", "top_3"))
            line = [str(count), _share(figures.top_1), _range(one), _share(figures.top_3), _range(three)]
            lines.append([f"{level.name}, {words}", *line, _share(figures.reciprocal)])
    return Sheet("Root causes: rank of the true root among the suspects", head, lines)


def differences(found: Iterable[Level]) -> Sheet:
    """By how much ours is above each gap, day by day or splice by splice."""
    lines = []
    for level in found:
        best = level.best_gap().name
        for name in GAPS:
            above = level.above(level.methods[name])
            mark = " (the best)" if name == best else ""
            lines.append(
                [f"{level.name}, {name}{mark}", f"{above.mean:+.3f}", f"{above.low:+.3f} to {above.high:+.3f}"]
            )
    return Sheet("B-cubed F1 above the global gaps, on the same streams", ["level, gap", "above by", "95 %"], lines)


def fits(rows: Iterable[Row]) -> Sheet:
    """How simulated faults compare with the real ones."""
    found = [row for row in rows if "fit" in row]
    lines = [
        [words, *(" / ".join(f"{value:g}" for value in row[name]) for row in found)] for name, words in NAMES.items()
    ]
    head = ["25 / 50 / 75 / 95 %", *(f"{row['fit']}, {row['faults']} faults" for row in found)]
    return Sheet("Simulated and real faults", head, lines if found else [])


_WORDS: Final = {"met": "met", "missed": "**missed**", "not measured": "not measured"}


def bars(found: Iterable[Outcome]) -> Sheet:
    """The bars with what was measured."""
    lines = [
        [each.bar.text, f"{each.bar.sign} {each.bar.limit:g}", _value(each.value), _WORDS[each.verdict]]
        for each in found
    ]
    return Sheet("Bars", ["bar", "limit", "measured", ""], lines)


def _value(value: float | None) -> str:
    if value is None:
        return ""
    return "never" if isinf(value) else f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def _share(value: float) -> str:
    return f"{value:.3f}"


def _range(where: Interval) -> str:
    return f"{where.low:.2f}\u2013{where.high:.2f}"


def _seconds(value: float) -> str:
    return "never" if isinf(value) else f"{value:.0f}"


def _seeds(level: Level) -> str:
    return f"{level.seeds[0]} to {level.seeds[-1]}" if len(level.seeds) > 1 else str(level.seeds[0])


def sheets(rows: Sequence[Row], outcomes: Iterable[Outcome]) -> list[Sheet]:
    """All tables, in the order in which they are shown."""
    all_levels = [level for level in levels(rows).values() if level.is_compared]
    made = [grouping(level) for level in all_levels]
    made += [differences(all_levels), majors(all_levels), roots(all_levels), fits(rows), bars(outcomes)]
    return [sheet for sheet in made if sheet.lines]
