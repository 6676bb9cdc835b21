"""Scale: the whole pipeline with more workers and with more partitions, catch-up at 90 % repeats.

Workers are processes that host all deciding stages. One worker uses little more than one core, so on a machine of two
cores, which the broker shares, more than one worker shows where the machine ends, not where the design does.
"""

from __future__ import annotations

from typing import Any, Final

from benchmarks.broker import running_broker
from benchmarks.pipeline import flood_of, once
from benchmarks.results import Results, say, summary

ALERTS: Final = {"quick": 30_000, "full": 200_000}
REPEATS: Final = 0.9
SHAPES: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "quick": ((1, 1), (1, 8), (2, 8)),
    "full": ((1, 1), (1, 4), (1, 8), (1, 24), (2, 8), (4, 8), (2, 24), (4, 24)),
}
"""Workers and partitions."""


def run(results: Results) -> None:
    """Every shape, interleaved over the runs."""
    shapes, alerts = SHAPES[results.mode], ALERTS[results.mode]
    rows: dict[tuple[int, int], list[dict[str, Any]]] = {shape: [] for shape in shapes}
    with running_broker() as broker:
        for number in range(results.runs):
            for workers, partitions in shapes:
                say(f"scale: {workers} workers, {partitions} partitions, run {number + 1}")
                row = once(broker, flood_of(alerts, REPEATS), workers, partitions)
                rows[workers, partitions].append(row)
    for (workers, partitions), runs in rows.items():
        name = f"{workers} workers, {partitions} partitions"
        results.add("scale", name, **summary(runs), workers=workers, partitions=partitions)
