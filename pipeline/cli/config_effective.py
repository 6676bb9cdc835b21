"""``spillway config show --effective SERVICE``: what is in force for one service, and where each fact comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.catalog.effective import Effective, effective, find
from pipeline.catalog.effective_facts import DEFAULT, Fact, Section
from pipeline.catalog.lint_context import Context
from pipeline.catalog.load import Opened
from pipeline.catalog.problems import suggestion
from pipeline.cli.config_lint import read_coverage
from pipeline.cli.dead_letter_view import escaped
from pipeline.feeds import feeds_of
from pipeline.models.policy import Config
from pipeline.recording import to_rfc3339


def look_up(opened: Opened, config: Config, name: str, at_ms: int, recordings: tuple[Path, ...]) -> Effective:
    """What is in force for the entity that a name means.

    Raises:
        click.ClickException: nothing is called so, or a recording cannot be read.
    """
    context = Context(opened, config, at_ms)
    ref = find(context, name)
    if ref is None:
        near = suggestion(name, (entity.name for entity in config.catalogue.entities.values()))
        raise click.ClickException(
            f"nothing in the catalogue is called {name!r}{near or ': use a name, reference, title, alias or host'}"
        )
    coverage = read_coverage(config, recordings, ()) if recordings else []
    return effective(context, ref, at_ms, feeds_of(config), coverage)


def effective_document(found: Effective) -> dict[str, Any]:
    """For machines: sections by title, each a list of facts in order."""
    return {
        "service": found.ref,
        "at": to_rfc3339(found.at_ms),
        "version": found.version,
        "sections": {
            section.title: [{"name": fact.name, "value": fact.value, "from": fact.origin} for fact in section.facts]
            for section in found.sections
        },
    }


def print_effective(directory: Path, found: Effective, console: Console) -> None:
    """For people: one line for each fact, with where it comes from beside it."""
    console.print(Text(f"{found.ref} at {to_rfc3339(found.at_ms)}, configuration {found.version}", style="bold"))
    for section in found.sections:
        console.print(_table(directory, section))


def _table(directory: Path, section: Section) -> Table:
    table = Table(title=f"\n{section.title}", title_justify="left", title_style="bold", show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=2)
    table.add_column(overflow="fold", ratio=1, style="dim")
    table.expand = True
    for fact in section.facts or [Fact("none", None, "")]:
        origin = fact.origin if fact.origin in {"", DEFAULT} else str(directory / fact.origin)
        table.add_row(*(Text(escaped(cell)) for cell in (fact.name, _words(fact.value), origin)))
    return table


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
