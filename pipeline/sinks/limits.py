"""How fast a credential may be used: one bucket of tokens, out of which the most urgent is served first.

An attempt gets the token of its first request when it is chosen (`Bucket.reserve`), so that attempts go in the order
in which they were chosen; for each further request it waits its turn (`Bucket.take`). A configured rate is that of all
workers together: each has the share of the partitions that it owns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from time import monotonic
from typing import Final, Self

from pipeline.models.sinks import SinkRules
from pipeline.sinks.secrets import Secrets

RANK_LOOK_UP: Final = 1_000
"""Of a look-up that a person waits for. What is sent goes first, and its ranks are places of a priority: a handful."""

RANK_POLL: Final = 1_001
"""Of asking what has changed there."""

RANK_RECONCILE: Final = 1_002
"""Of looking whether a record is as it should be: an hour more or less does not matter."""

PATIENCE_SECONDS: Final = 30.0
"""Who has waited so long is next, whatever its rank: a backlog of hours must not keep us from hearing what people do
there, and one request in 30 seconds hardly slows it."""

WAIT_SECONDS_MIN: Final = 0.001
"""Timers wait at least so long, so that rounding cannot make them spin."""

LEFT_OVER_MAX: Final = 64
"""Entries of waiters that are gone may lie about up to so many, or as many as there are live ones."""


@dataclass(order=True, slots=True)
class _Waiter:
    rank: int
    order: int
    at: float = field(compare=False)
    future: asyncio.Future[None] = field(compare=False)


class Reservation:
    """The token of an attempt's first request. As a context it is used up by the first `Bucket.take` within.

    Attributes:
        answered: requests of the attempt that were answered as they should be: the sink is at work.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.answered = 0
        self._bucket = bucket
        self._spent = False
        self._before: Token[Reservation | None] | None = None

    def __enter__(self) -> Self:
        self._before = _RESERVED.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _RESERVED.reset(self._before)

    def spend(self, bucket: Bucket) -> bool:
        """Whether it pays for a request out of this bucket; it does so once."""
        if self._spent or bucket is not self._bucket:
            return False
        self._spent = True
        return True

    def release(self) -> None:
        """Give the token back if no request was made."""
        if self.spend(self._bucket):
            self._bucket.give_back()


_RESERVED: ContextVar[Reservation | None] = ContextVar("reserved", default=None)
_RANK: ContextVar[int] = ContextVar("rank", default=0)


def note_answer() -> None:
    """A request was answered as it should be; whose attempt it belongs to is told."""
    reserved = _RESERVED.get()
    if reserved is not None:
        reserved.answered += 1


@contextmanager
def ranked(rank: int) -> Iterator[None]:
    """Whatever is requested within, also by tasks that begin there, is of this rank at least."""
    before = _RANK.set(rank)
    try:
        yield
    finally:
        _RANK.reset(before)


