"""The issuer's keys: fetched seldom, kept while they are good, never asked for by whoever sends nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError
from jwt.types import JWKDict

from pipeline.console.security.metrics import KEYS_FETCHED
from pipeline.console.security.oidc_http import IssuerAwayError

FRESH_SECONDS: Final = 3_600.0
"""After so long keys are fetched again: one that was withdrawn stops to count."""

GOOD_SECONDS: Final = 86_400.0
"""While the issuer is away its keys count for so long."""

AGAIN_SECONDS: Final = 60.0
"""A token names a key that is not known: it may be new. Looked for so seldom, however many such tokens come."""

KEYS_MAX: Final = 50
RSA_BITS_MIN: Final = 2_048

ALGORITHMS: Final[dict[tuple[str, str | None], tuple[str, ...]]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""What a key of a kind may sign with: public keys alone, so that nothing that everybody knows signs anything."""


class Key(NamedTuple):
    """A public key, and the algorithms that it is good for."""

    key: Any
    algorithms: tuple[str, ...]


class Keys:
    """The keys of one issuer. Safe to use from many requests at once."""

    def __init__(self, fetch: Callable[[], Awaitable[dict[str, Any]]], clock: Callable[[], float]) -> None:
        """Nothing is fetched yet.

        Args:
            fetch: gets the set of keys; raises `IssuerAwayError`.
            clock: seconds, never going back.
        """
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str | None, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, name: str | None) -> Key | None:
        """The key of a name, or the only one where none is named; None: there is none such.

        Raises:
            IssuerAwayError: the keys are not known, and cannot be asked for.
        """
        if self._due(name):
            async with self._lock:
                if self._due(name):  # whoever was first has not brought it
                    await self._refresh()
        if self._age() > GOOD_SECONDS:
            raise IssuerAwayError("its keys are not known")
        if name is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(name)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    def _due(self, name: str | None) -> bool:
        if self._tried_at is not None and self._clock() - self._tried_at < AGAIN_SECONDS:
            return False
        return self._age() > FRESH_SECONDS or (name is not None and name not in self._keys)

    async def _refresh(self) -> None:
        self._tried_at = self._clock()
        try:
            found = await self._fetch()
        except IssuerAwayError:
            KEYS_FETCHED.labels("failed").inc()
            return  # those from before count on for a time
        self._keys = _keys_of(found)
        self._fetched_at = self._clock()
        KEYS_FETCHED.labels("fetched").inc()


def _keys_of(document: dict[str, Any]) -> dict[str | None, Key]:
    """The usable keys of a set; what else is in it is passed over, as others use the same set."""
    listed = document.get("keys")
    found: dict[str | None, Key] = {}
    for each in listed[:KEYS_MAX] if isinstance(listed, list) else ():
        if isinstance(each, dict) and (key := _key_of(each)) is not None:
            name = each.get("kid")
            found[name if isinstance(name, str) else None] = key
    return found


def _key_of(written: JWKDict) -> Key | None:
    kind = written.get("kty")
    allowed = ALGORITHMS.get((str(kind), None if kind == "RSA" else str(written.get("crv"))))
    if allowed is None or written.get("use", "sig") != "sig":
        return None
    if "alg" in written:
        allowed = tuple(each for each in allowed if each == written["alg"])
    if not allowed:
        return None
    try:
        key = PyJWK(written, allowed[0]).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS_MIN:
        return None
    return None if hasattr(key, "private_numbers") or hasattr(key, "private_bytes") else Key(key, allowed)
