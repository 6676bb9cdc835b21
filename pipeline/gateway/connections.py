"""Connections: how many there may be, and what becomes of those that do not speak HTTP.

aiohttp would log a broken head with its bytes and answer with them. They may be a secret, so neither happens here.
"""

from __future__ import annotations

import asyncio
import traceback
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pipeline.gateway.metrics import NO_FEED, GatewayMetrics
from pipeline.gateway.refusal import Reason
from pipeline.runtime.guard import TRACEBACK_FRAMES_MAX, log_line

_BROKEN_HEAD: Final = b'{"error":"the head of the request is broken or larger than allowed"}'
_DEFECT: Final = b'{"error":"a defect of the gateway: send the same request again"}'


class _Closed(asyncio.Protocol):
    """A connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Connection(RequestHandler):
    """aiohttp's connection, with errors told in our words."""

    __slots__ = ("_metrics",)

    def __init__(self, manager: LimitedServer, metrics: GatewayMetrics, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._metrics = metrics

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
        answer = web.Response(status=status, body=body, content_type="application/json")
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
