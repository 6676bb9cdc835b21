"""``spillway silence``: mute what people know of, for a time, with an owner and a reason; and see what is muted.

A silence goes as a command through Kafka and takes effect a moment later. What is in force, and what it has hidden, is
read from the records store.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import click
import orjson
from pydantic import ValidationError
from rich.text import Text

from pipeline.cli.cluster import json_option
from pipeline.cli.incident_send import COMMANDS_TOPIC, say_accepted, send_command
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.records import environment_settings, line_console, read_records, records_url_option
from pipeline.cli.stats import plain_table
from pipeline.core.identity import short_id
from pipeline.models.command import Command, CommandType
from pipeline.models.suppression import Ended, Suppression
from pipeline.records.suppressions import silences

SPACE: Final = "production"

Decorated = Callable[..., Any]

_SPAN: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?")
_MINUTE_MS: Final = 60_000


class _Span(click.ParamType):
    """A span of time: 90m, 2h, 1d12h."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds."""
        if isinstance(value, int):
            return value
        found = _SPAN.fullmatch(str(value))
        if not value or found is None:
            self.fail(f"{value!r} is no span of time; write it as 90m, 2h or 1d12h", param, ctx)
        days, hours, minutes = (int(each or 0) for each in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * _MINUTE_MS


@click.group()
def silence() -> None:
    """Mute alerts that people know of, until a time, with an owner; list, extend and end what is muted."""


def _until_options(function: Decorated) -> Decorated:
    for option in (
        click.option("--until", "until_ms", type=MOMENT, help="When it ends by itself."),
        click.option("--for", "for_ms", type=_Span(), help="How long from now: 90m, 2h, 1d12h."),
        click.option("--actor", help="Who asks; default: your user name."),
        click.option("--space", default=SPACE, show_default=True, help="Correlation space of what is muted."),
        json_option,
    ):
        function = option(function)
    return function


@silence.command()
@_until_options
@click.option("--on", "targets", multiple=True, help="A service, resource or host, and what runs on it; repeatable.")
@click.option("--match", "matches", multiple=True, metavar="FACT=VALUE", help="labels.team=x, name=...; repeatable.")
@click.option("--incident", help="All that is in this incident.")
@click.option("--owner", required=True, help="The person or group that answers for it.")
@click.option("--reason", required=True, help="Why.")
def add(
    targets: tuple[str, ...], matches: tuple[str, ...], incident: str | None, owner: str, reason: str, **asked: Any
) -> None:
    """Begin a silence. All that is stated must hold of an alert."""
    match: dict[str, list[str]] = {}
    for each in matches:
        fact, equals, value = each.partition("=")
        if not equals:
            raise click.BadParameter(f"{each!r}: write FACT=VALUE, such as labels.team=payments", param_hint="--match")
        match.setdefault(fact, []).append(value)
    if not (targets or match or incident):
        raise click.UsageError("say what to mute: --on, --match or --incident")
    request = {"targets": targets, "match": match, "until": _until(asked), "owner": owner, "reason": reason}
    target = {"target": {"incident_id": incident}} if incident else {}
    command_id = f"cli-{uuid4().hex}"
    _send(CommandType.SILENCE, command_id, asked, silence=request, **target)
    say_accepted(command_id, as_json=asked["as_json"], silence_id=short_id("SIL", command_id))


@silence.command()
@_until_options
@click.argument("silence_id")
def extend(silence_id: str, **asked: Any) -> None:
    """Let a silence end at another time, later or earlier."""
    command_id = f"cli-{uuid4().hex}"
    _send(CommandType.EXTEND_SILENCE, command_id, asked, until=_until(asked), target={"silence": silence_id})
    say_accepted(command_id, as_json=asked["as_json"])


@silence.command()
@click.option("--actor", help="Who asks; default: your user name.")
@click.option("--space", default=SPACE, show_default=True, help="Correlation space of what is muted.")
@json_option
@click.argument("silence_id")
def end(silence_id: str, **asked: Any) -> None:
    """End a silence now: what still fires is told."""
    command_id = f"cli-{uuid4().hex}"
    _send(CommandType.UNSILENCE, command_id, asked, target={"silence": silence_id})
    say_accepted(command_id, as_json=asked["as_json"])


@silence.command("list")
@click.option("--all", "with_ended", is_flag=True, help="Those that are over, too.")
@records_url_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_(with_ended: bool, records_url: str | None, as_json: bool) -> None:
    """List what is muted: by whom, why, until when, and what it has hidden so far."""
    found = read_records(records_url, lambda store: store.ask(silences))
    at_ms = now_ms()
    shown = [each for each in found if with_ended or _in_force(each, at_ms)]
    if as_json:
        for each in shown:
            click.echo(orjson.dumps(document(each, at_ms)))
        return
    if not shown:
        click.echo("No silences." if with_ended else "Nothing is silenced.")
        return
    table = plain_table("Silence", ["Until", "Hidden", "Would have called"])
    for column in ("Owner", "What", "Why"):
        table.add_column(column)
    for each in shown:
        told = each.decided_by
        until = _words(told["until_ms"]) if _in_force(each, at_ms) else "over"
        counts = (until, str(told["hidden"]), str(told["would_page"]))
        table.add_row(each.episode_id, *counts, Text(told["owner"]), Text(what_of(told)), Text(each.summary))
    line_console().print(table)


def document(told: Suppression, at_ms: int) -> dict[str, Any]:
    """A silence for machines."""
    about = {"id": told.episode_id, "space": told.space, "since_ms": told.since_ms, "reason": told.summary}
    return about | {"in_force": _in_force(told, at_ms), "alerts": told.alerts} | told.decided_by


def what_of(told: dict[str, Any]) -> str:
    """What a silence mutes, in words."""
    matches = (f"{fact}={'|'.join(map(str, values))}" for fact, values in told["match"].items())
    conditions = len(told["conditions"])
    parts = [*told["targets"], *matches, *([f"{conditions} conditions"] if conditions else [])]
    return ", ".join(parts)


def _in_force(told: Suppression, at_ms: int) -> bool:
    return told.ended == Ended.ON and bool(told.decided_by["until_ms"] > at_ms)


def _until(asked: dict[str, Any]) -> str:
    until_ms, for_ms = asked["until_ms"], asked["for_ms"]
    if (until_ms is None) == (for_ms is None):
        raise click.UsageError("say when it ends: --until or --for")
    at_ms = until_ms if until_ms is not None else now_ms() + for_ms
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()


def _words(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M} UTC"


def _send(kind: CommandType, command_id: str, asked: dict[str, Any], **fields: Any) -> None:
    body = {"command_id": command_id, "type": kind, "actor": asked["actor"] or _user(), **fields}
    try:
        command = Command.model_validate(body)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "command"
        raise click.ClickException(f"{where}: {first['msg']}") from None
    send_command(environment_settings(), command, topic=COMMANDS_TOPIC, key=asked["space"])


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.ClickException("your user has no name here: give --actor") from None
