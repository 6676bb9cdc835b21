"""The Slack sink: one message an incident, posted once and edited in place; what happens is told in its thread.

A message carries what it is about as metadata (https://docs.slack.dev/messaging/message-metadata): the id of the
incident, and of a reply the keys of what it says. So after an attempt of which nothing is known the message is
found in the history of the channel, and the replies in its thread, before anything is posted again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import orjson

from pipeline.core.identity import content_hash
from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import STEPS_KEPT_MAX, Fields, Remote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.chat import Slack
from pipeline.sinks import slack_thread as thread
from pipeline.sinks import slack_words as words
from pipeline.sinks.base import Answer, SinkClient, Trouble
from pipeline.sinks.http import Http
from pipeline.sinks.last_told import fields_of, state_of
from pipeline.sinks.limits import RANK_LOOK_UP, Bucket
from pipeline.sinks.slack_api import Gone, SlackApi
from pipeline.sinks.told import Told, told

_STAMP: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}", re.ASCII)

KEY_CHARACTERS_MAX: Final = 1_024
"""Of a key of a call: step and person, which have 256 each."""

ROOT_EVENT: Final = "spillway_incident"
REPLY_EVENT: Final = "spillway_reply"

SAID_KEPT_MAX: Final = 200
"""Lines that are remembered as said: those of the last four deliveries at least."""

SEARCH_MARGIN_SECONDS: Final = 3_600
"""The clocks of sources differ from that of Slack, which stamps the messages."""


class SlackSink(SinkClient):
    """One app in one workspace. Made inside a running event loop."""

    def __init__(self, rules: Slack, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Describe; nothing connects yet.

        Args:
            rules: the configuration.
            secrets: the bot's token, by the name of its variable.
            bucket: of the token.
        """
        self._rules = rules
        self._http = Http(rules, bucket, {"Authorization": f"Bearer {secrets[rules.secret_env]}"})
        self._api = SlackApi(self._http, bucket, rules.url)

    async def send(self, send: Send, now: datetime) -> Answer:
        """Post or edit the message, then the replies that its thread does not have yet."""
        del now
        delivery = _Delivery(self._api, self._rules, send, told(send.body))
        try:
            await delivery.run()
        except Trouble as trouble:
            return trouble.answer._replace(remote=delivery.remote)
        return Answer(DeliveryOutcome.DELIVERED, delivery.status, remote=delivery.remote)

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        """The message as it is there: the state that it shows, or that it is gone."""
        channel = remote.extra.get("channel")
        if not channel or not remote.id:
            return None
        asked = {"channel": str(channel), "oldest": remote.id, "latest": remote.id, "inclusive": "true"}
        found = None
        async for message in self._api.messages("conversations.history", asked, 0):
            if message.get("ts") == remote.id and _about(message) == incident_id:
                found = message
        shown = str(_payload(found).get("state")) if found is not None else ""
        return SinkUpdate(
            kind=UpdateKind.READ if found is not None else UpdateKind.GONE,
            update_id=f"{remote.id}/{int(now.timestamp())}",
            sink=self._rules.name,
            incident_id=incident_id,
            at=now,
            person=False,
            fields=Fields(state=RemoteState(shown) if shown in set(RemoteState) else None),
            remote_id=remote.id,
            remote_key=remote.key,
            remote_url=remote.url,
        )

    async def check(self) -> str:
        """Who we are there, and whether we are in every channel that is named.

        Source: https://docs.slack.dev/reference/methods/auth.test.
        """
        said = await self._api.read("auth.test", {}, RANK_LOOK_UP)
        channels = dict.fromkeys([self._rules.channel, *(each.channel for each in self._rules.channels)])
        for channel in channels:
            await self._api.read("conversations.history", {"channel": channel, "limit": "1"}, RANK_LOOK_UP)
        count = len(channels)
        return f"we are {said.get('user')} in {said.get('team')}, in {count} channel{'' if count == 1 else 's'}"

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()