class Bucket:
    """Tokens of one credential. A rate of 0 has no limit, but can be paused.

    Attributes:
        per_second: the configured rate, of all workers together.
        secrets: what must not be quoted of answers that this credential gets.
        paused_total_seconds: how long the other side has asked us to wait, all in all.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self.per_second = per_second
        self.secrets = Secrets()
        self.paused_total_seconds = 0.0
        self._burst = burst
        self._share = 1.0
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()
        self._paused_until = 0.0
        self._queue: list[_Waiter] = []
        self._arrived: deque[_Waiter] = deque()
        self._live = 0
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    # -- how fast

    def limit_to(self, share: float) -> None:
        """Take only this share of the rate: the rest is other workers'."""
        self._refill()
        self._share = share
        self._tokens = min(self._tokens, self._capacity)
        self._plan()

    def pause(self, seconds: float) -> None:
        """Give nothing out for so long: the other side asks for patience."""
        now = self._clock()
        until = max(self._paused_until, now + seconds)
        self.paused_total_seconds += until - max(now, self._paused_until)
        self._paused_until = until

    @property
    def paused_seconds(self) -> float:
        """How long nothing is given out; 0.0: it is not paused."""
        return max(0.0, self._paused_until - self._clock())

    @property
    def _capacity(self) -> float:
        return max(1.0, self._burst * self._share)

    def wait_seconds(self) -> float:
        """How long until there is a token for who comes now, as things stand."""
        paused = self.paused_seconds
        if paused > 0 or self.per_second <= 0:
            return paused
        self._refill()
        return max(0.0, self._live + 1 - self._tokens) / (self.per_second * self._share)

    # -- out of it

    async def take(self, rank: int = 0) -> None:
        """Wait for a token; of those who wait the lowest rank is first, then who came first."""
        reserved, rank = _RESERVED.get(), max(rank, _RANK.get())
        if (reserved is not None and reserved.spend(self)) or self._taken(rank):
            return
        future = asyncio.get_running_loop().create_future()
        waiter = _Waiter(rank, next(self._order), self._clock(), future)
        heappush(self._queue, waiter)
        self._arrived.append(waiter)
        self._live += 1
        self._plan()
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._live -= 1
                self._tidy()
            else:  # it was served in the moment in which it was cancelled
                self.give_back()
            raise

    def reserve(self, rank: int = 0) -> Reservation | None:
        """A token for an attempt that is about to begin; None where it has to wait, or others go first."""
        return Reservation(self) if self._taken(rank) else None

    def give_back(self) -> None:
        """Put a token back that was not used."""
        self._tokens = min(self._capacity, self._tokens + 1)
        self._serve()

    def _taken(self, rank: int) -> bool:
        """Take a token now, unless somebody waits who goes first."""
        first = self._first()
        if first is not None and (first.rank <= rank or self._out_of_patience(first)):
            return False
        if not self._has_token():
            return False
        self._tokens -= 1
        return True

    def _has_token(self) -> bool:
        if self.paused_seconds > 0:
            return False
        self._refill()
        return self._tokens >= 1

    def _refill(self) -> None:
        now = self._clock()
        if self.per_second <= 0:
            self._tokens = max(1.0, self._capacity)
        else:
            grown = self._tokens + (now - self._at) * self.per_second * self._share
            self._tokens = min(self._capacity, grown)
        self._at = now

    def _first(self) -> _Waiter | None:
        """Who is next: the oldest where its patience is at its end, else the most urgent."""
        while self._arrived and self._arrived[0].future.done():
            self._arrived.popleft()
        while self._queue and self._queue[0].future.done():
            heappop(self._queue)
        if not self._queue:
            return None
        oldest = self._arrived[0]
        return oldest if self._out_of_patience(oldest) else self._queue[0]

    def _out_of_patience(self, waiter: _Waiter) -> bool:
        return self._clock() - waiter.at >= PATIENCE_SECONDS

    def _serve(self) -> None:
        self._timer = None
        while (first := self._first()) is not None and self._has_token():
            self._tokens -= 1
            self._live -= 1
            first.future.set_result(None)
        self._plan()

    def _plan(self) -> None:
        """Have the next one served when its token is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._live:
            wait = self.paused_seconds
            if not wait and self.per_second > 0:
                self._refill()
                wait = max(0.0, 1 - self._tokens) / (self.per_second * self._share)
            self._timer = asyncio.get_running_loop().call_later(max(WAIT_SECONDS_MIN, wait), self._serve)

    def _tidy(self) -> None:
        """Drop entries of waiters that are gone, before there are more of them than of live ones."""
        if len(self._queue) > 2 * self._live + LEFT_OVER_MAX:
            self._queue = [waiter for waiter in self._queue if not waiter.future.done()]
            heapify(self._queue)
        if len(self._arrived) > 2 * self._live + LEFT_OVER_MAX:
            self._arrived = deque(waiter for waiter in self._arrived if not waiter.future.done())


class Buckets:
    """The buckets of a process, by credential."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._by_credential: dict[str, Bucket] = {}

    def of(self, rules: SinkRules) -> Bucket:
        """The bucket that a sink shares with others of its credential; the slowest of them says how fast."""
        found = self._by_credential.get(rules.credential)
        if found is None:
            found = Bucket(rules.requests_per_second, rules.burst, self._clock)
            self._by_credential[rules.credential] = found
        elif rules.requests_per_second and (found.per_second <= 0 or rules.requests_per_second < found.per_second):
            found.per_second = rules.requests_per_second
        return found

    def limit_to(self, owned: int, total: int) -> None:
        """This worker owns so many of the partitions: it takes that share of each rate.

        With none it keeps that of one, for what is under way.
        """
        for bucket in self._by_credential.values():
            bucket.limit_to(min(1.0, max(1, owned) / max(1, total)))
