"""Bodies of requests: read whole before anybody looks at them, and never more than fits."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from pipeline.console.refusal import Reason, Refusal

BODY_BYTES_MAX: Final = 262_144
"""A command with the longest words that a command may have is a quarter of this."""

BODY_SECONDS_MAX: Final = 15.0
"""Who needs longer holds a place that others want."""


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The body of a request.

    Raises:
        Refusal: it is too long, takes too long, or the client has gone.
    """
    stated = headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, "the body ends before its end")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > BODY_BYTES_MAX:
                    raise _too_large()
    except TimeoutError:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT, Reason.BAD_INPUT, f"the body took over {BODY_SECONDS_MAX:.0f} s"
        ) from None
    return bytes(body)


def again(body: bytes, receive: Receive) -> Receive:
    """A receiver that gives a body that was read, and then what comes after it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _too_large() -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        Reason.TOO_LARGE,
        f"the body is over {BODY_BYTES_MAX} bytes: send less",
        headers={"Connection": "close"},
    )
