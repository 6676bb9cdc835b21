"""A process that hosts stages: starts their Faust apps on one event loop, and stops them when asked to.

SIGTERM and SIGINT finish the running transactions, leave the consumer groups and return; a stop that takes longer
than `STOP_SECONDS_MAX` ends the process hard (see `pipeline.runtime.guard`).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import faust

from pipeline.runtime.guard import exit_after, fatal, guarded
from pipeline.runtime.health import HealthServer
from pipeline.runtime.host import StageHost

WATCH_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class HostedStage:
    """A stage and the Faust app that carries it."""

    app: faust.App
    host: StageHost


def status_of(stages: Sequence[HostedStage]) -> Callable[[], Mapping[str, Mapping[str, object]]]:
    """What the health page asks: stage -> its status."""
    return lambda: {stage.host.stage: stage.host.status() for stage in stages}


async def serve(
    make_stages: Callable[[], Sequence[HostedStage]],
    make_health: Callable[[Sequence[HostedStage]], HealthServer],
    on_ready: Callable[[HealthServer], None] | None = None,
) -> None:
    """Host stages until a signal asks to stop.

    Args:
        make_stages: makes the stages; called on the running loop, to which Faust binds them.
        make_health: makes the health server of the stages.
        on_ready: called once, when every stage serves its first assignment.

    Raises:
        HealthServerError: the health port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stages = make_stages()
    health = make_health(stages)
    health.start()
    beating = asyncio.create_task(health.beat())
    starting = [asyncio.create_task(_start(stage)) for stage in stages]
    await _watch(stages, stop, lambda: on_ready(health) if on_ready else None)
    deadline = exit_after()
    for task in starting:
        task.cancel()
    await asyncio.gather(*starting, return_exceptions=True)
    await asyncio.gather(*(_stop(stage) for stage in stages))
    beating.cancel()
    health.stop()
    deadline.cancel()


async def _start(stage: HostedStage) -> None:
    async with guarded("start a stage", stage=stage.host.stage):
        await stage.app.start()


async def _stop(stage: HostedStage) -> None:
    async with guarded("stop a stage", stage=stage.host.stage):
        await stage.app.stop()
        await stage.host.stop()


async def _watch(stages: Sequence[HostedStage], stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
    """Wait for the stop, say once that all is ready, and end the process when Faust crashes."""
    ready = False
    while not stop.is_set():
        for stage in stages:
            if stage.app.crashed:
                fatal("Faust crashed", stage.app.crash_reason or "no reason given", stage=stage.host.stage)
        if not ready and all(stage.host.ready() for stage in stages):
            ready = True
            on_ready()
        try:
            await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
        except TimeoutError:
            continue
