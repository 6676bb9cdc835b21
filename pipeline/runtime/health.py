"""Metrics and health of the process, on a thread of its own, so that a busy event loop still answers.

`/metrics` Prometheus exposition · `/healthz` 200 while the event loop turns and work goes on, 503 with the silence of
the loop, or of the partition that has records and handles none ·
`/readyz` 200 once every hosted stage has its assignment and serves it; its body lists stages and partitions.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, Final, cast

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

BEAT_SECONDS: Final = 1.0
# Longer than anything that rightly holds the loop (seconds, while much state is loaded), and short enough that a
# liveness probe restarts a stuck worker before its session's heirs have built up a backlog.
SILENCE_SECONDS_MAX: Final = 15.0
# Several times what the slowest transaction may take before it fails by itself; restoring is not counted.
STALLED_SECONDS_MAX: Final = 120.0
# A client that opens a connection and says nothing must not keep a thread.
REQUEST_SECONDS_MAX: Final = 5.0

StatusOf = Callable[[], Mapping[str, Mapping[str, object]]]


class HealthServerError(Exception):
    """The health port cannot be opened; the message is one line and says what to do."""


class HealthServer:
    """HTTP server of one process.

    Attributes:
        port: the port it listens on, once started.
    """

    def __init__(
        self,
        port: int,
        registry: CollectorRegistry,
        status: StatusOf,
        host: str = "",
        silence_seconds_max: float = SILENCE_SECONDS_MAX,
        stalled_seconds_max: float = STALLED_SECONDS_MAX,
    ) -> None:
        """Describe the server; nothing listens yet.

        Args:
            port: port to listen on; 0 for any free one.
            registry: the series to expose.
            status: stage -> its status, with ``ready`` and ``stalled_seconds`` among the fields.
            host: address to listen on; all by default, because probes and scrapers come from outside.
            silence_seconds_max: an event loop that has not beaten for longer is stuck.
            stalled_seconds_max: a partition that has had records for longer and handled none is stuck.
        """
        self.port = port
        self._host = host
        self._registry = registry
        self._status = status
        self._server: ThreadingHTTPServer | None = None
        self._silence_seconds_max = silence_seconds_max
        self._stalled_seconds_max = stalled_seconds_max
        self._beaten_at = monotonic()

    async def beat(self) -> None:
        """Tell once a second that the event loop turns, until cancelled. Runs on that loop."""
        while True:
            self._beaten_at = monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    def start(self) -> None:
        """Listen, and answer on a thread.

        Raises:
            HealthServerError: the port is taken.
        """
        health = self
        self._beaten_at = monotonic()

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS_MAX

            def do_GET(self) -> None:
                status, kind, body = health.answer(self.path.split("?", 1)[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
                """Probes come every few seconds and are not news."""

        try:
            self._server = ThreadingHTTPServer((self._host, self.port), Handler)
        except OSError as error:
            raise HealthServerError(
                f"cannot listen on port {self.port} for metrics and health ({error.strerror}): "
                "set SPILLWAY_HTTP_PORT to another one, or to 0 for any"
            ) from error
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a path."""
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        if path == "/healthz":
            return self._health()
        if path == "/readyz":
            stages = self._status()
            ready = bool(stages) and all(stage["ready"] for stage in stages.values())
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            return status, "application/json", orjson.dumps({"ready": ready, "stages": stages})
        return HTTPStatus.NOT_FOUND, "application/json", b'{"error":"try /metrics, /healthz or /readyz"}'

    def _health(self) -> tuple[HTTPStatus, str, bytes]:
        silence = monotonic() - self._beaten_at
        stalled = {name: cast(float, stage["stalled_seconds"]) for name, stage in self._status().items()}
        stuck = sorted(name for name, seconds in stalled.items() if seconds > self._stalled_seconds_max)
        alive = silence <= self._silence_seconds_max and not stuck
        said = {
            "alive": alive,
            "loop_silent_seconds": round(silence, 3),
            "stalled_seconds": max(stalled.values(), default=0.0),
            "stuck": stuck,
        }
        status = HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", orjson.dumps(said)
