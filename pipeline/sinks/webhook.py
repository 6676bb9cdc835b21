"""The webhook sink: one revision of an incident as a signed HTTP request (https://www.standardwebhooks.com).

Headers ``webhook-id`` (constant over retries), ``webhook-timestamp`` and ``webhook-signature``, which holds a signature
for each secret that is valid; the receiver verifies with one of them and drops an id that it has seen. The address is
the operator's, from the configuration, and nothing an alert says can change it: redirects are not followed, so that a
receiver cannot point us at an address inside the network.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.streams import Webhook as WebhookRules
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble
from pipeline.sinks.http import Http
from pipeline.sinks.last_told import last_told
from pipeline.sinks.limits import Bucket
from pipeline.sinks.told import told

SCHEMES: Final = ("https", "http")


class WebhookSink(SinkClient):
    """One receiver of signed webhooks. Made inside a running event loop."""

    def __init__(self, rules: WebhookRules, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Check the address and the secrets; nothing connects yet.

        Args:
            rules: the configuration.
            secrets: shared signing secrets by the name of their variable: base64, with or without ``whsec_`` in front.
            bucket: of the credential.

        Raises:
            SinkError: the address or a secret cannot be used.
        """
        self._url = _checked_url(rules)
        self._signers = [_signer(rules, name, secrets[name]) for name in rules.secret_names]
        self._http = Http(rules, bucket)

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. ``now``: aware; signed, so that the receiver can refuse what is replayed later."""
        moment = now.astimezone(UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": send.delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(each.sign(send.delivery_id, moment, send.body) for each in self._signers),
        }
        try:
            reply = await self._http.call("POST", self._url, body=send.body.encode(), headers=headers, rank=send.rank)
        except Trouble as trouble:
            return trouble.answer
        return Answer(DeliveryOutcome.DELIVERED, reply.status, remote=last_told(send, told(send.body)))

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()


def _checked_url(rules: WebhookRules) -> str:
    """The address of a sink.

    Raises:
        SinkError: it is not a web address.
    """
    try:
        parts = urlsplit(rules.url)
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SinkError(f"sink {rules.name}: url must be https://host/path or http://host/path")
    return rules.url


def _signer(rules: WebhookRules, name: str, secret: str) -> Webhook:
    """The signer of one secret.

    Raises:
        SinkError: the secret is not one.
    """
    try:
        return Webhook(secret)
    except (Base64Error, ValueError, EmptyWebhookSecretError):
        # Not chained: the cause's text may quote the secret.
        raise SinkError(
            f"sink {rules.name}: {name} must hold a base64 secret, as `whsec_` and 32 random bytes in base64"
        ) from None
