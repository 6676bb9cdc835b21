"""Connections: how many there may be, and what becomes of those that do not speak HTTP.

aiohttp would log a broken head with its bytes and answer with them. They may be a secret, so neither happens here.
"""

from __future__ import annotations

import asyncio
import traceback
from http import HTTPStatus
from typing import Any, Final

from aiohttp import StreamReader, web
from aiohttp.web_protocol import RequestHandler

from pipeline.gateway.metrics import NO_FEED, GatewayMetrics
from pipeline.gateway.refusal import Reason
from pipeline.runtime.guard import TRACEBACK_FRAMES_MAX, log_line

_BROKEN_HEAD: Final = b'{"error":"the head of the request is broken or larger than allowed"}'
_DEFECT: Final = b'{"error":"a defect of the gateway: send the same request again"}'


HEAD_BYTES_MAX: Final = 32_768
"""Of a request's line and headers together. aiohttp bounds each header and their number, which lets a head that never
ends hold a megabyte; sources send two kilobytes."""


class _Closed(asyncio.Protocol):
    """A connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Connection(RequestHandler):
    """aiohttp's connection, with errors told in our words."""

    __slots__ = ("_body", "_head_bytes", "_metrics")

    def __init__(self, manager: LimitedServer, metrics: GatewayMetrics, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._metrics = metrics
        self._head_bytes = 0
        self._body: StreamReader | None = None

    def data_received(self, data: bytes) -> None:
        """Take what came; close where a head does not end."""
        in_body = self._body is not None and not self._body.is_eof()
        heads = self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._body = self._messages[-1][1]
            self._head_bytes = 0
            return
        self._head_bytes = 0 if in_body else self._head_bytes + len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._metrics.answered(NO_FEED, HTTPStatus.BAD_REQUEST, 0.0, 0, Reason.BROKEN_HEAD)
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or what went wrong with us, without what was sent."""
        del message
        if status == HTTPStatus.BAD_REQUEST:
            self._metrics.answered(NO_FEED, status, 0.0, 0, Reason.BROKEN_HEAD)
        else:
            self.log_exception(exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun, so there can be no other")
        body = _BROKEN_HEAD if status == HTTPStatus.BAD_REQUEST else _DEFECT
        headers = {"Server": "spillway"}  # aiohttp would name its own and Python's version
        answer = web.Response(status=status, body=body, content_type="application/json", headers=headers)
        answer.force_close()
        return answer

    def log_exception(self, *_: Any, exc_info: Any = None, **__: Any) -> None:
        """Log where a defect is and of what kind; its text may hold what was sent."""
        frames = traceback.format_tb(exc_info.__traceback__) if isinstance(exc_info, BaseException) else []
        kind = type(exc_info).__name__
        log_line("gateway defect", error=kind, traceback="".join(frames[-TRACEBACK_FRAMES_MAX:]))


class LimitedServer(web.Server):
    """aiohttp's low-level server with a limit on connections."""

    def __init__(self, handler: Any, connections_max: int, metrics: GatewayMetrics, **settings: Any) -> None:
        """Describe the server.

        Args:
            handler: answers a request.
            connections_max: open at once; one more is closed at once.
            metrics: counts.
            settings: of aiohttp's connections.
        """
        super().__init__(handler)
        self._settings = settings
        self._metrics = metrics
        self._connections_max = connections_max
        metrics.connections.set_function(lambda: len(self._connections))

    def __call__(self) -> RequestHandler:
        """The protocol of a new connection."""
        if len(self._connections) >= self._connections_max:
            self._metrics.connections_refused.inc()
            return _Closed()  # type: ignore[return-value]  # create_server takes any protocol
        return _Connection(self, self._metrics, loop=self._loop, **self._settings)
