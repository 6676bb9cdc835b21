"""``spillway audit``: an incident's timeline as an audit for others to keep, and whether anybody changed it since."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.text import Text

from pipeline.cli.cluster import json_option
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.records import line_console, read_records, records_url_option
from pipeline.records.audit import AuditError, Trail, broken_in, ids_between, read_trail
from pipeline.records.store import RecordsStore

EXIT_BROKEN: Final = 1
"""Exit code of ``verify`` where a chain does not hold."""

AUDIT_BYTES_MAX: Final = 256 << 20
"""Of a file to verify: a hundred thousand actions, with room; what is larger is no audit of one incident."""


@click.group()
def audit() -> None:
    """Export the timeline of incidents as an audit, and verify that nobody has changed it."""


@audit.command()
@click.argument("incident_ids", nargs=-1, metavar="[INCIDENT]...")
@click.option("--from", "from_ms", type=MOMENT, help="Instead of incidents: those that were opened from then on.")
@click.option("--to", "to_ms", type=MOMENT, help="With --from: and before then; default: now.")
@records_url_option
@json_option
def export(
    incident_ids: tuple[str, ...], from_ms: int | None, to_ms: int | None, records_url: str | None, *, as_json: bool
) -> None:
    """Every action on incidents: who, what, when it happened and when it went on record, why, before and after.

    With --json, one line an incident, which holds all that 'spillway audit verify FILE' needs, also years later.
    """
    if bool(incident_ids) == (from_ms is not None):
        raise click.UsageError("name incidents, or a span of time with --from")

    def trails(store: RecordsStore) -> int:
        ids = incident_ids if from_ms is None else ids_between(store, from_ms, now_ms() if to_ms is None else to_ms)
        for incident_id in ids:
            document = _trail(store, incident_id).document()
            if as_json:
                click.echo(orjson.dumps(document))
            else:
                tell(line_console(), document)
        return len(ids)

    if not read_records(records_url, trails):
        click.echo("No incident was opened in that time.", err=True)


@audit.command()
@click.argument("incident_ids", nargs=-1, metavar="[INCIDENT]...")
@click.option(
    "--file",
    "exported",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What 'spillway audit export --json' wrote: verify that, without a records store.",
)
@click.option("--against-store", is_flag=True, help="With --file: and that the records store still tells the same.")
@records_url_option
@click.pass_context
def verify(
    context: click.Context,
    incident_ids: tuple[str, ...],
    exported: Path | None,
    records_url: str | None,
    *,
    against_store: bool,
) -> None:
    """Whether the chain of seals holds. Exit code 1 where one does not."""
    if bool(incident_ids) == (exported is not None):
        raise click.UsageError("name incidents of the records store, or a file with --file")
    if exported is not None:
        documents = _documents(exported)
        broken = sum(_verify_document(document) for document in documents)
        if against_store:
            broken += read_records(records_url, lambda store: sum(_differs(store, each) for each in documents))
    else:
        broken = read_records(records_url, lambda store: sum(_verify(store, each) for each in incident_ids))
    context.exit(EXIT_BROKEN if broken else 0)


def _trail(store: RecordsStore, incident_id: str) -> Trail:
    trail = read_trail(store, incident_id)
    if trail is None:
        raise click.ClickException(f"the records store knows of no incident {incident_id}")
    return trail


def _verify(store: RecordsStore, incident_id: str) -> bool:
    trail = _trail(store, incident_id)
    return _say(incident_id, trail.broken(), len(trail.sealed), trail.unsealed)


def _documents(exported: Path) -> list[dict[str, Any]]:
    if exported.stat().st_size > AUDIT_BYTES_MAX:
        raise click.ClickException(f"{exported}: more than {AUDIT_BYTES_MAX >> 20} MiB; split it, one line an incident")
    try:
        return [orjson.loads(line) for line in exported.read_bytes().splitlines() if line.strip()]
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"{exported}: not what 'spillway audit export --json' writes: {error}") from None


def _verify_document(document: dict[str, Any]) -> bool:
    try:
        broken = broken_in(document)
        incident_id = str(document["incident"]["id"])
    except (AuditError, KeyError, TypeError) as error:
        raise click.ClickException(str(error)) from None
    return _say(incident_id, broken, len(document["revisions"]), document.get("unsealed_revisions", 0))


def _differs(store: RecordsStore, document: dict[str, Any]) -> bool:
    """Whether the store tells another story than a document that was exported from it once."""
    incident_id = document["incident"]["id"]
    now = {each.revision: each.seal for each in _trail(store, incident_id).sealed}
    for each in document["revisions"]:
        if now.get(each["revision"]) != each["seal"]:
            click.echo(f"{incident_id}: revision {each['revision']} in the records store is another one now")
            return True
    click.echo(f"{incident_id}: the records store tells the same")
    return False


def _say(incident_id: str, broken: Any, sealed: int, unsealed: int) -> bool:
    older = f", {unsealed} of an older release are not sealed" if unsealed else ""
    if broken is None:
        click.echo(f"{incident_id}: intact, {sealed} revisions{older}")
        return False
    click.echo(f"{incident_id}: NOT intact at revision {broken.revision}: {broken.what}")
    return True


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
    console.print()


def _shown(value: Any) -> str:
    return "none" if value in (None, "") else str(value)
