"""A network that fails on demand: a TCP proxy between workers and a broker, on a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, Self

HOST: Final = "127.0.0.1"
CHUNK_BYTES: Final = 64 << 10
ANSWER_SECONDS_MAX: Final = 10.0

# SO_LINGER on with no time to linger: closing sends a reset instead of an orderly end.
_RESET: Final = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to a port, as well or as badly as it is told.

    Attributes:
        port: where it listens.
        target_port: where it leads to.
    """

    def __init__(self) -> None:
        self.port = 0
        self.target_port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open = asyncio.Event()
        self._latency_seconds = 0.0
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"{HOST}:{self.port}"

    def reset(self) -> None:
        """Break every connection, with a reset on both sides."""
        self._do(self._reset())

    def delay(self, seconds: float) -> None:
        """Let every piece of data wait so long, in both directions; 0 ends it."""
        self._latency_seconds = seconds

    def blackhole(self) -> None:
        """Swallow everything, with all connections standing, until `heal`."""
        self._do(self._set_open(False))

    def heal(self) -> None:
        """Forward again, what was held back first."""
        self._do(self._set_open(True))

    def half_open(self) -> None:
        """Break the broker's side of every connection and tell the clients nothing. New connections work."""
        self._do(self._drop_targets())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS_MAX)

    async def _listen(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._open.set()
        await self._reset()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _set_open(self, is_open: bool) -> None:
        if is_open:
            self._open.set()
        else:
            self._open.clear()

    async def _reset(self) -> None:
        for pair in self._pairs:
            for writer in pair:
                _abort(writer)
        self._pairs.clear()

    async def _drop_targets(self) -> None:
        for _, target in self._pairs:
            _abort(target)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            _abort(writer)
            return
        pair = (writer, target_writer)
        self._pairs.add(pair)
        with suppress(OSError):
            await asyncio.gather(self._forward(reader, target_writer, pair), self._forward(target_reader, writer, pair))
        self._pairs.discard(pair)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        """Carry one direction to its end; an end on our order is not passed on."""
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._open.wait()
                if self._latency_seconds:
                    await asyncio.sleep(self._latency_seconds)
                writer.write(data)
                await writer.drain()
        client, target = pair
        if not (writer is client and target.is_closing()):  # half open: the client learns nothing
            writer.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    handle = writer.get_extra_info("socket")
    if handle is not None:
        with suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
