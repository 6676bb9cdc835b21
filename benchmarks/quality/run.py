"""All days and splices of a run, on two processes, with a bar that says how long it will still take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.quality.days import Row, make_case, measure
from benchmarks.quality.large import LEVEL as LARGE
from benchmarks.quality.large import measure_large
from benchmarks.quality.real import System, read_systems
from benchmarks.quality.splice import level_of, measure_splice

PROCESSES: Final = 2
WEIGHTS: Final = {"calm": 1, "busy": 6, "storm": 20, LARGE: 1}
"""How long a day of each level takes, roughly: the time left is told by it."""
SPLICE_WEIGHT: Final = 4


@dataclass(frozen=True, slots=True)
class Task:
    """One day, one splice, or the one large failure.

    Attributes:
        source: call graphs for a day, the folder of the real data for a splice.
        level: of a day, or `LARGE`; None: it is a splice.
        at_once: faults at once in a splice.
    """

    source: Path
    seed: int
    level: str | None = None
    hours: int = 24
    at_once: int = 1

    @property
    def weight(self) -> int:
        """How long it takes, roughly."""
        return SPLICE_WEIGHT if self.level is None else WEIGHTS[self.level] * self.hours

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"{self.level or level_of(self.at_once)}, seed {self.seed}"


def run(tasks: Sequence[Task], console: Console) -> list[Row]:
    """Measure everything; rows in the order of the tasks, whatever was done first."""
    longest = sorted(tasks, key=lambda task: -task.weight)
    found: dict[Task, list[Row]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        shown = progress.add_task("quality", total=sum(task.weight for task in tasks))
        for task, rows in _done(longest):
            found[task] = rows
            progress.update(shown, advance=task.weight, description=task.name)
    return [row for task in tasks for row in found[task]]


def _done(tasks: Sequence[Task]) -> Iterator[tuple[Task, list[Row]]]:
    if len(tasks) == 1:
        yield tasks[0], perform(tasks[0])
        return
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(perform, task): task for task in tasks}
        for future in as_completed(running):
            yield running[future], future.result()


def perform(task: Task) -> list[Row]:
    """One task."""
    if task.level == LARGE:
        return [measure_large()]
    if task.level is None:
        return measure_splice(_systems(task.source), task.at_once, task.seed)
    return measure(make_case(task.source, task.level, task.seed, task.hours))


@cache
def _systems(folder: Path) -> list[System]:
    """Read once a process."""
    return read_systems(folder)
