"""Deliver's effects outside Kafka: what the outboxes have ready is sent, once its batch is committed.

Sends begin after the commit, so nothing is told that might be rolled back; what a process leaves unfinished is
ready again when the partition is assigned to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipeline.agents.shared import Shared
from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.step import Effects, Processor
from pipeline.models.policy import Config
from pipeline.runtime.guard import fatal
from pipeline.runtime.hooks import StageHooks
from pipeline.settings import Settings, SettingsError
from pipeline.sinks.base import SinkClient, SinkError
from pipeline.sinks.clients import client_of
from pipeline.sinks.limits import Buckets
from pipeline.sinks.outcomes import OutcomeTopic
from pipeline.sinks.sender import Sender


def processor(shared: Shared) -> DeliverProcessor:
    """What decides for one partition."""
    return DeliverProcessor(shared.config)


def hooks(settings: Settings, config: Config) -> StageHooks:
    """What happens around a commit: sends."""
    return DeliverHooks(settings, config)


class DeliverHooks(StageHooks):
    """Dispatches what is ready. Connects when the first partition comes."""

    def __init__(
        self,
        settings: Settings,
        config: Config,
        secret: Callable[[str], str] | None = None,
        on_lost: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Describe; nothing connects yet.

        Args:
            settings: brokers and names.
            config: the sinks.
            secret: gives the secret of a variable's name; by default the settings'.
            on_lost: called when an outcome is lost; by default the process ends.
        """
        self._settings = settings
        self._config = config
        self._secret = secret or settings.secret
        self._on_lost = on_lost or _end_process
        self._outcomes = OutcomeTopic(settings)
        self._sender: Sender | None = None
        self._starting = asyncio.Lock()

    async def on_assigned(self, partition: int, processor: Processor) -> None:
        """Send what the former owner left without an outcome.

        Raises:
            SinkError: a sink cannot be used as configured, or its secret is missing.
            KafkaError: no broker answers.
        """
        await self._start()
        self._dispatch(partition, processor)

    async def after_commit(self, partition: int, processor: Processor, effects: Effects) -> None:
        """Send what the committed batch made ready."""
        self._dispatch(partition, processor)

    async def on_revoked(self, partition: int) -> None:
        """Stop sending for a partition that leaves."""
        if self._sender is not None:
            await self._sender.cancel(partition)

    async def stop(self) -> None:
        """Disconnect from sinks and brokers."""
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()
        await self._outcomes.stop()

    async def renewed(self, config: Config) -> StageHooks:
        """New ones where the sinks are others.

        Raises:
            ValueError: a sink cannot be used as configured, or its secret is missing.
        """
        if config.sinks == self._config.sinks:
            return self
        fresh = DeliverHooks(self._settings, config, self._secret, self._on_lost)
        try:
            sinks = fresh._sinks()
        except SinkError as error:
            raise ValueError(str(error)) from error
        for sink in sinks.values():
            await sink.close()
        return fresh

    def _dispatch(self, partition: int, processor: Processor) -> None:
        if self._sender is not None and isinstance(processor, DeliverProcessor):
            self._sender.dispatch(partition, processor.ready())

    async def _start(self) -> None:
        async with self._starting:  # partitions are assigned at the same time
            if self._sender is None:
                sinks = self._sinks()
                await self._outcomes.start()
                self._sender = Sender(sinks, self._outcomes.write, self._on_lost)

    def _sinks(self) -> dict[str, SinkClient]:
        secrets: dict[str, str] = {}
        for sink in self._config.sinks.values():
            try:
                secrets |= {name: self._secret(name) for name in sink.secret_names}
            except SettingsError as missing:
                raise SinkError(f"sink {sink.name}: {missing}") from None
        buckets = Buckets()
        return {sink.name: client_of(sink, secrets, buckets.of(sink)) for sink in self._config.sinks.values()}


def _end_process(error: Any) -> None:
    fatal("write the outcome of a delivery", error, stage="deliver")
