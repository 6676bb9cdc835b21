"""Scale: the whole pipeline with more workers and with more partitions, catch-up at 90 % repeats.

Workers are processes that host all deciding stages. One worker uses little more than one core, so on a machine of two
cores, which the broker shares, more than one worker shows where the machine ends, not where the design does: `cores`
tells how many the workers and the broker had busy. Fewer than there are mean that the design waits for something.
"""

from __future__ import annotations

from typing import Any, Final

from benchmarks.broker import running_broker
from benchmarks.pipeline import flood_of, once
from benchmarks.results import RATES, Results, say, summary

ALERTS: Final = {"quick": 20_000, "full": 80_000}
REPEATS: Final = 0.9
SHAPES: Final = ((1, 1), (1, 8), (1, 24), (2, 8), (4, 8), (4, 24))
"""Workers and partitions."""


def run(results: Results) -> None:
    """Every shape, interleaved over the runs."""
    alerts = ALERTS[results.mode]
    rows: dict[tuple[int, int], list[dict[str, Any]]] = {shape: [] for shape in SHAPES}
    with running_broker() as broker:
        for number in range(results.runs):
            for workers, partitions in SHAPES:
                say(f"scale: {name_of(workers, partitions)}, run {number + 1}")
                row = once(broker, flood_of(alerts, REPEATS), workers, partitions)
                rows[workers, partitions].append(row)
    for (workers, partitions), runs in rows.items():
        figures = summary(runs, (*RATES, "cores"))
        results.add("scale", name_of(workers, partitions), **figures, workers=workers, partitions=partitions)


def name_of(workers: int, partitions: int) -> str:
    """A shape in words."""
    return f"{workers} worker{'s' * (workers > 1)}, {partitions} partition{'s' * (partitions > 1)}"