class _Delivery:
    """One attempt: what is known of the message grows with each request that was answered."""

    def __init__(self, api: SlackApi, rules: Slack, send: Send, told_: Told) -> None:
        self._api = api
        self._rules = rules
        self._send = send
        self._told = told_
        self.remote = send.remote
        self.status: int | None = None

    async def run(self) -> None:
        """Make the message and its thread look as told.

        Raises:
            Trouble: not all of it was done; where the message is gone, ``remote`` says so.
        """
        try:
            await self._all()
        except Gone:
            self.remote = replace(self._known, state=RemoteState.GONE)
            raise

    async def _all(self) -> None:
        if self.remote is None or self.remote.state == RemoteState.GONE:
            if self.remote is not None and self._ended:
                return  # deleted there, and over here: nobody needs it again
            await self._begin()
        else:
            await self._edit()
        await self._tell()
        if not self._known.url:
            await self._address(self._known)

    @property
    def _ended(self) -> bool:
        return self._told.state in words.ENDED

    async def _begin(self) -> None:
        """Post the message, unless an attempt of which nothing is known has done so."""
        incident = self._told.incident
        channel = self._rules.channel_of(incident.get("priority"), incident.get("domain"), incident.get("kind"))
        found = await self._search(channel) if self._send.unsure else None
        if found is not None:
            self.remote = Remote(id=found, extra={"channel": channel, "calls": self._calls})
            await self._edit()
            return
        answer = await self._write("chat.postMessage", {"channel": channel, **_QUIET, **self._shown})
        self._learn(_stamp(answer), _text(answer, "channel") or channel)

    async def _search(self, channel: str) -> str | None:
        """The newest message about the incident: the search goes no further back than the incident."""
        asked = {"channel": channel}
        opened_ms = self._told.incident.get("opened_at_ms")
        if isinstance(opened_ms, int):
            asked["oldest"] = str(max(0, opened_ms // 1_000 - SEARCH_MARGIN_SECONDS))
        async for message in self._api.messages("conversations.history", asked, self._send.rank):
            if _about(message) == self._send.incident_id:
                return _stamp(message)
        return None

    async def _edit(self) -> None:
        """Edit the message, where it would say something else."""
        remote = self._known
        if remote.extra.get("shown") == self._digest:
            self._learn_state()
            return
        place = {"channel": remote.extra.get("channel", self._rules.channel), "ts": remote.id}
        await self._write("chat.update", {**place, **self._shown})
        self._learn(remote.id, str(place["channel"]))

    async def _tell(self) -> None:
        """Say in the thread what it does not say yet: calls first, then messages and the timeline."""
        calls, said = await self._made()
        for group in thread.groups(thread.calls(self._told, self._rules, calls), thread.CALLS_A_REPLY_MAX):
            await self._post(group, calls=[each.key for each in group])
            calls += [each.key for each in group]
            self._remember(calls, said)
        for group in thread.groups(thread.news(self._send, self._told, self._rules, said), thread.LINES_A_REPLY_MAX):
            await self._post(group, said=[each.key for each in group])
            said += [each.key for each in group]
            self._remember(calls, said)
        self._remember(calls, said)

    async def _post(self, lines: list[thread.Line], **keys: list[str]) -> None:
        remote = self._known
        about = {"incident_id": self._send.incident_id, "calls": [], "said": [], **keys}
        blocks = words.sections([each.text for each in lines])
        await self._write(
            "chat.postMessage",
            {
                "channel": remote.extra["channel"],
                "thread_ts": remote.id,
                "text": lines[0].text[: words.TEXT_CHARACTERS_MAX],
                "blocks": blocks,
                "metadata": {"event_type": REPLY_EVENT, "event_payload": about},
                **_QUIET,
            },
        )

    async def _made(self) -> tuple[list[str], list[str]]:
        """Keys of the calls that are made and of the lines that are said; looked up where that is not known.

        By line and not by delivery: one whose fate is unknown may come again as part of a larger one.
        """
        remote = self._known
        calls, said = self._calls, list(remote.extra.get("said", ()))
        if self._send.unsure:
            asked = {"channel": str(remote.extra["channel"]), "ts": remote.id}
            async for message in self._api.messages("conversations.replies", asked, self._send.rank):
                about = _payload(message)
                calls += [each for each in _keys(about, "calls") if each not in calls]
                said += [each for each in _keys(about, "said") if each not in said]
        return calls, said

    async def _address(self, remote: Remote) -> None:
        """Where people find it. Of no importance: asked for again with the next delivery."""
        asked = {"channel": str(remote.extra["channel"]), "message_ts": remote.id}
        with suppress(Trouble):
            answer = await self._api.read("chat.getPermalink", asked, self._send.rank)
            remote.url = _text(answer, "permalink")[:2_000]

    async def _write(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._api.write(method, arguments, self._send.rank)
        self.status = 200
        return answer

    @property
    def _shown(self) -> dict[str, Any]:
        """What the message says, and what it is about."""
        incident = self._told.incident
        about = {
            "incident_id": self._send.incident_id,
            "revision": self._told.revision,
            "state": str(state_of(self._told)),
            "priority": str(incident.get("priority") or ""),
        }
        return {
            "text": words.notification(self._told),
            "blocks": words.message(self._told, self._rules),
            "metadata": {"event_type": ROOT_EVENT, "event_payload": about},
        }

    @property
    def _digest(self) -> str:
        """What two messages that say the same have in common; a revision alone is nothing new to read."""
        blocks = words.message(self._told._replace(revision=0), self._rules)
        return content_hash(orjson.dumps(blocks).decode())

    @property
    def _known(self) -> Remote:
        if self.remote is None:
            raise AssertionError("the message is posted before its thread")
        return self.remote

    @property
    def _calls(self) -> list[str]:
        return list(self.remote.extra.get("calls", ())) if self.remote is not None else []

    def _learn(self, ts: str, channel: str) -> None:
        before = self.remote
        kept = before.extra if before is not None else {}
        url = before.url if before is not None and before.id == ts else ""
        extra = {**kept, "channel": channel, "shown": self._digest}
        self.remote = Remote(id=ts, key=ts, url=url, fields={}, extra=extra)
        self._learn_state()

    def _learn_state(self) -> None:
        if self.remote is not None:
            self.remote.state = state_of(self._told)
            self.remote.fields = fields_of(self._told)

    def _remember(self, calls: list[str], said: list[str]) -> None:
        self._known.extra |= {"calls": calls[-STEPS_KEPT_MAX:], "said": said[-SAID_KEPT_MAX:]}


_QUIET: Final = {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
"""Nothing in the text becomes a mention, and no address in it is visited for a preview."""


def _payload(message: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a message of ours is about; {} where it is none of ours."""
    metadata = (message or {}).get("metadata")
    known = isinstance(metadata, dict) and str(metadata.get("event_type")) in {ROOT_EVENT, REPLY_EVENT}
    payload = metadata.get("event_payload") if known and isinstance(metadata, dict) else None
    return payload if isinstance(payload, dict) else {}


def _about(message: Mapping[str, Any]) -> str:
    return str(_payload(message).get("incident_id", ""))


def _stamp(message: Mapping[str, Any]) -> str:
    """What addresses a message.

    Raises:
        Trouble: it has none: whether it was posted, nobody knows.
    """
    stamp = _text(message, "ts")
    if not _STAMP.fullmatch(stamp):
        words = "Slack: the answer names no message"
        raise Trouble(Answer(DeliveryOutcome.RETRY, HTTPStatus.OK, words, unknown=True))
    return stamp


def _keys(about: Mapping[str, Any], name: str) -> list[str]:
    """Keys that a message of ours holds, such as we make."""
    found = about.get(name)
    keys = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    return [each for each in keys if len(each) <= KEY_CHARACTERS_MAX]


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""
