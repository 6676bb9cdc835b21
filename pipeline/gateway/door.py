"""The door: what happens to one request, from its head to the broker's acknowledgement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import orjson
from aiohttp import web

from pipeline.core.privacy.redactor import FeedRedactor
from pipeline.gateway import pagerduty
from pipeline.gateway.arrival import Arrival, Guard
from pipeline.gateway.back import BODY_BYTES_MAX, SINKS_PATH, Reply, SinkDoor
from pipeline.gateway.body import BodyReader
from pipeline.gateway.headers import CONTENT_TYPE, FORM, check_media_type, kafka_headers
from pipeline.gateway.keys import RecordKey
from pipeline.gateway.limits import Limits, Room, TokenBucket
from pipeline.gateway.refusal import Reason, Refusal
from pipeline.gateway.taken import Records, Taken
from pipeline.gateway.tokens import QuerySecret
from pipeline.gateway.traced import GatewayTraces
from pipeline.models.gateway import GatewayFeed

FEEDS_PATH: Final = "/v1/feeds/"

REDACTED_INLINE_BYTES_MAX: Final = 16_384
"""Of a body whose personal data is taken out at once: less than a millisecond. Nobody waits for a larger one."""


@dataclass(frozen=True, slots=True)
class OpenFeed:
    """A feed that takes messages over HTTP.

    Attributes:
        guard: None where the routing key in the body does it.
        redactor: takes personal data out of bodies; None where no rule is for the feed.
    """

    name: str
    topic: str
    rule: GatewayFeed
    guard: Guard | None
    key: RecordKey
    rate: TokenBucket
    redactor: FeedRedactor | None = None

    def take_token(self) -> None:
        """Count the request against the feed's rate.

        Raises:
            Refusal: 429.
        """
        if wait_seconds := self.rate.take():
            sentence = f"the feed takes {self.rule.requests_per_second:g} requests a second"
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, Reason.RATE, sentence, retry_after_seconds=wait_seconds)


class Door:
    """Takes requests for the feeds and sinks that it knows."""

    def __init__(
        self,
        feeds: Mapping[str, OpenFeed],
        switchboard: pagerduty.Switchboard,
        back: SinkDoor,
        records: Records,
        limits: Limits,
        traces: GatewayTraces | None = None,
    ) -> None:
        self._feeds = feeds
        self._back = back
        self._switchboard = switchboard
        self._records = records
        self._room = Room(limits.bodies_bytes)
        self._body_seconds = limits.body_seconds
        self._traces = traces or GatewayTraces()

    async def take(self, taken: Taken) -> Reply:
        """Take a request; its answer.

        Raises:
            Refusal: it is not taken.
        """
        path = taken.request.rel_url.raw_path
        if path.startswith(SINKS_PATH):
            return await self._update(taken, unquote(path[len(SINKS_PATH) :]))
        return Reply(HTTPStatus.ACCEPTED, await self._accepted(taken, path))

    async def _accepted(self, taken: Taken, path: str) -> bytes:
        if path.startswith(FEEDS_PATH):
            return await self._message(taken, unquote(path[len(FEEDS_PATH) :]))
        if path == pagerduty.PATH:
            _check_method(taken.request, get=False)
            if not self._switchboard:  # nobody may send here, so nobody's body is read
                raise Refusal(
                    HTTPStatus.NOT_FOUND, Reason.UNKNOWN_PATH, "no feed takes events of PagerDuty's kind here"
                )
            return await self._event(taken)
        if path == pagerduty.CHANGE_PATH:
            raise pagerduty.change_refusal()
        sentence = (
            f"messages go to {FEEDS_PATH}FEED, those of sinks to {SINKS_PATH}SINK, events of PagerDuty's kind to "
            f"{pagerduty.PATH}"
        )
        raise Refusal(HTTPStatus.NOT_FOUND, Reason.UNKNOWN_PATH, sentence)

    def _reader(self, request: web.BaseRequest, bytes_max: int, *, stranger: bool) -> BodyReader:
        return BodyReader(request, bytes_max, self._room, self._body_seconds, stranger=stranger)

    async def _message(self, taken: Taken, name: str) -> bytes:
        feed = self._feeds.get(name)
        if feed is None or feed.guard is None:
            raise Refusal(HTTPStatus.NOT_FOUND, Reason.UNKNOWN_FEED, "no feed of this name takes messages here")
        taken.feed = name
        request = taken.request
        _check_method(request, get=feed.rule.get)
        with self._reader(request, feed.rule.body_bytes_max, stranger=feed.guard.reads_body) as reader:
            if feed.guard.reads_body:
                value = await feed.guard.admit(_arrival(request, await reader.read()))
            else:
                await feed.guard.admit(_arrival(request, b""))
                value = _query(request, feed.guard) if request.method == "GET" else await reader.read()
            feed.take_token()
            if not value:
                raise Refusal(HTTPStatus.BAD_REQUEST, Reason.EMPTY, "there is no message: the body is empty")
            check_media_type(request.headers, feed.rule.content_types)
            await self._write(taken, feed, value)
        return orjson.dumps({"status": "accepted", "feed": name, "request_id": taken.request_id})

    async def _update(self, taken: Taken, name: str) -> Reply:
        sink, request = self._back.sink(name), taken.request
        taken.feed = sink.label
        _check_method(request, get=False)
        with self._reader(request, BODY_BYTES_MAX, stranger=sink.guard.reads_body) as reader:
            if sink.guard.reads_body:
                value = await sink.guard.admit(_arrival(request, await reader.read()))
            else:
                await sink.guard.admit(_arrival(request, b""))
                value = await reader.read()
            reply = await self._back.take(sink, request, value, taken.request_id)
            taken.body_bytes = len(value)
        return reply

    async def _event(self, taken: Taken) -> bytes:
        with self._reader(taken.request, pagerduty.EVENT_BYTES_MAX, stranger=True) as reader:
            body = await reader.read()
            document = pagerduty.parsed(body)
            feed = self._feeds[self._switchboard.feed_of(document)]
            taken.feed = feed.name
            feed.take_token()
            event = pagerduty.checked(body, document)
            await self._write(taken, feed, event.body)
        return pagerduty.success_answer(event)

    async def _write(self, taken: Taken, feed: OpenFeed, value: bytes) -> None:
        taken.body_bytes = len(value)
        headers = kafka_headers(taken.request.headers, feed.rule.headers, getattr(feed.rule.auth, "header", None))
        if taken.request.method == "GET":
            headers = [(name, each) for name, each in headers if name != CONTENT_TYPE]
            headers.append((CONTENT_TYPE, FORM.encode()))
        if feed.redactor is not None:  # after the signature was checked, before anything is written
            headers = list(feed.redactor.headers(headers))
            if len(value) < REDACTED_INLINE_BYTES_MAX:
                value = feed.redactor.value(value)
            else:
                value = await asyncio.to_thread(feed.redactor.value, value)
        with self._traces.taking(feed.name, headers) as traced:
            await self._records.send(feed.topic, feed.key.of(value, headers), value, traced)


def _check_method(request: web.BaseRequest, *, get: bool) -> None:
    allowed = ("GET", "POST") if get else ("POST",)
    if request.method not in allowed:
        sentence = f"messages are sent with {' or '.join(allowed)}"
        headers = {"Allow": ", ".join(allowed)}
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, Reason.WRONG_METHOD, sentence, headers=headers)


def _arrival(request: web.BaseRequest, body: bytes) -> Arrival:
    return Arrival(request.headers, request.query, body, time.time())


def _query(request: web.BaseRequest, guard: Guard) -> bytes:
    """The query as it came, without the secret in it: that must not lie in a topic."""
    text = request.rel_url.raw_query_string
    if isinstance(guard, QuerySecret):
        text = "&".join(pair for pair in text.split("&") if _name_of(pair) != guard.parameter)
    return text.encode(errors="surrogateescape")  # bytes that are no text pass as they came


def _name_of(pair: str) -> str:
    return unquote(pair.partition("=")[0].replace("+", " "))
