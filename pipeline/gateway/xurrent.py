"""Authentication of Xurrent webhook policies: the body is ``{"jwt": TOKEN}``, and the token's ``data`` is the message.

The keys are those that the configuration names. They are not looked up at the issuer's address.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pipeline.gateway.arrival import Arrival
from pipeline.gateway.refusal import unauthenticated
from pipeline.models.gateway import XurrentToken

_RSA: Final = ("RS256", "RS384", "RS512")
_ELLIPTIC: Final = ("ES256", "ES384", "ES512")
_TIMES: Final = ("exp", "nbf", "iat")


class Xurrent:
    """One webhook policy."""

    reads_body = True

    def __init__(self, rule: XurrentToken, pems: Sequence[bytes]) -> None:
        """Read the public keys.

        Raises:
            ValueError: one is not a public key in PEM of RSA or an elliptic curve.
        """
        self._rule = rule
        self._keys = [_public_key(pem) for pem in pems]

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass a token that one of the keys has signed, for us and lately; its message is the record."""
        token = _token(arrival.body)
        for key in self._keys:
            claims = self._claims(token, key)
            if claims is not None:
                self._check_times(claims, arrival)
                if not isinstance(claims.get("data"), dict):
                    raise unauthenticated("the token holds no message")
                return _written(claims["data"])
        raise unauthenticated("no key fits the token")

    def _claims(self, token: str, key: RSAPublicKey | EllipticCurvePublicKey) -> dict[str, Any] | None:
        """What the token says; None where this key has not signed it for us. The times are checked by our clock."""
        # The kinds of signature come from the key, never from the token: else a token could ask for a weaker one.
        algorithms = _RSA if isinstance(key, RSAPublicKey) else _ELLIPTIC
        options: Any = {f"verify_{name}": False for name in _TIMES} | {"require": ["iss"]}
        options["verify_aud"] = self._rule.audience is not None
        try:
            return jwt.decode(
                token, key, list(algorithms), options=options, issuer=self._rule.issuer, audience=self._rule.audience
            )
        except (jwt.PyJWTError, ValueError):
            return None

    def _check_times(self, claims: dict[str, Any], arrival: Arrival) -> None:
        """A token without any end is refused: it could be replayed for ever."""
        expires, issued, begins = (claims.get(name) for name in ("exp", "iat", "nbf"))
        tolerance = self._rule.tolerance_seconds
        if not any(isinstance(each, int | float) for each in (expires, issued)):
            raise unauthenticated("the token has no time")
        if isinstance(issued, int | float):
            arrival.check_time(issued, tolerance)
        if isinstance(expires, int | float) and expires < arrival.now:
            raise unauthenticated("the token has expired")
        if isinstance(begins, int | float) and begins > arrival.now + tolerance:
            raise unauthenticated("the token is not valid yet")


def _written(message: dict[str, Any]) -> bytes:
    """The message as JSON, by the library that has read it.

    What that takes and others do not (a number beyond 64 bits, half a character) is the adapter's to refuse, where
    its bytes are kept.
    """
    try:
        return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise unauthenticated("the token's message is not JSON") from None


def _token(body: bytes) -> str:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    token = document.get("jwt") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token.isascii():
        raise unauthenticated("no token")
    return token


def _public_key(pem: bytes) -> RSAPublicKey | EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        key = None
    if isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
        return key
    raise ValueError("must hold a public key in PEM, of RSA or an elliptic curve") from None
