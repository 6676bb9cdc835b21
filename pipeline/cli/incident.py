"""``spillway incident``: look at incidents in the records store, and ask the pipeline to change them.

What changes an incident goes as a command through Kafka, like everything else; so it is accepted here and takes
effect a moment later, in its order, with its place in the timeline.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import click
import orjson
from pydantic import ValidationError

from pipeline.cli.incident_send import BRIDGE_COMMANDS_TOPIC, COMMANDS_TOPIC, send_command
from pipeline.cli.incident_view import list_incidents, show_incident
from pipeline.cli.records import environment_settings, line_console, read_records, records_url_option
from pipeline.models.command import Command, CommandType, Link, Resolution, Target
from pipeline.records.store import LIST_MAX
from pipeline.settings import Settings

Decorated = Callable[..., Any]

BRIDGE_KIND: Final = "bridge"

_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group()
def incident() -> None:
    """List and show incidents; acknowledge, assign, resolve, merge, split, link."""


@incident.command("list")
@click.option("--all", "with_closed", is_flag=True, help="Closed and merged incidents, too.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=100, show_default=True, help="How many at most.")
@records_url_option
@_json
def list_(with_closed: bool, limit: int, records_url: str | None, as_json: bool) -> None:
    """List incidents that are open, the newest first."""
    found = read_records(records_url, lambda store: store.incidents(open_only=not with_closed, limit=limit))
    if as_json:
        for each in found:
            click.echo(orjson.dumps(each))
    elif found:
        list_incidents(line_console(), found)
    else:
        click.echo("No incidents." if with_closed else "No open incidents.")


@incident.command()
@click.argument("incident_id")
@records_url_option
@_json
def show(incident_id: str, records_url: str | None, as_json: bool) -> None:
    """Show an incident: what, who is affected, why this priority, and its timeline."""
    found = read_records(records_url, lambda store: (store.incident(incident_id), store.timeline(incident_id)))
    snapshot, timeline = found
    if snapshot is None:
        raise click.ClickException(
            f"no incident {incident_id} in the records store: see `spillway incident list --all`"
        )
    if as_json:
        click.echo(orjson.dumps(snapshot))
    else:
        show_incident(line_console(), snapshot, timeline)


def _asks(function: Decorated) -> Decorated:
    """Options of all that change an incident."""
    for option in (
        click.option("--bridge", is_flag=True, help="It is a bridge incident (known by itself with a records store)."),
        click.option("--space", help="Its correlation space; default: as the records store says."),
        click.option("--actor", help="Who asks; default: your user name."),
        click.option("--note", help="Words for the timeline."),
        records_url_option,
        click.argument("incident_id"),
    ):
        function = option(function)
    return function


def _resolution_options(function: Decorated) -> Decorated:
    for option in (
        click.option("--corrective-action", help="What keeps it from coming back."),
        click.option("--cause", help="What caused it."),
        click.option("--summary", required=True, help="What was done."),
        click.option("--code", required=True, help="fixed, workaround, duplicate, no_fault..."),
    ):
        function = option(function)
    return function


@incident.command()
@_asks
def ack(**asked: Any) -> None:
    """Acknowledge an incident: somebody is on it, escalation stops."""
    _ask(CommandType.ACKNOWLEDGE, asked)


@incident.command()
@_asks
@click.argument("assignee")
def assign(assignee: str, **asked: Any) -> None:
    """Assign an incident to a person or a team."""
    _ask(CommandType.ASSIGN, asked, assignee=assignee)


@incident.command()
@_asks
@click.argument("level", metavar="PRIORITY")
def priority(level: str, **asked: Any) -> None:
    """Set an incident's priority, P1 to P4."""
    _ask(CommandType.SET_PRIORITY, asked, priority=level.upper())


@incident.command()
@_asks
@click.argument("words", metavar="TEXT")
def note(words: str, **asked: Any) -> None:
    """Add words to the timeline."""
    _ask(CommandType.NOTE, asked | {"note": words})


