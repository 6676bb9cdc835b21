"""A process that watches: a probe every so often, figures of it, and a ping to elsewhere while it gets through.

Whoever gets the pings calls people when they stop: a dead-man's switch. So it must not run on what it watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.runtime.guard import guarded, log_line
from pipeline.runtime.health import HealthServer
from pipeline.runtime.process_metrics import expose_process
from pipeline.runtime.serving import Listening
from pipeline.settings import Settings
from pipeline.watch.probe import Prober, Round

NAME: Final = "watch"

# A ping that takes longer would be late for the next one.
PING_SECONDS_MAX: Final = 10.0
# From an idle machine to what a storm leaves of it.
PROBE_SECONDS_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)

THROUGH: Final = "through"
LATE: Final = "late"
FAILED: Final = "failed"
SENT: Final = "sent"
WITHHELD: Final = "withheld"


class WatchMetrics:
    """Series of the watch."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them, from zero."""
        self.registry = registry
        self.probes = Counter(
            "spillway_probes",
            "Probes by outcome: through, late, or failed where Kafka could not be asked.",
            ["outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "spillway_probe_seconds",
            "Until a probe was through every stage; of those that got through.",
            buckets=PROBE_SECONDS_BUCKETS,
            registry=registry,
        )
        self.success = Gauge("spillway_probe_success", "1 where the newest probe got through.", registry=registry)
        self.pings = Counter(
            "spillway_pings",
            "Pings of the dead-man's switch by outcome: sent, failed, or withheld as the probe was not through.",
            ["outcome"],
            registry=registry,
        )
        for outcome in (THROUGH, LATE, FAILED):
            self.probes.labels(outcome)
        for outcome in (SENT, FAILED, WITHHELD):
            self.pings.labels(outcome)

    def take(self, found: Round) -> None:
        """Count one round."""
        self.probes.labels(FAILED if found.error else THROUGH if found.through else LATE).inc()
        self.success.set(found.through)
        if found.through:
            self.seconds.observe(found.seconds)


class Watch:
    """A running watch. Made inside a running event loop.

    Attributes:
        in_flight: nothing is ever waited for at the end.
    """

    in_flight = 0

    def __init__(
        self,
        settings: Settings,
        stages: frozenset[str],
        every_seconds: float,
        within_seconds: float,
        ping_url: str | None,
    ) -> None:
        """Describe it.

        Args:
            settings: of the process.
            stages: those that a probe must get through.
            every_seconds: from one probe to the next.
            within_seconds: how long one may take.
            ping_url: where the sign of life goes; None: nowhere, and there are figures alone.
        """
        self._every_seconds, self._within_seconds = every_seconds, within_seconds
        self._ping_url = ping_url
        registry = CollectorRegistry()
        expose_process(registry, NAME)
        self._metrics = WatchMetrics(registry)
        self._prober = Prober(settings, stages)
        self._health = HealthServer(settings.http_port, registry, self._status)
        self._tasks: list[asyncio.Task[None]] = []
        self._last: Round | None = None

    def _status(self) -> Mapping[str, Mapping[str, object]]:
        last = self._last
        return {
            NAME: {
                "ready": last is not None,
                "stalled_seconds": 0.0,
                "through": last is not None and last.through,
                "waiting_for": list(last.waiting) if last else [],
            }
        }

    async def start(self, host: str, port: int) -> Listening:
        """Begin to send probes.

        Raises:
            WatchError: no broker answers, or a topic is missing.
            HealthServerError: the health port is taken.
        """
        await asyncio.to_thread(self._prober.check)
        self._health.start()
        self._tasks = [asyncio.create_task(self._health.beat()), asyncio.create_task(self._run())]
        return Listening(host, port, self._health.port)

    async def drain(self) -> None:
        """Nothing is under way that anybody waits for."""

    async def close(self) -> None:
        """Let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._prober.close)  # the probe's thread outlives its task: wait for it elsewhere
        self._health.stop()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        timeout = aiohttp.ClientTimeout(total=PING_SECONDS_MAX)
        async with guarded("watch"), aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                next_at = loop.time() + self._every_seconds
                found = await asyncio.to_thread(self._prober.send, self._within_seconds)
                self._told(found)
                await self._ping(session, found)
                await asyncio.sleep(max(0.0, next_at - loop.time()))

    def _told(self, found: Round) -> None:
        before, self._last = self._last, found
        self._metrics.take(found)
        if before is None or before.through != found.through or before.waiting != found.waiting:
            log_line(
                "probe through" if found.through else "probe not through",
                seconds=round(found.seconds, 3),
                waiting_for=found.waiting,
                error=found.error or None,
            )

    async def _ping(self, session: aiohttp.ClientSession, found: Round) -> None:
        if self._ping_url is None:
            return
        if not found.through:
            self._metrics.pings.labels(WITHHELD).inc()
            return
        try:
            async with session.get(self._ping_url) as answer:
                sent, why = answer.ok, f"status {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            sent, why = False, type(error).__name__  # and no more: the address is a secret, and errors repeat it
        self._metrics.pings.labels(SENT if sent else FAILED).inc()
        if not sent:
            log_line("ping failed", because=why)
