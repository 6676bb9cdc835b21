"""``spillway search``: find incidents by what was said of them, by names, and by what they are."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from pipeline.cli.filters import filter_options, filters_of
from pipeline.cli.incident_view import PRIORITY_STYLES
from pipeline.cli.records import line_console, read_records, records_url_option
from pipeline.records import reading
from pipeline.records.reading import BadCursorError, Hit, SearchPage, Similar


@click.command()
@click.argument("words", nargs=-1)
@filter_options
@click.option("--like", metavar="INCIDENT", help="Instead of words: past incidents that are like this one.")
@click.option("--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="How many at most.")
@click.option("--after", metavar="CURSOR", help="Go on where an earlier search has ended; it told the cursor.")
@records_url_option
@click.option("--json", "as_json", is_flag=True, help="For machines: one line each, then the cursor.")
def search(words: tuple[str, ...], like: str | None, limit: int, after: str | None, **asked: Any) -> None:
    """Find incidents, open or long past, by what was said of them.

    WORDS must all be in title, symptoms, notes or resolution. '"a phrase"', or, -without (after --); the last word
    may be only begun. Ids find what they name: incidents, tickets, cases, hosts, alert keys. Without words: the newest
    that the filters let through.
    """
    records_url, as_json = asked.pop("records_url"), asked.pop("as_json")
    filters = filters_of(asked)
    typed = " ".join(words)
    if like is not None:
        found = read_records(records_url, lambda store: store.ask(lambda c: reading.similar(c, like, None, limit)))
        _tell_similar(found, like, as_json)
        return
    try:
        page = read_records(
            records_url, lambda store: store.ask(lambda c: reading.search(c, None, typed, filters, after, limit))
        )
    except BadCursorError as wrong:
        raise click.ClickException(f"--after: {wrong}") from None
    _tell_page(page, as_json)


def _tell_page(page: SearchPage, as_json: bool) -> None:
    if as_json:
        for hit in page.hits:
            click.echo(orjson.dumps(document_of(hit)))
        click.echo(orjson.dumps({"next": page.next, "understood": page.understood}))
    elif not page.understood:
        raise click.ClickException("nothing to search for in that: say a word that tells something, or an id")
    elif not page.hits:
        click.echo("Nothing was found.")
    else:
        console = line_console()
        for hit in page.hits:
            _tell_hit(console, hit)
        if page.next:
            console.print(Text(f"\nThere are more: --after {page.next}", style="dim"), soft_wrap=True)


def document_of(hit: Hit) -> dict[str, Any]:
    """A hit as JSON."""
    pieces = [{"text": each.text, "match": each.is_match} for each in hit.title]
    excerpts = [
        {"of": name, "pieces": [{"text": each.text, "match": each.is_match} for each in parts]}
        for name, parts in hit.excerpts
    ]
    return {
        "incident": asdict(hit.incident),
        "score": hit.score,
        "named": hit.named,
        "title": pieces,
        "excerpts": excerpts,
    }


def _tell_hit(console: Console, hit: Hit) -> None:
    incident = hit.incident
    priority = incident.priority or "-"
    line = Text.assemble(
        (f"{incident.id}  ", "bold"),
        (priority, PRIORITY_STYLES.get(priority, "")),
        f"  {incident.state or '-':<12}  {_day(incident.opened_at)}  ",
    )
    console.print(_with_pieces(line, hit.title), soft_wrap=True)
    for name, parts in hit.excerpts:
        console.print(_with_pieces(Text.assemble((f"    {name}: ", "dim")), parts), soft_wrap=True)


def _with_pieces(line: Text, parts: list[Any]) -> Text:
    for each in parts:
        line.append(each.text.replace("\n", "; "), style="bold yellow" if each.is_match else "")
    return line


def _tell_similar(found: list[Similar] | None, incident_id: str, as_json: bool) -> None:
    if found is None:
        raise click.ClickException(
            f"no incident {incident_id} in the records store: see `spillway incident list --all`"
        )
    if as_json:
        for each in found:
            click.echo(orjson.dumps(asdict(each)))
        return
    if not found:
        click.echo(f"Nothing is like {incident_id}.")
    console = line_console()
    for each in found:
        incident = each.incident
        line = Text.assemble(
            (f"{incident.id}  ", "bold"),
            f"{incident.state or '-':<12}  {_day(incident.opened_at)}  ",
            incident.title or "",
        )
        console.print(line, soft_wrap=True)
        told = {
            "like it": "; ".join(each.because),
            "ended": " after ".join(filter(None, [(each.code or "").replace("_", " "), _took(each.took_seconds)])),
            "done": each.summary,
            "cause": each.cause,
            "fix": each.fix if each.fix != each.summary else None,
            "workaround": each.workaround,
            "known errors": ", ".join(each.known_errors),
        }
        for name, words in told.items():
            if words:
                console.print(Text.assemble((f"    {name}: ", "dim"), words), soft_wrap=True)


def _took(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z" if moment else "-"
