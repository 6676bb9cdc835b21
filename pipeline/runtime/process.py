"""A process that hosts stages: starts their Faust apps on one event loop, and stops them when asked to.

SIGTERM and SIGINT finish the running transactions, leave the consumer groups and return; a stop that takes longer
than the settings allow ends the process hard (see `pipeline.runtime.guard`), whatever it waits for.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import faust
import uvloop

from pipeline.runtime.guard import STOP_SECONDS_MAX, exit_after, fatal, guarded
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


class StopRequest:
    """A signal's wish to end, and the deadline that starts with it.

    The handlers are Python's own, not the event loop's: they run also where the loop is held up by a decision.
    """

    def __init__(self, seconds: float) -> None:
        self.event = asyncio.Event()
        self._seconds = seconds
        self._deadline: threading.Timer | None = None
        self._loop = asyncio.get_running_loop()
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}

    def _ask(self, *_: object) -> None:
        if self._deadline is None:
            self._deadline = exit_after(self._seconds)
        self._loop.call_soon_threadsafe(self.event.set)

    def met(self) -> None:
        """All is stopped."""
        if self._deadline is not None:
            self._deadline.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Worker(faust.Worker):
    """Faust's own worker, with a deadline that starts when it is asked to stop.

    Faust's signals of a shutdown come too late for it: without a broker it waits before the first.
    """

    stop_seconds = STOP_SECONDS_MAX

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        exit_after(self.stop_seconds)
        super()._schedule_shutdown(number)


def run(serving: Coroutine[object, object, None]) -> None:
    """Run `serve` on event loops that cost less than Python's own, the consumers' threads included.

    A transaction is a dozen messages between our loop and the brokers: a sixth less of its CPU time was measured.
    """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serving)


async def serve(
    make_stages: Callable[[], Sequence[HostedStage]],
    make_health: Callable[[Sequence[HostedStage]], HealthServer],
    on_ready: Callable[[HealthServer], None] | None = None,
    stop_seconds: float = STOP_SECONDS_MAX,
    beside: Callable[[Sequence[StageHost]], Awaitable[None]] | None = None,
) -> None:
    """Host stages until a signal asks to stop.

    Args:
        make_stages: makes the stages; called on the running loop, to which Faust binds them.
        make_health: makes the health server of the stages.
        on_ready: called once, when every stage serves its first assignment.
        stop_seconds: how long a stop may take.
        beside: what else runs on the loop as long as the stages, such as the watch over the configuration.

    Raises:
        HealthServerError: the health port is taken.
    """
    stop = StopRequest(stop_seconds)
    stages = make_stages()
    health = make_health(stages)
    health.start()
    beating = asyncio.create_task(health.beat())
    others = [] if beside is None else [asyncio.create_task(_run_beside(beside, stages))]
    starting = [asyncio.create_task(_start(stage)) for stage in stages]
    await _watch(stages, stop.event, lambda: on_ready(health) if on_ready else None)
    for task in (*starting, *others):
        task.cancel()
    await asyncio.gather(*starting, *others, return_exceptions=True)
    await asyncio.gather(*(_stop(stage) for stage in stages))
    beating.cancel()
    health.stop()
    stop.met()


async def _run_beside(beside: Callable[[Sequence[StageHost]], Awaitable[None]], stages: Sequence[HostedStage]) -> None:
    async with guarded("run beside the stages"):
        await beside([stage.host for stage in stages])


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
