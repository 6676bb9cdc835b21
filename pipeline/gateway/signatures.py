"""Authentication by HMAC-SHA256 over the body: hub signatures, PagerDuty, Sentry, Zendesk, Standard Webhooks."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pipeline.gateway.arrival import Arrival
from pipeline.gateway.refusal import unauthenticated

SIGNATURES_MAX: Final = 10
"""In one header: senders list one for each secret while they change it."""

_STANDARD_SECRET_PREFIX: Final = b"whsec_"


def _hmac(secret: bytes, *parts: bytes) -> bytes:
    signed = hmac.new(secret, digestmod="sha256")
    for part in parts:
        signed.update(part)
    return signed.digest()


def _check(given: Sequence[bytes], wanted: Sequence[bytes]) -> None:
    """One of the given signatures is one of the wanted ones; every pair is compared, in constant time.

    Raises:
        Refusal: none is.
    """
    if len(given) > SIGNATURES_MAX:
        raise unauthenticated("too many signatures")
    found = False
    for each in given:
        for one in wanted:
            found |= hmac.compare_digest(each, one)
    if not found:
        raise unauthenticated("no signature fits" if given else "no signature of a known kind")


class HexSignature:
    """The body's HMAC in hexadecimal, after a prefix, alone or in a list."""

    reads_body = True

    def __init__(self, header: str, secrets: Sequence[bytes], prefix: str = "", separator: str | None = None) -> None:
        """Describe the header.

        Args:
            header: where the signature stands.
            secrets: those that are valid.
            prefix: what stands before it, such as ``sha256=``.
            separator: between several; None where there is only one.
        """
        self._header = header
        self._secrets = tuple(secrets)
        self._prefix = prefix
        self._separator = separator

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass what is signed with one of the secrets."""
        value = arrival.header(self._header)
        listed = value.split(self._separator) if self._separator else [value]
        given = [
            each.removeprefix(self._prefix).lower().encode(errors="surrogateescape")
            for each in map(str.strip, listed)
            if each.startswith(self._prefix)
        ]
        _check(given, [_hmac(secret, arrival.body).hex().encode() for secret in self._secrets])
        return arrival.body


class Zendesk:
    """Base64 HMAC over the timestamp as it is written and the body."""

    reads_body = True
    _SIGNATURE: Final = "X-Zendesk-Webhook-Signature"
    _TIMESTAMP: Final = "X-Zendesk-Webhook-Signature-Timestamp"

    def __init__(self, secrets: Sequence[bytes], tolerance_seconds: int) -> None:
        self._secrets = tuple(secrets)
        self._tolerance_seconds = tolerance_seconds

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass what is signed with one of the secrets, and lately."""
        written = arrival.header(self._TIMESTAMP)
        given = arrival.header(self._SIGNATURE).encode(errors="surrogateescape")
        stamp = written.encode(errors="surrogateescape")
        _check([given], [b64encode(_hmac(secret, stamp, arrival.body)) for secret in self._secrets])
        arrival.check_time(_seconds_of(written), self._tolerance_seconds)
        return arrival.body


class StandardWebhook:
    """``v1`` of Standard Webhooks: base64 HMAC over id, timestamp and body, joined with dots."""

    reads_body = True

    def __init__(self, secrets: Sequence[bytes], tolerance_seconds: int) -> None:
        """Take the secrets as they are handed out: base64, with or without ``whsec_``.

        Raises:
            ValueError: one is not base64.
        """
        self._secrets = tuple(_standard_key(secret) for secret in secrets)
        self._tolerance_seconds = tolerance_seconds

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass what is signed with one of the secrets, and lately."""
        parts = [arrival.header(name).encode(errors="surrogateescape") for name in ("webhook-id", "webhook-timestamp")]
        identity, stamp = parts
        listed = arrival.header("webhook-signature").split(" ")
        given = [each.removeprefix("v1,").encode(errors="surrogateescape") for each in listed if each.startswith("v1,")]
        signed = (identity, b".", stamp, b".", arrival.body)
        _check(given, [b64encode(_hmac(secret, *signed)) for secret in self._secrets])
        if not (stamp.isdigit() and len(stamp) < 12):
            raise unauthenticated("the timestamp is no number")
        arrival.check_time(int(stamp), self._tolerance_seconds)
        return arrival.body


def _standard_key(secret: bytes) -> bytes:
    try:
        key = b64decode(secret.removeprefix(_STANDARD_SECRET_PREFIX), validate=True)
    except Base64Error:
        key = b""
    if not key:
        raise ValueError("a secret of Standard Webhooks is base64, with or without whsec_ in front") from None
    return key


def _seconds_of(written: str) -> float:
    """Seconds since 1970 of an ISO 8601 time with a zone.

    Raises:
        Refusal: it is none.
    """
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise unauthenticated("the timestamp is no time with a zone")
