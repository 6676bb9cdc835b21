"""A receiver of Standard Webhooks, as a small service of a company keeps one: it verifies, drops what it has seen
(https://www.standardwebhooks.com, "idempotency"), and keeps the newest snapshot of each incident.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from pipeline.models.remote import STATES, RemoteState
from tests.sinks.servers.base import Seen, VendorServer

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
        return [self._seen(incident_id, told) for incident_id, told in self.records.items()]

    def disorder(self) -> list[str]:
        """Incidents whose revisions came in another order than they have."""
        revisions = {key: [each["revision"] for each in told] for key, told in self.records.items()}
        return [key for key, numbers in revisions.items() if numbers != sorted(numbers)]

    def _seen(self, incident_id: str, told: list[dict[str, Any]]) -> Seen:
        incident = told[-1]["incident"]
        return Seen(
            incident_id=incident_id,
            id=incident_id,
            state=STATES.get(incident["state"], RemoteState.OPEN),
            title=incident["title"],
            priority=incident["priority"],
            notes=[entry["text"] for each in told for entry in each["entries"]],
            steps=[call["key"] for each in told for call in each.get("calls", ())],
        )
