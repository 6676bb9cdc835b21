"""Authentication by something that the sender knows: bearer, query parameter, header, basic, and none at all."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Final

from pipeline.gateway.arrival import Arrival, same_as_one
from pipeline.gateway.refusal import unauthenticated

_BEARER: Final = "bearer "
_BASIC: Final = "basic "


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


class Open:
    """Everybody may send."""

    reads_body = False

    async def admit(self, arrival: Arrival) -> bytes:
        """Let it pass."""
        return arrival.body


class Token:
    """A secret that is sent as it is: in a header, or after a word in ``Authorization``."""

    reads_body = False

    def __init__(self, header: str, secrets: Sequence[bytes], word: str = "") -> None:
        """Describe where the token stands.

        Args:
            header: its header.
            secrets: those that are valid.
            word: what stands before it, in lower case.
        """
        self._header = header
        self._secrets = tuple(secrets)
        self._word = word

    @classmethod
    def bearer(cls, secrets: Sequence[bytes]) -> Token:
        """``Authorization: Bearer TOKEN``."""
        return cls("Authorization", secrets, _BEARER)

    @classmethod
    def basic(cls, user: str, passwords: Sequence[bytes]) -> Token:
        """``Authorization: Basic``, whose text is made once for each password."""
        return cls("Authorization", [b64encode(user.encode() + b":" + each) for each in passwords], _BASIC)

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass who sends one of the secrets."""
        given = arrival.header(self._header)
        if given[: len(self._word)].lower() != self._word:
            raise unauthenticated(f"{self._header} of another kind")
        if not same_as_one(_bytes(given[len(self._word) :].strip()), self._secrets):
            raise unauthenticated(f"unknown secret in {self._header}")
        return arrival.body


class QuerySecret:
    """A secret in the address. It is taken out before the query becomes a message."""

    reads_body = False

    def __init__(self, parameter: str, secrets: Sequence[bytes]) -> None:
        self.parameter = parameter
        self._secrets = tuple(secrets)

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass who sends one of the secrets, once."""
        values = arrival.query.getall(self.parameter, [])
        if len(values) != 1 or not same_as_one(_bytes(values[0]), self._secrets):
            raise unauthenticated(f"{len(values)} parameters, none or not the secret")
        return arrival.body
