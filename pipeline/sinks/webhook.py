"""The webhook sink: one revision of an incident as a signed HTTP request (https://www.standardwebhooks.com).

Headers ``webhook-id`` (constant over retries), ``webhook-timestamp`` and ``webhook-signature``, which holds a signature
for each secret that is valid; the receiver verifies with one of them and drops an id that it has seen. The address is
the operator's, from the configuration, and nothing an alert says can change it: redirects are not followed, so that a
receiver cannot point us at an address inside the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.streams import Webhook as WebhookRules
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble
from pipeline.sinks.http import Http
from pipeline.sinks.last_told import last_told
from pipeline.sinks.limits import Bucket
from pipeline.sinks.signing import Signer
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
        self._signer = Signer(rules, secrets)
        self._http = Http(rules, bucket)

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. ``now``: aware; signed, so that the receiver can refuse what is replayed later."""
        headers = self._signer.headers(send.delivery_id, now, send.body)
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
