"""Figures over hundreds of thousands of incidents: counted a few at a time, and once for everybody where they stay."""

from __future__ import annotations

from asyncio import Semaphore, timeout
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from pipeline.console.identity import Scope
from pipeline.console.refusal import Reason, Refusal
from pipeline.records.analytics.figures import Maturity
from pipeline.records.analytics.periods import Period

AT_ONCE_MAX: Final = 2
"""Questions for figures that the store answers at a time. Each keeps a core or more busy for seconds at a million
incidents, and the board must not wait for a meeting that looks at its quarters."""

WAIT_SECONDS_MAX: Final = 30.0
"""As long as a question waits for its turn: a page of figures of a million incidents takes five seconds."""

WAITING_MAX: Final = 20
"""Questions that wait for their turn: more is no meeting, but a script."""

RETRY_SECONDS: Final = 60
"""When to ask again: those who wait have their turn by then."""

KEPT_MS: Final = 600_000
"""As long as the figures of a quarter that is over are used. They change where an incident of it is reopened, merged or
called for later on."""

OVER_MS: Final = 86_400_000
"""A quarter counts as over a day after its end: until then its last incidents are still under way."""

KEPT_MAX: Final = 512
"""Quarters times scopes, of about 10 kB each: eight quarters for each of 64 scopes."""

_Key = tuple[tuple[str, ...] | None, str, str]


class Counting:
    """What one console process counts."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._turn = Semaphore(AT_ONCE_MAX)
        self._waiting = 0
        self._kept: OrderedDict[_Key, tuple[int, Maturity]] = OrderedDict()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Held by whoever has a question for figures.

        Raises:
            Refusal: too many wait, or the others take too long.
        """
        if self._waiting >= WAITING_MAX:
            raise _busy()
        self._waiting += 1
        try:
            async with timeout(WAIT_SECONDS_MAX):
                await self._turn.acquire()
        except TimeoutError as late:
            raise _busy() from late
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()

    def quarter(self, scope: Scope, quarter: Period, now_ms: int, count: Callable[[], Maturity]) -> Maturity:
        """Figures of a quarter, counted where they are not known, or where it is not over yet."""
        if quarter.end is None or quarter.end.timestamp() * 1_000 + OVER_MS > now_ms:
            return count()
        key = (None if scope is None else tuple(sorted(scope)), quarter.name, quarter.zone)
        at_ms, known = self._kept.get(key, (0, None))
        if known is not None and 0 <= now_ms - at_ms < KEPT_MS:
            self._kept.move_to_end(key)
            return known
        found = count()
        if (
            not found.whole.incidents
        ):  # soon counted again; and words that are no domain must not push out those that are
            return found
        self._kept[key] = now_ms, found
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return found


def _busy() -> Refusal:
    detail = "many ask for figures at the moment, and each takes the store seconds: ask again in a minute"
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.TOO_MANY, detail, headers=headers)
