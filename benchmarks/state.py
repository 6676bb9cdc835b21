"""State: memory of an open episode, and how fast a processor takes its state back from the changelog's records.

Memory is the resident set of a process that runs one stage (records wait in files in between), freed memory given
back before each reading. It is read at half of the episodes and at all of them. What an episode takes is the slope
between the two: as tables double, a size and twice that size find them equally full. What a process takes before its
first episode, and once for good with the first ones (caches, the interpreter's own), is told apart as fixed.
Once with ten episodes in an incident, once with each in one of its own. Restoring here is the processor's load alone;
Kafka's part is in `recovery`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import thread_time
from typing import Any, BinaryIO, Final

import orjson

from benchmarks.alerts import START_MS
from benchmarks.corpus import SERVICES_IN_A_SYSTEM, about_stranger, company, raw
from benchmarks.machine import memory_bytes
from benchmarks.results import Results, say, summary
from benchmarks.stages import ONWARD, onward, settle_memory
from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.core.step import Effects, Processor, StreamRecord
from pipeline.runtime.garbage import spare_long_lived_objects

EPISODES: Final = {"quick": 25_000, "full": 50_000}
"""A power of two apart, so that hash tables are as full in one as in the other."""

SHAPES: Final = {"10 episodes an incident": 10, "1 episode an incident": 1}
STATEFUL: Final = ("dedupe", "correlate", "bridge")
CHUNK: Final = 500


def run(results: Results) -> None:
    """Each shape in turn."""
    rows: dict[str, list[dict[str, Any]]] = {shape: [] for shape in SHAPES}
    for number in range(results.runs):
        for shape, each in SHAPES.items():
            say(f"state: {shape}, run {number + 1}")
            rows[shape].append(once(EPISODES[results.mode], each))
    for shape, runs in rows.items():
        results.add("state", shape, **summary(runs, ("episode_bytes", "restore_keys_per_second")))


def once(episodes: int, each: int) -> dict[str, Any]:
    """Figures of one shape: every stage in a process of its own.

    Args:
        episodes: how many are open in the end.
        each: episodes of one incident.
    """
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="spillway-state-") as place:
        for stage in ("ingest", *STATEFUL):
            command = [sys.executable, "-m", "benchmarks.state", stage, str(episodes), str(each), place]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own command
            found[stage] = orjson.loads(done.stdout)
    by_stage = {stage: round(found[stage]["episode_bytes"]) for stage in STATEFUL}
    keys, seconds = (sum(found[stage][figure] for stage in STATEFUL) for figure in ("keys", "seconds"))
    return {
        "episodes": episodes,
        "incidents": found["correlate"]["incidents"],
        "episode_bytes": by_stage["dedupe"] + by_stage["correlate"],
        "bytes_by_stage": by_stage,
        "fixed_mib_by_stage": {stage: round(found[stage]["fixed_bytes"] / 2**20, 1) for stage in STATEFUL},
        "keys": keys,
        "restore_keys_per_second": round(keys / seconds),
        "restore_by_stage": {stage: round(found[stage]["keys"] / found[stage]["seconds"]) for stage in STATEFUL},
    }


def measure(stage: str, episodes: int, each: int, place: Path) -> dict[str, Any]:
    """Figures of one stage, in this process; what it writes waits for the next one in a file."""
    # Applications do not join each other, so each of them is an incident.
    applications = episodes // each if each > 1 else 1
    shared = Shared.of(company(applications * SERVICES_IN_A_SYSTEM))
    processor = build_processor(stage, shared)
    chunks = (_chunk(first, episodes, each) for first in range(0, episodes, CHUNK))
    records = chunks if stage == "ingest" else _waiting(place, stage)
    coming = episodes if stage == "ingest" else _lines(_output_before(place, stage))
    readings = _pass(processor, records, place / f"{stage}.out", place / f"{stage}.state", coming)
    incidents = 0
    if stage == "correlate":
        gauges: dict[str, dict[str, float]] = processor.gauges()  # type: ignore[attr-defined]
        incidents = int(sum(gauges["open_incidents"].values()))
    keys, seconds = (0, 0.0) if stage == "ingest" else _restore(build_processor(stage, shared), place)
    return {**_slope(*readings, episodes), "incidents": incidents, "keys": keys, "seconds": seconds}


def _slope(empty: int, half: int, whole: int, episodes: int) -> dict[str, float]:
    """Bytes of one more episode, and those that do not grow with episodes."""
    each = (whole - half) / (episodes / 2)
    return {"episode_bytes": each, "fixed_bytes": whole - empty - each * episodes}


def _chunk(first: int, episodes: int, each: int) -> list[StreamRecord]:
    numbers = range(first, min(first + CHUNK, episodes))
    return [raw(number, _labels(number, each), START_MS + number) for number in numbers]


def _labels(number: int, each: int) -> dict[str, str]:
    if each == 1:
        return about_stranger(number)
    service = number // each * SERVICES_IN_A_SYSTEM
    return {"service": f"service-{service}", "pod": f"service-{service}-{number}"}


def _pass(
    processor: Processor, records: Iterator[list[StreamRecord]], out: Path, state: Path, coming: int
) -> tuple[int, int, int]:
    """Pass chunks through a stage into files; the memory in use before, after half of them, and after all, bytes."""
    before, half, passed = memory_settled(), 0, 0
    with out.open("wb") as onwards, state.open("wb") as changes:
        for chunk in records:
            passed += len(chunk)
            effects = Effects()
            processor.handle(chunk, effects)
            processor.finish(effects)
            for each in onward(effects.outputs, ONWARD[processor.stage]):
                _write(onwards, [each.timestamp, (each.key or b"").decode(), (each.value or b"").decode()])
            for key, value in processor.take_changes():
                _write(changes, [key.decode(), None if value is None else value.decode()])
            chunk.clear()
            del effects
            if not half and passed >= coming / 2:
                half = memory_settled()
    return before, half, memory_settled()


def memory_settled() -> int:
    """Memory in use once what was freed is given back, bytes."""
    settle_memory()
    return memory_bytes(os.getpid())


def _write(file: BinaryIO, line: list[Any]) -> None:
    file.write(orjson.dumps(line) + b"\n")


def _waiting(place: Path, stage: str) -> Iterator[list[StreamRecord]]:
    """What the stage before has written, in chunks."""
    path = _output_before(place, stage)
    chunk: list[StreamRecord] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            at_ms, key, value = orjson.loads(line)
            chunk.append(StreamRecord(ONWARD[path.stem], 0, number, at_ms, key.encode(), value.encode()))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _output_before(place: Path, stage: str) -> Path:
    """File of what the stage before this one has written."""
    return place / f"{('ingest', *STATEFUL)[('ingest', *STATEFUL).index(stage) - 1]}.out"


def _lines(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def _restore(processor: Processor, place: Path) -> tuple[int, float]:
    """Give a fresh processor the newest record of each key; how many keys, and the seconds of CPU it took."""
    latest: dict[bytes, bytes] = {}
    with (place / f"{processor.stage}.state").open("rb") as lines:
        for line in lines:
            key, value = orjson.loads(line)
            if value is None:
                latest.pop(key.encode(), None)
            else:
                latest[key.encode()] = value.encode()
    spare_long_lived_objects()
    used = thread_time()
    for name, document in latest.items():
        processor.restore(name, document)
    processor.restored()
    return len(latest), thread_time() - used


if __name__ == "__main__":
    figures = measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    sys.stdout.write(orjson.dumps(figures).decode() + "\n")
