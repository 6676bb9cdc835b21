"""Who asks, where the command line does not say."""

from __future__ import annotations

import getpass

import click


def user_name() -> str:
    """The name of this machine's user.

    Raises:
        click.ClickException: he has none.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.ClickException("your user has no name here: give --actor") from None
