"""Any status page that takes Standard Webhooks (https://www.standardwebhooks.com): one signed request a message.

    {"type": "dev.spillway.status.published.v1", "timestamp": "2026-03-04T02:11:42.318Z",
     "data": {"id", "number", "audience", "channel", "state", "status", "subject", "text", "next_update"}}

What the page is told is what the audience reads, and the incident's id, which says nothing. ``webhook-id`` is constant
over retries: a receiver drops one that it has seen, so an unknown outcome is simply tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import orjson

from pipeline.core.outward.delivery_body import rfc3339
from pipeline.core.outward.send import Send
from pipeline.models.remote import Remote
from pipeline.models.sinks.status_pages import StatusWebhook
from pipeline.sinks.http import Http
from pipeline.sinks.limits import Bucket
from pipeline.sinks.signing import Signer
from pipeline.sinks.status_page_words import Post
from pipeline.sinks.status_pages import PageSink, Spoken, There, remembering
from pipeline.sinks.told import Told


class StatusWebhookSink(PageSink):
    """One receiver."""

    def __init__(self, rules: StatusWebhook, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Check the secret; nothing connects yet.

        Args:
            rules: the configuration.
            secrets: the signing secret, by the name of its variable.
            bucket: of the secret.

        Raises:
            SinkError: the secret is not one.
        """
        super().__init__(rules)
        self._rules = rules
        self._signer = Signer(rules, secrets)
        self._http = Http(rules, bucket)

    async def there(self, send: Send, remote: Remote | None) -> There:
        """Nobody can look; the receiver drops what it has seen."""
        del send
        return There(remote, [])

    async def say(self, send: Send, about: Told, remote: Remote | None, post: Post, now: datetime) -> Spoken:  # noqa: D102  # as `PageSink`
        del about
        known = remote or Remote(id=send.incident_id, key=send.incident_id)
        at_ms = post.at_ms or send.since_ms or int(now.timestamp() * 1_000)
        body = orjson.dumps(
            {
                "type": "dev.spillway.status.published.v1",
                "timestamp": rfc3339(at_ms),
                "data": {
                    "id": send.incident_id,
                    "number": post.number,
                    "audience": self._rules.audience,
                    "channel": post.page,
                    "state": post.state,
                    "status": post.status,
                    "subject": post.name,
                    "text": post.text,
                    "next_update": None if post.next_update_ms is None else rfc3339(post.next_update_ms),
                },
            }
        ).decode()
        # The last words that are ours have no number of their own; the state tells them from the message before.
        webhook_id = f"{send.incident_id}/{self._rules.name}/{post.number}/{post.state}"
        headers = self._signer.headers(webhook_id, now, body)
        await self._http.call("POST", self._rules.url, body=body.encode(), headers=headers, rank=send.rank)
        return Spoken(remembering(known, post))

    async def close(self) -> None:  # noqa: D102  # as `SinkClient`
        await self._http.close()
