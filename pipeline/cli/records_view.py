"""What ``spillway records`` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import orjson
from rich.filesize import decimal
from rich.table import Table

from pipeline.cli.records import line_console
from pipeline.records.compare import Compared
from pipeline.records.rebuild import Rebuilt
from pipeline.records.retention import Removed


def show_status(found: Mapping[str, Any]) -> None:
    """Version, topics, tables, months."""
    console = line_console()
    console.print(f"schema version {found['version']}")
    if found["unknown_because"]:
        console.print(f"how far it is behind the topics is not known: {found['unknown_because']}", markup=False)
    else:
        table = _table("topic", ">behind, records", ">seconds")
        for each in found["topics"]:
            seconds = "" if each["seconds"] is None else f"{each['seconds']:,.1f}"
            table.add_row(each["topic"], f"{each['records']:,}", seconds)
        console.print(table)
    table = _table("table", ">rows, about", ">size")
    for each in found["tables"]:
        table.add_row(each["table"], f"{each['rows']:,}", decimal(each["bytes"]))
    console.print(table)
    months = found["months"]
    console.print(f"months with tables of their own: {_span(months)}; {found['odd_rows']:,} rows in other months")
    last = found["last_retention"]
    if last is None:
        console.print("retention has never run")
    else:
        removed = sum(last["removed"].values())
        console.print(f"retention last ran {last['at']:%Y-%m-%d %H:%M} UTC, {last['months']} months: {removed:,} rows")


def show_rebuilt(rebuilt: Rebuilt, *, into: bool, as_json: bool) -> None:
    """What a rebuild came to."""
    counted = rebuilt.counted
    if as_json:
        repaired = [each._asdict() for each in rebuilt.repaired]
        _print({"records": counted.records, "refused": counted.refused, "repaired": repaired})
        return
    console = line_console()
    refused = f", {counted.refused:,} of them not what their topic holds" if counted.refused else ""
    console.print(f"{counted.records:,} records read{refused}")
    if into:
        console.print("the store holds what the topics hold")
        return
    wrong = [each for each in rebuilt.repaired if each.missing or each.different or each.extra]
    if not wrong:
        console.print("the store was right: nothing was changed")
        return
    table = _table("table", ">added", ">corrected", ">removed")
    for each in wrong:
        table.add_row(each.table, f"{each.missing:,}", f"{each.different:,}", f"{each.extra:,}")
    console.print(table)


def show_compared(found: Sequence[Compared], *, as_json: bool) -> None:
    """What differs."""
    if as_json:
        _print([each._asdict() | {"told": [one._asdict() for one in each.told]} for each in found])
        return
    console = line_console()
    table = _table("table", ">first", ">second", ">different")
    for each in found:
        table.add_row(each.table, f"{each.first:,}", f"{each.second:,}", f"{each.different:,}")
    console.print(table)
    for each in found:
        for one in each.told:
            console.print(f"{each.table} {' '.join(one.key)}: {one.what}", markup=False)
        if each.different > len(each.told):
            console.print(f"{each.table}: and {each.different - len(each.told):,} more")
    if not any(each.different for each in found):
        console.print("the same, row for row")


def show_removed(removed: Removed, *, dry: bool, as_json: bool) -> None:
    """What retention removed, or would."""
    if as_json:
        _print(removed._asdict() | {"dry_run": dry})
        return
    console = line_console()
    would = "would remove" if dry else "removed"
    if not (removed.rows or removed.dropped):
        console.print(f"nothing ended before {removed.cutoff:%Y-%m-%d}: nothing to remove")
        return
    console.print(f"{would} what ended before {removed.cutoff:%Y-%m-%d}:")
    table = _table("table", ">rows")
    for name, count in removed.rows.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    if removed.dropped:
        console.print(f"of it whole months: {', '.join(removed.dropped)}")


def _span(months: Sequence[str]) -> str:
    if not months:
        return "none"
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}, {len(months)} of them"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table


def _print(document: object) -> None:
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
