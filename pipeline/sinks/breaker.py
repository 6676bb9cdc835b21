"""Circuit breaker: a sink that is down is left alone, and asked now and then whether it is back.

It opens when attempts fail one after the other, whichever incidents they are of. While it is open nothing is attempted,
so nobody's retries are used up; after a wait, which grows, one attempt asks (half-open). Any answer that shows the sink
at work closes it. As long as few incidents have failed it may be they that the sink cannot bear, so another one asks at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from math import inf
from time import monotonic
from typing import Final

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.base import Answer

FAILURES_MAX: Final = 5
"""Attempts that fail one after the other before the sink counts as down. Of a sink that fails one request in five, as a
bad day has it, five in a row are one in three thousand."""

INCIDENTS_MIN: Final = 3
"""So many different incidents have to fail before others wait as well."""

WAIT_SECONDS_FIRST: Final = 5.0
"""A restart is over by then."""

WAIT_SECONDS_MAX: Final = 300.0
"""A sink that is back is noticed within five minutes, and twelve attempts an hour burden nobody."""

CREDENTIAL_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Verdict(StrEnum):
    """What an answer shows of the sink, whatever it means for the delivery."""

    UP = "up"
    DOWN = "down"
    UNCLEAR = "unclear"


class BreakerState(StrEnum):
    """Closed: all is well. Open: nothing is attempted. Half-open: one attempt asks whether it is back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def verdict(answer: Answer) -> Verdict:
    """What an answer shows of the sink.

    A refused credential shows it as down: nothing can be told there until a person has repaired it. "Too many" and
    "not now" show neither.
    """
    if answer.outcome is not DeliveryOutcome.RETRY:
        # What is refused without a status was never asked there.
        is_asked = answer.outcome is DeliveryOutcome.DELIVERED or answer.status is not None
        return Verdict.UP if is_asked else Verdict.UNCLEAR
    status = answer.status
    if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in CREDENTIAL_REFUSED:
        return Verdict.DOWN
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return Verdict.DOWN if is_redirect else Verdict.UNCLEAR


class Breaker:
    """Of one sink, in one process."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._wait_seconds = WAIT_SECONDS_FIRST
        self._until = 0.0
        self._failed: set[str] = set()
        self.state = BreakerState.CLOSED

    def rest_seconds(self) -> float:
        """How long nobody at all may ask; `inf` while another one asks."""
        if self.state is BreakerState.OPEN and len(self._failed) >= INCIDENTS_MIN:
            return max(0.0, self._until - self._clock())
        return inf if self.state is BreakerState.HALF_OPEN else 0.0

    def wait_seconds(self, incident_id: str) -> float:
        """How long until an attempt for an incident may begin; `inf` while another one asks."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        if self.state is BreakerState.HALF_OPEN:
            return inf
        is_fresh = len(self._failed) < INCIDENTS_MIN and incident_id not in self._failed
        return 0.0 if is_fresh else max(0.0, self._until - self._clock())

    def has_failed(self, incident_id: str) -> bool:
        """Whether attempts for this incident are among those that it opened on."""
        return incident_id in self._failed

    def begin(self) -> bool:
        """An attempt begins, after `wait_seconds` said 0; whether it is the one that asks."""
        if self.state is BreakerState.CLOSED:
            return False
        self.state = BreakerState.HALF_OPEN
        return True

    def ended(self, found: Verdict, incident_id: str, *, asked: bool) -> None:
        """An attempt for an incident has ended. ``asked``: as `begin` said of it."""
        asked = asked and self.state is BreakerState.HALF_OPEN  # else another one has shown meanwhile how it stands
        if found is Verdict.UP or (asked and found is Verdict.UNCLEAR):
            self.state, self._failures, self._wait_seconds = BreakerState.CLOSED, 0, WAIT_SECONDS_FIRST
            self._failed.clear()
        elif found is Verdict.DOWN:
            self._failures += 1
            if len(self._failed) < INCIDENTS_MIN:
                self._failed.add(incident_id)
            if asked:
                self._wait_seconds = min(self._wait_seconds * 2, WAIT_SECONDS_MAX)
            if asked or (self.state is BreakerState.CLOSED and self._failures >= FAILURES_MAX):
                self._open()

    def given_up(self, *, asked: bool) -> None:
        """An attempt was broken off by us, and shows nothing."""
        if asked and self.state is BreakerState.HALF_OPEN:
            self.state = BreakerState.OPEN  # its wait is over, so the next one asks

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        self._until = self._clock() + self._wait_seconds
