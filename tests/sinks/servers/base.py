"""What every downstream of the tests has: records that it keeps, a journal, and faults that can be asked for.

A server derives from `VendorServer` and answers in `handle` as the vendor's documentation says, from its own records.
Faults are put around that: before it (nothing has happened) or after it (it has, and the answer is lost).
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

Fault = Callable[["Attempt"], bool]


@dataclass
class Attempt:
    """One request as it came."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    at: float = field(default_factory=monotonic)
    status: int = 0
    fault: str = ""


@dataclass(kw_only=True)
class Seen:
    """A record there, as the conformance suite compares those of all downstreams.

    Attributes:
        incident_id: ours, as it stands there.
        state: in our words (`pipeline.models.remote.RemoteState`).
        title, priority: as there.
        notes: words on it, oldest first.
        steps: keys of the calls that were made by it, in order, where it calls people.
        created: how often something was created for the incident; more than the reopenings ask for is a duplicate.
    """

    incident_id: str
    id: str
    state: str
    title: str = ""
    priority: str = ""
    notes: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    created: int = 1


class VendorServer(ABC):
    """One downstream. ``async with server.running() as url``.

    Attributes:
        journal: every request, in order.
        share_failing: of requests, by chance: a third each is refused before it happens (503), fails after it has
            happened (500), or happens and is not answered in time (the connection is dropped).
        rate_per_second: above it requests get 429 with ``Retry-After``; 0: no limit.
        burst: requests that may come at once under it.
        latency_seconds: before each answer.
        down: every connection is dropped.
        quotes: it is hostile, or careless: its error pages quote address, headers and body of the request.
        token: the credential that is taken; another one gets 401. None: any.
    """

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)  # noqa: S311  # repeatable, not secret
        self.journal: list[Attempt] = []
        self.share_failing = 0.0
        self.rate_per_second = 0.0
        self.burst = 1.0
        self.latency_seconds = 0.0
        self.down = False
        self.quotes = False
        self.token: str | None = None
        self.url = ""
        self.next_faults: list[str] = []
        """Asked for by name, for the next requests in order: ``before``, ``after``, ``silent``, ``401``, ``""``."""
        self.next_write_faults: list[str] = []
        """The same for the next requests that write something, whatever is looked up between them."""
        self._allowance = 0.0
        self._refilled = monotonic()

    @abstractmethod
    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer as documented, from the records."""

    @abstractmethod
    def seen(self) -> list[Seen]:
        """The records there are."""

    def disorder(self) -> list[str]:
        """Incidents of which something came in another order than it happened; where that can be seen."""
        return []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve on a free port for a block."""
        application = web.Application(client_max_size=8 << 20)
        application.router.add_route("*", "/{path:.*}", self._answer)
        async with TestServer(application) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self

    async def _answer(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911  # a fault each
        body = await request.read()
        attempt = Attempt(request.method, request.path_qs, body, dict(request.headers))
        self.journal.append(attempt)
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        fault = attempt.fault = self._fault(writes=request.method != "GET")
        if self.down or fault == "silent-before":
            return self._drop(request)
        if fault == "401" or not self.admits(request):
            return self._done(attempt, self.error(request, 401, "unauthorized"))
        if self._over_the_rate():
            refused = self.error(request, 429, "too many")
            refused.headers["Retry-After"] = "1"
            return self._done(attempt, refused)
        if fault == "before":
            return self._done(attempt, self.error(request, 503, "unavailable"))
        answer = await self.handle(request, body)
        if fault == "silent":
            return self._drop(request)
        if fault == "after":
            return self._done(attempt, self.error(request, 500, "internal"))
        return self._done(attempt, answer)

    def error(self, request: web.Request, status: int, words: str) -> web.Response:
        """An error as the vendor words it; one with a shape of its own overrides it."""
        return web.json_response({"error": words}, status=status)

    def admits(self, request: web.Request) -> bool:
        """Whether the credential is the one that is taken; a vendor with another scheme overrides it."""
        return self.token is None or self.token in request.headers.get("Authorization", "")

    def _fault(self, *, writes: bool = True) -> str:
        if writes and self.next_write_faults:
            return self.next_write_faults.pop(0)
        if self.next_faults:
            return self.next_faults.pop(0)
        if self.share_failing and self.random.random() < self.share_failing:
            return self.random.choice(["before", "after", "silent"])
        return ""

    def _over_the_rate(self) -> bool:
        if not self.rate_per_second:
            return False
        now = monotonic()
        self._allowance = min(self.burst, self._allowance + (now - self._refilled) * self.rate_per_second)
        self._refilled = now
        if self._allowance < 1.0:
            return True
        self._allowance -= 1.0
        return False

    def _drop(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError

    def _done(self, attempt: Attempt, answer: web.StreamResponse) -> web.StreamResponse:
        attempt.status = answer.status
        if self.quotes and answer.status >= 400 and isinstance(answer, web.Response):  # errors
            return self._quoting(attempt, answer)
        return answer

    def _quoting(self, attempt: Attempt, answer: web.Response) -> web.Response:
        """An error page that quotes the request before it says anything: as text, or inside of what it should say."""
        headers = " ".join(f"{name}: {value}" for name, value in attempt.headers.items())
        quoted = f"{headers} {self.url}{attempt.path} {attempt.body.decode(errors='replace')}"
        kept = {name: value for name, value in answer.headers.items() if name == "Retry-After"}
        if self.random.random() < 0.5:
            return web.Response(status=answer.status, headers=kept, text=f"<pre>{quoted}</pre>{answer.text}")
        document = _prefixed(json.loads(answer.text or "{}"), quoted)
        return web.json_response(document, status=answer.status, headers=kept)


def _prefixed(value: Any, words: str) -> Any:
    """A copy in which every text begins with some words."""
    if isinstance(value, dict):
        return {name: _prefixed(each, words) for name, each in value.items()}
    if isinstance(value, list):
        return [_prefixed(each, words) for each in value]
    return f"{words} {value}" if isinstance(value, str) else value


async def page_of_a_proxy(status: int, request: web.Request, body: bytes) -> web.Response:
    """What stands before a downstream that is not there: a page for people."""
    del request, body
    return web.Response(text="<html>It will be back soon.</html>", status=status, content_type="text/html")
