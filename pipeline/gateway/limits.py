"""Limits that requests share: a rate for each feed, and room in memory for all bodies together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final

from pipeline.flow import MEBIBYTE
from pipeline.gateway.refusal import busy


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process allows, over all feeds.

    Attributes:
        bodies_bytes: all bodies that are being read or wait for the broker. The producer holds a copy of each, so
            twice this is used.
        requests: that are being answered at once; a second's worth of what the gateway must hold.
        connections: open at once. Each costs some 20 KiB, and a head that does not end another 64 before it is
            closed; a proxy in front needs a few hundred.
        idle_seconds: a connection that has not sent a whole head of a request for so long is closed.
        body_seconds: a body that takes longer is a broken line, or somebody who holds places; sources give up
            themselves by then.
    """

    bodies_bytes: int = 64 * MEBIBYTE
    requests: int = 2_000
    connections: int = 4_000
    idle_seconds: float = 20.0
    body_seconds: float = 15.0


class TokenBucket:
    """A sustained rate with a burst on top; one for each feed.

    Not the sender's but the feed's, and taken from after authentication: strangers cannot use it up.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._tokens = self._burst
        self._at = clock()

    def take(self) -> int:
        """Take one token. 0 where there was one, else the whole seconds until there will be."""
        seconds = self.wait()
        self._tokens -= not seconds
        return seconds

    def wait(self) -> int:
        """Whole seconds until there is a token; takes none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return 0 if self._tokens >= 1 else max(1, ceil((1 - self._tokens) / self._per_second))


STRANGERS_SHARE: Final = 0.5
"""Of the room for bodies: what those may take whose sender proves himself by the body. Anybody can send such, so the
other half is left to feeds that know their sender by a header."""


class Room:
    """Bytes that bodies may take together. What is taken must be given back, by the same kind of sender."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.bytes_taken = 0
        self._by_strangers = 0

    def take(self, count: int, *, stranger: bool = False) -> None:
        """Take room for bytes.

        Args:
            count: bytes.
            stranger: nobody has said yet who sends them.

        Raises:
            Refusal: there is none; nothing was taken.
        """
        full = stranger and self._by_strangers + count > self._bytes_max * STRANGERS_SHARE
        if full or self.bytes_taken + count > self._bytes_max:
            raise busy("room for bodies")
        self.bytes_taken += count
        self._by_strangers += count * stranger

    def give_back(self, count: int, *, stranger: bool = False) -> None:
        """Give room back."""
        self.bytes_taken -= count
        self._by_strangers -= count * stranger
