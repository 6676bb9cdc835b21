"""Certificates that SNS signs with: fetched from SNS, checked, kept for a while.

The fetch itself is over TLS, from a host of SNS, checked against the system's roots: that is the chain which is
trusted. The file holds the leaf alone, so beside that it must be valid now, name SNS, and hold an RSA key of a size
that is still good.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import SplitResult

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from pipeline.gateway.fetch import FetchError, ForbiddenUrlError, SnsFetcher, checked_sns_url
from pipeline.gateway.limits import TokenBucket

KEPT_SECONDS: Final = 3_600
KEPT_MAX: Final = 32
"""One a region at a time, and the one before it; more is somebody who makes addresses up."""

FETCHES_PER_SECOND: Final = 1.0
FETCHES_BURST: Final = 10
RSA_BITS_MIN: Final = 2_048

# One spelling of one address: others (percent-encoded, "./") would each be fetched and push the real key out.
_PATH: Final = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_SUBJECT: Final = re.compile(r"sns(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")


WAITING_MAX: Final = 8
"""Messages that wait for a certificate, at five seconds each at worst: SNS itself waits 15 and sends again."""


class CertificateError(Exception):
    """A certificate that is not good enough; the message says why."""


class RateError(Exception):
    """Too many different certificates were asked for lately."""


class _Kept(NamedTuple):
    """A key: until when nobody asks again, and until when it is good."""

    key: RSAPublicKey
    until: float
    good_until: float


class Certificates:
    """Public keys by the address of their certificate."""

    def __init__(self, fetcher: SnsFetcher) -> None:
        self._fetcher = fetcher
        self._kept: dict[str, _Kept] = {}
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._fetches = TokenBucket(FETCHES_PER_SECOND, FETCHES_BURST)

    async def key_of(self, address: object, now: float) -> RSAPublicKey:
        """The key of the certificate at an address that a message names.

        Raises:
            ForbiddenUrlError: it is not an address of a certificate of SNS.
            CertificateError: what is there is not good.
            FetchError: it could not be fetched now.
            RateError: too many were fetched lately.
        """
        url = checked_sns_url(address)
        if not _PATH.fullmatch(url.path) or url.query:
            raise ForbiddenUrlError("not a certificate of SNS")
        kept = self._kept.get(url.geturl())
        if kept is not None and now <= kept.until:
            return kept.key
        try:
            return (await self._in_turn(url, now)).key
        except (FetchError, RateError):
            if kept is None or kept.good_until < now:
                raise
            return kept.key  # asking again is care, and strangers who ask for others must not stop those we know

    async def _in_turn(self, url: SplitResult, now: float) -> _Kept:
        """Fetch one certificate at a time; whoever comes while some wait is told to come again."""
        if self._waiting >= WAITING_MAX:
            raise RateError("too many certificates at once")
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                kept = self._kept.get(url.geturl())
                return kept if kept is not None and now <= kept.until else await self._fetched(url, now)
        finally:
            self._waiting -= 1

    async def _fetched(self, url: SplitResult, now: float) -> _Kept:
        if self._fetches.take():
            raise RateError("too many certificates")
        certificate, key = checked_certificate(await self._fetcher.get(url), now)
        good_until = certificate.not_valid_after_utc.timestamp()
        kept = _Kept(key, min(now + KEPT_SECONDS, good_until), good_until)
        while len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[url.geturl()] = kept
        return kept


def checked_certificate(pem: bytes, now: float) -> tuple[x509.Certificate, RSAPublicKey]:
    """A certificate that may sign for SNS, and its key.

    Raises:
        CertificateError: it may not.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
        names = _names_of(certificate)
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension):
        raise CertificateError("no certificate") from None
    moment = datetime.fromtimestamp(now, UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise CertificateError("not valid now")
    if not any(_SUBJECT.fullmatch(name) for name in names):
        raise CertificateError("does not name SNS")
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise CertificateError(f"no RSA key of {RSA_BITS_MIN} bits")
    return certificate, key


def _names_of(certificate: x509.Certificate) -> list[str]:
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return names + alternative.value.get_values_for_type(x509.DNSName)
