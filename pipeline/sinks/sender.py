"""The sender: makes the attempts that deliver asks for, and writes what became of each to ``deliveries``.

Each sink has a lane of its own, so one that hangs, is slow or is down delays no other. An attempt whose outcome could
not be noted is made again by whoever owns the outbox next, under the same id.

    sender = Sender({"desk": Outlet(client, bucket)}, outcomes.write, on_lost=...)
    sender.assign(partition, processor.ready())
    sender.tell(partition, *processor.take_ready())
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from prometheus_client import CollectorRegistry

from pipeline.core.outward.send import Send
from pipeline.sinks.lane import Lane, LaneContext, OutcomeWriter, Outlet
from pipeline.sinks.metrics import SinkMetrics
from pipeline.sinks.traced import SinkTraces

GRACE_SECONDS: Final = 1.0
"""Attempts in flight may end so long after their partition has left: most do, and what is broken off has to be looked
for before it is made again. A rebalance waits for it."""


class Sender:
    """The attempts of one process."""

    def __init__(
        self,
        outlets: Mapping[str, Outlet],
        write: OutcomeWriter,
        on_lost: Callable[[BaseException], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        metrics: SinkMetrics | None = None,
        traces: SinkTraces | None = None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        """Describe the sender; nothing connects yet.

        Args:
            outlets: sinks by name.
            write: makes an outcome durable.
            on_lost: called when an outcome could not be written. The head would wait for ever, so the process has to
                end.
            clock: the wall clock; its moments are signed and noted.
            metrics: the process's series; None: nobody looks.
            traces: of what is sent; None: there are none.
            timer: what waits are measured by.
        """
        metrics = metrics or SinkMetrics(CollectorRegistry())
        metrics.start(outlets)
        context = LaneContext(
            write=write, on_lost=on_lost, clock=clock, metrics=metrics, traces=traces or SinkTraces(), monotonic=timer
        )
        self._lanes = {name: Lane(name, outlet, context) for name, outlet in outlets.items()}

    def assign(self, partition: int, ready: Iterable[Send]) -> None:
        """Take a partition over.

        Args:
            partition: that is ours now.
            ready: all that it has ready. A former owner may have begun any of it.
        """
        self.tell(partition, [send._replace(unsure=True) for send in ready])

    def tell(self, partition: int, changed: Iterable[Send], withdrawn: Iterable[tuple[str, str]] = ()) -> None:
        """Take in what has changed of what a partition has ready, and begin what may begin.

        Args:
            partition: whose outboxes these are.
            changed: sends that are new or others than before. One that has been told before changes nothing.
            withdrawn: sink and incident where there is nothing to send any more.
        """
        touched: dict[str, Lane] = {}
        for sink, incident_id in withdrawn:
            if (lane := self._lanes.get(sink)) is not None:  # outboxes outlive their sink
                lane.withdraw(incident_id)
        for send in changed:
            touched[send.sink] = lane = self._lanes[send.sink]
            lane.tell(partition, send)
        for lane in touched.values():
            lane.go()

    async def release(self, partition: int, grace_seconds: float = GRACE_SECONDS) -> None:
        """Let go of a partition: what is in flight and does not end in time has no outcome; its next owner looks."""
        await asyncio.gather(*(lane.release(partition, grace_seconds) for lane in self._lanes.values()))

    async def close(self) -> None:
        """Let go of everything and disconnect from the sinks."""
        for lane in self._lanes.values():
            await lane.release(None, 0)
            lane.stop()
            if lane.outlet.client is not None:
                await lane.outlet.client.close()

    def observe(self) -> None:
        """Set the gauges of all sinks."""
        for lane in self._lanes.values():
            lane.observe()
