"""``spillway token``: make, list and revoke the API tokens of the console and its API."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.text import Text

from pipeline.catalog import load_config
from pipeline.catalog.problems import ConfigError, suggestion
from pipeline.cli.moments import now_ms
from pipeline.cli.records import environment_settings, line_console, read_records, records_url_option
from pipeline.cli.stats import plain_table
from pipeline.console.security.tokens import domains_known
from pipeline.models.command import Role
from pipeline.models.policy import Config
from pipeline.records.access.tokens import Token, TokenError, create_token, revoke_token, tokens
from pipeline.records.store import RecordsStore

ROLES: Final = tuple(str(each) for each in (Role.VIEWER, Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR))
DAYS_DEFAULT: Final = 90
NAME_CHARACTERS_MAX: Final = 100

_config_option = click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The configuration; default: SPILLWAY_CONFIG.",
)


@click.group()
def token() -> None:
    """Make, list and revoke API tokens: what programs and browsers sign in with."""


@token.command()
@click.option("--name", required=True, help="Who it is: the actor of what is done with it.")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="What it may.")
@click.option("--domain", "domains", multiple=True, help="For this service domain alone; repeatable. Default: all.")
@click.option(
    "--days", type=click.IntRange(1), default=DAYS_DEFAULT, show_default=True, help="Until it ends by itself."
)
@_config_option
@records_url_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def create(
    name: str,
    role: str,
    domains: tuple[str, ...],
    days: int,
    directory: Path | None,
    records_url: str | None,
    as_json: bool,
) -> None:
    """Make a token and print it: now, and never again."""
    config = _config(directory)
    _check(config, name, domains, days)
    grant = {"role": role, "domains": sorted(set(domains)) or None}
    now = _now()

    def make(store: RecordsStore) -> tuple[Token, str]:
        store.migrate()
        return store.change(
            lambda connection: create_token(connection, name, [grant], days=days, by=_operator(), now=now)
        )

    try:
        made, whole = read_records(records_url, make)
    except TokenError as wrong:
        raise click.ClickException(str(wrong)) from None
    if as_json:
        click.echo(orjson.dumps({**made.document(now), "token": whole}))
        return
    click.echo(whole)
    click.echo(f"{name}: {_words(made.grants)}, until {made.expires_at:%Y-%m-%d}. It is not shown again.", err=True)


@token.command("list")
@click.option("--all", "with_ended", is_flag=True, help="Those that are over, too.")
@records_url_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_(with_ended: bool, records_url: str | None, as_json: bool) -> None:
    """List tokens: who, what they may, when they were last used. Never what they are."""
    now = _now()
    found = read_records(
        records_url, lambda store: store.ask(lambda connection: tokens(connection, with_ended=with_ended, now=now))
    )
    if as_json:
        for each in found:
            click.echo(orjson.dumps(each.document(now)))
        return
    if not found:
        click.echo("No tokens." if with_ended else "No live tokens: make one with `spillway token create`.")
        return
    table = plain_table("Token", [])
    for column in ("Name", "May", "Until", "Last used", "Made by"):
        table.add_column(column)
    for each in found:
        until = f"{each.expires_at:%Y-%m-%d}" if each.live(now) else "revoked" if each.revoked_at else "expired"
        last = f"{each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never"
        table.add_row(each.id, Text(each.name), _words(each.grants), until, last, Text(each.created_by))
    line_console().print(table)


@token.command()
@click.argument("token_id")
@records_url_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def revoke(token_id: str, records_url: str | None, as_json: bool) -> None:
    """End a token and the sessions of browsers that signed in with it. TOKEN_ID is the part after spw_, as listed."""
    bare = token_id.removeprefix("spw_").partition("_")[0]
    done = read_records(
        records_url,
        lambda store: store.change(lambda connection: revoke_token(connection, bare, by=_operator(), now=_now())),
    )
    if not done:
        raise click.ClickException(f"there is no live token {bare!r}: see `spillway token list`")
    click.echo(orjson.dumps({"id": bare, "revoked": True}) if as_json else f"{bare} revoked")


def _check(config: Config | None, name: str, domains: Iterable[str], days: int) -> None:
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise click.BadParameter(f"1 to {NAME_CHARACTERS_MAX} printable characters", param_hint="--name")
    if config is None:
        return
    if days > config.console.token_days_max:
        raise click.BadParameter(f"console.yaml allows {config.console.token_days_max} at most", param_hint="--days")
    known = domains_known(config)
    for domain in domains:
        if domain not in known:
            near = suggestion(domain, known)
            raise click.BadParameter(f"there is no domain '{domain}'{near}", param_hint="--domain")


def _config(directory: Path | None) -> Config | None:
    where = directory or environment_settings().config_dir
    if where is None:
        return None
    try:
        return load_config(where)
    except ConfigError as wrong:
        raise click.ClickException(f"the configuration cannot be used: {wrong}") from None


def _words(grants: Iterable[dict[str, Any]]) -> str:
    return "; ".join(f"{each['role']} of {', '.join(each['domains']) if each['domains'] else 'all'}" for each in grants)


def _operator() -> str:
    try:
        return f"{getpass.getuser()} at the command line"
    except (KeyError, OSError):  # containers run as users without a name
        return "the command line"


def _now() -> datetime:
    return datetime.fromtimestamp(now_ms() / 1_000, UTC)
