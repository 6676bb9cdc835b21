"""Authentication of Amazon SNS: the signature of its messages, and the confirmation of a subscription."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from pipeline.gateway.arrival import Arrival
from pipeline.gateway.certificates import CertificateError, Certificates, RateError
from pipeline.gateway.fetch import FetchError, ForbiddenUrlError, SnsFetcher, checked_sns_url
from pipeline.gateway.refusal import RETRY_KAFKA_SECONDS, Reason, Refusal, unauthenticated
from pipeline.models.gateway import SnsSignature
from pipeline.runtime.guard import log_line

_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONTROL: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONTROL,
    "UnsubscribeConfirmation": _CONTROL,
}
"""Fields that are signed, by type of message; ``Subject`` only where there is one."""

_OPTIONAL: Final = "Subject"
_SHA1: Final = SHA1()  # noqa: S303 version 1 of the signature is SHA-1, and SNS's default
_HASHES: Final = {"1": _SHA1, "2": SHA256()}


class Sns:
    """One feed's SNS topics."""

    reads_body = True

    def __init__(self, feed: str, rule: SnsSignature, certificates: Certificates, fetcher: SnsFetcher) -> None:
        self._feed = feed
        self._rule = rule
        self._certificates = certificates
        self._fetcher = fetcher

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass what SNS has signed for one of the topics; confirm a subscription where that is allowed."""
        message = _message(arrival.body)
        if message.get("TopicArn") not in self._rule.topics:
            raise unauthenticated("a topic that is not listed")
        await self._check_signature(message, arrival.now)
        arrival.check_time(_seconds_of(message), self._rule.tolerance_seconds)
        if message["Type"] == "SubscriptionConfirmation":
            await self._subscription(message)
        return arrival.body

    async def _check_signature(self, message: dict[str, Any], now: float) -> None:
        signed, signature = signed_text(message), _signature(message)
        hashed = _HASHES.get(str(message.get("SignatureVersion")))
        if hashed is None:
            raise unauthenticated("a signature version that is not known")
        try:
            key = await self._certificates.key_of(message.get("SigningCertURL"), now)
            key.verify(signature, signed, PKCS1v15(), hashed)
        except InvalidSignature:
            raise unauthenticated("the signature does not fit") from None
        except (ForbiddenUrlError, CertificateError) as error:
            raise unauthenticated(f"certificate: {error}") from None
        except (FetchError, RateError) as error:
            raise _not_now("the certificate of the signature cannot be fetched now", str(error)) from None

    async def _subscription(self, message: dict[str, Any]) -> None:
        """Confirm a subscription by asking the address that the signed message names, if it is SNS's."""
        if not self._rule.confirm_subscriptions:
            log_line("gateway subscription waits", feed=self._feed, hint="set confirm_subscriptions or confirm by hand")
            return
        try:
            await self._fetcher.get(_confirmation(message["SubscribeURL"]))
        except ForbiddenUrlError as error:
            raise unauthenticated(f"confirmation: {error}") from None
        except FetchError as error:
            raise _not_now("the subscription cannot be confirmed now", str(error)) from None
        log_line("gateway subscription confirmed", feed=self._feed)


def _confirmation(address: object) -> SplitResult:
    """The address that confirms a subscription.

    Raises:
        ForbiddenUrlError: it is not SNS's, or asks for something else.
    """
    url = checked_sns_url(address)
    if parse_qs(url.query).get("Action") != ["ConfirmSubscription"]:
        raise ForbiddenUrlError("not a confirmation")
    return url


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict) or str(message.get("Type")) not in _SIGNED:
        raise unauthenticated("not a message of SNS")
    return message


def signed_text(message: dict[str, Any]) -> bytes:
    """What SNS signs: names and values of the fields, each on its own line.

    Raises:
        Refusal: a field is missing.
    """
    lines = []
    for name in _SIGNED[message["Type"]]:
        value = message.get(name)
        if isinstance(value, str):
            lines += [name, value]
        elif name != _OPTIONAL or value is not None:
            raise unauthenticated(f"no {name}")
    return "".join(f"{line}\n" for line in lines).encode()


def _signature(message: dict[str, Any]) -> bytes:
    try:
        return b64decode(message.get("Signature") or "", validate=True)
    except (Base64Error, TypeError, ValueError):
        raise unauthenticated("a signature that is not base64") from None


def _seconds_of(message: dict[str, Any]) -> float:
    try:
        moment = datetime.fromisoformat(message["Timestamp"])
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise unauthenticated("the timestamp is no time with a zone")


def _not_now(sentence: str, private: str) -> Refusal:
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Reason.NOT_VERIFIABLE,
        f"{sentence}: send the same request again",
        retry_after_seconds=RETRY_KAFKA_SECONDS,
        private=private,
    )
