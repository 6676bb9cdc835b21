"""Processes that answer requests until they are asked to stop: the gateway, the console."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.runtime.guard import exit_after, log_line


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a process listens.

    Attributes:
        port: for requests.
        health_port: for metrics and health.
    """

    host: str
    port: int
    health_port: int

    @property
    def address(self) -> str:
        """For a client on this machine, where it listens on all addresses."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104  # compared, not bound
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"


class Server(Protocol):
    """What answers."""

    async def start(self, host: str, port: int) -> Listening:
        """Listen; port 0 is any free one."""

    async def drain(self) -> None:
        """Take no more connections, and answer every request that has come."""

    async def close(self) -> None:
        """Let go of everything."""

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""


async def serve_until_asked(
    make: Callable[[], Server], name: str, host: str, port: int, on_ready: Callable[[Listening], None], seconds: float
) -> None:
    """Answer until SIGTERM or SIGINT, then drain, and end.

    Args:
        make: makes the server, inside of the running loop.
        name: of it, for the log.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        on_ready: called once it listens.
        seconds: that a stop may take, before the process ends hard.

    Raises:
        Exception: what the server raises where it cannot start.
    """
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    server = make()
    try:
        on_ready(await server.start(host, port))
        await asked.wait()
        deadline = exit_after(seconds)
        log_line("process stops", process=name, in_flight=server.in_flight)
        await server.drain()
        deadline.cancel()
    finally:
        await server.close()
