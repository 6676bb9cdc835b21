"""Results: one JSON line each, on standard output and in a file; progress goes to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

from benchmarks import machine

FILE_DEFAULT: Final = Path(".spillway/benchmarks.jsonl")
"""Not part of the repository; published numbers go to benchmarks/results.jsonl, which is."""


class BenchmarkError(Exception):
    """A measurement failed or is not to be believed; the message says which and why."""


def say(text: str) -> None:
    """Progress, for people."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


@dataclass(slots=True)
class Results:
    """Where the rows of one run of the benchmarks go.

    Attributes:
        path: results file, appended to; None: standard output alone.
        run: the run's name; the newest one counts in tables and checks.
        mode: ``quick`` or ``full``.
        runs: how often each configuration is measured.
        keep: where data that take long to make stay for the next run; None: they go.
    """

    path: Path | None = None
    run: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    mode: str = "quick"
    runs: int = 1
    keep: Path | None = None

    def add(self, bench: str, name: str, **figures: Any) -> dict[str, Any]:
        """Write one row: ``bench`` is the part, ``name`` the configuration measured."""
        row = {"run": self.run, "mode": self.mode, "bench": bench, "name": name, **figures}
        line = orjson.dumps(row).decode() + "\n"
        sys.stdout.write(line)
        sys.stdout.flush()
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(line)
        return row

    def add_machine(self) -> None:
        """Write what machine the run is on."""
        self.add("machine", "machine", runs=self.runs, commit=machine.commit(), **machine.facts())


def read(path: Path) -> list[dict[str, Any]]:
    """All rows of a results file, oldest first."""
    return [orjson.loads(line) for line in path.read_text().splitlines() if line.strip()]


def broken_off_run(results: Results) -> tuple[str, set[str]] | None:
    """The last run in the file, if this one can go on with it: of the same commit, mode and number of runs.

    Returns:
        Its name and the parts that it has measured; None where there is none, or files differ from the commit.
    """
    if results.path is None or not results.path.exists() or (commit := machine.commit()) is None:
        return None
    rows = read(results.path)
    asked = {"mode": results.mode, "runs": results.runs, "commit": commit}
    for begin in reversed([row for row in rows if row["bench"] == "machine"]):
        if begin["mode"] == results.mode:
            same = all(begin.get(name) == value for name, value in asked.items())
            done = {row["bench"] for row in rows if row["run"] == begin["run"]} - {"machine"}
            return (begin["run"], done) if same else None
    return None


def newest(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each part the rows of its newest run; full runs count before quick ones."""
    best: dict[str, tuple[bool, str]] = {}
    rows = list(rows)
    for row in rows:
        rank = (row["mode"] == "full", row["run"])
        best[row["bench"]] = max(best.get(row["bench"], rank), rank)
    return [row for row in rows if (row["mode"] == "full", row["run"]) == best[row["bench"]]]


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of all values do not exceed."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, least, most and every value of repeated runs."""
    return {"median": median(values), "min": min(values), "max": max(values), "runs": list(values)}


def costs(alerts: int, seconds: float, cpu_seconds: float, memory_peak: int) -> dict[str, Any]:
    """What handling alerts took and the rates that follow; the same for us, the peers and Alertmanager.

    Args:
        alerts: how many were handled.
        seconds: wall time from the first to the last of them.
        cpu_seconds: user and system time of what handled them, meanwhile.
        memory_peak: the most memory it had in use, bytes.
    """
    return {
        "alerts": alerts,
        "seconds": round(seconds, 3),
        "per_second": round(alerts / seconds),
        "cpu_seconds": round(cpu_seconds, 2),
        "per_cpu_second": round(alerts / cpu_seconds),
        "memory_peak_mib": round(memory_peak / 2**20),
    }


RATES: Final = ("per_second", "per_cpu_second")


def summary(runs: Sequence[dict[str, Any]], varying: Sequence[str] = RATES) -> dict[str, Any]:
    """One row of repeated runs: the spread of what varies, the rest as the last run has it."""
    return {**runs[-1], **{name: spread([run[name] for run in runs]) for name in varying}}
