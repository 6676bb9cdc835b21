"""``spillway console``: the web pages and the HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import uvloop

from pipeline.catalog import ConfigError, load_config
from pipeline.cli.gateway import address_of
from pipeline.console.process import ConsoleError, serve
from pipeline.records.address import RecordsUrlError
from pipeline.runtime.health import HealthServerError
from pipeline.runtime.logs import log_libraries
from pipeline.runtime.serving import Listening
from pipeline.settings import Settings, SettingsError

_TOLD: Final = (SettingsError, ConfigError, ConsoleError, RecordsUrlError, HealthServerError)
"""Errors whose message is one line for people."""


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8090",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to take requests; 0.0.0.0 for all addresses, port 0 for any free one.",
)
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory (default: SPILLWAY_CONFIG).",
)
def console(listen: str, *, directory: Path | None) -> None:
    """Show incidents to people and programs, and take what they ask, until SIGTERM or Ctrl-C.

    It reads the records store (SPILLWAY_RECORDS_URL) and writes commands to Kafka (SPILLWAY_BOOTSTRAP); where either is
    away, requests are told so until it is back. Exit codes: 0 stopped as asked; 1 could not start; 75 a stop took too
    long.
    """
    host, port = address_of(listen)
    try:
        settings = Settings.from_environment()
        settings = settings.model_copy(update={"config_dir": directory or settings.config_dir})
        config = load_config(settings.config_dir)
        log_libraries(settings.log_format, settings.log_level)
        uvloop.run(serve(settings, config, host, port, _say_ready))
    except _TOLD as error:
        raise click.ClickException(" ".join(str(error).split("\n"))) from error


def _say_ready(listening: Listening) -> None:
    click.echo(f"console on {listening.address} ; metrics and health on port {listening.health_port}", err=True)
