"""How often somebody may ask: token buckets by address and by person, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from time import monotonic
from typing import Final

from pipeline.console.refusal import Reason, Refusal
from pipeline.gateway.limits import TokenBucket
from pipeline.models.console import Rates

BURST: Final = 10.0
"""Seconds' worth that may come at once: a page with its parts, a script that catches up."""

KEYS_MAX: Final = 20_000
"""Addresses or people that are remembered; who has not asked for longest is forgotten first. Some 5 MB."""

SIGN_IN_BURST_MIN: Final = 5


class Buckets:
    """A bucket for each key."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second, self._burst, self._clock = per_second, max(1, ceil(burst)), clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> int:
        """Take a token; 0, or the seconds until there is one."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._per_second, self._burst, self._clock)
            if len(self._buckets) > KEYS_MAX:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take()

    def wait(self, key: str) -> int:
        """Seconds until there is a token; takes none. 0 also for a key that never asked."""
        bucket = self._buckets.get(key)
        return 0 if bucket is None else bucket.wait()


class Limiter:
    """All limits of one process. Several processes allow as much each."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = monotonic) -> None:
        minute = rates.sign_ins_per_minute
        self._strangers = Buckets(rates.strangers_per_second, rates.strangers_per_second * BURST, clock)
        self._people = Buckets(rates.people_per_second, rates.people_per_second * BURST, clock)
        self._commands = Buckets(rates.commands_per_second, rates.commands_per_second * BURST, clock)
        self._sign_ins = Buckets(minute / 60, max(SIGN_IN_BURST_MIN, minute), clock)
        self._failures = Buckets(minute / 60, max(SIGN_IN_BURST_MIN, minute), clock)
        self._good = Remembered()

    def stranger(self, address: str) -> None:
        """A request without a credential.

        Raises:
            Refusal: too many came from there.
        """
        _within(self._strangers.take(address), "requests from your address")

    def before_proof(self, address: str, proof: bytes) -> None:
        """A credential is shown: whether it is looked at.

        Raises:
            Refusal: too many that are none came from there. One that was good a moment ago is looked at all the same,
                so that nobody behind the same address can shut others out.
        """
        if not self._good.knows(proof):
            _within(self._failures.wait(address), "credentials from your address that are none")

    def before_session(self, address: str, proof: bytes) -> None:
        """A browser shows a session: whether it is looked at.

        Nobody guesses one, but they end, and browsers that keep one that has ended must not shut out who signs in
        beside them; so they count as what they are, strangers.

        Raises:
            Refusal: too many strangers ask from there, and this one was not good a moment ago.
        """
        if not self._good.knows(proof):
            _within(self._strangers.wait(address), "requests from your address")

    def proven(self, proof: bytes) -> None:
        """The credential was good, or is new."""
        self._good.add(proof)

    def over(self, proof: bytes) -> None:
        """The session is none, or none any more."""
        self._good.forget(proof)

    def failed(self, address: str, proof: bytes) -> None:
        """The credential was none."""
        self._good.forget(proof)
        self._failures.take(address)

    def person(self, subject: str, *, changes: bool) -> None:
        """Somebody who is known asks.

        Raises:
            Refusal: he asks too often.
        """
        _within(self._people.take(subject), "requests of yours")
        if changes:
            _within(self._commands.take(subject), "commands of yours")

    def sign_in(self, address: str) -> None:
        """Somebody tries to sign in.

        Raises:
            Refusal: too many tries from there.
        """
        _within(self._sign_ins.take(address), "tries to sign in from your address")


@dataclass(slots=True)
class Remembered:
    """The proofs that were good last, as hashes."""

    _known: OrderedDict[bytes, None]

    def __init__(self) -> None:
        self._known = OrderedDict()

    def knows(self, proof: bytes) -> bool:
        """Whether it was good."""
        return proof in self._known

    def add(self, proof: bytes) -> None:
        """It is good."""
        self._known[proof] = None
        self._known.move_to_end(proof)
        if len(self._known) > KEYS_MAX:
            self._known.popitem(last=False)

    def forget(self, proof: bytes) -> None:
        """It is none any more."""
        self._known.pop(proof, None)


def _within(seconds: int, of_what: str) -> None:
    if seconds:
        raise Refusal(
            HTTPStatus.TOO_MANY_REQUESTS,
            Reason.TOO_MANY,
            f"too many {of_what}: try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )
