"""A downstream in a process of its own: it takes so many requests a second, and notes what came when."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

import orjson
from aiohttp import web

START_SECONDS_MAX: Final = 120.0
AHEAD_SECONDS: Final = 0.5
AHEAD_REQUESTS_MIN: Final = 2.0


class Arrival(NamedTuple):
    """One request. ``at``: seconds since the epoch; ``status``: what it was answered with."""

    at: float
    sink: str
    incident_id: str
    revision: int
    status: int


class Receiver:
    """The benchmark's end of it."""

    def __init__(self, pipe: Connection, port: int) -> None:
        self._pipe = pipe
        self.port = port

    def arrivals(self) -> list[Arrival]:
        """All that came so far."""
        self._pipe.send("arrivals")
        return [Arrival(*each) for each in self._pipe.recv()]


@contextmanager
def receiving(rates: dict[str, float]) -> Iterator[Receiver]:
    """Serve ``/<sink>`` for each sink; above its rate a request gets 429 with ``Retry-After``. 0: it has no limit.

    Each may be so much ahead of its rate: clocks, networks and busy machines are not exact.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, rates), daemon=True)
    process.start()
    if not ours.poll(START_SECONDS_MAX):
        raise TimeoutError("the receiver does not start")
    try:
        yield Receiver(ours, ours.recv())
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, rates: dict[str, float]) -> None:
    arrivals: list[Arrival] = []
    most = {sink: max(AHEAD_REQUESTS_MIN, rate * AHEAD_SECONDS) for sink, rate in rates.items()}
    tokens = {sink: (most[sink], time.monotonic()) for sink in rates}

    async def handle(request: web.Request) -> web.Response:
        sink, data = request.match_info["sink"], orjson.loads(await request.read())["data"]
        status = 200
        if rate := rates[sink]:
            left, since = tokens[sink]
            now = time.monotonic()
            left = min(most[sink], left + (now - since) * rate)
            status = 200 if left >= 1 else 429
            tokens[sink] = (left - 1 if left >= 1 else left, now)
        arrivals.append(Arrival(time.time(), sink, data["incident_id"], data["revision"], status))
        return web.Response(status=status, headers={"Retry-After": "1"} if status != 200 else None)

    async def started(application: web.Application) -> None:

        def answer() -> None:
            try:
                pipe.recv()
                pipe.send([tuple(each) for each in arrivals])
            except EOFError:
                asyncio.get_running_loop().remove_reader(pipe.fileno())

        asyncio.get_running_loop().add_reader(pipe.fileno(), answer)

    application: Any = web.Application()
    application.router.add_post("/{sink}", handle)
    application.on_startup.append(started)
    web.run_app(application, host="127.0.0.1", port=0, print=lambda text: _tell_port(pipe, application, text))


def _tell_port(pipe: Connection, application: Any, text: str) -> None:
    del application
    for word in text.split():
        if word.startswith("http://127.0.0.1:"):
            pipe.send(int(word.rpartition(":")[2].rstrip("/")))
            return
