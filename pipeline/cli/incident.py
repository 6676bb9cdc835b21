"""``spillway incident``: look at incidents in the records store, and ask the pipeline to change them.

What changes an incident goes as a command through Kafka, like everything else; so it is accepted here and takes
effect a moment later, in its order, with its place in the timeline.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
import orjson

from pipeline.cli.cluster import bootstrap_option
from pipeline.cli.filters import filter_options, filters_of
from pipeline.cli.incident_end import END
from pipeline.cli.incident_major import MAJOR
from pipeline.cli.incident_response import RESPONSE
from pipeline.cli.incident_view import list_incidents, show_incident
from pipeline.cli.records import line_console, read_records, records_url_option
from pipeline.cli.sink_ledger import cluster
from pipeline.models.ledger import LedgerEntry
from pipeline.records.reading.listing import snapshots
from pipeline.records.store import LIST_MAX

_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group()
def incident() -> None:
    """List and show incidents; acknowledge, assign, wait, mitigate, resolve, close, merge, split, link."""


@incident.command("list")
@click.option("--all", "with_closed", is_flag=True, help="Closed and merged incidents, too.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=100, show_default=True, help="How many at most.")
@filter_options
@records_url_option
@_json
def list_(with_closed: bool, limit: int, records_url: str | None, as_json: bool, **asked: Any) -> None:
    """List incidents that are open, the newest first; options narrow it."""
    filters = filters_of(asked)
    if not with_closed and not filters.state and filters.open is None:
        filters = replace(filters, open=True)
    found = read_records(records_url, lambda store: store.ask(lambda c: snapshots(c, None, filters, limit)))
    if as_json:
        for each in found:
            click.echo(orjson.dumps(each))
    elif found:
        list_incidents(line_console(), found)
    else:
        click.echo("No incidents." if with_closed else "No open incidents.")


@incident.command()
@click.argument("incident_id")
@click.option("--sinks", "with_sinks", is_flag=True, help="Also what the ledger of deliveries has of it; needs Kafka.")
@bootstrap_option
@records_url_option
@_json
def show(incident_id: str, bootstrap: str | None, records_url: str | None, *, with_sinks: bool, as_json: bool) -> None:
    """Show an incident: what, who is affected, why this priority, its records elsewhere, and its timeline."""
    found = read_records(records_url, lambda store: (store.incident(incident_id), store.timeline(incident_id)))
    snapshot, timeline = found
    if snapshot is None:
        raise click.ClickException(
            f"no incident {incident_id} in the records store: see `spillway incident list --all`"
        )
    ledger = _ledger(bootstrap, incident_id) if with_sinks else []
    if as_json:
        click.echo(orjson.dumps(snapshot | ({"deliveries": [each.to_wire() for each in ledger]} if with_sinks else {})))
    else:
        show_incident(line_console(), snapshot, timeline, ledger)


def _ledger(bootstrap: str | None, incident_id: str) -> list[LedgerEntry]:
    with cluster(bootstrap) as kafka:
        return [each for each in kafka.ledger() if each.incident_id == incident_id]


for _each in (*RESPONSE, *MAJOR, *END):
    incident.add_command(_each)
