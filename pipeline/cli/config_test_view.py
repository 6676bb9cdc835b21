"""What ``spillway config test`` prints for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def print_report(directory: Path, report: dict[str, Any], *, mutate: bool) -> None:
    """Print each case, then coverage and mutation."""
    for case in report["cases"]:
        click.echo(f"{'ok' if case['ok'] else 'FAILED':7} {directory / case['file']}:{case['line']}  {case['name']}")
        for difference in case["differences"]:
            click.echo(f"          {difference}")
    failed = sum(not case["ok"] for case in report["cases"])
    number = len(report["cases"])
    click.echo(f"\n{number:,} case{'' if number == 1 else 's'}, {failed or 'none'} failed")
    _coverage(directory, report["coverage"])
    if report["mutation"] is not None:
        _mutation(directory, report["mutation"])
    elif mutate:
        click.echo("mutation: not tried while a case fails")


def _coverage(directory: Path, coverage: dict[str, Any]) -> None:
    if not coverage["rules"]:
        click.echo("coverage: there are no rules")
        return
    click.echo(f"coverage: {len(coverage['fired'])} of {coverage['rules']} rules decided something")
    for row in coverage["changed_nothing"]:
        click.echo(f"  {_place(directory, row)}: rule '{row['rule']}' matched, and decided nothing")
    for row in coverage["never_matched"]:
        click.echo(f"  {_place(directory, row)}: rule '{row['rule']}' never matched")
    for row in coverage["could_not_be_asked"]:
        times = f"{row['times']} episode{'' if row['times'] == 1 else 's'}"
        click.echo(f"  {_place(directory, row)}: rule '{row['rule']}' could not be asked about {times}: see its 'when'")


def _mutation(directory: Path, mutation: dict[str, Any]) -> None:
    click.echo(f"mutation: {mutation['noticed']} of {mutation['mutations']} changes of rules are noticed by a case")
    for row in mutation["unnoticed"]:
        click.echo(f"  {_place(directory, row)}: rule '{row['rule']}', {row['part']}: every case comes to the same")


def _place(directory: Path, row: dict[str, Any]) -> str:
    return f"{directory / row['file']}:{row['line']}"
