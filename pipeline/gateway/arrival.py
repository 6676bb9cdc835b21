"""What authentication may look at, and what it answers."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from multidict import CIMultiDictProxy, MultiMapping

from pipeline.gateway.refusal import unauthenticated


class Arrival(NamedTuple):
    """A request, as far as authentication goes by it.

    Attributes:
        body: b"" where the scheme needs none.
        now: seconds since 1970, by this machine's clock.
    """

    headers: CIMultiDictProxy[str]
    query: MultiMapping[str]
    body: bytes
    now: float

    def header(self, name: str) -> str:
        """The one value of a header.

        Raises:
            Refusal: it is absent, or there are several, of which others might look at another one than we do.
        """
        values = self.headers.getall(name, [])
        if len(values) != 1:
            raise unauthenticated(f"{len(values)} headers {name}")
        return values[0].strip()

    def check_time(self, seconds: float, tolerance_seconds: int) -> None:
        """Refuse what was signed too long ago, or too far ahead.

        Raises:
            Refusal: it was.
        """
        # Not a number is not within, and a whole number may be too large to be subtracted from.
        if not self.now - tolerance_seconds <= seconds <= self.now + tolerance_seconds:
            raise unauthenticated("signed outside of the time that is tolerated")


class Guard(Protocol):
    """One feed's authentication.

    Attributes:
        reads_body: it needs the body; else it is asked before the body is read.
    """

    reads_body: bool

    async def admit(self, arrival: Arrival) -> bytes:
        """The value of the record: mostly the body as it is.

        Raises:
            Refusal: 401, or 503 where it cannot be told now.
        """


def same_as_one(given: bytes, wanted: Sequence[bytes]) -> bool:
    """Whether something equals one of some secrets; how long that takes tells neither which nor how much of it."""
    digest = sha256(given).digest()
    found = False
    for each in wanted:
        found |= hmac.compare_digest(digest, sha256(each).digest())
    return found
