"""The status of a shadow for the eye."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.table import Table

from pipeline.cli.backtest_view import WORDS, show
from pipeline.recording import to_rfc3339

SILENT_SECONDS_MAX: Final = 60
"""A status that is older is of a process that has ended: it tells one every ten seconds."""

DIFFERENCES_SHOWN_MAX: Final = 10


def view(status: dict[str, Any], now_ms: int) -> None:
    """Print a status."""
    console = Console(highlight=False, soft_wrap=True)
    summary = status["summary"]
    console.print(
        f"shadow [bold]{status['version'][:12]}[/bold] beside {status['baseline'][:12]}, since "
        f"{to_rfc3339(status['started_at_ms'])}"
    )
    lag = (
        f"{status['lag_records']:,} records, {status['lag_seconds']:,.0f} s behind"
        if status["lag_records"]
        else "up to date"
    )
    silent = (now_ms - status["at_ms"]) / 1_000
    alive = f", and silent for {silent:,.0f} s: is its process running?" if silent > SILENT_SECONDS_MAX else ""
    console.print(f"{status['records']:,} records decided, {lag}{alive}")
    console.print(
        f"incidents: {summary['incidents_baseline']:,} active, {summary['incidents_new']:,} of the shadow; "
        f"{status['disagreement_ratio']:.1%} differ; pages: {summary['pages_baseline']:,} and {summary['pages_new']:,}"
    )
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for figure, words in WORDS.items():
        if summary.get(figure):
            table.add_row(f"{summary[figure]:,.0f}", words, f"[dim]{figure}[/dim]")
    console.print(table)
    for each in status["differences"][:DIFFERENCES_SHOWN_MAX]:
        show(console, each, ("active", "shadow"))
    if (more := status["differences_total"] - DIFFERENCES_SHOWN_MAX) > 0:
        console.print(f"and {more:,} differences more (--json has the first {len(status['differences'])})")
    if status["remainder"]:
        console.print(f"{status['remainder']} alerts unaccounted for, which is a defect: report it")
