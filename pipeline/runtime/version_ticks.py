"""Ticks that name a version: from such a record on, a partition's owner decides by another configuration.

The owner writes them itself, so each partition's own log says where its decisions changed (see
docs/decisions/0012-a-reload-is-a-tick-that-names-a-version.md). While a recording is played, its player writes them.
"""

from __future__ import annotations

import asyncio
from time import monotonic, time
from typing import Any, Final

import faust
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.core.step import CONFIG_HEADER, TICK_KEY
from pipeline.flow import STAGE_BY_NAME
from pipeline.kafka.client import aiokafka
from pipeline.runtime.garbage import release_former_objects
from pipeline.runtime.guard import guarded, log_line
from pipeline.runtime.host import StageHost

LOOK_SECONDS: Final = 0.5
"""A reload is asked for by people and takes effect within a second; a look is a comparison for each partition."""

REQUEST_TIMEOUT_MS: Final = 10_000

REPEAT_SECONDS: Final = 60.0
"""A partition may have been handed around while its tick was on the way. Behind a backlog repeats change nothing."""


async def watch_versions(app: faust.App, host: StageHost) -> None:
    """Bring the partitions of a stage to the newest configuration, until the app stops."""
    ticks = VersionTicks(host)
    async with guarded("tell a reload", stage=host.stage):
        while not app.should_stop:
            await ticks.look()
            await asyncio.sleep(LOOK_SECONDS)


class VersionTicks:
    """Writes the ticks of one stage, once for each partition and version."""

    def __init__(self, host: StageHost) -> None:
        self._host = host
        self._told: dict[int, tuple[str, float]] = {}  # partition -> version and monotonic time of its last tick
        self._was_behind = False

    async def look(self) -> None:
        """Tell the partitions that are behind, and let go of what they have left."""
        host = self._host
        behind = host.behind()
        host.context.metrics.config_partitions_behind.labels(host.stage).set(len(behind))
        stage = STAGE_BY_NAME[host.stage]
        if behind and (stage.outward or host.context.settings.clock == "wall"):
            await self._tell([number for number in behind if number in host.tasks and self._is_untold(number)])
        if self._was_behind and not behind:
            await host.let_go()
            release_former_objects()
        self._was_behind = bool(behind)

    def _is_untold(self, partition: int) -> bool:
        version, at = self._told.get(partition, ("", 0.0))
        return version != self._host.context.config_version or monotonic() - at > REPEAT_SECONDS

    async def _tell(self, partitions: list[int]) -> None:
        """Write a tick to each. What cannot be written is tried at the next look."""
        if not partitions:
            return
        context = self._host.context
        version, now_ms = context.config_version, int(time() * 1_000)
        producer: Any = AIOKafkaProducer(
            **aiokafka(context.settings),
            client_id=f"{context.settings.group(context.stage)}-versions",
            enable_idempotence=True,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await producer.start()
            for number in partitions:
                await producer.send_and_wait(
                    context.settings.wire(self._topic(number)),
                    key=TICK_KEY,
                    partition=number,
                    timestamp_ms=now_ms,
                    headers=[(CONFIG_HEADER, version.encode())],
                )
                self._told[number] = version, monotonic()
        except KafkaError as error:
            log_line("version not told", stage=context.stage, version=version, error=str(error))
        finally:
            await producer.stop()

    def _topic(self, partition: int) -> str:
        """The first input topic that has the partition: raw topics differ in their counts."""
        context = self._host.context
        return next(topic for topic in context.inputs if context.partition_counts.get(topic, 0) > partition)
