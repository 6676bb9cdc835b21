"""The webhook sink against a real HTTP server on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError
from standardwebhooks import Webhook

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.streams import Webhook as Sink
from pipeline.sinks.base import Answer, SinkError
from pipeline.sinks.http import ANSWER_BYTES_MAX, retry_after_seconds
from pipeline.sinks.limits import Buckets
from pipeline.sinks.webhook import WebhookSink
from tests.sinks.receivers import (
    NOW,
    SECRET,
    Handler,
    responding,
    run,
    send,
    serving,
    webhook,
    webhook_sink,
)


async def answer_of(handler: Handler, **fields: Any) -> Answer:
    async with serving(handler) as url, webhook(url, **fields) as sink:
        return await sink.send(send(), datetime.now(UTC))


def test_a_receiver_can_verify_the_signature_and_sees_the_very_body() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    async def test() -> None:
        answer = await answer_of(handler)
        assert (answer.outcome, answer.status) == (DeliveryOutcome.DELIVERED, 204)

    run(test())
    [(headers, data)] = seen
    assert Webhook(SECRET).verify(data, headers)["data"]["incident"]["title"] == "Kasse fällt aus"
    assert data == send().body.encode()
    assert headers["webhook-id"] == "INC-1/1/desk"
    assert headers["Content-Type"] == "application/json"


def test_while_the_secret_is_changed_the_receiver_may_verify_with_either() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []
    after = "whsec_" + "YW5vdGhlciBzaXh0ZWVuIGJ5dGVzIQ=="

    async def handler(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.read()))
        return web.Response()

    async def test() -> None:
        async with serving(handler) as url:
            rules = Sink(name="desk", url=url, secret_env="DESK_SECRET", more_secrets_env=("DESK_NEXT",))
            sink = WebhookSink(rules, {"DESK_SECRET": SECRET, "DESK_NEXT": after}, Buckets().of(rules))
            await sink.send(send(), datetime.now(UTC))
            await sink.close()

    run(test())
    [(headers, data)] = seen
    assert Webhook(SECRET).verify(data, headers) == Webhook(after).verify(data, headers)


@pytest.mark.parametrize(("state", "known"), [("logged", "open"), ("resolved", "resolved"), ("merged", "closed")])
def test_the_ledger_knows_what_was_told_last(state: str, known: str) -> None:
    async def test() -> None:
        told = send()
        body = told.body.replace("logged", state)
        async with serving(responding(200)) as url, webhook(url) as sink:
            answer = await sink.send(told._replace(body=body), datetime.now(UTC))
        assert answer.remote is not None
        assert (answer.remote.id, answer.remote.state) == ("INC-1", known)
        assert answer.remote.fields == {"state": known, "title": "Kasse fällt aus"}

    run(test())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (307, "retry"),
        (400, "rejected"),
        (401, "retry"),
        (403, "retry"),
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
        assert answer == Answer(DeliveryOutcome.RETRY, detail="no answer in time", unknown=True)

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
            webhook_sink(Sink(name="desk", secret_env="DESK_SECRET", url="https://x").model_copy(update={"url": url}))

    run(test())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "https://", "host/path", "http://[::1"])
def test_other_addresses_are_refused_in_the_configuration(url: str) -> None:
    with pytest.raises(ValidationError, match="must begin with https:// or http:// and name a host"):
        Sink(name="desk", url=url, secret_env="DESK_SECRET")


def test_a_password_in_the_address_is_refused_without_being_shown() -> None:
    with pytest.raises(ValidationError) as refused:
        Sink(name="desk", url="https://bot:hunter2@desk.example/", secret_env="DESK_SECRET")
    assert "may hold no user and no password" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_a"])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    async def test() -> None:
        rules = Sink(name="desk", url="https://desk.example", secret_env="DESK_SECRET")
        with pytest.raises(SinkError, match="sink desk: DESK_SECRET must hold") as refused:
            WebhookSink(rules, {"DESK_SECRET": secret}, Buckets().of(rules))
        assert refused.value.__cause__ is None

    run(test())
