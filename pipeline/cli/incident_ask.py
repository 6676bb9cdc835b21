"""How a command of ``spillway incident`` becomes a record: options that all have, the command itself, where it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import click
from pydantic import BaseModel, ValidationError

from pipeline.cli.actor import user_name
from pipeline.cli.cluster import json_option
from pipeline.cli.incident_send import BRIDGE_COMMANDS_TOPIC, COMMANDS_TOPIC, say_accepted, send_command
from pipeline.cli.records import environment_settings, read_records, records_url_option
from pipeline.models.command import Action, Command, CommandType, Link, Resolution, Role, Target
from pipeline.settings import Settings

Decorated = Callable[..., Any]

BRIDGE_KIND: Final = "bridge"

_PARTS: Final[dict[str, type[BaseModel]]] = {"resolution": Resolution, "link": Link, "action": Action}
"""Arguments that are models of their own."""

_COMMON: Final = ("note", "role", "at", "if_state", "expected_revision")
"""Options of all that are fields of the command."""


def asks(function: Decorated) -> Decorated:
    """Options of all that change an incident."""
    for option in (
        click.option("--if-state", help="Only while the incident is in this state; else it is refused on the record."),
        click.option("--if-revision", "expected_revision", type=int, help="Only at this revision of the incident."),
        click.option("--at", help="When it was asked, where that was earlier; RFC 3339 with a zone."),
        click.option("--bridge", is_flag=True, help="It is a bridge incident (known by itself with a records store)."),
        click.option("--space", help="Its correlation space; default: as the records store says."),
        click.option("--role", type=click.Choice([each.value for each in Role]), help="In what role; a responder's."),
        click.option("--actor", help="Who asks; default: your user name."),
        click.option("--note", help="Words for the timeline."),
        records_url_option,
        json_option,
        click.argument("incident_id"),
    ):
        function = option(function)
    return function


def ask(kind: CommandType, asked: dict[str, Any], **arguments: Any) -> None:
    """Build the command, find where its incident lives, send it, and say so."""
    settings = environment_settings()
    command = _command(kind, asked, arguments)
    topic, key = _address(settings, asked)
    send_command(settings, command, topic=topic, key=key)
    say_accepted(command.command_id, as_json=asked["as_json"])


def _command(kind: CommandType, asked: dict[str, Any], arguments: dict[str, Any]) -> Command:
    fields: dict[str, Any] = {
        "command_id": f"cli-{uuid4().hex}",
        "type": kind,
        "actor": asked["actor"] or user_name(),
        "target": Target(incident_id=asked["incident_id"]),
        **{name: asked[name] for name in _COMMON},
    }
    try:
        for name, model in _PARTS.items():
            if arguments.get(name) is not None:
                arguments[name] = model.model_validate(arguments[name])
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
