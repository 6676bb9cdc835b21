"""``spillway topics``: show what separates the cluster's topics from those of the flow, and set them so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
import orjson
from confluent_kafka.admin import AdminClient

from pipeline.cli.cluster import bootstrap_option, client_config, json_option, read_settings
from pipeline.cli.replay import read_config
from pipeline.kafka import topics as kafka_topics
from pipeline.kafka.grants import COMPONENTS, FURTHER_COMPONENTS, Grant, acl_lines, grants_of, user_of
from pipeline.kafka.reach import UnreachableError, list_topics
from pipeline.kafka.rights import hidden

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
    """Plan and apply the Kafka topics; show who needs what of them."""


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


@topics.command("grants")
@click.option("--component", type=click.Choice((*COMPONENTS, *FURTHER_COMPONENTS)), help="Of this one alone.")
@click.option("--user", metavar="NAME", help="The user of the component, in --acls; its group's name unless given.")
@click.option("--acls", is_flag=True, help="Print lines for Kafka's own kafka-acls.sh.")
@json_option
def grants(component: str | None, user: str | None, *, acls: bool, as_json: bool) -> None:
    """Show what each component needs on the brokers, and no more: operations by resource, under these settings.

    Asks no broker. With --acls: kafka-acls.sh --bootstrap-server HOST:PORT LINE for each line.
    """
    if user is not None and component is None:
        raise click.ClickException("--user names the user of one component: give --component, too")
    if acls and as_json:
        raise click.ClickException("give --acls or --json, not both")
    settings = read_settings(None)
    found = {name: grants_of(settings, name) for name in ((component,) if component else COMPONENTS)}
    if as_json:
        document = {name: [grant.document() for grant in each] for name, each in found.items()}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return
    for name, each in found.items():
        for line in acl_lines(user or user_of(settings, name), each) if acls else _grant_lines(name, each):
            click.echo(line)


def _grant_lines(component: str, found: Iterable[Grant]) -> list[str]:
    rows = [(each.resource, each.name + ("*" if each.prefixed else ""), ", ".join(each.operations)) for each in found]
    resource, name = (max(len(row[place]) for row in rows) for place in (0, 1))
    return [component, *(f"  {row[0]:{resource}}  {row[1]:{name}}  {row[2]}" for row in rows)]


def _plan(bootstrap: str | None, directory: Path | None, allow_shrink: bool) -> tuple[AdminClient, kafka_topics.Plan]:
    settings = read_settings(bootstrap)
    config = read_config(directory or settings.config_dir)
    client = client_config(settings)
    admin = AdminClient(client)
    try:
        listed = list_topics(client, kafka_topics.REQUEST_SECONDS_MAX)
        wanted = kafka_topics.desired_topics(settings, config)
        if lacks := hidden(client, "topics", [topic.name for topic in wanted if topic.name not in listed]):
            raise click.ClickException(lacks)
        return admin, kafka_topics.plan(admin, wanted, allow_shrink=allow_shrink)
    except UnreachableError as error:
        raise click.ClickException(f"cannot list the topics: {error}") from error
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
