"""Once a second for each stage: gauges, due ticks, and whether Faust itself is still well."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import faust

from pipeline.runtime.guard import fatal, guarded
from pipeline.runtime.host import StageHost
from pipeline.runtime.ticks import TickWriter
from pipeline.runtime.transport import Consumer

# Deadlines are kept to the second; more often would only cost.
PULSE_SECONDS: Final = 1.0


async def pulse(app: faust.App, host: StageHost) -> None:
    """Run until the app stops. A crash inside Faust (its consumer, its rebalancing) ends the process here."""
    ticks = TickWriter(host)
    try:
        async with guarded("pulse", stage=host.stage):
            while not app.should_stop:
                host.observe(cast(Consumer, app.consumer).unread())
                if host.context.timers:
                    await ticks.write_due()
                await asyncio.sleep(PULSE_SECONDS)
    finally:
        await ticks.stop()
    if app.crashed:
        fatal("Faust crashed", app.crash_reason or "no reason given", stage=host.stage)
