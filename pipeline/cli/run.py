"""``spillway run``: host stages in this process, on the brokers of the settings or on embedded engines."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import click
from confluent_kafka.admin import AdminClient
from prometheus_client import CollectorRegistry

from pipeline.app import compose, create_app, health_of, reloader
from pipeline.catalog import ConfigError, load_config
from pipeline.flow import STAGE_BY_NAME
from pipeline.kafka.client import librdkafka
from pipeline.kafka.embedded import EmbeddedKafka, EmbeddedKafkaError
from pipeline.kafka.topics import TopicsError, apply, desired_topics, plan
from pipeline.models.policy import Config
from pipeline.records.address import RecordsUrlError
from pipeline.records.embedded import EmbeddedPostgresError, embedded_postgres
from pipeline.runtime.broker import StartError
from pipeline.runtime.guard import EXIT_REFUSED, RefusedError
from pipeline.runtime.health import HealthServer, HealthServerError
from pipeline.runtime.logs import log_libraries
from pipeline.runtime.process import run as run_loop
from pipeline.runtime.process import serve
from pipeline.settings import Settings, SettingsError

_TOLD = (
    SettingsError,
    ConfigError,
    StartError,
    TopicsError,
    EmbeddedKafkaError,
    EmbeddedPostgresError,
    RecordsUrlError,
    HealthServerError,
)
"""Errors whose message is one line for people."""


@click.command()
@click.argument("stages", nargs=-1, type=click.Choice(tuple(STAGE_BY_NAME)))
@click.option("--embedded", is_flag=True, help="Bring Kafka and PostgreSQL along; their data goes at the end.")
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory (default: SPILLWAY_CONFIG, else the defaults alone).",
)
def run(stages: tuple[str, ...], *, embedded: bool, directory: Path | None) -> None:
    """Run all STAGES, or the named ones, until SIGTERM or Ctrl-C.

    Exit codes: 0 stopped as asked; 1 could not start; 70 a defect or a failed commit; 75 a stop took too long;
    78 what the brokers hold does not fit.
    """
    try:
        settings = Settings.from_environment()
        settings = settings.model_copy(update={"config_dir": directory or settings.config_dir})
        config = load_config(settings.config_dir)
        _log_to_standard_error(settings)
        with ExitStack() as engines:
            if embedded:
                settings = _start_engines(engines, settings, config)
            _host(settings, config, tuple(name for name in STAGE_BY_NAME if name in stages))
    except RefusedError as error:
        refused = click.ClickException(str(error))
        refused.exit_code = EXIT_REFUSED
        raise refused from error
    except _TOLD as error:
        raise click.ClickException(" ".join(str(error).split("\n"))) from error


def _host(settings: Settings, config: Config, stages: tuple[str, ...]) -> None:
    registry = CollectorRegistry()
    contexts = compose(settings, config, registry, stages)
    names = ", ".join(context.stage for context in contexts)

    def say_ready(health: HealthServer) -> None:
        click.echo(f"serving {names} on {settings.bootstrap}; metrics and health on port {health.port}", err=True)

    run_loop(
        serve(
            lambda: [create_app(context) for context in contexts],
            health_of(settings, registry),
            say_ready,
            settings.stop_seconds,
            lambda hosts: reloader(settings, config, contexts[0].metrics).run(hosts),
        )
    )


def _start_engines(engines: ExitStack, settings: Settings, config: Config) -> Settings:
    """Start Kafka, on the port of the settings so that other commands find it, and PostgreSQL; make the topics."""
    kafka = engines.enter_context(EmbeddedKafka(port=int(settings.bootstrap.rpartition(":")[2])))
    records_url = settings.records_url or engines.enter_context(embedded_postgres())
    settings = settings.on_embedded(kafka.bootstrap).model_copy(update={"records_url": records_url})
    admin = AdminClient(librdkafka(settings))
    apply(admin, plan(admin, desired_topics(settings, config)))
    return settings


def _log_to_standard_error(settings: Settings) -> None:
    log_libraries(settings.log_format, settings.log_level)
    # The libraries report each rebalance and each reconnect as a warning; ours are in metrics and health.
    for library in ("aiokafka", "faust", "mode"):
        logging.getLogger(library).setLevel(max(logging.getLogger().level, logging.ERROR))
    # A new broker first makes its coordinator's topic; each consumer would report the wait as an error.
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.CRITICAL)
