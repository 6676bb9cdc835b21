"""How many messages a second of one feed one partition hands on: a sustained rate with a burst on top."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

WAIT_SECONDS_MIN: Final = 0.001
"""Whoever waits for less than the last bit of a token would ask again and again."""


class Quota:
    """Tokens of one feed in one partition. What is not allowed now waits in Kafka; nothing is dropped."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        """A full bucket.

        Args:
            per_second: sustained rate, messages a second, above 0.
            burst: messages that may go at once; at least one does.
            clock: monotonic time, seconds.
        """
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._clock = clock
        self._tokens = self._burst
        self._at = clock()

    @property
    def soon_max(self) -> float:
        """Messages that it lets through within the next second at most."""
        return self._burst + self._per_second

    def allowed(self) -> int:
        """Messages that may go now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return max(0, int(self._tokens))

    def seconds_until_allowed(self) -> float:
        """How long until one may go."""
        return 0.0 if self.allowed() else max(WAIT_SECONDS_MIN, (1.0 - self._tokens) / self._per_second)

    def spend(self, messages: int) -> None:
        """So many have gone."""
        self._tokens -= messages
