"""HTTP load on one address: many connections, requests made beforehand, answers counted and timed.

A client library would cost more than the server under test. So this writes ready bytes and reads as much of an answer
as its ``Content-Length`` says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from benchmarks.results import BenchmarkError

ANSWER_SECONDS_MAX: Final = 30.0
_LENGTH: Final = b"Content-Length: "


@dataclass(slots=True)
class Answers:
    """What came back.

    Attributes:
        seconds: of each request, from when it was due to its answer.
        accepted: answers with 202.
        others: answers with another status.
    """

    seconds: list[float] = field(default_factory=list)
    accepted: int = 0
    others: int = 0


class _Line(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # of a TCP connection
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchmarkError(f"the gateway closed a connection: {error}"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if found and len(rest) >= int(head.partition(_LENGTH)[2].partition(b"\r")[0]):
            self._received = b""
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(head)

    async def ask(self, request: bytes) -> bytes:
        """Send a request; the head of its answer."""
        assert self._transport is not None  # noqa: S101  # asked after it was made
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, ANSWER_SECONDS_MAX)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def send(port: int, request: bytes, connections: int, seconds: float, rate: float | None) -> Answers:
    """Send the same request again and again.

    Args:
        port: on this machine.
        request: head and body.
        connections: at once.
        seconds: how long.
        rate: requests a second, each at its due time as far as a connection is free; late ones count from when they
            were due. None: each connection sends as soon as it has its answer.
    """
    loop, answers = asyncio.get_running_loop(), Answers()
    lines = [(await loop.create_connection(_Line, "127.0.0.1", port))[1] for _ in range(connections)]
    due = _due_times(time.perf_counter(), seconds, rate)

    async def keep_sending(line: _Line) -> None:
        for at in due:
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            head = await line.ask(request)
            answers.seconds.append(time.perf_counter() - at)
            accepted = head.startswith(b"HTTP/1.1 202 ")
            answers.accepted += accepted
            answers.others += not accepted

    await asyncio.gather(*(keep_sending(line) for line in lines))
    for line in lines:
        line.close()
    return answers


def _due_times(began: float, seconds: float, rate: float | None) -> Iterator[float]:
    """When each request is due; shared by all connections, so that any that is free takes the next."""
    if rate is None:
        while (now := time.perf_counter()) < began + seconds:
            yield now
    else:
        for number in range(int(rate * seconds)):
            yield began + number / rate
