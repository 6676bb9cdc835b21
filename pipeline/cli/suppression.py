"""``spillway suppression``: what was hidden from people, by what, for how long, and who was not called for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.text import Text

from pipeline.cli.cluster import json_option
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.recorded import recording_options
from pipeline.cli.records import environment_settings, line_console, read_records, records_url_option
from pipeline.cli.replay import read_config
from pipeline.cli.stats import plain_table
from pipeline.cli.stats_maturity import span
from pipeline.core.outward.told import read_suppression
from pipeline.core.step import Effects, Processor, StreamRecord
from pipeline.models.suppression import SUPPRESSIONS_TOPIC, Ended, Suppression, What
from pipeline.recording import RecordingError, read_recording
from pipeline.records.hidden_report import LATER_MS, Begun, report
from pipeline.records.store import RecordsStore
from pipeline.records.suppressions import begun_between, between
from pipeline.replay import Replay, UnknownVersionError

INCIDENTS: Final = "incidents"
WEEK_MS: Final = 7 * 24 * 60 * 60 * 1_000
ROWS_MAX: Final = 15
"""Conditions, feeds and services in a table; JSON has more."""

_WHAT: Final[dict[str, str]] = {
    What.REPEATS: "repeats",
    What.FLAPPING: "flapping",
    What.TRANSIENT: "possible transients",
    What.MAINTENANCE: "maintenance",
    What.MIN_COUNT: "a rule's count",
    What.CHRONIC: "chronic, ranked lower",
    What.SILENCED: "silences",
    What.INHIBITED: "inhibition",
}


@click.command()
@click.option("--from", "from_ms", type=MOMENT, help="What ended from then on; default: seven days ago.")
@click.option("--to", "to_ms", type=MOMENT, help="What ended before then; default: now.")
@records_url_option
@recording_options("report on that")
@json_option
def suppression(
    from_ms: int | None,
    to_ms: int | None,
    records_url: str | None,
    recording: Path | None,
    config_dirs: tuple[Path, ...],
    run_on: int,
    *,
    as_json: bool,
) -> None:
    """What was hidden from people, by what and for how long; who was not called; and what was real after all.

    What is hidden counts when that ends. Pages are those that the policy in force would have made at the opening of the
    incident that was not opened.
    """
    if recording is not None:
        document = of_recording(recording, config_dirs, run_on, from_ms or 0, to_ms)
    else:
        until_ms = now_ms() if to_ms is None else to_ms
        since_ms = until_ms - WEEK_MS if from_ms is None else from_ms
        document = read_records(records_url, lambda store: of_store(store, since_ms, until_ms))
    if as_json:
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    elif document["all"] is None:
        click.echo("Nothing was hidden.")
    else:
        tell(line_console(), document)


def of_store(store: RecordsStore, from_ms: int, to_ms: int) -> dict[str, Any]:
    """The report from the records store."""
    begun = store.ask(lambda connection: list(begun_between(connection, from_ms, to_ms + LATER_MS)))
    return store.ask(lambda connection: report(between(connection, from_ms, to_ms), begun))


def of_recording(
    recording: Path, config_dirs: tuple[Path, ...], run_on: int, from_ms: int, to_ms: int | None
) -> dict[str, Any]:
    """The report of a recording that is decided again.

    Raises:
        click.ClickException: the recording or a configuration cannot be used.
    """
    told = _Told(from_ms, to_ms)
    configs = map(read_config, config_dirs or [environment_settings().config_dir])
    try:
        with recording.open("rb") as lines:
            Replay(*configs, watch=told, keep=False).run(read_recording(lines, recording.name), run_on_seconds=run_on)
    except (RecordingError, UnknownVersionError) as error:
        raise click.ClickException(str(error)) from error
    return report(told.hidden, told.begun.values())


class _Told:
    """Looks on while a recording is decided, and keeps what the report needs: all events fit into no memory.

    Attributes:
        hidden: what was hidden, in the order in which that ended.
        begun: incidents by id.
    """

    def __init__(self, from_ms: int, to_ms: int | None) -> None:
        self._from_ms, self._to_ms = from_ms, to_ms
        self.hidden: list[Suppression] = []
        self.begun: dict[str, Begun] = {}

    def __call__(self, processor: Processor, record: StreamRecord, effects: Effects) -> None:
        """One record, the processor that handled it, and what came of it."""
        for output in effects.outputs:
            if output.topic == SUPPRESSIONS_TOPIC:
                self._hide(StreamRecord(output.topic, 0, 0, output.timestamp_ms, output.key, output.value))
            elif output.topic == INCIDENTS:
                incident = orjson.loads(output.value or b"{}")["incident"]
                if incident["kind"] == "incident":
                    self.begun[incident["id"]] = incident["id"], incident["detected_at_ms"], incident["entities"]

    def _hide(self, record: StreamRecord) -> None:
        told = read_suppression(record)
        if self._from_ms <= told.until_ms and (self._to_ms is None or told.until_ms < self._to_ms):
            self.hidden.append(told)


def tell(console: Console, document: dict[str, Any]) -> None:
    """The report for people."""
    whole = document["all"]
    people = ", ".join(f"{name} {count}" for name, count in list(whole["people"].items())[:ROWS_MAX])
    spared = f"{whole['pages']:,} calls were spared" + (f": {people}" if people else "")
    console.print(Text(f"{whole['alerts']:,} alerts were hidden; {spared}."))
    console.print()
    named = {_WHAT[what]: each for what, each in document["by_what"].items()}
    _sums(console, "Hidden by", named)
    _sums(console, "Feed", document["by_feed"])
    _sums(console, "Service", document["by_service"])
    _conditions(console, document["conditions"])
    if document["let_in_by"]:
        said = (
            f"{each['times']} by {why} after {span(each['seconds_median'])}"
            for why, each in document["let_in_by"].items()
        )
        console.print(Text(f"Held and let in (half of them waited no longer): {'; '.join(said)}."))
    _silences(console, document["silences"])
    _later(console, document)


def _silences(console: Console, silences: list[dict[str, Any]]) -> None:
    """What each silence hid, and whom it kept from being called: whoever owns it should know."""
    for each in silences[-ROWS_MAX:]:
        worst = ", ".join(f"{count} {priority}" for priority, count in each["priorities"].items()) or "nothing"
        state = "in force" if each["ended"] == Ended.ON else "over"
        said = f"Silence {each['id']} of {each['owner']} ({each['reason']}), {state}: hid {worst}"
        console.print(Text(f"{said}; {each['would_page']} would have been called; {each['firing']} fired at its end."))


def _sums(console: Console, first: str, sums: dict[str, dict[str, Any]]) -> None:
    table = plain_table(first, ["Times", "Alerts", "Runs", "Untold", "Let in", "Calls spared", "Median", "Longest"])
    for name, each in list(sums.items())[:ROWS_MAX]:
        counts = (each[key] for key in ("times", "alerts", "runs", "untold", "let_in", "pages"))
        spans = (span(each[key]) for key in ("seconds_median", "seconds_max"))
        table.add_row(Text(_short(name)), *map(str, counts), *spans)
    console.print(table)
    _left_out(console, len(sums), "spillway suppression --json has all")


def _conditions(console: Console, conditions: list[dict[str, Any]]) -> None:
    table = plain_table("Condition", ["Alerts", "Runs", "Calls spared", "Longest"])
    table.add_column("By")
    table.add_column("What it says")
    for each in conditions[:ROWS_MAX]:
        by = ", ".join(f"{what} {count}" if count else what for what, count in each["by"].items())
        counts = (str(each[key]) for key in ("alerts", "runs", "pages"))
        said = f"{_short(each['service'] or each['entity'] or '')}: {each['summary']}"
        table.add_row(Text(each["alert_key"][:16]), *counts, span(each["seconds_max"]), Text(by), Text(said))
    console.print(table)
    _left_out(console, len(conditions), "spillway suppression --json names up to a hundred")


def _later(console: Console, document: dict[str, Any]) -> None:
    total = document["later_total"]
    if not total:
        return
    console.print(f"{total} that nobody was told of may have been the beginning of an incident on the same thing:")
    for each in document["later"][-ROWS_MAX:]:
        before = span(each["seconds_before"])
        said = f"  {each['incident_id']}  {before} before it, {_WHAT[each['what']]}: {each['summary']}"
        console.print(Text(f"{said} ({_short(each['entity'])})"))


def _left_out(console: Console, count: int, where: str) -> None:
    if count > ROWS_MAX:
        console.print(f"... and {count - ROWS_MAX} more; {where}")
    console.print()


def _short(name: str) -> str:
    return name.rpartition("/")[2] or name or "unknown"
