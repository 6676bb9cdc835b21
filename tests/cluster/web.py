"""A small server that behaves as its environment says, to try the kubelet on: python -m tests.cluster.web.

PORT where it listens; READY_AFTER, READY_FOR and ALIVE_FOR seconds for the probes; STOP_AFTER seconds from SIGTERM to
its end; EXIT to end at once with that code. It answers `/ready`, `/alive` and `/env/NAME`, and adds lines to the
file LIFE.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BEGAN = time.monotonic()


def number(name: str, default: float) -> float:
    return float(os.environ.get(name, default))


def life(line: str) -> None:
    if (place := os.environ.get("LIFE")) is not None:
        with Path(place).open("a") as file:
            file.write(f"{os.environ.get('POD', '')} {line}\n")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        age = time.monotonic() - BEGAN
        good = {
            "/ready": 0 <= age - number("READY_AFTER", 0) < number("READY_FOR", 1e9),
            "/alive": age < number("ALIVE_FOR", 1e9),
        }
        body = os.environ.get(self.path.rpartition("/")[2], "").encode()
        self.send_response(200 if good.get(self.path, True) else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the library's name
        """Probes are no news."""


def stop(*_: object) -> None:
    life("asked")
    time.sleep(number("STOP_AFTER", 0))
    life("stopped")
    os._exit(0)


if __name__ == "__main__":
    life("started")
    if "EXIT" in os.environ:
        sys.exit(int(os.environ["EXIT"]))
    signal.signal(signal.SIGTERM, stop)
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["WEB_PORT"])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.pause()
