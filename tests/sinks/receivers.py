"""Receivers on this machine, and outboxes, sender and sinks joined as a worker joins them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.outward.send import Send
from pipeline.core.step import TICK_KEY, Effects, StreamRecord
from pipeline.models.delivery import Delivery
from pipeline.models.policy import Config
from pipeline.models.sinks.streams import Webhook as Sink
from pipeline.sinks.clients import client_of
from pipeline.sinks.lane import Outlet
from pipeline.sinks.limits import Bucket, Buckets
from pipeline.sinks.sender import Sender
from pipeline.sinks.webhook import WebhookSink

SECRET = "whsec_" + "c2l4dGVlbiBieXRlcyBvZiBzZWNyZXQgc2FsdA=="
SECONDS_MAX = 20
NOW = datetime(2026, 3, 4, 2, 11, 42, tzinfo=UTC)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, SECONDS_MAX))


def send(revision: int = 1, attempt: int = 1, sink: str = "desk", incident_id: str = "INC-1") -> Send:
    incident = {"id": incident_id, "state": "logged", "title": "Kasse fällt aus"}
    data = {"revision": revision, "change": "opened", "entries": [], "incident": incident}
    body = orjson.dumps({"type": "incident", "data": data}).decode()
    return Send(sink, incident_id, revision, f"{incident_id}/{revision}/{sink}", attempt, body)


def webhook_sink(rules: Sink) -> WebhookSink:
    """Of its own rate, with one secret under all names."""
    return WebhookSink(rules, dict.fromkeys(rules.secret_names, SECRET), Buckets().of(rules))


def outlet(rules: Sink, bucket: Bucket) -> Outlet:
    """As the agent makes it."""
    secrets = dict.fromkeys(rules.secret_names, SECRET)
    return Outlet(client_of(rules, secrets, bucket) if rules.enabled else None, bucket)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application) as server:
        yield str(server.make_url("/hook"))


@asynccontextmanager
async def webhook(url: str, **fields: Any) -> AsyncIterator[WebhookSink]:
    sink = webhook_sink(Sink(name="desk", url=url, secret_env="DESK_SECRET", **fields))
    try:
        yield sink
    finally:
        await sink.close()


def responding(status: int, headers: dict[str, str] | None = None, text: str = "") -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text=text)

    return handler


class World:
    """Outboxes, sender and sinks as a worker joins them; its topic is a list, its clock jumps to what is due."""

    def __init__(self, *sinks: Sink) -> None:
        self.processor = DeliverProcessor(Config(sinks={sink.name: sink for sink in sinks}))
        self.outcomes: list[Delivery] = []
        self.lost: list[BaseException] = []
        buckets = Buckets()
        outlets = {sink.name: outlet(sink, buckets.of(sink)) for sink in sinks}
        self.sender = Sender(outlets, self._write, self.lost.append)
        self._news = asyncio.Condition()
        self._taken = 0
        self._offsets = count()

    async def _write(self, delivery: Delivery) -> None:
        async with self._news:
            self.outcomes.append(delivery)
            self._news.notify_all()

    def handle(self, topic: str, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        record = StreamRecord(topic, 0, next(self._offsets), timestamp_ms, key, value)
        self.processor.handle([record], Effects())
        self.sender.tell(0, *self.processor.take_ready())

    def event(self, revision: int, change: str, incident_id: str = "INC-1") -> None:
        value = {
            "schema": 1,
            "incident_id": incident_id,
            "revision": revision,
            "change": change,
            "at_ms": 1_772_590_000_000,
            "entries": [],
            "incident": {"id": incident_id, "state": "logged"},
        }
        self.handle("incidents", incident_id.encode(), orjson.dumps(value), 1_772_590_000_000)

    async def until(self, enough: Callable[[], bool]) -> None:
        """Feed outcomes back, and time on where only time helps, until the condition holds."""
        while not enough():
            while self._taken < len(self.outcomes):
                outcome = self.outcomes[self._taken]
                self._taken += 1
                value = orjson.dumps(outcome.to_wire())
                self.handle("deliveries", outcome.incident_id.encode(), value, outcome.at_ms)
            due_ms = self.processor.next_deadline_ms()
            if due_ms is not None:
                self.handle("deliveries", TICK_KEY, None, due_ms)
            elif not enough():
                async with self._news:
                    await self._news.wait_for(lambda: self._taken < len(self.outcomes))


class Receiver:
    """An HTTP receiver that verifies what it gets and answers from a list, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[str] = []
        self.at_once = self.at_once_max = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        Webhook(SECRET).verify(await request.read(), dict(request.headers))
        self.got.append(request.headers["webhook-id"])
        self.at_once -= 1
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


def sink(name: str, url: str, **fields: Any) -> Sink:
    return Sink(name=name, url=url, secret_env="DESK_SECRET", **fields)
