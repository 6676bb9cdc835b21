"""The fuzzer: python -m tests.fuzz [--records N] [--seed N] [--adapter NAME] [--number N]

Damages the samples of all sources, sends them through the real ingest stage and the stages after it, and says what
became of them. Ends with 0 where everything held, else with 1, the numbers of the records that failed and the way to
repeat them.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.feeds import ADAPTERS
from tests.fuzz.bench import PIPELINE_RECORDS, Bench
from tests.fuzz.mutants import SEEDS, Mutant, Seed, mutant

RECORDS_DEFAULT: Final = 100_000
FAILURES_SHOWN_MAX: Final = 20
STEP: Final = 500
"""Records between two moves of the bar."""

TABLE_CHARACTERS: Final = 110
VALUE_CHARACTERS_SHOWN_MAX: Final = 4_000

Failure = tuple[int, str, str]
"""Number, sample and adapter, and what was wrong."""


def attempt(bench: Bench, damaged: Mutant) -> Failure | None:
    """Send one mutant through; what went wrong, if anything."""
    where = f"{damaged.sample} in {damaged.feed.name}"
    try:
        problems = bench.problems(damaged)
    except Exception as error:  # noqa: BLE001 any exception is a finding, and the rest shall go on
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return damaged.number, where, f"{type(error).__name__} at {frame.filename}:{frame.lineno}: {error}"[:300]
    return (damaged.number, where, "; ".join(problems)[:300]) if problems else None


def run(records: int, seed: int, seeds: Sequence[Seed], console: Console) -> tuple[Bench, list[Failure]]:
    """All mutants of a run, with a bar."""
    bench, failures = Bench(), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("fuzzing", total=records)
        for number in range(records):
            if failure := attempt(bench, mutant(seed, number, seeds)):
                failures.append(failure)
            if number % STEP == STEP - 1:
                progress.update(task, completed=number + 1, description=f"fuzzing, {len(failures)} failed")
    return bench, failures


def table(bench: Bench) -> Table:
    """What became of the records, by adapter and reason."""
    reasons = sorted({reason for _, reason in bench.tally.refused})
    shown = Table(box=None, header_style="bold")
    shown.add_column("adapter", no_wrap=True)
    for title in ("messages", "alerts", *reasons):
        shown.add_column(title.replace("_", "\n"), justify="right")
    for adapter in sorted(bench.tally.records):
        counts = (bench.tally.records[adapter], bench.tally.alerts[adapter])
        refused = (bench.tally.refused[adapter, reason] for reason in reasons)
        shown.add_row(adapter, *(f"{count:,}" if count else "." for count in (*counts, *refused)))
    return shown


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--records", type=int, default=RECORDS_DEFAULT, help="how many damaged messages")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same messages")
    parser.add_argument("--adapter", action="append", choices=sorted(ADAPTERS), help="its samples alone; repeatable")
    parser.add_argument("--number", type=int, help="this one message alone, shown with what came of it")
    return parser.parse_args(arguments)


def show_one(seed: int, number: int, seeds: Sequence[Seed], console: Console) -> int:
    """One mutant again: its bytes and what is wrong, with the traceback of a crash."""
    damaged = mutant(seed, number, seeds)
    console.print(f"{damaged.sample} in {damaged.feed.name}, headers {damaged.headers!r}", markup=False)
    console.print(damaged.value.decode(errors="backslashreplace")[:VALUE_CHARACTERS_SHOWN_MAX], markup=False)
    bench = Bench()
    for before in range(number - number % PIPELINE_RECORDS, number):  # what the stages after ingest knew by then
        attempt(bench, mutant(seed, before, seeds))
    problems = bench.problems(damaged)
    console.print("\n".join(problems) or "holds", markup=False)
    return 1 if problems else 0


def main() -> int:
    arguments = parse(sys.argv[1:])
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_CHARACTERS)
    seeds = [seed for seed in SEEDS if not arguments.adapter or seed.feed.adapter in arguments.adapter]
    if arguments.number is not None:
        return show_one(arguments.seed, arguments.number, seeds, console)
    begin = time.monotonic()
    bench, failures = run(arguments.records, arguments.seed, seeds, console)
    seconds = time.monotonic() - begin
    console.print(table(bench))
    only = "".join(f" --adapter {name}" for name in arguments.adapter or ())
    for number, where, what in failures[:FAILURES_SHOWN_MAX]:
        console.print(f"{number}: {where}: {what}", markup=False, soft_wrap=True)
    again = f'make fuzz ARGS="--seed {arguments.seed}{only}' + (f' --number {failures[0][0]}"' if failures else '"')
    ledger, slowest = bench.ingest.ledger, bench.tally.slowest
    console.print(
        f"seed {arguments.seed}: {arguments.records:,} messages of {len(seeds)} samples in {seconds:.1f} s; "
        f"{len(failures)} failed; ledger: {ledger.received:,} received, {ledger.remainder()} unaccounted for; "
        f"slowest: number {slowest[1]:,} with {slowest[0] * 1_000:.0f} ms. "
        f"Again: {again}",
        markup=False,
        soft_wrap=True,
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
