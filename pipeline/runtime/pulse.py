"""Once a second for each stage: gauges, due ticks, and whether Faust itself is still well."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import faust

from pipeline.runtime.guard import fatal, guarded
from pipeline.runtime.history import check_still
from pipeline.runtime.host import StageHost
from pipeline.runtime.newcomers import TopicWatch
from pipeline.runtime.read_marks import ReadMarks
from pipeline.runtime.ticks import TickWriter
from pipeline.runtime.transport import Consumer

# Deadlines are kept to the second; more often would only cost.
PULSE_SECONDS: Final = 1.0


# Somebody who adds a source waits for it; a listing is one small request.
NEWCOMERS_SECONDS: Final = 15.0
# A topic that is changed under a running stage is rare, and told by a failing fetch or write in most cases.
HISTORY_SECONDS: Final = 60.0


async def watch_newcomers(app: faust.App, host: StageHost) -> None:
    """Tell of raw topics that appear after the start, until the app stops."""
    watch = TopicWatch(host.context)
    async with guarded("watch topics", stage=host.stage):
        while not app.should_stop:
            await watch.look()
            await asyncio.sleep(NEWCOMERS_SECONDS)


async def watch_history(app: faust.App, host: StageHost) -> None:
    """End the process when a topic of the stage is changed or made anew, until the app stops."""
    async with guarded("watch topics", stage=host.stage):
        while not app.should_stop:
            await asyncio.sleep(HISTORY_SECONDS)
            await check_still(host.context)


async def pulse(app: faust.App, host: StageHost) -> None:
    """Run until the app stops. A crash inside Faust (its consumer, its rebalancing) ends the process here."""
    ticks, marks = TickWriter(host), ReadMarks(host)
    try:
        async with guarded("pulse", stage=host.stage):
            while not app.should_stop:
                consumer = cast(Consumer, app.consumer)
                if (failure := consumer.failure()) is not None and not app.should_stop:
                    fatal("the consumer died", failure, stage=host.stage)
                unread = consumer.unread()
                host.observe(unread)
                if host.context.reads_raw and host.context.settings.clock == "wall":
                    await marks.write_due(unread)
                if host.context.timers:
                    await ticks.write_due()
                await asyncio.sleep(PULSE_SECONDS)
    finally:
        await ticks.stop()
        await marks.stop()
    if app.crashed:
        fatal("Faust crashed", app.crash_reason or "no reason given", stage=host.stage)
