"""Slack's Web API on this machine, as far as a bot posts, edits and reads messages.

Behaves as https://docs.slack.dev/reference/methods says: failures are 200 with ``"ok": false``, time stamps are unique
in a channel, history shows no replies, pages have cursors, metadata comes only to who asks for it.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson
from aiohttp import web

from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.servers.slack_schema import complaint

TOKEN = "xoxb-test-token"
CHANNEL = "C0INCIDENTS"
BOT = "U0SPILLWAY"

Message = dict[str, Any]


class SlackServer(VendorServer):
    """Channels with messages.

    Attributes:
        channels: id -> messages in the order in which they were posted, replies among them.
        next_errors: words to answer the next requests with; "" lets one pass.
        complaints: what was wrong with requests, by the schema; a test looks that it is empty.
        page: messages a page, however many are asked for.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.token = TOKEN
        self.channels: dict[str, list[Message]] = {CHANNEL: [], "C0OTHER": [], "C0MAJOR": []}
        self.next_errors: list[str] = []
        self.complaints: list[str] = []
        self.page = 200
        self._stamps = count(1)

    def admits(self, request: web.Request) -> bool:
        return True  # a wrong token is answered in words, not by status

    def error(self, request: web.Request, status: int, words: str) -> web.Response:
        return web.json_response({"ok": False, "error": "ratelimited" if status == 429 else words}, status=status)

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        method = request.path.removeprefix("/api/")
        arguments = orjson.loads(body) if request.method == "POST" else dict(request.query)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _no("invalid_auth")
        if self.next_errors and (word := self.next_errors.pop(0)):
            return _no(word)
        if method == "auth.test":
            return web.json_response({"ok": True, "user": "spillway", "team": "Northwind"})
        if wrong := complaint(method, arguments):
            self.complaints.append(f"{method}: {wrong}")
            return _no("invalid_arguments")
        if arguments["channel"] not in self.channels:
            return _no("channel_not_found")
        known = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.getPermalink": self._permalink,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        return known[method](arguments) if method in known else _no("unknown_method")

    def delete(self, ts: str) -> None:
        """Somebody deletes a message."""
        for messages in self.channels.values():
            messages[:] = [each for each in messages if each["ts"] != ts]

    def roots(self, channel: str = CHANNEL) -> list[Message]:
        return [each for each in self.channels[channel] if "thread_ts" not in each]

    def thread(self, ts: str, channel: str = CHANNEL) -> list[Message]:
        return [each for each in self.channels[channel] if each.get("thread_ts") == ts]

    def seen(self) -> list[Seen]:
        roots = [(channel, each) for channel in self.channels for each in self.roots(channel)]
        incidents = [about(each)["incident_id"] for _, each in roots]
        return [self._seen(channel, each, incidents.count(about(each)["incident_id"])) for channel, each in roots]

    def _seen(self, channel: str, root: Message, created: int) -> Seen:
        thread = self.thread(root["ts"], channel)
        facts = about(root)
        return Seen(
            incident_id=facts["incident_id"],
            id=root["ts"],
            state=facts["state"],
            title=root["blocks"][0]["text"]["text"],
            priority=facts["priority"],
            notes=[text_of(each) for each in thread],
            steps=[key for each in thread for key in about(each)["calls"]],
            created=created,
        )

    def _post(self, given: dict[str, Any]) -> web.Response:
        ts = f"1772590000.{next(self._stamps):06d}"
        message = {"type": "message", "user": BOT, "ts": ts, **{name: given[name] for name in _KEPT if name in given}}
        if "thread_ts" in given and not self._found(given["channel"], given["thread_ts"]):
            return _no("thread_not_found")
        self.channels[given["channel"]].append(message)
        return _yes(channel=given["channel"], ts=ts, message=message)

    def _update(self, given: dict[str, Any]) -> web.Response:
        message = self._found(given["channel"], given["ts"])
        if message is None:
            return _no("message_not_found")
        message |= {name: given[name] for name in ("text", "blocks", "metadata") if name in given}
        return _yes(channel=given["channel"], ts=given["ts"], text=given["text"])

    def _permalink(self, given: dict[str, Any]) -> web.Response:
        if self._found(given["channel"], given["message_ts"]) is None:
            return _no("message_not_found")
        link = f"https://acme.slack.com/archives/{given['channel']}/p{given['message_ts'].replace('.', '')}"
        return _yes(channel=given["channel"], permalink=link)

    def _history(self, given: dict[str, Any]) -> web.Response:
        oldest, latest = float(given.get("oldest", 0)), float(given.get("latest", 9e18))
        inside = given.get("inclusive") == "true"
        newest_first = [
            each
            for each in reversed(self.roots(given["channel"]))
            if oldest < float(each["ts"]) < latest or (inside and float(each["ts"]) in {oldest, latest})
        ]
        return self._paged(newest_first, given)

    def _replies(self, given: dict[str, Any]) -> web.Response:
        root = self._found(given["channel"], given["ts"])
        if root is None:
            return _no("thread_not_found")
        return self._paged([root, *self.thread(given["ts"], given["channel"])], given)

    def _paged(self, messages: list[Message], given: dict[str, Any]) -> web.Response:
        first, size = int(given.get("cursor") or 0), min(self.page, int(given.get("limit", 100)))
        page = messages[first : first + size]
        if given.get("include_all_metadata") != "true":
            page = [{name: value for name, value in each.items() if name != "metadata"} for each in page]
        after = str(first + size) if first + size < len(messages) else ""
        return _yes(messages=page, has_more=bool(after), response_metadata={"next_cursor": after})

    def _found(self, channel: str, ts: str) -> Message | None:
        return next((each for each in self.channels[channel] if each["ts"] == ts), None)


_KEPT = ("text", "blocks", "metadata", "thread_ts")


def about(message: Message) -> dict[str, Any]:
    """What a message's metadata say."""
    payload: dict[str, Any] = message["metadata"]["event_payload"]
    return payload


def text_of(message: Message) -> str:
    """All text of a message's blocks."""
    texts = []
    for block in message["blocks"]:
        parts = [block["text"]] if "text" in block else [*block.get("fields", ()), *block.get("elements", ())]
        texts += [part["text"] if isinstance(part["text"], str) else part["text"]["text"] for part in parts]
    return "\n".join(texts)


def _yes(**fields: Any) -> web.Response:
    return web.json_response({"ok": True, **fields})


def _no(word: str) -> web.Response:
    return web.json_response({"ok": False, "error": word})
