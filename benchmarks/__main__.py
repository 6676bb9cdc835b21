"""``python -m benchmarks [PART...] [--quick|--full]``: measure, compare with the bars, make the table.

Each result is one JSON line on standard output and in the results file; progress is on standard error.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException

from benchmarks import bars, table
from benchmarks.results import FILE_DEFAULT, BenchmarkError, Results, broken_off_run, say

PARTS: Final[dict[str, str]] = {
    "core": "benchmarks.core",
    "state": "benchmarks.state",
    "pipeline": "benchmarks.pipeline",
    "peers": "benchmarks.peers.run",
    "alertmanager": "benchmarks.alertmanager",
    "latency": "benchmarks.latency",
    "scale": "benchmarks.scale",
    "recovery": "benchmarks.recovery",
    "storm": "benchmarks.storm",
    "gateway": "benchmarks.gateway",
    "sinks": "benchmarks.sinks",
    "console": "benchmarks.console",
}
"""Part -> its module, whose ``run(results)`` measures; in the order in which all of them run."""

RUNS: Final = {"quick": 1, "full": 3}

MINUTES: Final[dict[str, dict[str, float]]] = {
    "quick": {
        "core": 0.2,
        "state": 0.7,
        "pipeline": 1.5,
        "peers": 4,
        "alertmanager": 0.6,
        "latency": 1,
        "scale": 2,
        "recovery": 3.5,
        "storm": 2.5,
        "gateway": 0.6,
        "sinks": 1.2,
        "console": 2,
    },
    "full": {
        "core": 6,
        "state": 4,
        "pipeline": 8,
        "peers": 20,
        "alertmanager": 3,
        "latency": 6,
        "scale": 9,
        "recovery": 10,
        "storm": 45,
        "gateway": 4,
        "sinks": 21,
        "console": 12,
    },
}
"""About how long each part takes on two quiet cores, for the progress."""

TRUSTED_MINUTES: Final = 5.0
"""These estimates weigh as much as so many minutes that were measured: one short part proves little."""


def main() -> int:
    """Run what is asked for. Exit code 1: a bar is not met; 2: a part could not be measured, the others were."""
    arguments = parse()
    parts = [part for part in PARTS if {"all", part} & set(arguments.parts)]
    mode = "full" if arguments.full else "quick"
    results = Results(arguments.results, mode=mode, runs=arguments.runs or RUNS[mode], keep=arguments.keep)
    if arguments.resume and (broken_off := broken_off_run(results)):
        results.run, done = broken_off
        say(f"going on with run {results.run}, which has {', '.join(sorted(done)) or 'nothing'}")
        parts = [part for part in parts if part not in done]
    elif parts:
        results.add_machine()
    failed = measured_all(parts, results)
    if "table" in arguments.parts:
        table.write(arguments.results, arguments.readme)
    below = bars.report(arguments.results) if {"all", "check"} & set(arguments.parts) else 0
    return 2 if failed else below


def measured_all(parts: list[str], results: Results) -> list[str]:
    """Measure parts in turn, and say how long it will take; those that could not be measured."""
    expected, began, failed, pace = MINUTES[results.mode], time.monotonic(), [], 1.0
    for number, part in enumerate(parts):
        left = sum(expected[each] for each in parts[number:]) * pace
        say(f"{part}: part {number + 1} of {len(parts)}, about {left:.0f} minutes left")
        if not measured(part, results):
            failed.append(part)
        spent, planned = (time.monotonic() - began) / 60, sum(expected[each] for each in parts[: number + 1])
        pace = (TRUSTED_MINUTES + spent) / (TRUSTED_MINUTES + planned)
    return failed


def measured(part: str, results: Results) -> bool:
    """Measure one part; whether that went well."""
    measure: Callable[[Results], None] = import_module(PARTS[part]).run
    try:
        measure(results)
    except (BenchmarkError, KafkaException) as error:
        say(f"{part}: not measured: {error}")
        return False
    return True


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", default=["all"], type=known, metavar="PART", help=help_text())
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="one short run of each (default)")
    length.add_argument("--full", action="store_true", help="three long runs of each, for published numbers")
    parser.add_argument("--resume", action="store_true", help="go on with the last run, if it was of the same commit")
    parser.add_argument("--runs", type=int, default=0, help="how often each is measured")
    parser.add_argument("--results", type=Path, default=FILE_DEFAULT, help="results file (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="where the console's store stays, to be used again")
    parser.add_argument("--readme", type=Path, default=table.README, help="where the table goes")
    return parser.parse_args()


def known(part: str) -> str:
    """A part that there is."""
    if part not in {"all", *PARTS, "check", "table"}:
        raise argparse.ArgumentTypeError(f"no part {part!r}; {help_text()}")
    return part


def help_text() -> str:
    """What parts there are."""
    return f"all (default), {', '.join(PARTS)}; check: compare with the bars; table: into the README"


if __name__ == "__main__":
    sys.exit(main())
