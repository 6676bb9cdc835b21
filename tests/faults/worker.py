"""A worker that hosts the real stages and is told where to die, to freeze, or what to do wrong.

It runs in a process forked from a server that has imported everything, so that a successor is there within a
fraction of a second. Everything else is the product's own: composition, runtime, core.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from pipeline.app import compose, create_app, health_of
from pipeline.catalog import load_config
from pipeline.core.step import Effects, Processor, Record
from pipeline.flow import STAGE_BY_NAME
from pipeline.runtime import ticks
from pipeline.runtime.context import StageContext
from pipeline.runtime.guard import log_line
from pipeline.runtime.health import HealthServer
from pipeline.runtime.process import HostedStage, serve
from pipeline.runtime.process import run as run_loop
from pipeline.runtime.transaction import TransactionStep
from pipeline.settings import Settings
from tests.faults.sabotage import Sabotage, sabotaged

STAGES: Final = ("ingest", "dedupe", "correlate", "bridge")
"""What decides. Deliver and record carry outwards, where idempotence and not transactions keep the promise."""

for _stage in STAGE_BY_NAME:
    import_module(f"pipeline.agents.{_stage}")  # imported once, in the server


@dataclass(frozen=True, slots=True)
class Strike:
    """The worker sends itself a signal when a stage reaches a step for the n-th time.

    Attributes:
        number: from 1.
        signal: SIGKILL dies; SIGSTOP freezes until somebody thaws it.
    """

    stage: str
    step: TransactionStep
    number: int = 1
    signal: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Bug:
    """A defect in the code of a stage: it raises on records whose value holds the mark.

    Attributes:
        once: a file that is made when it has raised, and keeps it from raising again; None: it raises for ever.
    """

    stage: str
    mark: bytes
    once: Path | None = None

    @property
    def error(self) -> str:
        """What it raises, as the product words it."""
        return f"RuntimeError: {self.words}"

    @property
    def words(self) -> str:
        return f"a defect of {self.stage}, as ordered"

    def strikes(self, record: Record) -> bool:
        """Whether the defect shows on this record now."""
        if self.mark not in (record.value or b"") or (self.once is not None and self.once.exists()):
            return False
        if self.once is not None:
            self.once.touch()
        return True


@dataclass(frozen=True, slots=True)
class Orders:
    """What one worker process does.

    Attributes:
        log: file for its lines; `guard.log_line` writes JSON there.
        sabotage: a protection that is switched off, to prove that the suite notices.
        clock_shift_seconds: how far the machine's clock is off, for what asks it (ticks).
    """

    settings: Settings
    log: Path
    stages: tuple[str, ...] = STAGES
    strikes: tuple[Strike, ...] = ()
    bug: Bug | None = None
    sabotage: Sabotage | None = None
    clock_shift_seconds: float = 0.0


class Watcher:
    """Counts the steps of one stage, strikes where told, and notes the first commit.

    Attributes:
        stage: whose steps.
    """

    def __init__(self, stage: str, strikes: Iterable[Strike]) -> None:
        self.stage = stage
        self._strikes = {(strike.step, strike.number): strike.signal for strike in strikes if strike.stage == stage}
        self._counts = dict.fromkeys(TransactionStep, 0)

    def on_step(self, step: TransactionStep) -> None:
        self._counts[step] += 1
        if step is TransactionStep.COMMITTED and self._counts[step] == 1:
            log_line("first commit", stage=self.stage, monotonic=time.monotonic())
        number = self._strikes.get((step, self._counts[step]))
        if number is not None:
            log_line("struck", stage=self.stage, step=step, signal=int(number), monotonic=time.monotonic())
            os.kill(os.getpid(), number)


def with_bug(processor: Processor, bug: Bug) -> Processor:
    """The processor, with a defect in it: deciding the record raises."""

    def checked(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            if bug.strikes(record):
                raise RuntimeError(bug.words)
            yield record

    def handle(records: Iterable[Record], effects: Effects) -> None:
        original(checked(records), effects)

    original = processor.handle
    changed: Any = processor
    changed.handle = handle
    return processor


def run(orders: Orders) -> None:
    """Be a worker until told to stop. Never returns to the caller of a forked process but by its end."""
    _write_to(orders.log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if orders.clock_shift_seconds:
        ticks.time = lambda: time.time() + orders.clock_shift_seconds  # type: ignore[attr-defined]
    registry = CollectorRegistry()
    config = load_config(orders.settings.config_dir)
    contexts = [_changed(each, orders) for each in compose(orders.settings, config, registry, orders.stages)]

    def make_stages() -> list[HostedStage]:
        return [create_app(context) for context in contexts]

    def on_ready(health: HealthServer) -> None:
        log_line("ready", monotonic=time.monotonic(), port=health.port)

    run_loop(serve(make_stages, health_of(orders.settings, registry), on_ready))


def _changed(context: StageContext, orders: Orders) -> StageContext:
    factory, bug = context.factory, orders.bug
    if bug is not None and bug.stage == context.stage:
        buggy, original = bug, factory
        factory = lambda: with_bug(original(), buggy)  # noqa: E731 reads as what it is
    watched = replace(context, factory=factory, on_step=Watcher(context.stage, orders.strikes).on_step)
    return sabotaged(watched, orders.sabotage)


def _write_to(log: Path) -> None:
    """Send standard output and error of this process to a file, whoever writes them."""
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _end_with_parent() -> None:
    """A worker never outlives the suite."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)
