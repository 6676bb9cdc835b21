"""Policy packs and previews for the terminal."""

from __future__ import annotations

from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.catalog.pack_diff import Change
from pipeline.cli.dead_letter_view import escaped

CELL_CHARACTERS_MAX: Final = 160
"""Of a value: an entry of a list may be long, and who needs all of it takes ``--json``."""


def print_fields(console: Console, title: str, rows: list[tuple[str, Any, str]]) -> None:
    """Every field of a pack, its value, and where it comes from."""
    console.print(Text(escaped(title), style="bold"))
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value, origin in rows:  # where it comes from stands before the value, which may be long
        table.add_row(*(Text(escaped(cell)) for cell in (name, origin, words(value))))
    console.print(table)


def print_changes(console: Console, stamps: dict[str, tuple[str, str]], found: dict[str, list[Change]]) -> None:
    """What differs, by domain."""
    if not found:
        console.print("No pack differs.")
    for name, differences in found.items():
        before, after = stamps[name]
        console.print(Text(escaped(f"{name}: {before} -> {after}"), style="bold"))
        table = _table()
        for each in differences:
            change = f"{words(each.before)} -> {words(each.after)}"
            table.add_row(Text(escaped(each.name)), Text(escaped(change)))
        console.print(table)


def print_preview(console: Console, total: int, changed: list[dict[str, Any]]) -> None:
    """What would change for open incidents if they adopted the packs."""
    console.print(Text(f"{len(changed):,} of {total:,} open incidents would change if they adopted it", style="bold"))
    for row in changed:
        console.print(Text(escaped(f"{row['id']}  {row['state']}  {row['title']}")))
        for text in row["changes"]:
            style = "red" if "missed at once" in text else ""
            console.print(Text(escaped(f"   {text}"), style=style))


def words(value: Any) -> str:
    """A value of a pack in one short line; a dash for none."""
    if value is None or value in ([], {}, ""):
        return "-"
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        text = ", ".join(map(str, value))
    elif isinstance(value, dict | list):
        text = orjson.dumps(value).decode()
    else:
        text = str(value)
    return text if len(text) <= CELL_CHARACTERS_MAX else f"{text[:CELL_CHARACTERS_MAX]}..."


def _table() -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
