"""The sender: makes the attempts that deliver asks for, and writes what became of each to ``deliveries``.

Attempts of one sink share a small number of places; sinks share none, so one that hangs delays no other. An
attempt whose outcome could not be noted is made again by whoever owns the outbox next, under the same id.

    sender = Sender({"desk": WebhookSink(...)}, outcomes.write, on_lost=...)
    sender.dispatch(partition, processor.ready())
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from pipeline.core.outward.send import Send
from pipeline.models.delivery import Delivery
from pipeline.sinks.base import SinkClient

# Enough for a storm's incidents to be told within seconds, few enough for a small service desk to bear.
SENDS_AT_ONCE_MAX: Final = 8


OutcomeWriter = Callable[[Delivery], Awaitable[None]]


class Sender:
    """Attempts in flight, by partition.

    Each attempt is made once: `dispatch` may be called with the same sends again and again.
    """

    def __init__(
        self,
        sinks: Mapping[str, SinkClient],
        write: OutcomeWriter,
        on_lost: Callable[[BaseException], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Describe the sender; nothing connects yet.

        Args:
            sinks: by name.
            write: makes an outcome durable.
            on_lost: called when an outcome could not be written or a sink broke its promise. The head would
                wait for ever, so the process has to end.
            clock: the wall clock; its moments are signed and noted.
        """
        self._sinks = sinks
        self._write = write
        self._on_lost = on_lost
        self._clock = clock
        self._places = {name: asyncio.Semaphore(SENDS_AT_ONCE_MAX) for name in sinks}
        self._begun: dict[int, set[tuple[str, int]]] = {}
        self._tasks: dict[int, set[asyncio.Task[None]]] = defaultdict(set)

    def dispatch(self, partition: int, ready: Iterable[Send]) -> int:
        """Begin the attempts among ``ready`` that have not begun; the number of them.

        Args:
            partition: whose outboxes these are.
            ready: all sends that the partition has ready now.
        """
        sends = {(send.delivery_id, send.attempt): send for send in ready}
        begun = self._begun.get(partition, set())
        # An attempt that is no longer ready has its outcome, so only the present ones need be remembered.
        self._begun[partition] = set(sends)
        fresh = [send for identity, send in sends.items() if identity not in begun]
        for send in fresh:
            task = asyncio.create_task(self._attempt(send), name=f"send-{send.delivery_id}")
            self._tasks[partition].add(task)
            task.add_done_callback(lambda done: self._ended(partition, done))
        return len(fresh)

    async def cancel(self, partition: int) -> None:
        """Let go of a partition: what is in flight has no outcome, so its next owner sends it again."""
        self._begun.pop(partition, None)
        tasks = self._tasks.pop(partition, set())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of everything and disconnect from the sinks."""
        for partition in list(self._tasks):
            await self.cancel(partition)
        for sink in self._sinks.values():
            await sink.close()

    async def _attempt(self, send: Send) -> None:
        async with self._places[send.sink]:
            answer = await self._sinks[send.sink].send(send, self._clock())
        outcome = Delivery(
            delivery_id=send.delivery_id,
            sink=send.sink,
            incident_id=send.incident_id,
            revision=send.revision,
            attempt=send.attempt,
            outcome=answer.outcome,
            status=answer.status,
            detail=answer.detail,
            retry_after_seconds=answer.retry_after_seconds,
            unknown=answer.unknown,
            remote=answer.remote,
            at_ms=int(self._clock().timestamp() * 1_000),
        )
        await self._write(outcome)

    def _ended(self, partition: int, task: asyncio.Task[None]) -> None:
        self._tasks[partition].discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_lost(error)
