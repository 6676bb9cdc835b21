"""``python -m benchmarks.quality --data FOLDER``: every method on the same streams, as tables with intervals.

Without more it measures development worlds (seeds 1 to 999), which anybody may tune by and nobody may publish.
``--test`` measures test worlds (from 1,001 on) and real data, draws the plots, and says whether the bars are met:
exit code 1 where one is missed or was not measured. ``make quality`` is that.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console

from benchmarks import machine
from benchmarks.quality.bars import outcomes
from benchmarks.quality.days import Row
from benchmarks.quality.faults import LEVELS
from benchmarks.quality.fit import real_rows, simulated_rows
from benchmarks.quality.large import LEVEL as LARGE
from benchmarks.quality.page import compared, publish, write, write_plots
from benchmarks.quality.report import sheets
from benchmarks.quality.run import Task, run
from benchmarks.quality.seeds import Purpose, SeedError, first, require
from benchmarks.quality.splice import ROUNDS

DATA_VARIABLE: Final = "QUALITY_DATA"
RESULTS: Final = Path(".spillway/quality.jsonl")
DAYS: Final = 20
SPLICES: Final = 30
FITTED: Final = 5
"""Days that are compared with the real faults."""
WIDTH_CHARACTERS: Final = 200
"""Tables are wide; without a terminal they are not cut."""


def main() -> int:
    """Run, print, and say whether the bars are met."""
    parser = _parser()
    asked = parser.parse_args()
    graphs, alerts = _data(parser, asked)
    purpose = Purpose.TEST if asked.test else Purpose.DEVELOPMENT
    try:
        seeds = (
            require(asked.seeds, purpose) if asked.seeds else first(asked.days or (DAYS if asked.test else 3), purpose)
        )
    except SeedError as error:
        parser.error(str(error))
    tasks = [Task(graphs, seed, level, asked.hours) for level in asked.levels for seed in seeds]
    splices = asked.splices if asked.splices is not None else SPLICES * asked.test
    if splices and alerts is not None:
        tasks += [Task(alerts, seed, at_once=n) for n in ROUNDS for seed in range(1, splices + 1)]
    tasks += [Task(graphs, 1, LARGE)] * asked.test
    console = Console(stderr=True)
    rows: list[Row] = [{"commit": machine.commit(), **machine.facts()}, *run(tasks, console)]
    if asked.test and alerts is not None:
        rows += [*real_rows(alerts), *simulated_rows(graphs, seeds[:FITTED])]
    write(asked.results, rows)
    return _show(rows, asked)


def _data(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> tuple[Path, Path | None]:
    """The call graphs, and the folder of the real data, where it was given; ends with a sentence without either."""
    if asked.topologies is not None:
        graphs: Path = asked.topologies
    elif asked.data is not None:
        graphs = asked.data / "topologies.json"
    else:
        parser.error(
            f"where is the data? Give --data FOLDER or set {DATA_VARIABLE}: a folder with topologies.json and "
            "rca-alerts (docs/quality.md says where they come from); or --topologies FILE for simulated days alone"
        )
    if not graphs.is_file():
        parser.error(f"{graphs} is not there: it holds the call graphs that simulated companies are made of")
    return graphs, None if asked.data is None else asked.data / "rca-alerts"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given = os.environ.get(DATA_VARIABLE)
    parser.add_argument("--data", type=Path, default=Path(given) if given else None, help=f"else {DATA_VARIABLE}")
    parser.add_argument("--topologies", type=Path, help="call graphs alone: no real data")
    parser.add_argument("--levels", nargs="*", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--days", type=int, help=f"how many a level: {DAYS} of test worlds, 3 of development worlds")
    parser.add_argument("--seeds", type=int, nargs="+", help="these days")
    parser.add_argument("--splices", type=int, help=f"of real data, a level: {SPLICES} with --test, else none")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--test", action="store_true", help="test worlds and bars; for a release, not for tuning")
    parser.add_argument("--publish", action="store_true", help="with --test: keep results, page and plots in the tree")
    parser.add_argument("--results", type=Path, default=RESULTS, help="one line of JSON a method, stream and run")
    parser.add_argument("--json", action="store_true", help="print the rows, not tables")
    return parser


def _show(rows: Sequence[Row], asked: argparse.Namespace) -> int:
    found, held = compared(rows), outcomes(rows) if asked.test else []
    console = Console() if Console().is_terminal else Console(width=WIDTH_CHARACTERS)
    if asked.json:
        for row in rows:
            print(orjson.dumps(row).decode())  # noqa: T201 for machines
    else:
        for sheet in sheets(rows, held):
            console.print(sheet.rich())
    if asked.test and asked.publish:
        publish(rows)
    elif asked.test:
        write_plots(found.values(), asked.results.parent / "quality")
    return int(any(each.verdict != "met" for each in held))


if __name__ == "__main__":
    raise SystemExit(main())
