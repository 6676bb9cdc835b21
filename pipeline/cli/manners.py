"""Manners of all commands: what a name was probably meant to be, and completion for shells."""

from __future__ import annotations

from typing import Any, Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
PROGRAM: Final = "spillway"
COMPLETE_VARIABLE: Final = "_SPILLWAY_COMPLETE"

EXIT_USAGE: Final = 2
"""Exit code of a command that was called wrongly: click's own."""


class HelpfulGroup(click.Group):
    """A group that says which command was probably meant, in itself and in all groups below it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a name that no command has is answered with the nearest one."""
        name = args[0] if args else ""
        if args and not name.startswith("-") and self.get_command(ctx, name) is None:
            from pipeline.catalog.problems import suggestion  # a command that is spelt right starts without it

            near = suggestion(name, self.list_commands(ctx)) or f"; see: {ctx.command_path} --help"
            ctx.fail(f"no such command '{name}'{near}")
        return super().resolve_command(ctx, args)


def helpful(command: click.Command) -> click.Command:
    """A command whose groups, however deep, are helpful as `HelpfulGroup` is."""
    if isinstance(command, click.Group) and type(command) is click.Group:
        command.__class__ = HelpfulGroup
    if isinstance(command, click.Group):
        for each in command.commands.values():
            helpful(each)
    return command


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options and their values.

    Example: eval "$(spillway completion bash)"; for fish: spillway completion fish > FILE; source FILE
    """
    found: Any = get_completion_class(shell)
    main = click.get_current_context().find_root().command
    click.echo(found(main, {}, PROGRAM, COMPLETE_VARIABLE).source())
