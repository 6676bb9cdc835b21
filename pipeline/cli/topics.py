"""``spillway topics``: show what separates the cluster's topics from those of the flow, and set them so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import orjson
from confluent_kafka.admin import AdminClient

from pipeline.cli.cluster import bootstrap_option, client_config, json_option, read_settings
from pipeline.cli.replay import read_config
from pipeline.kafka import topics as kafka_topics

EXIT_REFUSED: Final = 2


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        json_option,
        click.option("--allow-shrink", is_flag=True, help="Also reduce what is kept, accepted or promised."),
        click.option(
            "--config",
            "directory",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Configuration directory whose feeds get topics; SPILLWAY_CONFIG unless given.",
        ),
        bootstrap_option,
    ):
        command = option(command)
    return command


@click.group()
def topics() -> None:
    """Plan and apply the Kafka topics."""


@topics.command("plan")
@_options
def plan(bootstrap: str | None, directory: Path | None, allow_shrink: bool, as_json: bool) -> None:
    """Show what `apply` would do. Changes nothing; exits 2 where something is refused."""
    _, difference = _plan(bootstrap, directory, allow_shrink)
    _show(difference, as_json, applied=False)
    _exit_on_refusal(difference)


@topics.command("apply")
@_options
def apply(bootstrap: str | None, directory: Path | None, allow_shrink: bool, as_json: bool) -> None:
    """Show the difference, then set the topics so. Exits 2, with nothing done, where something is refused."""
    admin, difference = _plan(bootstrap, directory, allow_shrink)
    if difference.refuse or not as_json:
        _show(difference, as_json, applied=False)
    _exit_on_refusal(difference)
    try:
        kafka_topics.apply(admin, difference)
    except kafka_topics.TopicsError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _show(difference, as_json, applied=True)
    elif not difference.empty:
        settings = len(difference.change)
        click.echo(f"created {len(difference.create)} topics, changed {settings} settings")


def _plan(bootstrap: str | None, directory: Path | None, allow_shrink: bool) -> tuple[AdminClient, kafka_topics.Plan]:
    settings = read_settings(bootstrap)
    config = read_config(directory or settings.config_dir)
    admin = AdminClient(client_config(settings))
    try:
        wanted = kafka_topics.desired_topics(settings, config)
        return admin, kafka_topics.plan(admin, wanted, allow_shrink=allow_shrink)
    except kafka_topics.TopicsError as error:
        raise click.ClickException(f"{error} (bootstrap {settings.bootstrap})") from error


def _show(difference: kafka_topics.Plan, as_json: bool, *, applied: bool) -> None:
    if as_json:
        click.echo(orjson.dumps({**difference.document(), "applied": applied}, option=orjson.OPT_INDENT_2))
        return
    for line in difference.lines():
        click.echo(line)
    if difference.empty:
        click.echo("the topics are as they should be")


def _exit_on_refusal(difference: kafka_topics.Plan) -> None:
    if difference.refuse:
        raise click.exceptions.Exit(EXIT_REFUSED)
