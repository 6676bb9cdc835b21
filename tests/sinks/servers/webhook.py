"""A receiver of Standard Webhooks, as a small service of a company keeps one: it verifies, drops what it has seen
(https://www.standardwebhooks.com, "idempotency"), and keeps the newest snapshot of each incident.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.servers.revisions import out_of_order, seen_in

SECRET = "whsec_" + "c2l4dGVlbiBieXRlcyBvZiBzZWNyZXQgc2FsdA=="


class WebhookServer(VendorServer):
    """Receives.

    Attributes:
        records: incident id -> the data of each webhook that was new, in the order in which they came.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.token = SECRET
        self.records: dict[str, list[dict[str, Any]]] = {}
        self._ids: set[str] = set()

    def admits(self, request: web.Request) -> bool:
        return True  # it is the signature that admits, and that needs the body

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        try:
            Webhook(self.token or SECRET).verify(body, dict(request.headers))
        except WebhookVerificationError:
            return web.json_response({"error": "signature"}, status=401)
        identity = request.headers["webhook-id"]
        if identity not in self._ids:
            self._ids.add(identity)
            data = orjson.loads(body)["data"]
            self.records.setdefault(data["incident_id"], []).append(data)
        return web.Response(status=204)

    def seen(self) -> list[Seen]:
        return seen_in(self.records)

    def disorder(self) -> list[str]:
        return out_of_order(self.records)
