"""What the demo shows: a live board while it plays, and the story in words when it has played."""

from __future__ import annotations

from typing import Any, Final

import orjson
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pipeline.recording import to_rfc3339

ROWS_MAX: Final = 14
"""Incidents on the live board: fits a small terminal."""

TIMELINE_ROWS_MAX: Final = 24
"""Entries shown of one timeline; what is left out is said."""

_LEFT_OUT: Final = ("clear", "affected", "join")
"""Actions that repeat for every alert; the figures count them."""

_COLOURS: Final = {"P1": "bold red", "P2": "red", "P3": "yellow", "P4": "dim"}
_MEANING: Final = {
    "repeated": "said again what was known",
    "opened": "first symptom: opened an incident",
    "joined": "joined an incident: symptom, change or recovery",
    "suppressed": "flapping, or expected in a maintenance window",
    "held": "waited whether it is a transient",
    "control": "heartbeats and messages about messages",
    "dead_lettered": "could not be read: kept for repair",
}


class Board:
    """The live view: progress, the time of the story, and the incidents."""

    def __init__(self, steps: int) -> None:
        self._incidents: dict[str, dict[str, Any]] = {}
        self._alerts = 0
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task: TaskID = self._progress.add_task("playing", total=steps)

    def step(self, at_ms: int, alerts: int, events: list[bytes]) -> None:
        """Take in what one step did."""
        self._alerts += alerts
        for event in events:
            document = orjson.loads(event)
            self._incidents[document["incident_id"]] = document["incident"]
        clock = to_rfc3339(at_ms)[:19].replace("T", " ")
        self._progress.update(self._task, advance=1, description=f"{clock} UTC")

    def __rich__(self) -> Group:
        """The board as it is now."""
        table = Table(
            box=None, expand=True, title=f"{self._alerts} alerts and tickets, {len(self._incidents)} incidents"
        )
        for column, width in (("incident", 16), ("", 2), ("state", 12)):
            table.add_column(column, width=width, no_wrap=True)
        table.add_column("what", ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column("alerts", width=6, justify="right")
        table.add_column("who is affected", ratio=1, no_wrap=True, overflow="ellipsis")
        for incident in list(self._incidents.values())[-ROWS_MAX:]:
            table.add_row(
                incident["id"],
                Text(incident["priority"], _COLOURS.get(incident["priority"], "")),
                incident["state"].replace("_", " "),
                Text(incident["title"]),
                str(incident["alerts_total"] or ""),
                Text(incident["who_is_affected"]),
            )
        return Group(self._progress, table)


def show_figures(console: Console, summary: dict[str, Any]) -> None:
    """Alerts in, incidents out, and what became of the difference."""
    alerts, incidents, bridges = summary["alerts"], summary["incidents"], summary["bridges"]
    console.print(f"\n[bold]{alerts} alerts and tickets in, {incidents} incidents out, {bridges} of them major[/bold]")
    table = Table(box=None)
    table.add_column("alerts", justify="right")
    table.add_column("became")
    table.add_column("that is")
    for name, count in sorted(summary["dispositions"].items(), key=lambda each: -each[1]):
        table.add_row(str(count), name.replace("_", " "), _MEANING[name])
    console.print(table)
    console.print(f"unaccounted for: {summary['remainder']}")


def show_incident(console: Console, incident: dict[str, Any], timeline: list[dict[str, Any]]) -> None:
    """One incident and its timeline in words. Texts come from outside, so none is read as markup."""
    bridge = f", bridge {incident['bridge_id']}" if incident["bridge_id"] else ""
    head = Text.assemble(
        "\n",
        (incident["priority"], _COLOURS.get(incident["priority"], "")),
        " ",
        (incident["title"], "bold"),
        f"  {incident['id']}, {incident['state']}{bridge}",
    )
    console.print(head, soft_wrap=True)
    console.print(Text(f"   {incident['who_is_affected']}"), soft_wrap=True)
    shown = [entry for entry in timeline if entry["action"] not in _LEFT_OUT]
    for entry in shown[:TIMELINE_ROWS_MAX]:
        seconds = round(entry["at"].timestamp() - incident["detected_at_ms"] / 1_000)
        console.print(Text.assemble("   ", (_span(seconds), "dim"), " ", entry["text"]), soft_wrap=True)
    if len(shown) > TIMELINE_ROWS_MAX:
        console.print(Text(f"   and {len(shown) - TIMELINE_ROWS_MAX} more", "dim"))


def _span(seconds: int) -> str:
    hours, rest = divmod(max(seconds, 0), 3_600)
    return f"+{hours}:{rest // 60:02}:{rest % 60:02}"
