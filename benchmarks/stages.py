"""The deciding stages in one process without Kafka: what a worker does with a processor, timed a record at a time."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns, thread_time_ns
from typing import Any, Final

from benchmarks.results import percentile
from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.core.step import Effects, Output, Processor, StreamRecord

STAGES: Final = ("ingest", "dedupe", "correlate", "bridge")
ONWARD: Final = {"ingest": "alerts", "dedupe": "episodes", "correlate": "incidents.summaries", "bridge": ""}
"""Stage -> the topic that the next one reads."""

BATCH_RECORDS: Final = 500


@dataclass(slots=True)
class Timing:
    """What a stage's records cost.

    Attributes:
        records: wall time of each decision, nanoseconds.
        cpu: CPU time of all of them and of the state records for the changelog, nanoseconds.
    """

    records: list[int] = field(default_factory=list)
    cpu: int = 0

    def mean_us(self) -> float:
        """Mean CPU time of a record, state records included, microseconds."""
        return self.cpu / max(1, len(self.records)) / 1_000

    def figures(self) -> dict[str, Any]:
        """Mean CPU time with state records, and the distribution of the decisions alone, microseconds."""
        ordered = sorted(self.records)
        return {
            "mean_us": round(self.mean_us(), 1),
            "p50_us": round(percentile(ordered, 0.5) / 1_000, 1),
            "p99_us": round(percentile(ordered, 0.99) / 1_000, 1),
        }


class Line:
    """All stages of one partition, in line."""

    def __init__(self, shared: Shared) -> None:
        self.processors: dict[str, Processor] = {stage: build_processor(stage, shared) for stage in STAGES}

    def run(self, records: Sequence[StreamRecord], stages: Iterable[str] = STAGES) -> dict[str, Timing]:
        """Pass records through the stages, in batches as a worker would; the timing of each stage."""
        timings = {stage: Timing() for stage in stages}
        for first in range(0, len(records), BATCH_RECORDS):
            batch = list(records[first : first + BATCH_RECORDS])
            for stage, timing in timings.items():
                batch = self.pass_on(stage, batch, timing)
        return timings

    def pass_on(self, stage: str, batch: Sequence[StreamRecord], timing: Timing) -> list[StreamRecord]:
        """One batch through one stage; what the next stage reads of it."""
        processor, effects = self.processors[stage], Effects()
        used = thread_time_ns()  # asked once a batch: on a virtual machine it costs over a microsecond
        for record in batch:
            began = perf_counter_ns()
            processor.handle((record,), effects)
            timing.records.append(perf_counter_ns() - began)
        processor.finish(effects)
        processor.take_changes()
        timing.cpu += thread_time_ns() - used
        return onward(effects.outputs, ONWARD[stage])

    def open_incidents(self) -> int:
        """Incidents that are open now."""
        gauges: dict[str, dict[str, float]] = self.processors["correlate"].gauges()  # type: ignore[attr-defined]
        return int(sum(gauges["open_incidents"].values()))


def onward(outputs: Sequence[Output], topic: str) -> list[StreamRecord]:
    """What the next stage reads of a stage's outputs."""
    return [
        StreamRecord(topic, 0, number, each.timestamp_ms, each.key, each.value, each.headers)
        for number, each in enumerate(outputs)
        if each.topic == topic
    ]


def settle_memory() -> None:
    """Give freed memory back, so that what is measured is what is in use."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
