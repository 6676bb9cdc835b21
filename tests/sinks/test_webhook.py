"""The webhook sink and its sender against a real HTTP server on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from pipeline.core.deliver import DeliverProcessor, Send
from pipeline.core.step import TICK_KEY, Effects, StreamRecord
from pipeline.models.delivery import Delivery, DeliveryOutcome
from pipeline.models.policy import Config, Sink
from pipeline.sinks.sender import Answer, Sender, SinkClient
from pipeline.sinks.webhook import ANSWER_BYTES_MAX, SinkError, WebhookSink, retry_after_seconds

SECRET = "whsec_" + "c2l4dGVlbiBieXRlcyBvZiBzZWNyZXQgc2FsdA=="
SECONDS_MAX = 20
NOW = datetime(2026, 3, 4, 2, 11, 42, tzinfo=UTC)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, SECONDS_MAX))


def send(revision: int = 1, attempt: int = 1, sink: str = "desk", incident_id: str = "INC-1") -> Send:
    body = orjson.dumps({"type": "incident", "data": {"revision": revision, "title": "Kasse fällt aus"}}).decode()
    return Send(sink, incident_id, revision, f"{incident_id}/{revision}/{sink}", attempt, body)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application) as server:
        yield str(server.make_url("/hook"))


@asynccontextmanager
async def webhook(url: str, **fields: Any) -> AsyncIterator[WebhookSink]:
    sink = WebhookSink(Sink(name="desk", url=url, secret_env="DESK_SECRET", **fields), SECRET)
    try:
        yield sink
    finally:
        await sink.close()


async def answer_of(handler: Handler, **fields: Any) -> Answer:
    async with serving(handler) as url, webhook(url, **fields) as sink:
        return await sink.send(send(), datetime.now(UTC))


def responding(status: int, headers: dict[str, str] | None = None, text: str = "") -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text=text)

    return handler


def test_a_receiver_can_verify_the_signature_and_sees_the_very_body() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    async def test() -> None:
        assert await answer_of(handler) == Answer(DeliveryOutcome.DELIVERED, 204)

    run(test())
    [(headers, data)] = seen
    assert Webhook(SECRET).verify(data, headers)["data"]["title"] == "Kasse fällt aus"
    assert data == send().body.encode()
    assert headers["webhook-id"] == "INC-1/1/desk"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (307, "retry"),
        (400, "rejected"),
        (401, "rejected"),
        (404, "rejected"),
        (408, "retry"),
        (409, "retry"),
        (410, "rejected"),
        (425, "retry"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
    ],
)
def test_the_status_decides_the_outcome(status: int, outcome: str) -> None:
    async def test() -> None:
        answer = await answer_of(responding(status, {"Location": "/elsewhere"}))
        assert (answer.outcome, answer.status) == (outcome, status)

    run(test())


def test_a_redirect_is_not_followed() -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": "/inside"})

    run(_ignore(answer_of(handler)))
    assert paths == ["/hook"]


async def _ignore(answer: Awaitable[Answer]) -> None:
    await answer


def test_a_receiver_that_does_not_answer_in_time_is_tried_again() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    async def test() -> None:
        answer = await answer_of(handler, timeout_seconds=0.1)
        assert answer == Answer(DeliveryOutcome.RETRY, detail="no answer in time")

    run(test())


def test_a_receiver_that_is_not_there_is_tried_again_and_its_address_stays_unsaid() -> None:
    async def test() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            async with webhook(f"http://127.0.0.1:{port}/secret-path") as sink:
                answer = await sink.send(send(), NOW)
        assert answer.outcome == DeliveryOutcome.RETRY
        assert answer.detail.startswith("no connection: ")
        assert "127.0.0.1" not in answer.detail

    run(test())


def test_a_server_that_does_not_prove_who_it_is_gets_nothing() -> None:
    requests: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        requests.append(request.path)
        return web.Response()

    async def test() -> None:
        async with serving(handler) as url, webhook(url.replace("http://", "https://")) as sink:
            assert (await sink.send(send(), NOW)).outcome == DeliveryOutcome.RETRY

    run(test())
    assert requests == []


def test_an_endless_answer_is_read_only_to_its_limit() -> None:
    written = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * ANSWER_BYTES_MAX)
                written += ANSWER_BYTES_MAX
        except ConnectionError:
            return response

    async def test() -> None:
        answer = await answer_of(handler)
        assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 400)
        assert set(answer.detail) == {"x"}
        assert len(answer.detail) <= 200

    run(test())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("9" * 40, 999_999_999),
        ("-5", None),
        ("soon", None),
        ("Wed, 04 Mar 2026 02:12:42 GMT", 60),
        ("Wed, 04 Mar 2026 01:00:00 GMT", 0),
        ("Wed, 99 Mar 2026 01:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, seconds: int | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


def test_retry_after_reaches_the_outcome() -> None:
    async def test() -> None:
        answer = await answer_of(responding(429, {"Retry-After": "7"}, "slow down"))
        assert answer == Answer(DeliveryOutcome.RETRY, 429, "slow down", 7)

    run(test())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "https://", "host/path", "http://[::1"])
def test_only_web_addresses_are_used(url: str) -> None:
    async def test() -> None:
        with pytest.raises(SinkError, match="sink desk: url must be"):
            WebhookSink(Sink(name="desk", url=url, secret_env="DESK_SECRET"), SECRET)

    run(test())


@pytest.mark.parametrize("secret", ["whsec_", "whsec_a"])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    async def test() -> None:
        with pytest.raises(SinkError, match="sink desk: DESK_SECRET must hold") as refused:
            WebhookSink(Sink(name="desk", url="https://desk.example", secret_env="DESK_SECRET"), secret)
        assert refused.value.__cause__ is None

    run(test())


class World:
    """Outboxes, sender and sinks as a worker joins them; its topic is a list, its clock jumps to what is due."""

    def __init__(self, *sinks: Sink) -> None:
        self.processor = DeliverProcessor(Config(sinks={sink.name: sink for sink in sinks}))
        self.outcomes: list[Delivery] = []
        self.lost: list[BaseException] = []
        self._clients: dict[str, SinkClient] = {sink.name: WebhookSink(sink, SECRET) for sink in sinks}
        self.sender = Sender(self._clients, self._write, self.lost.append)
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
        self.sender.dispatch(0, self.processor.ready())

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


def test_a_failing_receiver_gets_the_same_id_again_and_the_order_of_an_incident_holds() -> None:
    receiver = Receiver(500, 503, 429)

    async def test() -> None:
        async with serving(receiver.handle) as url:
            world = World(sink("desk", url))
            for revision, change in enumerate(["opened", "resolved", "reopened"], 1):
                world.event(revision, change)
            await world.until(lambda: len(world.outcomes) == 6)
            await world.sender.close()
            assert world.lost == []

    run(test())
    assert receiver.got == ["INC-1/1/desk"] * 4 + ["INC-1/2/desk", "INC-1/3/desk"]
    assert receiver.at_once_max == 1


def test_a_sink_that_hangs_delays_no_other() -> None:
    receiver = Receiver()

    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    async def test() -> None:
        async with serving(receiver.handle) as url, serving(hang) as dead:
            world = World(sink("dead", dead, timeout_seconds=SECONDS_MAX), sink("desk", url))
            for number in range(30):
                world.event(1, "opened", f"INC-{number}")
                world.event(2, "resolved", f"INC-{number}")
            await world.until(lambda: len(world.outcomes) == 60)
            assert {outcome.sink for outcome in world.outcomes} == {"desk"}
            await world.sender.close()

    run(test())
    assert len(receiver.got) == 60


def test_a_timeout_is_tried_again_under_the_same_id() -> None:
    ids: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        ids.append(request.headers["webhook-id"])
        if len(ids) == 1:
            await asyncio.Event().wait()
        return web.Response()

    async def test() -> None:
        async with serving(handler) as url:
            world = World(sink("desk", url, timeout_seconds=0.2))
            world.event(1, "opened")
            await world.until(lambda: len(world.outcomes) == 2)
            await world.sender.close()
            assert [outcome.outcome for outcome in world.outcomes] == ["retry", "delivered"]

    run(test())
    assert ids == ["INC-1/1/desk"] * 2


def test_what_a_dead_worker_left_without_outcome_is_sent_again_under_the_same_id() -> None:
    receiver = Receiver()

    async def test() -> None:
        async with serving(receiver.handle) as url:
            first = World(sink("desk", url))
            first.event(1, "opened")
            await first.until(lambda: len(first.outcomes) == 1)  # sent; the outcome never becomes a record
            await first.sender.close()
            second = World(sink("desk", url))
            for key, value in first.processor.take_changes():
                second.processor.restore(key, value)
            second.processor.restored()
            assert second.sender.dispatch(0, second.processor.ready()) == 1
            await second.until(lambda: len(second.outcomes) == 1)
            await second.sender.close()

    run(test())
    assert receiver.got == ["INC-1/1/desk"] * 2


def test_an_outcome_that_cannot_be_written_is_reported_since_its_head_would_wait_for_ever() -> None:
    async def test() -> None:
        reported = asyncio.get_running_loop().create_future()

        async def refuse(delivery: Delivery) -> None:
            raise ConnectionError(delivery.delivery_id)

        async with serving(responding(200)) as url, webhook(url) as client:
            sender = Sender({"desk": client}, refuse, reported.set_result)
            sender.dispatch(0, [send()])
            assert str(await reported) == "INC-1/1/desk"

    run(test())


def test_a_partition_that_leaves_takes_its_sends_with_it() -> None:
    arrived = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    async def test() -> None:
        async with serving(hang) as url:
            world = World(sink("desk", url))
            world.event(1, "opened")
            await arrived.wait()
            await world.sender.cancel(0)
            assert world.outcomes == []
            assert world.lost == []
            assert world.sender.dispatch(0, world.processor.ready()) == 1  # it came back to us
            await world.sender.close()

    run(test())
