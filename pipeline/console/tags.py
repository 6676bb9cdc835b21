"""ETags of the API's answers: who has the same already is told so in a line.

The tag is weak, and of the content: what it does not name is what has changed since, such as the state of a ticket.
"""

from __future__ import annotations

from hashlib import blake2b
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_API: Final = "/api/"
_KEPT: Final = frozenset({b"etag", b"cache-control", b"link", b"vary", b"x-revision"})
"""Headers that a 304 has as well (RFC 9110, 15.4.5)."""

CACHING: Final = "private, no-cache"
"""A browser may keep it for its own user and asks each time whether it still holds."""


class Tags:
    """Middleware of the API's answers to GET that come whole."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand around an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(_API):
            send = _Tagging(send, Headers(scope=scope).getlist("if-none-match"))
        await self._app(scope, receive, send)


class _Tagging:
    def __init__(self, send: Send, known: list[str]) -> None:
        self._send = send
        self._known = {each.strip().removeprefix("W/") for line in known for each in line.split(",")}
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                message = self._tag(start, message)
            await self._send(start)
        await self._send(message)

    def _tag(self, start: Message, message: Message) -> Message:
        headers = MutableHeaders(scope=start)
        tag = headers.get("etag") or f'W/"{blake2b(message.get("body", b""), digest_size=12).hexdigest()}"'
        headers["etag"] = tag
        if headers.get("cache-control") is None:
            headers["cache-control"] = CACHING
        if tag.removeprefix("W/") not in self._known and "*" not in self._known:
            return message
        start["status"] = int(HTTPStatus.NOT_MODIFIED)
        start["headers"] = [(name, value) for name, value in start["headers"] if name.lower() in _KEPT]
        return {"type": "http.response.body", "body": b""}
