"""``spillway stats``: figures of the records store: how many, how fast, what was missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.cluster import bootstrap_option, json_option
from pipeline.cli.incident_view import PRIORITY_STYLES
from pipeline.cli.records import line_console, read_records, records_url_option
from pipeline.cli.sink_ledger import cluster
from pipeline.cli.stats_maturity import span
from pipeline.cli.stats_orphans import compare, is_wrong, tell, to_json
from pipeline.cli.stats_period import PeriodAsked, answer, period_options
from pipeline.records.questions import figures, states
from pipeline.records.store import RecordsStore

STATES: Final = ("detected", "logged", "acknowledged", "in_progress", "resolved", "closed", "merged")

EXIT_ORPHANS: Final = 1

_COLUMNS: Final = (
    ("Incidents", "incidents"),
    ("Pages", "pages"),
    ("Reopened", "reopened"),
    ("Response missed", "response_missed"),
    ("Resolution missed", "resolution_missed"),
    ("Alerts", "alerts"),
    ("Median", "alerts_median"),
    ("Most", "alerts_max"),
)
_SPANS: Final = (
    ("MTTA median", "acknowledge_seconds_median"),
    ("p90", "acknowledge_seconds_p90"),
    ("MTTR median", "resolve_seconds_median"),
    ("p90", "resolve_seconds_p90"),
)


@click.command()
@click.option(
    "--orphans",
    "orphans_only",
    is_flag=True,
    help="Instead: prove that nothing is open in a sink whose incident is over. Exits 1 where something is.",
)
@period_options
@bootstrap_option
@records_url_option
@json_option
def stats(bootstrap: str | None, records_url: str | None, *, orphans_only: bool, as_json: bool, **asked: Any) -> None:
    """Figures of all incidents in the records store, or of a period beside the one before.

    MTTA and MTTR count from detection, as the service level clocks do: to the first acknowledgement, and to the
    resolution that holds. Bridge incidents are counted apart from their members. docs/analytics.md defines each figure.
    """
    if orphans_only:
        _orphans(bootstrap, as_json=as_json)
        return
    if any(asked.values()):
        answer(records_url, PeriodAsked(**asked), as_json=as_json)
        return
    document = read_records(records_url, gather)
    if as_json:
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    elif not document["all"]["incidents"] and not document["bridges"]:
        click.echo("No incidents.")
    else:
        _tell(line_console(), document)


def _orphans(bootstrap: str | None, *, as_json: bool) -> None:
    """Compare what is open outside with the incidents; exits 1 where a record is orphaned."""
    with cluster(bootstrap) as kafka:
        found, reads = compare(kafka)
    if as_json:
        click.echo(to_json(found, reads))
    else:
        tell(line_console(), found, reads)
    if any(map(is_wrong, found)):
        raise click.exceptions.Exit(EXIT_ORPHANS)


def gather(store: RecordsStore) -> dict[str, Any]:
    """All figures: ``all``, ``by_priority``, ``states`` (priority -> state -> count) and ``bridges`` (by state)."""
    rows = store.ask(figures)
    by_priority = {row["priority"] or "": row for row in rows if not row["is_all"]}
    whole = next(row for row in rows if row["is_all"])
    for row in rows:
        del row["priority"], row["is_all"]
    counted: dict[str, dict[str, int]] = {}
    bridges: dict[str, int] = {}
    for row in store.ask(states):
        where = bridges if row["kind"] == "bridge" else counted.setdefault(row["priority"] or "", {})
        state = row["state"] or ""
        where[state] = where.get(state, 0) + row["incidents"]
    return {"all": whole, "by_priority": by_priority, "states": counted, "bridges": bridges}


def _tell(console: Console, document: dict[str, Any]) -> None:
    console.print(_table_of_states(document))
    console.print()
    console.print(_table_of_figures(document))
    bridges = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(document["bridges"].items()))
    console.print(Text(f"\nBridge incidents: {bridges or 'none'}"))


def _table_of_states(document: dict[str, Any]) -> Table:
    counted: dict[str, dict[str, int]] = document["states"]
    shown = [state for state in STATES if any(state in each for each in counted.values())]
    table = plain_table("Incidents", [state.replace("_", " ") for state in shown])
    for priority in sorted(counted, key=_place(document)):
        by_state = counted[priority]
        table.add_row(_priority(priority), *(str(by_state.get(state) or "") for state in shown))
    sums = (sum(each.get(state, 0) for each in counted.values()) for state in shown)
    table.add_row("all", *map(str, sums))
    return table


def _table_of_figures(document: dict[str, Any]) -> Table:
    table = plain_table("", [heading for heading, _ in (*_SPANS, *_COLUMNS)])
    named = [(_priority(name), row) for name, row in document["by_priority"].items()]
    for name, row in [*named, (Text("all"), document["all"])]:
        spans = (span(row[field]) for _, field in _SPANS)
        table.add_row(name, *spans, *(_number(row[field]) for _, field in _COLUMNS))
    return table


def _place(document: dict[str, Any]) -> Callable[[str], int]:
    """Most urgent first: the order in which the figures of priorities come; those of bridge incidents alone last."""
    order = list(document["by_priority"])
    return lambda priority: order.index(priority) if priority in order else len(order)


def plain_table(first: str, headings: list[str]) -> Table:
    """A table of figures: a name, then columns of numbers."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(first)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _priority(name: str) -> Text:
    return Text(name or "none", PRIORITY_STYLES.get(name, ""))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
