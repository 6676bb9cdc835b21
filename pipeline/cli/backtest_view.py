"""A comparison for the eye: the summary first, then the differences that matter most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.backtest.compare import Comparison
from pipeline.backtest.side import Side

IDS_SHOWN_MAX: Final = 6
"""Incidents named of one side; a storm may hold hundreds."""

WORDS: Final[Mapping[str, str]] = {
    "same": "the same",
    "changed": "kept, with other alerts",
    "merged": "merged into another",
    "split": "split off another",
    "gained": "new",
    "lost": "gone",
    "alerts_moved": "alerts moved elsewhere",
    "pages_saved": "pages saved",
    "newly_paged": "newly paged",
    "no_longer_paged": "no longer paged",
    "detected_earlier": "detected earlier",
    "detected_later": "detected later",
    "priority_changed": "other priority",
    "priority_lowered": "of these lower",
    "major_gained": "Major Incidents gained",
    "major_lost": "Major Incidents lost",
    "suppressed_gained": "alerts newly hidden",
    "suppressed_lost": "alerts no longer hidden",
    "alerts_unmatched": "alerts on one side alone",
}


def view(
    old: Side, new: Side, comparison: Comparison, limit: int, failed: list[str], to: Console | None = None
) -> None:
    """Print a comparison.

    Args:
        old: the baseline.
        new: the other side.
        comparison: of the two.
        limit: differences shown.
        failed: sentences on figures over their thresholds.
        to: where to; standard output unless given.
    """
    console = to or Console(highlight=False, soft_wrap=True)
    summary = comparison.summary
    console.print(
        f"{summary['alerts']:,.0f} alerts; incidents: {summary['incidents_baseline']:,.0f} by {old.version[:12]}, "
        f"{summary['incidents_new']:,.0f} by {new.version[:12]}; pages: {summary['pages_baseline']:,.0f} and "
        f"{summary['pages_new']:,.0f}"
    )
    console.print(_figures(summary))
    for difference in comparison.differences[:limit]:
        show(console, difference.document(), ("baseline", "new"))
    if (more := len(comparison.differences) - limit) > 0:
        console.print(f"and {more:,} differences more (--limit)")
    for side, name in ((old, "baseline"), (new, "new")):
        if side.remainder:
            console.print(f"{name}: {side.remainder} alerts unaccounted for, which is a defect: report it")
    for sentence in failed:
        console.print(f"failed: {sentence}", style="red")


def _figures(summary: Mapping[str, float]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for figure, words in WORDS.items():
        seconds = summary.get(f"median_seconds_{figure.removeprefix('detected_')}")
        more = f", by {seconds:,.0f} s in the middle" if figure.startswith("detected_") and seconds else ""
        table.add_row(f"{summary[figure]:,.0f}", words + more, f"[dim]{figure}[/dim]")
    return table


def show(console: Console, difference: dict[str, Any], names: tuple[str, str]) -> None:
    """Print one difference.

    Args:
        console: where to.
        difference: as `Difference.document` gives it.
        names: what the two sides are called.
    """
    old, new = names
    console.print()
    console.print(f"[bold]{difference['kind']}[/bold] {difference['priority']} {escape(plain(difference['text']))}")
    console.print(f"  {old} {_ids(difference['baseline'])}  {new} {_ids(difference['new'])}")
    if difference["alerts"]:
        places = ", ".join(f"{topic} {part}:{offset}/{index}" for topic, part, offset, index in difference["first"])
        console.print(f"  {difference['alerts']:,} alerts: {escape(plain(places))}")
    for side, why in difference["why"].items():
        console.print(f"  {old if side == 'baseline' else new}: {escape(plain(why))}")
    for called in difference["facts"].get("people", ()):
        times = f" {called['times']} times" if called["times"] > 1 else ""
        console.print(f"  {escape(plain(called['person']))}{times} for {escape(plain(str(called['service'])))}")


def _ids(ids: list[str]) -> str:
    more = f" and {len(ids) - IDS_SHOWN_MAX} more" if len(ids) > IDS_SHOWN_MAX else ""
    return (", ".join(ids[:IDS_SHOWN_MAX]) or "none") + more


def plain(text: str) -> str:
    """A text that cannot steer the terminal: titles come from outside."""
    return click.unstyle("".join(each if each.isprintable() else " " for each in text))
