"""Runs a backtest: each configuration in a process of its own, over the recording as it is read.

Two processes need two cores for half of the time; neither holds more than its open state and what a comparison needs.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import process_time
from typing import Any, Final

from pipeline.backtest.side import Collector, Side
from pipeline.core.step import StreamRecord, named_version
from pipeline.models.policy import Config
from pipeline.recording import RecordingError, read_recording
from pipeline.replay import FORGET_STEPS, Replay
from pipeline.runtime.garbage import spare_long_lived_objects

LINES_PER_LOOK: Final = 500
"""Between two messages about how far a side is: a tenth of a second or less."""


class BacktestError(Exception):
    """A side could not be decided; the message is one line."""


def decide(recording: Path, config: Config, run_on_seconds: int, tell: Callable[[int], None]) -> Side:
    """Decide a recording by one configuration.

    Args:
        recording: the file.
        config: what decides all of it, whatever versions the recording names.
        run_on_seconds: how long stream time goes on after the last record.
        tell: told now and then how many bytes are read.

    Raises:
        RecordingError: a line is no record.
    """
    began = process_time()
    collector, replay = Collector(config.version), Replay(config, keep=False)
    spare_long_lived_objects()
    with recording.open("rb") as file:
        records = _unnamed(read_recording(_counted(file, collector.side, tell), recording.name))
        for number, step in enumerate(replay.steps(records, run_on_seconds=run_on_seconds)):
            collector.take(step)
            if number % FORGET_STEPS == 0:
                replay.forget_changes()
    side = collector.side
    side.dead_letters, side.remainder = replay.dead_letters, replay.remainder()
    side.seconds = process_time() - began
    return side


def decide_both(
    recording: Path, configs: tuple[Config, Config], run_on_seconds: int, tell: Callable[[int], None]
) -> tuple[Side, Side]:
    """Decide a recording by two configurations at a time.

    Args:
        recording: the file.
        configs: the two.
        run_on_seconds: how long stream time goes on after the last record.
        tell: told now and then how many bytes both have read together.

    Raises:
        BacktestError: the recording cannot be read, or a process died.
    """
    processes = multiprocessing.get_context("spawn")  # a fork would take along what other threads hold
    sides: dict[int, Side] = {}
    read = [0, 0]
    ours, children = [], []
    for config in configs:
        end, other = processes.Pipe(duplex=False)
        child = processes.Process(target=_work, args=(other, recording, config, run_on_seconds), daemon=True)
        child.start()
        other.close()
        ours.append(end)
        children.append(child)
    try:
        while len(sides) < len(configs):
            for ready in wait([end for number, end in enumerate(ours) if number not in sides]):
                number = ours.index(ready)  # type: ignore[arg-type]  # only what was given comes back
                said = _received(ours[number])
                if isinstance(said, Side):
                    sides[number] = said
                else:
                    read[number] = said
                    tell(sum(read))
    finally:
        for child in children:
            child.terminate()
            child.join()
    return sides[0], sides[1]


def _received(end: Connection[Any, Any]) -> Side | int:
    """What a side says: how far it is, or what came of it.

    Raises:
        BacktestError: that it cannot go on, or nothing any more.
    """
    try:
        said = end.recv()
    except EOFError:
        raise BacktestError(
            "a process that decided one side has died without a word: most likely there was not enough memory"
        ) from None
    if isinstance(said, str):
        raise BacktestError(said)
    assert isinstance(said, Side | int)  # noqa: S101 our own process
    return said


def _work(end: Connection[Any, Any], recording: Path, config: Config, run_on_seconds: int) -> None:
    """The life of a process: decide one side and say what came of it."""
    try:
        end.send(decide(recording, config, run_on_seconds, end.send))
    except RecordingError as error:
        end.send(str(error))
    except OSError as error:
        end.send(f"cannot read {recording}: {error.strerror}")


def _counted(lines: Iterable[bytes], side: Side, tell: Callable[[int], None]) -> Iterator[bytes]:
    """Lines, counted on their way."""
    for number, line in enumerate(lines, 1):
        side.bytes_read += len(line)
        if number % LINES_PER_LOOK == 0:
            tell(side.bytes_read)
        yield line


def _unnamed(records: Iterable[StreamRecord]) -> Iterator[StreamRecord]:
    """Records without those from which on another configuration decided: here one decides everything."""
    return (record for record in records if named_version(record) is None)
