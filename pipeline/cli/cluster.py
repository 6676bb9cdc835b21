"""What the commands that talk to Kafka share: their options, settings and one-line errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pipeline.kafka.client import librdkafka
from pipeline.kafka.grants import CLI_GROUP
from pipeline.settings import Settings, SettingsError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

bootstrap_option: Decorator = click.option(
    "--bootstrap", metavar="HOST:PORT", help="Kafka brokers; SPILLWAY_BOOTSTRAP unless given."
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def read_settings(bootstrap: str | None) -> Settings:
    """Settings of the environment, with the brokers given on the command line in front.

    Raises:
        click.ClickException: a value cannot be used; the message names it.
    """
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if bootstrap is None:
        return settings
    try:
        return Settings.model_validate({**settings.model_dump(), "bootstrap": bootstrap})
    except ValueError as error:
        raise click.ClickException(f"--bootstrap {bootstrap!r}: allowed is host:port, several by commas") from error


def client_config(settings: Settings) -> dict[str, Any]:
    """Configuration of a librdkafka client of a command, with the group that commands look for (and never join).

    Raises:
        click.ClickException: what the settings say of the brokers cannot be used.
    """
    try:
        return {**librdkafka(settings), "group.id": settings.group(CLI_GROUP)}
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
