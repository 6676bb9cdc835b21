"""A status page of anybody's that takes Standard Webhooks: it verifies, and drops what it has seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web
from standardwebhooks import Webhook

from pipeline.sinks.status_page_words import remote_state
from tests.sinks.servers.base import Seen, VendorServer

SECRET: Final = "whsec_" + "c2l4dGVlbiBieXRlcyBvZiBzZWNyZXQgc2FsdA=="


class StatusReceiver(VendorServer):
    """One page.

    Attributes:
        told: bodies by ``webhook-id``, in the order in which they first came.
        repeated: ids that came again and were dropped.
        secret: the one that signs.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.told: dict[str, dict[str, Any]] = {}
        self.repeated: list[str] = []
        self.secret = SECRET

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Verify and keep."""
        identity, at = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        expected = Webhook(self.secret).sign(identity, datetime.fromtimestamp(at, UTC), body.decode())
        if expected not in request.headers["webhook-signature"].split(" "):
            return self.error(request, 401, "signature")
        if identity in self.told:
            self.repeated.append(identity)
        self.told.setdefault(identity, orjson.loads(body))
        return web.Response(status=204)

    def seen(self) -> list[Seen]:
        """One an incident."""
        said: dict[str, list[dict[str, Any]]] = {}
        for each in self.told.values():
            said.setdefault(each["data"]["id"], []).append(each["data"])
        return [
            Seen(
                incident_id=identity,
                id=identity,
                state=remote_state(found[-1]["status"]),
                title=found[-1]["subject"],
                notes=[each["text"] for each in found],
            )
            for identity, found in said.items()
        ]
