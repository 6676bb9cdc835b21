"""The options of commands that read the records store, or decide a recording again instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def recording_options(what: str) -> Callable[[Command], Command]:
    """``--recording``, ``--config`` and ``--run-on``, as ``recording``, ``config_dirs`` and ``run_on``.

    Args:
        what: what the command does with the recording: "explain from that".
    """
    options = (
        click.option(
            "--recording",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help=f"Decide this recording again and {what}, without a records store.",
        ),
        click.option(
            "--config",
            "config_dirs",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            multiple=True,
            help="With --recording: the configuration directory, as for spillway replay.",
        ),
        click.option(
            "--run-on", type=click.IntRange(min=0), default=0, help="With --recording: seconds that follow it."
        ),
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
