"""Reading a body: never more of it than allowed, plain or gzip, in bounded time."""

from __future__ import annotations

import asyncio
import zlib
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from aiohttp import ClientError, HttpVersion11, web

from pipeline.gateway.limits import Room
from pipeline.gateway.refusal import Reason, Refusal, too_large

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS  # with gzip's header and checksum
_ENCODINGS: Final = ("", "identity", "gzip", "x-gzip")


class BodyReader:
    """The body of one request, and the room that it takes until it is left.

    with BodyReader(request, limit, room) as reader:
        body = await reader.read()
    """

    def __init__(
        self, request: web.BaseRequest, bytes_max: int, room: Room, seconds_max: float, *, stranger: bool = False
    ) -> None:
        self._request = request
        self._stranger = stranger
        self._bytes_max = bytes_max
        self._room = room
        self._seconds_max = seconds_max
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._room.give_back(self._taken, stranger=self._stranger)

    async def read(self) -> bytes:
        """The body, inflated.

        Raises:
            Refusal: it is too large, too slow, broken or in an encoding that we do not read.
        """
        encoding = self._request.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            raise _unknown_encoding()
        announced = self._request.content_length
        if announced is not None and announced > self._bytes_max:
            raise too_large(self._bytes_max)
        try:
            async with asyncio.timeout(self._seconds_max):
                await _continue(self._request)
                return await (self._gunzipped() if encoding in {"gzip", "x-gzip"} else self._plain())
        except TimeoutError:
            sentence = f"the body did not arrive within {self._seconds_max:g} seconds"
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, Reason.SLOW_BODY, sentence) from None
        except (ClientError, web.RequestPayloadError, ConnectionError):
            raise Refusal(HTTPStatus.BAD_REQUEST, Reason.BROKEN_OFF, "the body broke off") from None

    def _take(self, count: int) -> None:
        if self._taken + count > self._bytes_max:
            raise too_large(self._bytes_max)
        self._room.take(count, stranger=self._stranger)
        self._taken += count

    async def _plain(self) -> bytes:
        parts = []
        while part := await self._request.content.readany():
            self._take(len(part))
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _gunzipped(self) -> bytes:
        """Inflate as it arrives, and stop at the limit: a small body may hold gigabytes of zeros."""
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        parts = []
        try:
            while part := await self._request.content.readany():
                # One byte more than allowed is enough to know that it is too much.
                inflated = inflater.decompress(part, self._bytes_max - self._taken + 1)
                self._take(len(inflated))
                parts.append(inflated)
                if inflater.unused_data:
                    raise _broken_gzip()
        except zlib.error:
            raise _broken_gzip() from None
        if not inflater.eof:
            raise _broken_gzip()
        return b"".join(parts)


async def _continue(request: web.BaseRequest) -> None:
    """Tell a sender that waits for it that we want the body."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _broken_gzip() -> Refusal:
    sentence = "the body is not the one gzip stream that Content-Encoding says"
    return Refusal(HTTPStatus.BAD_REQUEST, Reason.BROKEN_BODY, sentence)


def _unknown_encoding() -> Refusal:
    sentence = "Content-Encoding must be gzip or absent"
    headers = {"Accept-Encoding": "gzip, identity"}
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Reason.CONTENT_ENCODING, sentence, headers=headers)
