"""The door's fuzzer: python -m tests.fuzz.door [--requests N] [--seed N] [--number N]

Sends requests of every scheme, whole and damaged, to a real gateway before a real Kafka, and says what became of them.
Ends with 0 where everything held, else with 1, the numbers of the cases that failed and the way to repeat them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.progress import Progress

from pipeline.kafka.embedded import EmbeddedKafka
from tests.fuzz.door.cases import case
from tests.fuzz.door.run import Tally, fuzz, served, told

REQUESTS_DEFAULT: Final = 100_000
FAILURES_SHOWN_MAX: Final = 20
PART: Final = 20_000
"""Cases between two looks into Kafka: what was accepted is kept in memory until then."""

SHOWN_BYTES_MAX: Final = 4_000


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.door", description="Fuzz the gateway's door.")
    parser.add_argument("--requests", type=int, default=REQUESTS_DEFAULT, help="how many connections' worth")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same requests")
    parser.add_argument("--number", type=int, help="this one case alone, shown with its answer")
    return parser.parse_args(arguments)


def run(requests: int, seed: int, bootstrap: str, place: Path, console: Console) -> tuple[list[Tally], float]:
    """All cases, in parts with topics of their own; what came of each part, and the most memory of the gateway."""
    tallies, peak = [], 0.0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("requests", total=requests)
        for begin in range(0, requests, PART):
            here = place / str(begin)
            here.mkdir()
            with served(bootstrap, f"door-{begin}.", here) as gateway:
                numbers = range(begin, min(requests, begin + PART))
                tallies.append(asyncio.run(fuzz(gateway, seed, numbers, lambda: progress.advance(task))))
                peak = max(peak, gateway.peak_mebibytes())
    return tallies, peak


def show_one(seed: int, number: int, bootstrap: str, place: Path, console: Console) -> int:
    """One case again: its bytes, the answer and what is wrong."""
    fuzzed, tally = case(seed, number), Tally()
    with served(bootstrap, "door-one.", place) as gateway:
        answer = asyncio.run(told(gateway.port, fuzzed.parts))
    tally.add(fuzzed, answer)
    console.print(fuzzed.raw[:SHOWN_BYTES_MAX], answer, sep="\n\n", markup=False, highlight=False)
    console.print("; ".join(what for _, _, what in tally.failures) or "holds", markup=False)
    return 1 if tally.failures else 0


def main() -> int:
    asked, console = parse(sys.argv[1:]), Console()
    with EmbeddedKafka() as broker, TemporaryDirectory(prefix="spillway-door-") as folder:
        if asked.number is not None:
            return show_one(asked.seed, asked.number, broker.bootstrap, Path(folder), console)
        began = time.monotonic()
        tallies, peak = run(asked.requests, asked.seed, broker.bootstrap, Path(folder), console)
        seconds = time.monotonic() - began
    failures = [failure for tally in tallies for failure in tally.failures]
    for number, door, what in failures[:FAILURES_SHOWN_MAX]:
        console.print(f"{number}: {door}: {what}", markup=False, soft_wrap=True)
    statuses = {
        status: sum(tally.statuses[status] for tally in tallies) for tally in tallies for status in tally.statuses
    }
    good = sum(tally.good for tally in tallies)
    kept = sum(each.total() for tally in tallies for each in tally.kept.values())
    console.print(
        f"seed {asked.seed}: {asked.requests:,} cases in {seconds:.0f} s, {good:,} of them good; "
        f"{len(failures)} failed; answers by status {dict(sorted(statuses.items()))}, 0 is closed without one; "
        f"{kept:,} records in Kafka with their bytes; gateway {peak:.0f} MiB at most",
        markup=False,
        soft_wrap=True,
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
