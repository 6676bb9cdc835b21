"""``spillway sink test``: whether a sink can be reached and would let us in. Creates nothing there."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import click
import orjson

from pipeline.cli.cluster import json_option
from pipeline.cli.records import environment_settings
from pipeline.cli.sink_clients import clients, secrets_of
from pipeline.cli.sink_ledger import config_option, known_sink, sinks_config
from pipeline.models.sinks import SinkRules
from pipeline.settings import Settings
from pipeline.sinks.asked import asked
from pipeline.sinks.base import SinkError, Trouble

EXIT_FAILED: Final = 1
SAID_CHARACTERS_MAX: Final = 200
"""Of what a downstream says of us: a line on a terminal, which obeys none of it."""

CONNECT_SECONDS_MAX: Final = 10.0
_PORTS: Final = {"http": 80, "https": 443}


class Step(NamedTuple):
    """One thing that was looked at. ``good``: None where it cannot be told."""

    what: str
    good: bool | None
    detail: str


@click.command("test")
@click.argument("name", metavar="SINK")
@config_option
@json_option
def test(name: str, directory: Path | None, *, as_json: bool) -> None:
    """Look whether SINK's secrets are set, its address answers and its credential is taken. Creates nothing there.

    Where a downstream has no question that would tell, it says so. Exits 1 where something is wrong.
    """
    settings = environment_settings()
    config = sinks_config(settings, directory)
    known_sink(name, config, [])
    steps = asyncio.run(steps_of(settings, config.sinks[name]))
    if as_json:
        click.echo(
            orjson.dumps({"sink": name, "steps": [each._asdict() for each in steps]}, option=orjson.OPT_INDENT_2)
        )
    else:
        for each in steps:
            click.echo(f"{_mark(each.good):<7}  {each.what}: {each.detail}")
    if any(each.good is False for each in steps):
        raise click.exceptions.Exit(EXIT_FAILED)


def _mark(good: bool | None) -> str:
    return {True: "good", False: "WRONG", None: "unknown"}[good]


async def steps_of(settings: Settings, rules: SinkRules) -> list[Step]:
    """What there is to be looked at, in order; it ends at the first thing that is wrong."""
    try:
        secrets = secrets_of(settings, rules)
    except SinkError as error:
        return [Step("secrets", False, str(error))]
    names = ", ".join(sorted(secrets))
    steps = [Step("secrets", True, f"{names} set" if secrets else "none needed")]
    if (place := _place(rules)) is not None:
        steps.append(await _reached(*place))
    if steps[-1].good is not False:
        steps.append(await _let_in(settings, rules))
    return steps


def _place(rules: SinkRules) -> tuple[str, int, bool] | None:
    """Host, port and whether it speaks TLS; None where the address is a secret or there is none."""
    parts = urlsplit(rules.address)
    if parts.scheme in _PORTS and parts.hostname:
        return parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https"
    return None


async def _reached(host: str, port: int, tls: bool) -> Step:  # a part of the place
    context: Any = ssl.create_default_context() if tls else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
        version = writer.get_extra_info("ssl_object").version() if tls else "without TLS"
        writer.close()
    except TimeoutError:
        return Step("address", False, f"{host}:{port} does not answer within {CONNECT_SECONDS_MAX:g} seconds")
    except ssl.SSLCertVerificationError as error:
        return Step("address", False, f"{host}:{port}: its certificate is not trusted: {error.verify_message}")
    except OSError as error:
        return Step("address", False, f"{host}:{port}: {error.strerror or type(error).__name__}")
    return Step("address", True, f"{host}:{port} answers, {version}")


async def _let_in(settings: Settings, rules: SinkRules) -> Step:
    try:
        async with clients(settings, [rules]) as made:
            said = await asked(rules.name, made[rules.name].check())
    except SinkError as error:
        return Step("credential", False, str(error))
    except Trouble as trouble:
        answer = trouble.answer
        words = " ".join(filter(None, (str(answer.status or ""), answer.detail.partition("\n")[0])))
        return Step("credential", False, words)
    if said is None:
        kind = getattr(rules, "type", "")
        return Step("credential", None, f"a sink of type {kind} has no question that creates nothing")
    return Step("credential", True, "".join(each if each.isprintable() else " " for each in said)[:SAID_CHARACTERS_MAX])
