"""The pure core: microseconds a record by stage, and how they grow with incidents, services and rules.

At each point of an axis so many incidents are really open (alerts of machines that nothing relates, checked by
count); then come episodes that are new: half about services of 62 applications, which open an incident or join one,
half about unrelated machines, which open one. The proportion is the same at every point. Then everything repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.alerts import START_MS
from benchmarks.corpus import APPLICATIONS, about_service, about_stranger, company, raw, with_rules
from benchmarks.results import BenchmarkError, Results, say
from benchmarks.stages import STAGES, Line
from pipeline.agents.shared import Shared
from pipeline.core.step import StreamRecord
from pipeline.runtime.garbage import spare_long_lived_objects

EPISODES: Final = 2_000
REPEATED_STAGES: Final = ("ingest", "dedupe")
FILL_CHUNK: Final = 5_000
NEWS_SHARE: Final = 0.15
"""Alerts that reach correlate, at 90 % repeats with recoveries; the rest end in dedupe."""

TOLERANCE: Final = 0.02
"""Incidents that may be more or fewer than the axis says: joins by chance."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of an axis."""

    incidents: int = 1_000
    services: int = 500
    rules: int = 0


AXES: Final[dict[str, dict[str, tuple[Point, ...]]]] = {
    "quick": {
        "open incidents": tuple(Point(incidents=count) for count in (100, 10_000)),
        "services": tuple(Point(services=count) for count in (500, 5_000)),
        "rules": tuple(Point(rules=count) for count in (10, 1_000)),
    },
    "full": {
        "open incidents": tuple(Point(incidents=count) for count in (100, 1_000, 10_000, 100_000)),
        "services": tuple(Point(services=count) for count in (500, 5_000, 50_000)),
        "rules": tuple(Point(rules=count) for count in (10, 100, 1_000)),
    },
}


class CorpusError(BenchmarkError):
    """The alerts do not make the state that a point asks for; the message has the counts."""


def run(results: Results) -> None:
    """Every point of every axis, interleaved over the runs."""
    axes = AXES[results.mode]
    rows: dict[tuple[str, Point], list[dict[str, Any]]] = {}
    for number in range(results.runs):
        for axis, points in axes.items():
            for point in points:
                say(f"core: {axis}, {point}, run {number + 1}")
                rows.setdefault((axis, point), []).append(once(point))
    for (axis, point), runs in rows.items():
        size = {"open incidents": point.incidents, "services": point.services, "rules": point.rules}[axis]
        results.add("core", f"{size:,} {axis}", axis=axis, size=size, **summary(runs))


def once(point: Point) -> dict[str, Any]:
    """Timings of one point, on fresh state."""
    config = company(point.services)
    line = Line(Shared.of(with_rules(config, point.rules) if point.rules else config))
    for first in range(0, point.incidents, FILL_CHUNK):
        numbers = range(first, min(first + FILL_CHUNK, point.incidents))
        line.run([raw(number, about_stranger(number), START_MS + number // 10) for number in numbers])
    expect(line, point.incidents)
    spare_long_lived_objects()
    fresh = new_records(point)
    timings = line.run(fresh)
    expect(line, point.incidents + EPISODES // 2 + APPLICATIONS)
    repeats = line.run([each._replace(timestamp=fresh[-1].timestamp) for each in fresh], REPEATED_STAGES)
    figures = {stage: timings[stage].figures() for stage in STAGES} | {"repeat": repeats["dedupe"].figures()}
    new_us = sum(timings[stage].mean_us() * len(timings[stage].records) for stage in STAGES) / len(fresh)
    repeat_us = repeats["ingest"].mean_us() + repeats["dedupe"].mean_us()
    return {
        **figures,
        "new_alert_us": round(new_us, 1),
        "mean_alert_us": round(NEWS_SHARE * new_us + (1 - NEWS_SHARE) * repeat_us, 1),
    }


def new_records(point: Point) -> list[StreamRecord]:
    """Episodes that are new at a point."""
    began_ms = START_MS + point.incidents // 10 + 1
    return [
        raw(
            point.incidents + number,
            about_stranger(point.incidents + number) if number % 2 else about_service(number // 2, point.services),
            began_ms + number,
        )
        for number in range(EPISODES)
    ]


def expect(line: Line, incidents: int) -> None:
    """Check that as many incidents are open as the axis says.

    Raises:
        CorpusError: they are not.
    """
    found = line.open_incidents()
    if abs(found - incidents) > TOLERANCE * incidents + 1:
        raise CorpusError(f"{found} incidents are open, not about {incidents}")


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the runs; for the costs that are compared also every run."""
    row: dict[str, Any] = {
        stage: {figure: median(run[stage][figure] for run in runs) for figure in runs[0][stage]}
        for stage in (*STAGES, "repeat")
    }
    for cost in ("new_alert_us", "mean_alert_us"):
        row[cost] = median(run[cost] for run in runs)
        row[f"{cost}_runs"] = [run[cost] for run in runs]
    return row
