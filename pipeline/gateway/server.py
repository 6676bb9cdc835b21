"""An answer to every request, and the drain at the end.

aiohttp's low-level server, without its router: there are four paths. Nothing is unpacked or followed behind our back.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from time import perf_counter
from typing import Final

import orjson
from aiohttp import HttpVersion10, HttpVersion11, web

from pipeline.gateway import pagerduty
from pipeline.gateway.connections import LimitedServer
from pipeline.gateway.door import Door
from pipeline.gateway.headers import REQUEST_ID, request_id_of
from pipeline.gateway.journal import Journal
from pipeline.gateway.limits import Limits
from pipeline.gateway.metrics import NO_FEED, GatewayMetrics
from pipeline.gateway.refusal import Reason, Refusal, busy
from pipeline.gateway.taken import Taken

LINGER_SECONDS_MAX: Final = 2.0
"""How long we go on reading a body that we have refused, so that its sender gets the answer and not a reset."""

SETTLE_SECONDS: Final = 0.1
"""From the last answer of a drain to the end of connections, if no other request turns up: many turns of the loop."""

HEADER_BYTES_MAX: Final = 8_190
HEADERS_MAX: Final = 100
READ_BYTES: Final = 65_536
BACKLOG: Final = 1_024


class GatewayServer:
    """Answers requests through a door.

    Attributes:
        in_flight: requests that are being answered.
    """

    def __init__(
        self,
        door: Door,
        metrics: GatewayMetrics,
        journal: Journal,
        limits: Limits,
    ) -> None:
        """Describe the server; nothing listens yet. Called on the running loop."""
        self.in_flight = 0
        self._door = door
        self._metrics = metrics
        self._journal = journal
        self._requests_max = limits.requests
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        metrics.in_flight.set_function(lambda: self.in_flight)
        server = LimitedServer(
            self.handle,
            limits.connections,
            metrics,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=limits.idle_seconds,
            lingering_time=LINGER_SECONDS_MAX,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
            read_bufsize=READ_BYTES,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=LINGER_SECONDS_MAX)
        self._site: web.TCPSite | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which is a free one where 0 was asked for.

        Raises:
            OSError: it is taken.
        """
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, host, port, backlog=BACKLOG)
        await self._site.start()
        return self._site.port

    async def stop(self) -> None:
        """Take no more connections, answer every request that has come, and close."""
        self._draining = True
        if self._site is not None:
            await self._site.stop()
        while True:
            await self._idle.wait()
            await asyncio.sleep(SETTLE_SECONDS)  # a request that came last may be in its socket still
            if not self.in_flight:
                break
        await self._runner.cleanup()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        began = perf_counter()
        taken = Taken(request, request_id_of(request.headers))
        self.in_flight += 1
        self._idle.clear()
        code: int = HTTPStatus.INTERNAL_SERVER_ERROR  # unless it gets through: aiohttp answers and logs a defect
        reason: Reason | None = Reason.DEFECT
        try:
            answer, reason = await self._answered(taken)
            code = answer.status
            return answer
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()
            seconds = perf_counter() - began
            self._metrics.answered(taken.feed or NO_FEED, code, seconds, taken.body_bytes, reason)

    async def _answered(self, taken: Taken) -> tuple[web.Response, Reason | None]:
        try:
            _check_version(taken.request)
            if self.in_flight > self._requests_max:
                raise busy("requests at once")
            reply = await self._door.take(taken)
            return self._answer(taken, reply.status, reply.body), None
        except Refusal as refusal:
            return self._refused(taken, refusal), refusal.reason

    def _answer(self, taken: Taken, status: HTTPStatus, body: bytes) -> web.Response:
        headers = {REQUEST_ID: taken.request_id, "Server": "spillway"}
        answer = web.Response(status=status, body=body, content_type="application/json", headers=headers)
        if self._draining:
            answer.force_close()
        return answer

    def _refused(self, taken: Taken, refusal: Refusal) -> web.Response:
        request = taken.request
        self._journal.refused(refusal, feed=taken.feed, request_id=taken.request_id, remote=request.remote)
        if request.rel_url.raw_path == pagerduty.PATH:
            body = pagerduty.refusal_answer(refusal)
        else:
            body = orjson.dumps({"error": refusal.sentence, "request_id": taken.request_id})
        answer = self._answer(taken, refusal.status, body)
        answer.headers.update(refusal.headers)
        if refusal.retry_after_seconds is not None:
            answer.headers["Retry-After"] = str(refusal.retry_after_seconds)
        if refusal.reason in {Reason.SLOW_BODY, Reason.BROKEN_OFF}:
            answer.force_close()
        return answer


def _check_version(request: web.BaseRequest) -> None:
    """Refuse what calls itself another HTTP than is spoken here; aiohttp would answer in whatever version was named.

    Raises:
        Refusal: 505.
    """
    if request._version not in {HttpVersion10, HttpVersion11}:
        request._version = HttpVersion11  # the answer is in ours
        sentence = "HTTP/1.1 is spoken here, and HTTP/1.0"
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, Reason.BROKEN_HEAD, sentence)
