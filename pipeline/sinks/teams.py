"""Microsoft Teams: an Adaptive Card for each milestone, by a Workflows webhook.

The address of the workflow ("Post to a channel when a webhook request is received",
https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams) lets whoever has it
post, so it is the secret, and neither it nor a part of it is ever shown. The workflow answers 202 before anything is
posted, takes Adaptive Cards only, and gives no id: a card cannot be changed, found or counted afterwards. So a card may
come twice where the answer to the first was lost; it says so then, and what is no milestone is not posted again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.chat import Teams
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble
from pipeline.sinks.http import Http, Reply
from pipeline.sinks.last_told import last_told
from pipeline.sinks.limits import Bucket
from pipeline.sinks.teams_card import REPEATED, changes, memory, payload
from pipeline.sinks.told import told

SECRET_PART_CHARACTERS_MIN: Final = 12
"""Parts of the address from this length on are hidden: ids of workflows and signatures, but no ``/invoke``."""

NOT_DELIVERED: Final = "Microsoft Teams endpoint returned HTTP error"
"""What an older kind of webhook says with status 200 where Teams did not take the card; 429 among others."""


class TeamsSink(SinkClient):
    """One workflow, which posts to one channel or chat."""

    def __init__(self, rules: Teams, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Check the address; nothing connects yet.

        Args:
            rules: the configuration.
            secrets: the address of the workflow, by the name of its variable.
            bucket: of the workflow.

        Raises:
            SinkError: it is no web address.
        """
        self._rules = rules
        self._url = _checked(rules, secrets[rules.url_env].strip())
        self._http = Http(rules, bucket, secrets=_parts(self._url))

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. ``now``: aware."""
        del now
        about = told(send.body)
        before = send.remote.extra if send.remote is not None else {}
        remote = last_told(send, about, memory(about, before))
        news = changes(self._rules, about, send.remote)
        if send.unsure:
            news = [each for each in news if each in REPEATED]
        if not news:
            return Answer(DeliveryOutcome.DELIVERED, remote=remote)
        card = payload(self._rules, about, news, again=send.unsure)
        try:
            reply = await self._http.call("POST", self._url, json=card, rank=send.rank)
        except Trouble as trouble:
            return trouble.answer
        return _refused(reply) or Answer(DeliveryOutcome.DELIVERED, reply.status, remote=remote)

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()


def _refused(reply: Reply) -> Answer | None:
    """What a success means that is none."""
    if reply.status != HTTPStatus.OK or NOT_DELIVERED not in reply.text:
        return None
    return Answer(DeliveryOutcome.RETRY, reply.status, "the webhook could not pass the card on to Teams")


def _checked(rules: Teams, url: str) -> str:
    """The address of a workflow.

    Raises:
        SinkError: it is none; the message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(each.isspace() for each in url):
        raise SinkError(f"sink {rules.name}: {rules.url_env} must hold the address of a workflow, https://host/path")
    return url


def _parts(url: str) -> Iterator[str]:
    """The address, and each part of it that an error page could quote."""
    parts = urlsplit(url)
    yield url
    found = [parts.path, parts.query, *parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    yield from (each for each in found if len(each) >= SECRET_PART_CHARACTERS_MIN)
