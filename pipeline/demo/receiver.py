"""A webhook receiver for the demo: what a ticketing system would do with our webhooks. Verifies every signature."""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Final

import orjson
from standardwebhooks import Webhook, WebhookVerificationError

BODY_BYTES_MAX: Final = 64 * 1024
"""Standard Webhooks recommends bodies below 20 KB; more than this is not ours."""


class Receiver:
    """Counts what arrived.

    Attributes:
        secret: the shared signing secret, made up for this run.
        by_type: accepted webhooks by type.
        refused: requests whose signature did not verify.
        out_of_order: accepted webhooks with a revision below one seen before for the same incident.
    """

    def __init__(self) -> None:
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.by_type: Counter[str] = Counter()
        self.refused = 0
        self.out_of_order = 0
        self._seen: set[str] = set()
        self._revisions: dict[str, int] = {}
        self._lock = Lock()

    def behind(self, revisions: dict[str, int]) -> list[str]:
        """Incidents whose newest revision has not arrived, of those given with their newest revision."""
        with self._lock:
            return [each for each, newest in revisions.items() if self._revisions.get(each, 0) < newest]

    def accept(self, headers: dict[str, str], body: bytes) -> HTTPStatus:
        """Verify and count one request; an id that was seen before is acknowledged and not counted again."""
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            with self._lock:
                self.refused += 1
            return HTTPStatus.UNAUTHORIZED
        message = orjson.loads(body)
        incident, _, rest = headers["webhook-id"].partition("/")
        revision = int(rest.partition("/")[0])
        with self._lock:
            if headers["webhook-id"] not in self._seen:
                self._seen.add(headers["webhook-id"])
                self.by_type[str(message["type"])] += 1
                self.out_of_order += revision < self._revisions.get(incident, 0)
                self._revisions[incident] = revision
        return HTTPStatus.NO_CONTENT


@contextmanager
def receiving(receiver: Receiver) -> Iterator[str]:
    """Serve a receiver on a free local port for the duration of a block; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            body = self.rfile.read(min(size, BODY_BYTES_MAX))
            status = receiver.accept({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Say nothing: the demo's screen is not a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, name="demo-receiver", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/incidents"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
