"""``spillway capture``: record live topics to a file that `spillway replay` decides again.

Recorded is what came from outside: raw records, changes and commands. Ticks and the commands that the pipeline
gave itself are left out, because replay makes its own; but not the ticks from which on another configuration decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import click

from pipeline.cli.capture_spool import Spool
from pipeline.cli.cluster import bootstrap_option, client_config, read_settings
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.progress import progress
from pipeline.cli.redacting import redactor_of
from pipeline.core.step import StreamRecord
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.kafka.scan import Place, ScanError, Span, all_topics, scan, scan_spans, spans

BESIDE_RAW: Final = ("changes", "commands")
RECORDS_PER_LOOK: Final = 200
"""Between two updates of the bar."""


@click.command()
@bootstrap_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The recording. Written at the end, whole or not at all.",
)
@click.option("--from", "from_ms", type=MOMENT, help="Begin here: a time, a date, or how long ago (2h). Ends at --to.")
@click.option("--to", "to_ms", type=MOMENT, help="End before this time, which has passed; now unless given.")
@click.option("--from-beginning", is_flag=True, help="Start with the oldest records that are still there.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so many seconds.")
@click.option("--until-now", is_flag=True, help="Everything up to now, then stop; means --from-beginning.")
@click.option(
    "--redaction",
    "rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file that adds to what is redacted, or takes away.",
)
@click.option("--unredacted", is_flag=True, help="Keep people and secrets as they are.")
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
def capture(
    bootstrap: str | None,
    out: Path,
    from_ms: int | None,
    to_ms: int | None,
    from_beginning: bool,
    seconds: float | None,
    until_now: bool,
    rules: Path | None,
    unredacted: bool,
    topics: tuple[str, ...],
) -> None:
    """Record raw topics, changes and commands (or the named TOPICs) to a recording, without people and secrets.

    Without --from, --to, --seconds or --until-now it records until Ctrl-C, then writes what it has.
    """
    if problem := _problem(from_ms, to_ms, seconds, from_beginning=from_beginning, until_now=until_now):
        raise click.ClickException(problem)
    if unredacted and rules is not None:
        raise click.ClickException("give --redaction or --unredacted, not both")
    if not out.parent.is_dir():
        raise click.ClickException(f"there is no directory {out.parent}: make it, or give another --out")
    settings = read_settings(bootstrap)
    redactor = None if unredacted else redactor_of(settings, rules)
    client = client_config(settings)
    with closing(Spool(settings.topic_prefix, redactor)) as spool:
        try:
            chosen = _choose(all_topics(client), settings.topic_prefix, topics)
            if until_now or from_ms is not None or to_ms is not None:
                _take_span(client, spans(client, chosen, from_ms, to_ms), spool)
            else:
                _take_live(scan(client, chosen, from_beginning=from_beginning, until_now=False, seconds_max=seconds),
                           len(chosen), spool)  # fmt: skip
        except ScanError as error:
            raise click.ClickException(str(error)) from error
        with progress("writing", spool.records) as tell:
            written = spool.write(out, tell)
    hidden = "" if redactor is None else f"; {redactor.replaced} people and secrets replaced"
    click.echo(f"{written} records of {len(chosen)} topics in {out}{hidden}")


def _problem(
    from_ms: int | None, to_ms: int | None, seconds: float | None, *, from_beginning: bool, until_now: bool
) -> str | None:
    """What of the times does not go together, in one line."""
    if until_now and seconds is not None:
        return "give --seconds or --until-now, not both"
    if from_ms is None and to_ms is None:
        return None
    if from_beginning or until_now or seconds is not None:
        return "give --from and --to, or one of --from-beginning, --seconds and --until-now"
    if to_ms is not None and to_ms > now_ms():
        return "--to has not come yet: leave it out, or use --seconds to record what comes"
    if to_ms is not None and (from_ms or 0) >= to_ms:
        return "--from is not before --to: nothing would be recorded"
    return None


def _take_span(client: Mapping[str, Any], wanted: Mapping[Place, Span], spool: Spool) -> None:
    """Keep the records of some spans; their offsets tell how far reading has come."""
    done = dict.fromkeys(wanted, 0)
    with progress("reading", sum(end - first for first, end in wanted.values())) as tell:
        for number, record in enumerate(scan_spans(client, wanted), 1):
            at = record.topic, record.partition
            done[at] = record.offset + 1 - wanted[at][0]
            if number % RECORDS_PER_LOOK == 0:
                tell(sum(done.values()))
            spool.add(record)


def _take_live(records: Iterator[StreamRecord], topics: int, spool: Spool) -> None:
    """Keep records as they come, until they end or somebody interrupts."""
    with suppress(KeyboardInterrupt):
        click.echo(f"recording {topics} topics; stop with Ctrl-C", err=True)
        for record in records:
            spool.add(record)


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