@incident.command()
@_asks
@_resolution_options
def resolve(code: str, summary: str, cause: str | None, corrective_action: str | None, **asked: Any) -> None:
    """Resolve an incident, and say how."""
    _ask(CommandType.RESOLVE, asked, resolution=_resolution(code, summary, cause, corrective_action))


@incident.command()
@_asks
@_resolution_options
def close(code: str, summary: str, cause: str | None, corrective_action: str | None, **asked: Any) -> None:
    """Close an incident with its documentation."""
    _ask(CommandType.CLOSE, asked, resolution=_resolution(code, summary, cause, corrective_action))


@incident.command()
@_asks
def reopen(**asked: Any) -> None:
    """Reopen a resolved incident."""
    _ask(CommandType.REOPEN, asked)


@incident.command()
@_asks
@click.option("--into", required=True, metavar="INCIDENT", help="The incident that goes on.")
def merge(into: str, **asked: Any) -> None:
    """Merge an incident into another of the same space."""
    _ask(CommandType.MERGE, asked, into=into)


@incident.command()
@_asks
@click.option("--episode", "episodes", multiple=True, required=True, help="An episode that moves out; repeatable.")
def split(episodes: tuple[str, ...], **asked: Any) -> None:
    """Split episodes out of an incident into one of their own."""
    _ask(CommandType.SPLIT, asked, episodes=episodes)


@incident.command()
@_asks
@click.argument("kind")
@click.argument("link_id")
@click.option("--url", help="Its address.")
@click.option("--state", help="Its state there.")
def link(kind: str, link_id: str, url: str | None, state: str | None, **asked: Any) -> None:
    """Link a record elsewhere: a provider's case, a vendor's ticket, a problem."""
    _ask(CommandType.LINK, asked, link={"kind": kind, "id": link_id, "url": url, "state": state})


def _resolution(code: str, summary: str, cause: str | None, corrective_action: str | None) -> dict[str, str | None]:
    return {"code": code, "summary": summary, "cause": cause, "corrective_action": corrective_action}


def _ask(kind: CommandType, asked: dict[str, Any], **arguments: Any) -> None:
    """Build the command, find where its incident lives, send it, and say so."""
    settings = environment_settings()
    command = _command(kind, asked, arguments)
    topic, key = _address(settings, asked)
    send_command(settings, command, topic=topic, key=key)
    click.echo(f"{command.command_id} accepted")


def _command(kind: CommandType, asked: dict[str, Any], arguments: dict[str, Any]) -> Command:
    fields: dict[str, Any] = {
        "command_id": f"cli-{uuid4().hex}",
        "type": kind,
        "actor": asked["actor"] or _user(),
        "target": Target(incident_id=asked["incident_id"]),
        "note": asked["note"],
    }
    try:
        if "resolution" in arguments:
            arguments["resolution"] = Resolution.model_validate(arguments["resolution"])
        if "link" in arguments:
            arguments["link"] = Link.model_validate(arguments["link"])
        return Command.model_validate(fields | arguments)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "command"
        raise click.ClickException(f"{where}: {first['msg']}") from None


def _address(settings: Settings, asked: dict[str, Any]) -> tuple[str, str]:
    """Topic and key of the incident's commands: as given, else as the records store says."""
    incident_id: str = asked["incident_id"]
    if asked["bridge"]:
        return BRIDGE_COMMANDS_TOPIC, incident_id
    if asked["space"]:
        return COMMANDS_TOPIC, asked["space"]
    if not (asked["records_url"] or settings.records_url):
        raise click.ClickException(
            "name the incident's --space (or --bridge), or the records store that knows it: "
            "--records-url or SPILLWAY_RECORDS_URL"
        )
    snapshot = read_records(asked["records_url"], lambda store: store.incident(incident_id))
    if snapshot is None:
        raise click.ClickException(
            f"no incident {incident_id} in the records store: see `spillway incident list --all`"
        )
    if snapshot.get("kind") == BRIDGE_KIND:
        return BRIDGE_COMMANDS_TOPIC, incident_id
    return COMMANDS_TOPIC, str(snapshot["space"])


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.ClickException("your user has no name here: give --actor") from None
