"""What stands around every request: a line in the log, counts, and answers to HEAD without their bodies.

Pure ASGI: nothing of an answer is held back, so streams pass. Who comes in is `pipeline.console.security.door`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.console.metrics import NO_ROUTE, ConsoleMetrics
from pipeline.console.refusal import CONTENT_TYPE, Reason, Refusal
from pipeline.runtime.guard import log_line

URL_BYTES_MAX: Final = 8_192
"""A board with every filter set has some 2,000."""

PATH_CHARACTERS_MAX: Final = 500
"""Of a path in the log."""

HEAD: Final = "spillway.head"
"""In the scope of a request that is for the head alone."""

_API: Final = "/api/v1"


@dataclass(slots=True)
class _Seen:
    """What is known of a request while it is answered."""

    method: str
    began: float
    status: int = 0
    answered_seconds: float = 0.0
    sent_bytes: int = 0


class Around:
    """The outermost application.

    Attributes:
        in_flight: requests that are being answered, streams among them.
    """

    def __init__(self, app: ASGIApp, metrics: ConsoleMetrics) -> None:
        """Stand around an application."""
        self.in_flight = 0
        self._app = app
        self._metrics = metrics
        metrics.in_flight.set_function(lambda: self.in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope["method"], perf_counter())
        if seen.method == "HEAD":
            scope = {**scope, "method": "GET", HEAD: True}
        sending = _Sending(send, seen)
        self.in_flight += 1
        try:
            if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > URL_BYTES_MAX:
                await _refuse_long(scope, sending)
            else:
                await self._app(scope, receive, sending)
        finally:
            self.in_flight -= 1
            self._told(scope, seen)

    def _told(self, scope: Scope, seen: _Seen) -> None:
        route, seconds = _route(scope), perf_counter() - seen.began
        status = seen.status or int(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._metrics.answered(route, seen.method, status, seen.answered_seconds or seconds)
        origin = scope.get("spillway.origin")
        log_line(
            "console request",
            method=seen.method[:16],
            path=scope["path"][:PATH_CHARACTERS_MAX],
            route=route,
            status=status,
            seconds=round(seconds, 4),
            bytes=seen.sent_bytes,
            reason=scope.get("spillway.reason"),
            who=getattr(scope.get("spillway.identity"), "subject", None),
            remote=getattr(origin, "address", None),
            request_id=getattr(origin, "request_id", None),
        )


class _Sending:
    """Sends an answer, and no body to HEAD."""

    def __init__(self, send: Send, seen: _Seen) -> None:
        self._send, self._seen = send, seen

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._seen.status = message["status"]
            self._seen.answered_seconds = perf_counter() - self._seen.began
        elif message["type"] == "http.response.body":
            if self._seen.method == "HEAD":
                message = {**message, "body": b""}
            self._seen.sent_bytes += len(message.get("body", b""))
        await self._send(message)


async def _refuse_long(scope: Scope, send: _Sending) -> None:
    refusal = Refusal(
        HTTPStatus.REQUEST_URI_TOO_LONG, Reason.TOO_LARGE, f"an address has at most {URL_BYTES_MAX} bytes"
    )
    body = orjson.dumps(refusal.document(scope["path"][:PATH_CHARACTERS_MAX]))
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _route(scope: Scope) -> str:
    """The template of the route that took a request, without what stands in its place."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return NO_ROUTE
    prefixed = scope["path"].startswith(_API) and not path.startswith(_API)
    return f"{_API}{path}" if prefixed else str(path)
