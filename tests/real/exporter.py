"""A service with a queue, as Prometheus sees it: one figure on /metrics, which the test sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

HOST: Final = "127.0.0.1"
TEXT: Final = "# TYPE checkout_queue_depth gauge\ncheckout_queue_depth {depth}\n"


class Exporter(ThreadingHTTPServer):
    """Answers with the depth that is set just now.

    Attributes:
        depth: orders in the queue.
        scrapes: how often Prometheus has asked.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Page)
        self.depth = 0
        self.scrapes = 0

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_address[1]}"


class _Page(BaseHTTPRequestHandler):
    server: Exporter

    def do_GET(self) -> None:
        self.server.scrapes += 1
        body = TEXT.format(depth=self.server.depth).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the library's name
        """Say nothing."""


@contextmanager
def exporting() -> Iterator[Exporter]:
    """An exporter for the time of a ``with`` block."""
    with Exporter() as exporter:
        thread = threading.Thread(target=exporter.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield exporter
        finally:
            exporter.shutdown()
            thread.join()
