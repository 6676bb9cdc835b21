"""What the poller and the reconciler share: what they know of records there, where updates go, and their clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.models.remote import Remote, RemoteState, SinkUpdate

TROUBLE_SECONDS_FIRST: Final = 30.0
"""A restart of the other side is over by then."""

TROUBLE_SECONDS_MAX: Final = 900.0
"""Four questions an hour are enough to notice the end of an outage."""

UpdateWriter = Callable[[SinkUpdate], Awaitable[None]]
"""Makes an update durable on ``sink.updates``; returns when the brokers have it."""


class Known(NamedTuple):
    """A record there that should be as we know it: nothing waits to be told about its incident.

    Attributes:
        remote: as it was last written or read.
        turn: moves on with each attempt. What was looked up in another turn is old.
    """

    sink: str
    incident_id: str
    remote: Remote
    turn: int


class Ledger(Protocol):
    """What is known of records there in one partition."""

    def known(self, sink: str) -> Iterable[Known]:
        """Records of incidents about which nothing waits and nothing is being sent."""

    def polled_ms(self, sink: str) -> int | None:
        """How far its changes have been read, by the clock there, epoch milliseconds; None: never."""


class OutboxLedger:
    """The ledger that the processor of a partition has in its outboxes."""

    def __init__(self, processor: DeliverProcessor) -> None:
        self._processor = processor

    def known(self, sink: str) -> Iterator[Known]:
        """As `Ledger`; what is gone there and given up is not looked for again."""
        for outbox in self._processor.outboxes():
            remote = outbox.remote
            if outbox.sink == sink and remote is not None and not outbox.queue and remote.state != RemoteState.GONE:
                yield Known(sink, outbox.incident_id, remote, outbox.turn)

    def polled_ms(self, sink: str) -> int | None:
        """As `Ledger`."""
        return self._processor.polls.read_to_ms(sink)


def _counted(sink: str, what: str, result: str) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a watcher needs of the world.

    Attributes:
        write: where updates go.
        clock: the wall clock; aware.
        sleep: waits, seconds.
        counted: told of each poll and look: sink, ``poll`` or ``look``, and what came of it.
    """

    write: UpdateWriter
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    counted: Callable[[str, str, str], None] = field(default=_counted)


def patience_seconds(failures: int, asked_seconds: int | None) -> float:
    """How long to wait after so many failures one after the other: doubling, and as long as the other side asks."""
    doubling = TROUBLE_SECONDS_FIRST * 2.0 ** min(max(failures - 1, 0), 16)
    return min(max(doubling, float(asked_seconds or 0)), TROUBLE_SECONDS_MAX)
