"""Which partitions of this process decide and commit at the moment: a few, and those of later stages first.

All of them share one core for deciding and, mostly, one broker. Where every partition has its transaction open at the
same time, each takes as long as all of them together. A few at a time end sooner, and whoever waits for its turn finds
more records when it comes: fewer and larger transactions, and so less work, exactly when there is much of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Final

# One decides while the brokers take the writes, the offsets and the commit of others.
TRANSACTIONS_AT_ONCE: Final = 4
# Who takes longer waits for a broker that does not answer or for the world outside, not for the core: others go on.
PATIENCE_SECONDS: Final = 0.25
ALL_AT_ONCE: Final = inf


class Gate:
    """Turns of the partitions that share it, on one event loop."""

    def __init__(self, width: float = TRANSACTIONS_AT_ONCE) -> None:
        """Open a gate.

        Args:
            width: how many may be through at once; `ALL_AT_ONCE` for no limit.
        """
        self._free = width
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Wait for a place, and keep it for the block, or for `PATIENCE_SECONDS` if that is shorter.

        Args:
            rank: the lowest goes first; among equals, who came first.
        """
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(rank)
        place = _Place(self)
        late = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, place.leave)
        try:
            yield
        finally:
            late.cancel()
            place.leave()

    async def _wait(self, rank: int) -> None:
        given = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (rank, next(self._arrivals), given))
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():  # given to us in the moment we were cancelled
                self.hand_on()
            raise

    def hand_on(self) -> None:
        """A place is free: the first in line has it."""
        while self._waiting:
            _, _, given = heappop(self._waiting)
            if not given.done():
                given.set_result(None)
                return
        self._free += 1


class _Place:
    """A place in the gate, left once."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Gate | None = gate

    def leave(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.hand_on()
