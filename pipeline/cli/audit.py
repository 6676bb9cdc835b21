"""``spillway audit``: what was done to incidents, for others to keep, and whether anybody changed it since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.text import Text
from sqlalchemy import Connection

from pipeline.cli.actor import user_name
from pipeline.cli.audit_access import access, note_export
from pipeline.cli.cluster import json_option
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.progress import progress
from pipeline.cli.records import line_console, read_records, records_url_option
from pipeline.core.outward.delivery_body import rfc3339
from pipeline.records.audit import AuditError, Trail, broken_in, read_trail
from pipeline.records.audit_file import Written, read_documents, sha256_of, write_lines, write_page
from pipeline.records.audit_span import Span, count_of, document_of, documents_of
from pipeline.records.store import RecordsStore

EXIT_BROKEN: Final = 1
"""Exit code of ``verify`` where a chain does not hold."""

INCIDENTS_MIN: Final = 20
"""Incidents from which a progress bar is shown."""

_WRITERS: Final[dict[str, Callable[..., Written]]] = {"json": write_lines, "html": write_page}


@click.group()
def audit() -> None:
    """Export what was done to incidents as an audit, verify that nobody has changed it, and say who has looked."""


audit.add_command(access)


@audit.command()
@click.argument("incident_ids", nargs=-1, metavar="[INCIDENT]...")
@click.option("--from", "from_ms", type=MOMENT, help="Instead of incidents: those that were opened from then on.")
@click.option("--to", "to_ms", type=MOMENT, help="With --from: and before then; default: now.")
@click.option("--domain", "domains", multiple=True, help="With --from: of this service domain alone; repeatable.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write a file.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(tuple(_WRITERS)),
    help="Of the file: JSON lines, or one page of HTML to read and print; by its name where that says so.",
)
@records_url_option
@json_option
def export(
    incident_ids: tuple[str, ...],
    from_ms: int | None,
    to_ms: int | None,
    domains: tuple[str, ...],
    output: Path | None,
    kind: str | None,
    records_url: str | None,
    *,
    as_json: bool,
) -> None:
    """Every action on incidents: who, what, when it happened and when it went on record, why, before and after.

    With deliveries, messages to audiences, duties, and who has looked. With --json, or in a file, it holds all that
    'spillway audit verify FILE' needs, also years later. The access log says that you took it.

    Example: spillway audit export --from 2026-03-01 --to 2026-04-01 -o march.html
    """
    if bool(incident_ids) == (from_ms is not None):
        raise click.UsageError("name incidents, or a span of time with --from")
    if domains and from_ms is None:
        raise click.UsageError("--domain is for a span of time: give --from")
    if kind and output is None:
        raise click.UsageError("--format is of a file: name it with -o")
    span = None
    if from_ms is not None:
        until_ms = now_ms() if to_ms is None else to_ms
        span = Span(from_ms, until_ms, frozenset(domains) or None)

    def taken(store: RecordsStore) -> int:
        note_export(store, user_name(), " ".join(incident_ids) or "a span of time")
        if output is not None:
            return _to_file(store, incident_ids, span, output, kind or _kind_of(output), as_json=as_json)
        return store.ask(
            lambda connection: _to_terminal(_documents_of(connection, incident_ids, span), as_json=as_json)
        )

    if not read_records(records_url, taken):
        click.echo("No incident was opened in that time.", err=True)


def _to_terminal(documents: Iterable[dict[str, Any]], *, as_json: bool) -> int:
    count = 0
    for document in documents:
        count += 1
        if as_json:
            click.echo(orjson.dumps(document))
        else:
            tell(line_console(), document)
    return count


def _to_file(
    store: RecordsStore, incident_ids: tuple[str, ...], span: Span | None, output: Path, kind: str, *, as_json: bool
) -> int:
    total = len(incident_ids) if span is None else store.ask(lambda connection: count_of(connection, span))
    with progress("exporting", total, least=INCIDENTS_MIN) as seen:
        try:
            written = store.ask(
                lambda connection: _WRITERS[kind](
                    output, _documents_of(connection, incident_ids, span), _about(incident_ids, span), seen
                )
            )
        except OSError as error:
            raise click.ClickException(f"{output}: cannot be written: {error.strerror}") from None
    if as_json:
        facts = {"incidents": written.incidents, "revisions": written.revisions, "broken": written.broken}
        click.echo(orjson.dumps({"file": str(output), "format": kind, "sha256": written.sha256} | facts))
    else:
        click.echo(f"{written.verdict()}\n{written.sha256}  {output}")
    return max(written.incidents, 1)  # the file says itself that there is none


def _documents_of(connection: Connection, incident_ids: tuple[str, ...], span: Span | None) -> Iterator[dict[str, Any]]:
    if span is not None:
        yield from documents_of(connection, span)
        return
    for incident_id in incident_ids:
        document = document_of(connection, incident_id)
        if document is None:
            raise click.ClickException(f"the records store knows of no incident {incident_id}")
        yield document


def _about(incident_ids: tuple[str, ...], span: Span | None) -> dict[str, str]:
    """What is exported, for the top of the file."""
    made = {"made": rfc3339(now_ms()), "by": user_name(), "release": version("spillway")}
    if span is None:
        return {"of": ", ".join(incident_ids)} | made
    domains = "all" if span.domains is None else ", ".join(sorted(span.domains))
    return {"opened from": rfc3339(span.from_ms), "and before": rfc3339(span.to_ms), "domains": domains} | made


def _kind_of(output: Path) -> str:
    return "html" if output.suffix.lower() in (".html", ".htm") else "json"


@audit.command()
@click.argument("names", nargs=-1, metavar="[FILE | INCIDENT]...")
@click.option(
    "--file",
    "exported",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same as FILE, for a name that looks like an incident's.",
)
@click.option("--against-store", is_flag=True, help="With a file: and that the records store still tells the same.")
@click.option("--sha256", "digest", metavar="HEX", help="With a file: and that it is the one of this SHA-256.")
@records_url_option
@json_option
@click.pass_context
def verify(
    context: click.Context,
    names: tuple[str, ...],
    exported: Path | None,
    digest: str | None,
    records_url: str | None,
    *,
    against_store: bool,
    as_json: bool,
) -> None:
    """Whether the chain of seals holds: of files that 'audit export' wrote, without a store, or of incidents in it.

    Exit code 1 where one does not.

    Example: spillway audit verify march.html
    """
    files = [*([exported] if exported else []), *(Path(name) for name in names if _is_file(name))]
    incident_ids = [name for name in names if not _is_file(name)]
    if bool(incident_ids) == bool(files):
        raise click.UsageError("name files of 'spillway audit export', or incidents of the records store")
    said = _Said(as_json=as_json)
    for file in files:
        if digest is not None and sha256_of(file) != digest.lower():
            said.of(str(file), False, "it is another file than the one of this SHA-256")
        _verify_file(file, said)
        if against_store:
            read_records(records_url, partial(_compare, file=file, said=said))
    if incident_ids:
        read_records(records_url, partial(_verify_all, incident_ids=incident_ids, said=said))
    context.exit(EXIT_BROKEN if said.broken else 0)


class _Said:
    """What came of it, told one line after another."""

    def __init__(self, *, as_json: bool) -> None:
        self.broken = 0
        self._as_json = as_json

    def of(self, name: str, intact: bool, words: str) -> None:
        self.broken += not intact
        if self._as_json:
            click.echo(orjson.dumps({"of": name, "intact": intact, "said": words}))
        else:
            click.echo(f"{name}: {words}")

    def of_chain(self, incident_id: str, broken: Any, sealed: int, unsealed: int) -> None:
        older = f", {unsealed} of an older release are not sealed" if unsealed else ""
        if broken is None:
            self.of(incident_id, True, f"intact, {sealed} revisions{older}")
        else:
            self.of(incident_id, False, f"NOT intact at revision {broken.revision}: {broken.what}")


def _is_file(name: str) -> bool:
    return Path(name).is_file()


def _verify_file(file: Path, said: _Said) -> None:
    count = 0
    try:
        for document in read_documents(file):
            broken = broken_in(document)
            incident_id = str(document["incident"]["id"])
            said.of_chain(incident_id, broken, len(document["revisions"]), document.get("unsealed_revisions", 0))
            count += 1
    except (AuditError, KeyError, TypeError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None
    if not count:
        said.of(str(file), True, "an export without incidents")


def _compare(store: RecordsStore, file: Path, said: _Said) -> None:
    for document in read_documents(file):
        _differs(store, document, said)


def _trail(store: RecordsStore, incident_id: str) -> Trail:
    trail = read_trail(store, incident_id)
    if trail is None:
        raise click.ClickException(f"the records store knows of no incident {incident_id}")
    return trail


def _verify_all(store: RecordsStore, incident_ids: list[str], said: _Said) -> None:
    for incident_id in incident_ids:
        trail = _trail(store, incident_id)
        said.of_chain(incident_id, trail.broken(), len(trail.sealed), trail.unsealed)


def _differs(store: RecordsStore, document: dict[str, Any], said: _Said) -> None:
    """Whether the store tells another story than a document that was exported from it once."""
    incident_id = document["incident"]["id"]
    now = {each.revision: each.seal for each in _trail(store, incident_id).sealed}
    for each in document["revisions"]:
        if now.get(each["revision"]) != each["seal"]:
            said.of(incident_id, False, f"revision {each['revision']} in the records store is another one now")
            return
    said.of(incident_id, True, "the records store tells the same")


def tell(console: Console, document: dict[str, Any]) -> None:
    """The audit for people."""
    incident = document["incident"]
    console.print(Text(f"{incident['id']}  {incident['priority']}  {incident['title']}", style="bold"))
    console.print(Text(f"seal {document['seal'] or 'none'}, {'intact' if document['intact'] else 'NOT INTACT'}"))
    for action in document["actions"]:
        late = "" if action["happened_at"] == action["recorded_at"] else f" (happened {action['happened_at']})"
        console.print(Text(f"{action['recorded_at']}  {action['actor']}: {action['why']}{late}"))
        for name, pair in action["changed"].items():
            console.print(Text(f"{'':26}{name}: {_shown(pair['before'])} -> {_shown(pair['after'])}", style="dim"))
    for what in ("deliveries", "communications", "accesses"):
        if count := document.get(f"{what}_total", len(document.get(what, ()))):
            console.print(Text(f"{count} {what}: --json or -o FILE has them", style="dim"))
    console.print()


def _shown(value: Any) -> str:
    return "none" if value in (None, "") else str(value)
