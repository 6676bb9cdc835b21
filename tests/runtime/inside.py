"""A toy stage inside the test's own process, for what cannot be seen from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from pipeline.app import create_app
from pipeline.runtime.context import StageContext
from pipeline.runtime.process import HostedStage
from pipeline.settings import Settings
from tests.runtime.toy import context_of
from tests.runtime.workers import Bench, app_id
from tests.support import wait_until


def context(bench: Bench, **settings: Any) -> StageContext:
    """The toy's context on a test's topics; ``settings`` are further fields of `Settings`."""
    made = Settings(bootstrap=bench.kafka, topic_prefix=bench.prefix, app_id=app_id(bench.prefix), **settings)
    return context_of(made, CollectorRegistry())


@asynccontextmanager
async def running(given: StageContext) -> AsyncIterator[HostedStage]:
    """The stage, serving its partitions."""
    hosted = create_app(given)
    await hosted.app.start()
    try:
        await until(lambda: hosted.host.ready() and not hosted.app.rebalancing, "the stage is ready")
        yield hosted
    finally:
        await hosted.app.stop()
        await hosted.host.stop()


async def until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for a condition without stopping the loop."""
    await asyncio.to_thread(wait_until, condition, seconds, what)
