"""The webhook sink: one revision of an incident as a signed HTTP request (https://www.standardwebhooks.com).

Headers ``webhook-id`` (constant over retries), ``webhook-timestamp`` and ``webhook-signature``; the receiver
verifies with the shared secret and drops an id that it has seen. The address is the operator's, from the
configuration, and nothing an alert says can change it: redirects are not followed, so that a receiver cannot
point us at an address inside the network.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.streams import Webhook as WebhookRules
from pipeline.sinks.base import Answer, SinkClient, SinkError

SCHEMES: Final = ("https", "http")

# Enough of an answer to see what is wrong; a receiver may answer with gigabytes.
ANSWER_BYTES_MAX: Final = 4_096
ANSWER_CHARACTERS_SHOWN: Final = 200

# Refused now, but the same request may pass later.
RETRIED_CLIENT_ERRORS: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


class WebhookSink(SinkClient):
    """One receiver of signed webhooks. Made inside a running event loop."""

    def __init__(self, sink: WebhookRules, secret: str) -> None:
        """Check the address and the secret; nothing connects yet.

        Args:
            sink: the configuration.
            secret: the shared signing secret, base64, with or without ``whsec_`` in front.

        Raises:
            SinkError: the address or the secret cannot be used.
        """
        self._url = _checked_url(sink)
        self._signer = _signer(sink, secret)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=sink.timeout_seconds),
            # `Sender` bounds how many run at once; a second bound here would only hide in the first.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": "spillway", "Accept-Encoding": "identity"},
        )

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. ``now``: aware; signed, so that the receiver can refuse what is replayed later."""
        headers = {
            "Content-Type": "application/json",
            "webhook-id": send.delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(send.delivery_id, now.astimezone(UTC), send.body),
        }
        try:
            async with self._session.post(
                self._url, data=send.body.encode(), headers=headers, allow_redirects=False
            ) as response:
                return await _judge(response, now)
        except TimeoutError:
            return Answer(DeliveryOutcome.RETRY, detail="no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            # The error's own text may quote the address, and addresses of webhooks are often secrets.
            return Answer(DeliveryOutcome.RETRY, detail=f"no connection: {type(error).__name__}")

    async def close(self) -> None:
        """Disconnect."""
        await self._session.close()


async def _judge(response: aiohttp.ClientResponse, now: datetime) -> Answer:
    """What a response means for the delivery."""
    status = response.status
    said = await _beginning(response)
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(DeliveryOutcome.DELIVERED, status)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Answer(DeliveryOutcome.RETRY, status, "redirects are not followed: configure the final address")
    retry_after = retry_after_seconds(response.headers.get("Retry-After"), now)
    is_ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    rejected = is_ours and status not in RETRIED_CLIENT_ERRORS
    return Answer(
        DeliveryOutcome.REJECTED if rejected else DeliveryOutcome.RETRY,
        status,
        said[:ANSWER_CHARACTERS_SHOWN],
        None if rejected else retry_after,
    )


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The beginning of the answer's body; "" where it does not come. The status alone decides."""
    data = bytearray()
    try:
        while len(data) < ANSWER_BYTES_MAX and not response.content.at_eof():
            data += await response.content.read(ANSWER_BYTES_MAX - len(data))
    except (aiohttp.ClientError, OSError):  # a timeout is an OSError
        return ""
    return data.decode(errors="replace")


def retry_after_seconds(value: str | None, now: datetime) -> int | None:
    """Seconds that a ``Retry-After`` header asks for, as a number or as a date; None where it says neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])  # 9 digits are 30 years: more is no different, and stays a plain number
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((aware - now).total_seconds()))


def _checked_url(sink: WebhookRules) -> str:
    """The address of a sink.

    Raises:
        SinkError: it is not a web address.
    """
    try:
        parts = urlsplit(sink.url)
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SinkError(f"sink {sink.name}: url must be https://host/path or http://host/path")
    return sink.url


def _signer(sink: WebhookRules, secret: str) -> Webhook:
    """The signer of a sink.

    Raises:
        SinkError: the secret is not one.
    """
    try:
        return Webhook(secret)
    except (Base64Error, ValueError, EmptyWebhookSecretError):
        # Not chained: the cause's text may quote the secret.
        raise SinkError(
            f"sink {sink.name}: {sink.secret_env} must hold a base64 secret, as `whsec_` and 32 random bytes in base64"
        ) from None
