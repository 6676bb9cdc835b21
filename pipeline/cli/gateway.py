"""``spillway gateway``: take messages over HTTP and write them to Kafka."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
from confluent_kafka.admin import AdminClient

from pipeline.catalog import ConfigError, load_config
from pipeline.gateway.guards import GatewayError
from pipeline.gateway.process import rules_of, serve
from pipeline.kafka.client import librdkafka
from pipeline.kafka.embedded import EmbeddedKafka, EmbeddedKafkaError
from pipeline.kafka.topics import TopicsError, apply, desired_topics, plan
from pipeline.models.policy import Config
from pipeline.runtime.health import HealthServerError
from pipeline.runtime.logs import log_libraries
from pipeline.runtime.serving import Listening
from pipeline.settings import Settings, SettingsError

_TOLD: Final = (SettingsError, ConfigError, TopicsError, EmbeddedKafkaError, GatewayError, HealthServerError)
"""Errors whose message is one line for people."""


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to take requests; 0.0.0.0 for all addresses, port 0 for any free one.",
)
@click.option("--embedded", is_flag=True, help="Bring Kafka along; its data goes at the end.")
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory (default: SPILLWAY_CONFIG).",
)
def gateway(listen: str, *, embedded: bool, directory: Path | None) -> None:
    """Take messages of feeds over HTTP until SIGTERM or Ctrl-C.

    A message is answered with 202 when the brokers have it. Exit codes: 0 stopped as asked; 1 could not start; 70 a
    defect; 75 a stop took too long.
    """
    host, port = address_of(listen)
    try:
        settings = Settings.from_environment()
        settings = settings.model_copy(update={"config_dir": directory or settings.config_dir})
        config = load_config(settings.config_dir)
        rules_of(config)
        log_libraries(settings.log_format, settings.log_level)
        with ExitStack() as engines:
            if embedded:
                settings = _start_kafka(engines, settings, config)
            asyncio.run(serve(settings, config, host, port, lambda listening: _say_ready(listening, settings)))
    except _TOLD as error:
        raise click.ClickException(" ".join(str(error).split("\n"))) from error


def address_of(listen: str) -> tuple[str, int]:
    """Host and port of ``--listen``, with or without brackets around an IPv6 address.

    Raises:
        click.BadParameter: it is neither.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise click.BadParameter("must be HOST:PORT, such as 0.0.0.0:8080", param_hint="--listen")
    return host.strip("[]"), int(port)


def _say_ready(listening: Listening, settings: Settings) -> None:
    click.echo(
        f"taking messages on {listening.host}:{listening.port} for {settings.bootstrap}; "
        f"metrics and health on port {listening.health_port}",
        err=True,
    )


def _start_kafka(engines: ExitStack, settings: Settings, config: Config) -> Settings:
    """Start Kafka on the port of the settings, so that other commands find it, and make the topics."""
    kafka = engines.enter_context(EmbeddedKafka(port=int(settings.bootstrap.rpartition(":")[2])))
    settings = settings.on_embedded(kafka.bootstrap)
    admin = AdminClient(librdkafka(settings))
    apply(admin, plan(admin, desired_topics(settings, config)))
    return settings
