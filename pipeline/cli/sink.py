"""``spillway sink``: how the sinks stand, what is open there, and what to do where something is stuck."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson

from pipeline.cli.actor import user_name
from pipeline.cli.cluster import bootstrap_option, json_option
from pipeline.cli.moments import now_ms
from pipeline.cli.progress import progress
from pipeline.cli.records import line_console
from pipeline.cli.sink_check import test
from pipeline.cli.sink_ledger import cluster, config_option, known_sink, sinks_config
from pipeline.cli.sink_reconcile import reconcile
from pipeline.cli.sink_send import retry_update, send_updates
from pipeline.cli.sink_view import sink_lines, tell_entries, tell_entry, tell_sinks
from pipeline.kafka.ledger import read_deliveries, topic_size
from pipeline.models.delivery import DELIVERIES_TOPIC
from pipeline.models.ledger import LedgerEntry
from pipeline.models.remote import EVERY

LIMIT_DEFAULT: Final = 100
_INDENTED: Final = orjson.OPT_INDENT_2


@click.group()
def sink() -> None:
    """List and show sinks; retry what was given up, reconcile what has drifted, test credentials.

    All but `test` read the ledger, the topic deliveries.state: what is open in each sink for each incident.
    """


@sink.command("list")
@bootstrap_option
@config_option
@json_option
def list_sinks(bootstrap: str | None, directory: Path | None, *, as_json: bool) -> None:
    """All sinks: what waits, what was given up, what is open there, and the last outcome."""
    with cluster(bootstrap) as kafka:
        lines = sink_lines(sinks_config(kafka.settings, directory).sinks, kafka.ledger())
    now = now_ms()
    if as_json:
        click.echo(orjson.dumps([each.document(now) for each in lines], option=_INDENTED))
    elif lines:
        tell_sinks(line_console(), lines, now)
    else:
        click.echo("No sinks: sinks.yaml has none, and nothing was ever delivered.")


@sink.command()
@click.argument("name", metavar="SINK")
@click.argument("incident_id", metavar="[INCIDENT]", required=False)
@click.option("--all", "with_ended", is_flag=True, help="Also those that have ended there and here.")
@click.option("--limit", type=click.IntRange(1), default=LIMIT_DEFAULT, show_default=True, help="How many at most.")
@bootstrap_option
@config_option
@json_option
def show(
    name: str,
    incident_id: str | None,
    limit: int,
    bootstrap: str | None,
    directory: Path | None,
    *,
    with_ended: bool,
    as_json: bool,
) -> None:
    """Incidents at one sink, those with trouble first; with INCIDENT all that it was told and all that came back."""
    with cluster(bootstrap) as kafka:
        entries = kafka.ledger()
        known_sink(name, sinks_config(kafka.settings, directory), entries)
        entries = [each for each in entries if each.sink == name]
        if incident_id is not None:
            entry = _entry(entries, name, incident_id)
            topic = kafka.wire(DELIVERIES_TOPIC)
            with progress("reading deliveries", topic_size(kafka.client, topic)) as seen:
                found = read_deliveries(kafka.client, topic, incident_id, seen)
            _show_one(entry, [each for each in found if each.get("sink") == name], as_json=as_json)
            return
    chosen = sorted((each for each in entries if with_ended or _is_alive(each)), key=_trouble_first)
    if as_json:
        click.echo(orjson.dumps([each.to_wire() for each in chosen[:limit]], option=_INDENTED))
    elif chosen:
        tell_entries(line_console(), chosen[:limit])
        if len(chosen) > limit:
            click.echo(f"{len(chosen) - limit:,} more: raise --limit")
    else:
        click.echo(f"Nothing is open at {name} and nothing waits for it." if not with_ended else "Nothing is known.")


def _entry(entries: list[LedgerEntry], name: str, incident_id: str) -> LedgerEntry:
    found = next((each for each in entries if each.incident_id == incident_id), None)
    if found is None:
        raise click.ClickException(
            f"sink {name} was never told of incident {incident_id}, or all about it has ended: "
            f"see `spillway sink show {name} --all`"
        )
    return found


def _is_alive(entry: LedgerEntry) -> bool:
    return bool(entry.is_open_there or entry.waiting or entry.parked or entry.reason)


def _trouble_first(entry: LedgerEntry) -> tuple[Any, ...]:
    return not entry.orphan, not entry.parked, not entry.waiting, entry.incident_id


def _show_one(entry: LedgerEntry, records: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps({"entry": entry.to_wire(), "records": records}, option=_INDENTED))
    else:
        tell_entry(line_console(), entry, records)


@sink.command()
@click.option("--sink", "name", help="Only at this sink.")
@click.option("--incident", "incident_id", help="Only of this incident.")
@click.option("--all", "everything", is_flag=True, help="At all sinks and of all incidents.")
@click.option("--actor", help="Who asks; default: your user name.")
@bootstrap_option
@config_option
@json_option
def retry(
    name: str | None,
    incident_id: str | None,
    actor: str | None,
    bootstrap: str | None,
    directory: Path | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Send again what was given up or is contested, and what waits for its next attempt: now.

    It takes effect a moment later, in the order of each incident.
    """
    if everything == bool(name or incident_id):
        raise click.ClickException("say which: --sink SINK, --incident INCIDENT or both; or --all")
    with cluster(bootstrap) as kafka:
        entries = kafka.ledger()
        if name is not None:
            known_sink(name, sinks_config(kafka.settings, directory), entries)
        chosen = [
            each
            for each in entries
            if (name in (None, each.sink) and incident_id in (None, each.incident_id)) and _can_be_retried(each)
        ]
        if chosen:
            send_updates(kafka, [retry_update(name or EVERY, incident_id or EVERY, actor or user_name())])
    sinks, incidents = sorted({each.sink for each in chosen}), len({each.incident_id for each in chosen})
    parked, waiting = sum(each.parked for each in chosen), sum(each.waiting for each in chosen)
    if as_json:
        counts = {"incidents": incidents, "sinks": sinks, "parked": parked, "waiting": waiting}
        click.echo(orjson.dumps(counts, option=_INDENTED))
    elif not chosen:
        click.echo("Nothing to retry: nothing was given up, and nothing waits.")
    else:
        what = f"{parked} parked and {waiting} waiting deliveries of {incidents} incidents"
        click.echo(f"asked: {what} at {', '.join(sinks)} are sent again")


def _can_be_retried(entry: LedgerEntry) -> bool:
    return bool(entry.parked or entry.waiting or entry.contested or entry.reason)


sink.add_command(reconcile)
sink.add_command(test)
