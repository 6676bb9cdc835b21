"""Cost of each deciding stage in the pure core, microseconds a record: ``python -m benchmarks.bench_core``.

Includes what a live worker does with the processor (outputs, state records for the changelog), not Kafka itself.
"""

from __future__ import annotations

import argparse
import sys
from time import perf_counter
from typing import Any

import orjson

from benchmarks.corpus import company, raw_alerts
from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.core.step import Effects, Output, StreamRecord

BATCH_RECORDS = 2_000
AXES = ((2_000, 500), (20_000, 500), (20_000, 5_000))
"""Conditions and services: more open episodes on the same company, then on a larger one."""


def measure(shared: Shared, stage: str, records: list[StreamRecord]) -> tuple[float, list[Output]]:
    """Seconds for all records, and what the stage wrote."""
    processor = build_processor(stage, shared)
    outputs: list[Output] = []
    began = perf_counter()
    for first in range(0, len(records), BATCH_RECORDS):
        effects = Effects()
        processor.handle(records[first : first + BATCH_RECORDS], effects)
        processor.take_changes()
        outputs += effects.outputs
    return perf_counter() - began, outputs


def onward(outputs: list[Output], topic: str) -> list[StreamRecord]:
    """What the next stage reads of it."""
    chosen = [output for output in outputs if output.topic == topic]
    return [
        StreamRecord(topic, 0, number, each.timestamp_ms, each.key, each.value, each.headers)
        for number, each in enumerate(chosen)
    ]


def run(conditions: int, services: int, repeats: int) -> dict[str, Any]:
    """One point of the axes: microseconds a record for each stage."""
    shared = Shared.of(company(services))
    records = list(raw_alerts(conditions * (1 + repeats), conditions, services))
    result: dict[str, Any] = {"conditions": conditions, "services": services, "alerts": len(records)}
    for stage, topic in (
        ("ingest", "alerts"),
        ("dedupe", "episodes"),
        ("correlate", "incidents.summaries"),
        ("bridge", ""),
    ):
        seconds, outputs = measure(shared, stage, records)
        result[f"{stage}_us"] = round(seconds / max(1, len(records)) * 1e6, 1)
        result[f"{stage}_records"] = len(records)
        records = onward(outputs, topic)
    return result


def main() -> None:
    """Print one JSON line a point, so that runs can be compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=4, help="repeats of each condition on average")
    arguments = parser.parse_args()
    for conditions, services in AXES:
        sys.stdout.write(orjson.dumps(run(conditions, services, arguments.repeats)).decode() + "\n")


if __name__ == "__main__":
    main()
