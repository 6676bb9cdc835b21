"""Figures over hundreds of thousands of incidents: counted a few at a time, and once for everybody where they stay."""

from __future__ import annotations

from asyncio import Semaphore
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from pipeline.console.identity import Scope
from pipeline.records.analytics.figures import Maturity
from pipeline.records.analytics.periods import Period

AT_ONCE_MAX: Final = 2
"""Questions for figures that the store answers at a time. Each keeps a core or more busy for seconds at a million
incidents, and the board must not wait for a meeting that looks at its quarters."""

KEPT_MS: Final = 600_000
"""As long as the figures of a quarter that is over are used: they change only where an incident of it is reopened."""

KEPT_MAX: Final = 512
"""Quarters times scopes, of about 10 kB each: eight quarters for each of 64 scopes."""

_Key = tuple[tuple[str, ...] | None, str, str]


class Counting:
    """What one console process counts.

    Attributes:
        turn: held by whoever has a question for figures.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.turn = Semaphore(AT_ONCE_MAX)
        self._kept: OrderedDict[_Key, tuple[int, Maturity]] = OrderedDict()

    def quarter(self, scope: Scope, quarter: Period, now_ms: int, count: Callable[[], Maturity]) -> Maturity:
        """Figures of a quarter, counted where they are not known, or where it is not over yet."""
        if quarter.end is None or quarter.end.timestamp() * 1_000 > now_ms:
            return count()
        key = (None if scope is None else tuple(sorted(scope)), quarter.name, quarter.zone)
        at_ms, known = self._kept.get(key, (0, None))
        if known is not None and 0 <= now_ms - at_ms < KEPT_MS:
            return known
        found = count()
        self._kept[key] = now_ms, found
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return found
