"""The overview of all commands for docs/command-line.md, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pipeline.cli import main


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its whole name, groups before their members left out."""
    yield from _below("spillway", main)


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command, info_name=name)
    for each in command.list_commands(context):
        found = command.get_command(context, each)
        if found is not None and not found.hidden:
            yield from _below(f"{name} {each}", found)


def overview() -> str:
    """A table: command, what it is for, whether it has ``--json``."""
    lines = ["| command | what it does | `--json` |\n", "| --- | --- | --- |\n"]
    for name, command in commands():
        has_json = any("--json" in each.opts for each in command.params)
        purpose = command.get_short_help_str(limit=400).replace("|", "\\|")
        lines.append(f"| `{name}` | {purpose} | {'yes' if has_json else ''} |\n")
    return "".join(lines)
