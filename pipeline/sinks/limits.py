"""How fast a credential may be used: one bucket of tokens, out of which the most urgent is served first."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from time import monotonic

from pipeline.models.sinks import SinkRules


class Bucket:
    """Tokens of one credential. A rate of 0 has no limit, but can be paused."""

    def __init__(self, per_second: float, burst: int) -> None:
        self.per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at = monotonic()
        self._paused_until = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._server: asyncio.Task[None] | None = None

    async def take(self, rank: int = 0) -> None:
        """Wait for a token; of those who wait the lowest rank is first, then who came first."""
        future = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (rank, next(self._order), future))
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve(), name="bucket")
        await future

    def pause(self, seconds: float) -> None:
        """Give nothing out for so long: the other side asks for patience."""
        self._paused_until = max(self._paused_until, monotonic() + seconds)

    @property
    def paused_seconds(self) -> float:
        """How long nothing is given out; 0.0: it is not paused."""
        return max(0.0, self._paused_until - monotonic())

    async def _serve(self) -> None:
        while self._waiting:
            wait = self._wait_seconds()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            _, _, future = heappop(self._waiting)
            if not future.done():  # who waited may have been cancelled
                self._tokens -= 1
                future.set_result(None)

    def _wait_seconds(self) -> float:
        now = monotonic()
        if now < self._paused_until:
            return self._paused_until - now
        if self.per_second <= 0:
            self._tokens = float(self._burst)
            return 0.0
        self._tokens = min(float(self._burst), self._tokens + (now - self._at) * self.per_second)
        self._at = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self.per_second


class Buckets:
    """The buckets of a process, by credential."""

    def __init__(self) -> None:
        self._by_credential: dict[str, Bucket] = {}

    def of(self, rules: SinkRules) -> Bucket:
        """The bucket that a sink shares with others of its credential; the slowest of them says how fast."""
        found = self._by_credential.get(rules.credential)
        if found is None:
            found = self._by_credential[rules.credential] = Bucket(rules.requests_per_second, rules.burst)
        elif rules.requests_per_second and (found.per_second <= 0 or rules.requests_per_second < found.per_second):
            found.per_second = rules.requests_per_second
        return found
