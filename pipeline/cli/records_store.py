"""``spillway records``: how the records store stands, made anew, compared, and kept no longer than wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError

from pipeline.catalog import ConfigError, load_config
from pipeline.cli.cluster import bootstrap_option, json_option, read_settings
from pipeline.cli.progress import progress
from pipeline.cli.records import read_records, records_url_option
from pipeline.cli.records_view import show_compared, show_rebuilt, show_removed, show_status
from pipeline.kafka.scan import ScanError
from pipeline.models.privacy import RETENTION_MONTHS_MAX
from pipeline.records.address import RecordsUrlError, engine_of
from pipeline.records.compare import compare, rows_of
from pipeline.records.projected import next_offsets
from pipeline.records.rebuild import RebuildError, rebuild_in_place, rebuild_into
from pipeline.records.retention import MONTHS_MIN, RETENTION_LOCK, retain, would_remove
from pipeline.records.source import Source, size
from pipeline.records.standing import behind, last_retention, months, odd_rows, sizes, version
from pipeline.records.store import RecordsStore
from pipeline.runtime.broker import StartError


@click.group()
def records() -> None:
    """The records store: how it stands, made anew from the topics, compared, kept no longer than wanted."""


@records.command()
@records_url_option
@bootstrap_option
@json_option
def status(records_url: str | None, bootstrap: str | None, as_json: bool) -> None:
    """Show the schema's version, how far each topic is behind, and how large tables and months are."""

    def question(store: RecordsStore) -> dict[str, Any]:
        return store.ask(_stands)

    found = read_records(records_url, question)
    known = found.pop("next_offsets")
    try:
        found["topics"] = [each._asdict() for each in behind(Source(read_settings(bootstrap)), known)]
        found["unknown_because"] = None
    except (StartError, ScanError) as error:
        found["topics"], found["unknown_because"] = [], str(error)
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        show_status(found)


@records.command()
@records_url_option
@bootstrap_option
@click.option("--into", metavar="URL", help="An empty database; the one in use is put right in place unless given.")
@click.option("--new-topics", is_flag=True, help="The topics were made anew since: the store has read none of these.")
@json_option
def rebuild(records_url: str | None, bootstrap: str | None, into: str | None, new_topics: bool, as_json: bool) -> None:
    """Make the store anew from what the topics hold.

    In place, it stays usable: a store is made beside it, and what differs is put right in one transaction. Rows that
    are older than what the topics hold stay, and so do tokens, the access log, receipts and retention runs. A store
    that was written from other topics than those of these brokers is left alone, for it may be that of another cluster.
    """
    settings = read_settings(bootstrap)
    url = into or records_url or settings.records_url
    if not url:
        raise click.ClickException("no records store: give --records-url or --into, or set SPILLWAY_RECORDS_URL")
    with _one_line_errors():
        source = Source(settings)
        bounds = source.bounds()
        with progress("reading the topics", size(bounds)) as seen:
            if into:
                rebuilt = rebuild_into(source, url, bounds, seen)
            else:
                rebuilt = rebuild_in_place(source, url, bounds, seen, new_topics=new_topics)
    show_rebuilt(rebuilt, into=into is not None, as_json=as_json)


@records.command(name="compare")
@click.argument("first", metavar="URL")
@click.argument("second", metavar="URL")
@json_option
@click.pass_context
def compare_command(context: click.Context, first: str, second: str, as_json: bool) -> None:
    """Say row for row what differs between two stores; exit 1 if anything does."""
    with _one_line_errors():
        engines = [engine_of(url) for url in (first, second)]
        with engines[0].connect() as counting:
            rows = rows_of(counting)
        with engines[0].connect() as one, engines[1].connect() as other, progress("comparing", rows) as seen:
            found = list(compare(one, other, seen))
    show_compared(found, as_json=as_json)
    if any(each.different for each in found):
        context.exit(1)


@records.command()
@records_url_option
@click.option(
    "--months",
    type=click.IntRange(MONTHS_MIN, RETENTION_MONTHS_MAX),
    help="Whole months that are kept beside the one that is on; default: as privacy.yaml says.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@json_option
def retention(records_url: str | None, months: int | None, dry_run: bool, as_json: bool) -> None:
    """Remove what ended longer ago: incidents with all that is theirs, suppressions, deliveries, closed problems.

    An incident that is not over is never touched, nor one that is a part of such.
    """
    now = datetime.now(UTC)
    kept = _configured_months() if months is None else months

    def work(store: RecordsStore) -> None:
        if dry_run:
            show_removed(store.ask(lambda connection: would_remove(connection, kept, now)), dry=True, as_json=as_json)
            return
        with store.alone(RETENTION_LOCK) as alone:
            if not alone:
                raise click.ClickException("a run of retention is under way: try again when it has ended")
            expected = store.ask(lambda connection: would_remove(connection, kept, now))
            with progress("removing", sum(expected.rows.values())) as seen:
                removed = retain(store, kept, now, actor="command line", seen=seen)
        show_removed(removed, dry=False, as_json=as_json)

    read_records(records_url, work)


def _configured_months() -> int:
    """Months by the configuration that the stage goes by: a shorter default here would remove what it keeps.

    Raises:
        click.ClickException: none is named, or it cannot be read.
    """
    directory = read_settings(None).config_dir
    if directory is None:
        raise click.ClickException("for how long records are kept is not known: give --months or set SPILLWAY_CONFIG")
    try:
        return load_config(directory).privacy.retention_months
    except ConfigError as error:
        raise click.ClickException(" ".join(str(error).split("\n"))) from error


def _stands(connection: Connection) -> dict[str, Any]:
    return {
        "version": version(connection),
        "next_offsets": next_offsets(connection),
        "tables": [each._asdict() for each in sizes(connection)],
        "months": months(connection),
        "odd_rows": odd_rows(connection),
        "last_retention": last_retention(connection),
    }


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (RecordsUrlError, RebuildError, StartError, ScanError) as error:
        raise click.ClickException(str(error)) from None
    except OperationalError:
        raise click.ClickException(
            "a records store does not answer: is PostgreSQL up, and the address right?"
        ) from None
    except ProgrammingError:
        raise click.ClickException(
            "a records store is not set up yet, or by an older release: start `spillway run record` of this release "
            "with the same address once"
        ) from None
