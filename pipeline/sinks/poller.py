"""The poller: asks a downstream now and then what has changed there, where it cannot tell us by itself.

One in the deployment for each sink: whoever owns the partition that the sink's name falls on. How far it has read is
the newest time of a change that it has seen, by the clock there, so that clocks need not agree; it asks again from a
little before it, since a change may become visible after a later one. What is read twice has the same id.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pipeline.core.identity import partition_of
from pipeline.models.remote import Fields, SinkUpdate, UpdateKind
from pipeline.sinks.asked import changes
from pipeline.sinks.base import SinkClient, Trouble
from pipeline.sinks.looking import Ledger, Surroundings

OVERLAP: Final = timedelta(minutes=2)
"""Times of changes are of seconds, and a change may be committed there after one that began later."""

LOOK_BACK: Final = timedelta(hours=1)
"""Where nobody has asked before: records of ours are younger then, or the reconciler reads them."""

AHEAD_MAX: Final = timedelta(hours=1)
"""A change of later than this is a wrong clock: taken for how far we have read, nothing would be read until then."""


def polling_partition(sink: str, partitions: int) -> int:
    """The partition whose owner polls a sink."""
    return partition_of(sink.encode(), partitions)


class Poller:
    """Polls one sink."""

    def __init__(self, sink: str, client: SinkClient, ledger: Ledger, around: Surroundings) -> None:
        """Describe it; nothing is asked yet.

        Args:
            sink: its name.
            client: of the sink.
            ledger: of the partition that the sink's name falls on.
            around: the world.
        """
        self._sink = sink
        self._client = client
        self._ledger = ledger
        self._around = around
        self._read_to: datetime | None = None

    async def poll(self) -> int:
        """Ask once, and write what has changed; the number of updates.

        What was read before the other side failed is kept, and how far that was: changes come oldest first.

        Raises:
            Trouble: it cannot be asked now.
        """
        count, newest = 0, None
        try:
            async for update in changes(self._sink, self._client, self._since() - OVERLAP):
                await self._around.write(update)
                count += 1
                newest = update.at if newest is None else max(newest, update.at)
        except Trouble:
            self._around.counted(self._sink, "poll", "failed")
            raise
        else:
            self._around.counted(self._sink, "poll", "changed" if count else "nothing")
        finally:
            await self._keep(newest)
        return count

    def _since(self) -> datetime:
        """How far has been read: in this life, else in the one before, else nobody has asked."""
        if self._read_to is None:
            now = self._around.clock()
            before_ms = self._ledger.polled_ms(self._sink)
            before = None if before_ms is None else datetime.fromtimestamp(before_ms / 1_000, now.tzinfo)
            self._read_to = now - LOOK_BACK if before is None else before
        return self._read_to

    async def _keep(self, newest: datetime | None) -> None:
        """Remember how far has been read, also for who polls next. Never back, and never far ahead of now."""
        now = self._around.clock()
        if newest is None or newest <= self._since() or newest > now + AHEAD_MAX:
            return
        self._read_to = newest
        await self._around.write(polled(self._sink, newest))


def polled(sink: str, read_to: datetime) -> SinkUpdate:
    """The update that says how far a sink's changes have been read. It is of no incident, and keyed by the sink."""
    identity = f"{sink}/polled/{int(read_to.timestamp() * 1_000)}"
    return SinkUpdate(
        kind=UpdateKind.POLLED, update_id=identity[-256:], sink=sink, incident_id=sink, at=read_to, fields=Fields()
    )
