"""What the commands that ask the records store share: the option, the question, one-line errors, and the console."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from sqlalchemy.exc import OperationalError, ProgrammingError

from pipeline.records.address import RecordsUrlError
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings, SettingsError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Answer = TypeVar("Answer")

PIPED_CHARACTERS: Final = 10_000

records_url_option: Decorator = click.option(
    "--records-url", metavar="URL", help="The records store; default: SPILLWAY_RECORDS_URL."
)


def read_records(url: str | None, question: Callable[[RecordsStore], Answer]) -> Answer:
    """Ask the records store.

    Args:
        url: its address as given on the command line; None for the settings' own.
        question: what to ask.

    Raises:
        click.ClickException: there is none, it does not answer, or it is not set up.
    """
    address = url or environment_settings().records_url
    if not address:
        raise click.ClickException("no records store: give --records-url or set SPILLWAY_RECORDS_URL")
    try:
        store = RecordsStore(address)
    except RecordsUrlError as wrong:
        raise click.ClickException(str(wrong)) from None
    try:
        return question(store)
    except OperationalError:
        raise click.ClickException(
            "the records store does not answer: is PostgreSQL up, and the address right?"
        ) from None
    except ProgrammingError:
        raise click.ClickException(
            "the records store is not set up yet, or by an older release: start `spillway run record` of this release "
            "with the same address once"
        ) from None
    finally:
        store.close()


def environment_settings() -> Settings:
    """Settings of the environment.

    Raises:
        click.ClickException: a value cannot be used; the message names it.
    """
    try:
        return Settings.from_environment()
    except SettingsError as wrong:
        raise click.ClickException(str(wrong)) from None


def line_console() -> Console:
    """Standard output. Piped, a line is a line however long it is, so that grep sees all of it."""
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PIPED_CHARACTERS)
