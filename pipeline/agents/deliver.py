"""Deliver's effects outside Kafka: what the outboxes have ready is sent, once its batch is committed.

Sends begin after the commit, so nothing is told that might be rolled back; what a process leaves unfinished is
ready again when the partition is assigned to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry

from pipeline.agents.shared import Shared
from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.outward.send import Send
from pipeline.core.step import Effects, Processor, Record
from pipeline.models.policy import Config
from pipeline.runtime.guard import fatal, guarded
from pipeline.runtime.hooks import StageHooks
from pipeline.settings import Settings, SettingsError
from pipeline.sinks.base import SinkError
from pipeline.sinks.clients import client_of
from pipeline.sinks.lane import Outlet
from pipeline.sinks.limits import RANK_POLL, Buckets, ranked
from pipeline.sinks.metrics import SinkMetrics
from pipeline.sinks.outcomes import OutcomeTopic
from pipeline.sinks.sender import Sender
from pipeline.sinks.traced import SinkTraces
from pipeline.sinks.watch import Watched, Watcher
from pipeline.sinks.watchers import WATCHERS

SETTLE_SECONDS: Final = 1.0
"""So long a partition that has just come sends nothing: the outcomes that its former owner wrote last are read first,
or what is told already would be told again."""

OBSERVE_SECONDS: Final = 5.0
"""Between two looks at how the sinks stand; scrapes are 15 to 60 seconds apart."""


def processor(shared: Shared) -> DeliverProcessor:
    """What decides for one partition."""
    return DeliverProcessor(shared.config)


def hooks(settings: Settings, config: Config, registry: CollectorRegistry) -> StageHooks:
    """What happens around a commit: sends.

    Raises:
        SettingsError: a secret is missing. Told at the start, in one line, and not when the first partition comes.
    """
    for name, sink in config.sinks.items():
        for variable in sink.secret_names if sink.enabled else ():
            try:
                settings.secret(variable)
            except SettingsError as missing:
                raise SettingsError(f"sink {name}: {missing}") from None
    return DeliverHooks(settings, config, metrics=SinkMetrics(registry))


@dataclass(slots=True)
class _Settling:
    """What a partition that has just come has ready, by sink and incident, until it may be sent.

    Attributes:
        left: keys of what was ready when it came: its former owner may have begun that.
    """

    sends: dict[tuple[str, str], Send]
    left: frozenset[tuple[str, str]]
    timer: asyncio.TimerHandle


class DeliverHooks(StageHooks):
    """Dispatches what is ready. Connects when the first partition comes."""

    def __init__(
        self,
        settings: Settings,
        config: Config,
        secret: Callable[[str], str] | None = None,
        on_lost: Callable[[BaseException], None] | None = None,
        *,
        metrics: SinkMetrics | None = None,
        watchers: Sequence[Watcher] = WATCHERS,
    ) -> None:
        """Describe; nothing connects yet.

        Args:
            settings: brokers and names.
            config: the sinks.
            secret: gives the secret of a variable's name; by default the settings'.
            on_lost: called when an outcome is lost; by default the process ends.
            metrics: the process's series of sinks; None: nobody looks.
            watchers: what runs beside.
        """
        self._settings = settings
        self._config = config
        self._secret = secret or settings.secret
        self._on_lost = on_lost or _end_process
        self._metrics = metrics or SinkMetrics(CollectorRegistry())
        self._watchers = tuple(watchers)
        self._outcomes = OutcomeTopic(settings)
        self._buckets = Buckets()
        self._sender: Sender | None = None
        self._traces: SinkTraces | None = None
        self._starting = asyncio.Lock()
        self._processors: dict[int, DeliverProcessor] = {}
        self._settling: dict[int, _Settling] = {}
        self._beside: list[asyncio.Task[None]] = []

    async def on_assigned(self, partition: int, processor: Processor) -> None:
        """Send what the former owner left without an outcome, after a moment.

        Raises:
            SinkError: a sink cannot be used as configured, or its secret is missing.
            KafkaError: no broker answers.
        """
        await self._start()
        if isinstance(processor, DeliverProcessor):
            self._processors[partition] = processor
            self._buckets.limit_to(len(self._processors), self._outcomes.partitions)
            processor.take_ready()  # all of it is in what follows
            timer = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._settled, partition)
            left = {_key(send): send for send in processor.ready()}
            self._settling[partition] = _Settling(left, frozenset(left), timer)

    async def before_commit(
        self, partition: int, processor: Processor, records: Sequence[Record], effects: Effects
    ) -> None:
        """Remember whose traces the incident events belong to."""
        if self._traces is not None:
            self._traces.note(records)

    async def after_commit(self, partition: int, processor: Processor, effects: Effects) -> None:
        """Send what the committed batch made ready."""
        if self._sender is None or not isinstance(processor, DeliverProcessor):
            return
        changed, withdrawn = processor.take_ready()
        if (settling := self._settling.get(partition)) is None:
            self._sender.tell(partition, changed, withdrawn)
            return
        for key in withdrawn:
            settling.sends.pop(key, None)
        settling.sends.update({_key(send): send for send in changed})

    async def on_revoked(self, partition: int) -> None:
        """Stop sending for a partition that leaves."""
        self._processors.pop(partition, None)
        if (settling := self._settling.pop(partition, None)) is not None:
            settling.timer.cancel()
        if self._sender is not None:
            self._buckets.limit_to(len(self._processors), self._outcomes.partitions)
            await self._sender.release(partition)

    async def stop(self) -> None:
        """Disconnect from sinks and brokers."""
        beside, self._beside = self._beside, []
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
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
        fresh = DeliverHooks(
            self._settings, config, self._secret, self._on_lost, metrics=self._metrics, watchers=self._watchers
        )
        fresh.exporter = self.exporter
        try:
            outlets = fresh._outlets()
        except SinkError as error:
            raise ValueError(str(error)) from error
        for outlet in outlets.values():
            if outlet.client is not None:
                await outlet.client.close()
        return fresh

    def _settled(self, partition: int) -> None:
        settling = self._settling.pop(partition, None)
        if settling is not None and self._sender is not None:
            self._sender.assign(partition, [send for key, send in settling.sends.items() if key in settling.left])
            self._sender.tell(partition, [send for key, send in settling.sends.items() if key not in settling.left])

    async def _start(self) -> None:
        async with self._starting:  # partitions are assigned at the same time
            if self._sender is None:
                outlets = self._outlets()
                await self._outcomes.start()
                self._traces = None if self.exporter is None else SinkTraces(self.exporter)
                self._sender = Sender(
                    outlets, self._outcomes.write, self._on_lost, metrics=self._metrics, traces=self._traces
                )
                self._beside = [
                    asyncio.create_task(self._observe(self._sender), name="observe-sinks"),
                    *(asyncio.create_task(_watch(each, self._watched(outlets))) for each in self._watchers),
                ]

    def _watched(self, outlets: dict[str, Outlet]) -> Watched:
        return Watched(
            config=self._config,
            clients={name: outlet.client for name, outlet in outlets.items() if outlet.client is not None},
            processors=self._processors,
            partitions=self._outcomes.partitions,
            publish=self._outcomes.publish,
            counted=self._metrics.asked,
        )

    async def _observe(self, sender: Sender) -> None:
        while True:
            sender.observe()
            now_ms = int(datetime.now(UTC).timestamp() * 1_000)
            for urgent in (False, True):
                self._metrics.observe_oldest(self._oldest_ms(urgent=urgent), now_ms, urgent=urgent)
            await asyncio.sleep(OBSERVE_SECONDS)

    def _oldest_ms(self, *, urgent: bool) -> dict[str, int]:
        oldest: dict[str, int] = {}
        for each in self._processors.values():
            for sink, since_ms in each.waiting_since_ms(urgent=urgent).items():
                oldest[sink] = min(since_ms, oldest.get(sink, since_ms))
        return oldest

    def _outlets(self) -> dict[str, Outlet]:
        self._buckets = Buckets()
        found: dict[str, Outlet] = {}
        for name, sink in self._config.sinks.items():
            bucket = self._buckets.of(sink)
            found[name] = Outlet(None, bucket)
            if sink.enabled:
                try:
                    secrets = {variable: self._secret(variable) for variable in sink.secret_names}
                except SettingsError as missing:
                    raise SinkError(f"sink {name}: {missing}") from None
                found[name] = Outlet(client_of(sink, secrets, bucket), bucket)
        return found


def _key(send: Send) -> tuple[str, str]:
    return send.sink, send.incident_id


async def _watch(watcher: Watcher, watched: Watched) -> None:
    async with guarded("watch sinks", stage="deliver"):
        with ranked(RANK_POLL):
            await watcher(watched)


def _end_process(error: Any) -> None:
    fatal("write the outcome of a delivery", error, stage="deliver")
