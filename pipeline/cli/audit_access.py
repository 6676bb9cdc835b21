"""``spillway audit access``: who has looked at what, and done what, through the console, its API and exports."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import click
import orjson
from rich.text import Text

from pipeline.cli.cluster import json_option
from pipeline.cli.moments import MOMENT
from pipeline.cli.records import line_console, read_records, records_url_option
from pipeline.records.access.log import PAGE_MAX, Entry, access_log, write_entries
from pipeline.records.store import RecordsStore

CAME_BY: Final = "command line"
ENTRIES_DEFAULT: Final = 100


def note_export(store: RecordsStore, who: str, target: str) -> None:
    """Write into the access log that somebody takes an export."""
    now = datetime.now(UTC)
    entry = Entry(now, uuid4().hex, who, CAME_BY, None, "", "audit-export", "CLI", "audit export", target, 200, None)
    store.change(lambda connection: write_entries(connection, [entry]))


@click.command()
@click.option("--incident", "target", metavar="ID", help="About this incident alone; ids of other things work, too.")
@click.option("--who", help="Of this person or token alone.")
@click.option("--from", "from_ms", type=MOMENT, help="From then on.")
@click.option("--to", "to_ms", type=MOMENT, help="And before then.")
@click.option("--refused", is_flag=True, default=None, help="Refusals alone.")
@click.option("--limit", type=click.IntRange(1), default=ENTRIES_DEFAULT, show_default=True, help="At most so many.")
@records_url_option
@json_option
def access(
    target: str | None,
    who: str | None,
    from_ms: int | None,
    to_ms: int | None,
    refused: bool | None,
    limit: int,
    records_url: str | None,
    *,
    as_json: bool,
) -> None:
    """Who has looked at what, or did something, the newest first. With --json, one line an entry.

    Example: spillway audit access --incident INC-D5KZHUYBCD7C
    """
    since, until = _moment(from_ms), _moment(to_ms)

    def entries(store: RecordsStore) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < limit:
            before = found[-1]["id"] if found else None
            most = min(limit - len(found), PAGE_MAX)
            asked = partial(
                access_log,
                subject=who,
                target=target,
                refused=refused,
                since=since,
                until=until,
                before=before,
                limit=most,
            )
            page = store.ask(asked)
            found += page
            if len(page) < most:
                break
        return found

    found = read_records(records_url, entries)
    console = line_console()
    for each in found:
        if as_json:
            click.echo(orjson.dumps({str(name): value for name, value in each.items()}))
            continue
        at = each["at"].astimezone(UTC).isoformat(timespec="seconds")
        answer = (
            f"refused: {each['reason'] or each['status']}"
            if each["status"] >= HTTPStatus.BAD_REQUEST
            else each["status"]
        )
        by = f"{each['came_by'] or 'no proof'}{each['address'] and ', ' + each['address']}"
        who_asked = f"{each['subject'] or 'nobody known'} ({by})"
        console.print(Text(f"{at}  {who_asked}  {each['action']} {each['target'] or each['path']}  {answer}"))
    if not found and not as_json:
        click.echo("Nothing of that is in the access log.", err=True)


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1_000, UTC)
