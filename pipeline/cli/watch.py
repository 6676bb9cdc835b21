"""``spillway watch``: a probe through the pipeline, and a ping to elsewhere while it gets through."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlsplit

import click

from pipeline.flow import STAGE_BY_NAME
from pipeline.runtime.health import HealthServerError
from pipeline.runtime.logs import log_libraries
from pipeline.runtime.serving import Listening, serve_until_asked
from pipeline.settings import Settings, SettingsError
from pipeline.watch.probe import TRAVELLED, WatchError, all_stages
from pipeline.watch.process import NAME, Watch

_TOLD: Final = (SettingsError, WatchError, HealthServerError)
"""Errors whose message is one line for people."""

_OPTIONAL: Final = tuple(stage for stage in STAGE_BY_NAME if stage not in TRAVELLED)


@click.command()
@click.option(
    "--every",
    "every_seconds",
    type=click.FloatRange(1, 3_600),
    default=60.0,
    show_default=True,
    help="Seconds between probes.",
)
@click.option(
    "--within",
    "within_seconds",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    help="Seconds that a probe may take.",
)
@click.option(
    "--ping-env",
    metavar="NAME",
    help="Environment variable with the address to ping while probes get through; without it there are metrics alone.",
)
@click.option(
    "--without", multiple=True, type=click.Choice(_OPTIONAL), help="A stage that this installation does not run."
)
def watch(every_seconds: float, within_seconds: float, ping_env: str | None, without: tuple[str, ...]) -> None:
    """Send a synthetic alert through the pipeline, again and again, until SIGTERM or Ctrl-C.

    While it gets through every stage in time, an address outside is pinged; whoever has that address calls people
    when the pings stop. Needs the feed 'spillway' in feeds.yaml. Exit codes: 0 stopped as asked; 1 could not start;
    70 a defect.
    """
    try:
        settings = Settings.from_environment()
        ping_url = None if ping_env is None else address_of(ping_env, settings.secret(ping_env))
        stages = all_stages() - set(without)
        log_libraries(settings.log_format, settings.log_level)
        asyncio.run(
            serve_until_asked(
                lambda: Watch(settings, stages, every_seconds, within_seconds, ping_url),
                NAME,
                "",
                0,
                lambda listening: _say_ready(listening, settings),
                settings.stop_seconds,
            )
        )
    except _TOLD as error:
        raise click.ClickException(" ".join(str(error).split("\n"))) from error


def address_of(name: str, url: str) -> str:
    """The address to ping.

    Raises:
        SettingsError: it is no address of HTTP. Does not repeat it: it is a secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{name}: must be an address that begins with https:// or http://")
    return url


def _say_ready(listening: Listening, settings: Settings) -> None:
    click.echo(f"watching {settings.bootstrap}; metrics and health on port {listening.health_port}", err=True)
