"""``spillway capture``: record live topics to a file that `spillway replay` decides again.

Recorded is what came from outside: raw records, changes and commands. Ticks and the commands that the pipeline
gave itself are left out, because replay makes its own; but not the ticks from which on another configuration decided.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import click
import orjson

from pipeline.cli.cluster import bootstrap_option, client_config, read_settings
from pipeline.core.desk import MACHINE
from pipeline.core.step import TICK_KEY, StreamRecord, named_version
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.kafka.scan import ScanError, all_topics, scan
from pipeline.recording import write_line

COMMANDS: Final = "commands"
BESIDE_RAW: Final = ("changes", COMMANDS)


@click.command()
@bootstrap_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The recording. Written at the end, whole or not at all.",
)
@click.option("--from-beginning", is_flag=True, help="Start with the oldest records that are still there.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so many seconds.")
@click.option("--until-now", is_flag=True, help="Everything up to now, then stop; means --from-beginning.")
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
def capture(
    bootstrap: str | None,
    out: Path,
    from_beginning: bool,
    seconds: float | None,
    until_now: bool,
    topics: tuple[str, ...],
) -> None:
    """Record raw topics, changes and commands (or the named TOPICs) to a recording.

    Without --seconds or --until-now it records until Ctrl-C, then writes what it has.
    """
    if until_now and seconds is not None:
        raise click.ClickException("give --seconds or --until-now, not both")
    if not out.parent.is_dir():
        raise click.ClickException(f"there is no directory {out.parent}: make it, or give another --out")
    settings = read_settings(bootstrap)
    # A private temporary database: a capture may be larger than memory, and is sorted at the end.
    client = client_config(settings)
    with closing(sqlite3.connect("")) as spool:
        spool.execute("CREATE TABLE record (at INTEGER, topic TEXT, part INTEGER, place INTEGER, line BLOB)")
        try:
            chosen = _choose(all_topics(client), settings.topic_prefix, topics)
            records = scan(
                client,
                chosen,
                from_beginning=from_beginning or until_now,
                until_now=until_now,
                seconds_max=seconds,
            )
            with suppress(KeyboardInterrupt):
                if not until_now:
                    click.echo(f"recording {len(chosen)} topics; stop with Ctrl-C", err=True)
                _spool(records, spool, settings.topic_prefix)
        except ScanError as error:
            raise click.ClickException(str(error)) from error
        written = _write(spool, out)
    click.echo(f"{written} records of {len(chosen)} topics in {out}")


def _choose(present: Mapping[str, tuple[int, ...]], prefix: str, named: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Topics on the wire to record, with their partitions."""
    if missing := [name for name in named if prefix + name not in present]:
        raise click.ClickException(f"there is no topic {prefix + missing[0]}: name topics as in alerts.raw.grafana")
    wanted = {prefix + name for name in named or BESIDE_RAW}
    chosen = {
        name: partitions
        for name, partitions in sorted(present.items())
        if name in wanted or (not named and name.startswith(prefix + RAW_TOPIC_PREFIX))
    }
    if not chosen:
        raise click.ClickException("there is nothing to record: make the topics with spillway topics apply")
    return chosen


def _spool(records: Iterable[StreamRecord], spool: sqlite3.Connection, prefix: str) -> None:
    """Keep each record with its place in arrival order.

    Within a partition arrival is the offset, whatever timestamps producers gave: time never goes back there.
    """
    reached: dict[tuple[str, int], int] = {}
    for wire in records:
        record = wire._replace(topic=wire.topic.removeprefix(prefix))
        if (record.key == TICK_KEY and named_version(record) is None) or _is_own_command(record):
            continue
        at = record.topic, record.partition
        reached[at] = max(reached.get(at, 0), record.timestamp)
        row = (reached[at], *at, record.offset, write_line(record))
        spool.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", row)


def _is_own_command(record: StreamRecord) -> bool:
    if record.topic != COMMANDS or record.value is None:
        return False
    try:
        command = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return False
    return isinstance(command, dict) and command.get("actor") == MACHINE


def _write(spool: sqlite3.Connection, out: Path) -> int:
    aside = out.with_name(f".{out.name}.part")
    written = 0
    try:
        with aside.open("wb") as file:
            for (line,) in spool.execute("SELECT line FROM record ORDER BY at, topic, part, place"):
                file.write(line)
                written += 1
        aside.replace(out)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise click.ClickException(f"cannot write {out}: {error.strerror}") from error
    return written
