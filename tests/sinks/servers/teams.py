"""A workflow of Microsoft Teams that posts what its webhook is sent.

Sources: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (Adaptive
Cards only), the limits of the connector "Microsoft Teams" (about 28 kB, else "Request Entity too large"), and what
Power Automate answers: 202 without a body before anything is posted, 401 where the signature in the address is wrong.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.models.remote import STATES, RemoteState
from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.shapes import faults

AGAIN: Final = "Posted again, because no answer came the first time."
PAYLOAD_BYTES_MAX: Final = 28 * 1_024
WORKFLOW: Final = "c0ffee005ec24e708a1f2b3c4d5e6f70"
SIGNATURE: Final = "Zm9vYmFyLXNlY3JldC1zaWduYXR1cmU"
PATH: Final = f"/powerautomate/automations/direct/workflows/{WORKFLOW}/triggers/manual/paths/invoke"
QUERY: Final = f"api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIGNATURE}"


class TeamsServer(VendorServer):
    """One channel. ``cards``: what was posted, in order."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.cards: list[dict[str, Any]] = []
        self.signature = SIGNATURE
        self.echoes = False
        """An error page quotes the address that was asked for."""
        self.passes_on = True
        """False: an older webhook, which says with 200 that Teams has not taken the card."""
        self.refuse_with = 0
        """Every request is refused with this status; 0: none is."""

    @property
    def address(self) -> str:
        """What the environment holds."""
        return f"{self.url}{PATH}?{QUERY}"

    def admits(self, request: web.Request) -> bool:
        """By the signature in the address."""
        return request.path == PATH and request.query.get("sig") == self.signature

    def error(self, request: web.Request, status: int, words: str) -> web.Response:
        """As Power Automate words it."""
        about = f" {request.url} workflow {WORKFLOW} {SIGNATURE}" if self.echoes else ""
        return web.json_response({"error": {"code": words, "message": f"{words}{about}"}}, status=status)

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Take a card."""
        if self.refuse_with:
            refused = self.error(request, self.refuse_with, "refused")
            refused.headers["Retry-After"] = "30"
            return refused
        if len(body) > PAYLOAD_BYTES_MAX:
            return self.error(request, 413, "RequestEntityTooLarge")
        given = orjson.loads(body)
        wrong = faults("teams", "message", given)
        if wrong:
            return self.error(request, 400, "; ".join(wrong))
        if not self.passes_on:
            words = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
            return web.Response(text=words)
        self.cards.append(given["attachments"][0]["content"])
        return web.Response(status=202)

    def seen(self) -> list[Seen]:
        """One an incident: what its newest card says, and how many say that it opened, but not that they repeat it."""
        found: dict[str, list[dict[str, Any]]] = {}
        for card in self.cards:
            found.setdefault(facts(card)["Incident"], []).append(card)
        return [
            Seen(
                incident_id=incident_id,
                id=incident_id,
                state=state_of(cards[-1]),
                title=head(cards[-1])[0].partition("] ")[2],
                priority=head(cards[-1])[0][1:].partition("]")[0],
                notes=[line for card in cards for line in head(card)[1:]],
                created=max(1, sum("Opened" in head(card)[1:] and AGAIN not in texts(card) for card in cards)),
            )
            for incident_id, cards in found.items()
        ]


def state_of(card: dict[str, Any]) -> str:
    """State on a card, in our words: it may say more, as into which incident it was merged."""
    word = facts(card)["State"].partition(",")[0].partition(" into ")[0]
    return STATES.get(word.replace(" ", "_"), RemoteState.OPEN)


def head(card: dict[str, Any]) -> list[str]:
    """Title and lines of a card."""
    return ["".join(run["text"] for run in block["inlines"]) for block in card["body"][0]["items"]]


def facts(card: dict[str, Any]) -> dict[str, str]:
    """Facts of a card."""
    return {
        block["inlines"][0]["text"].removesuffix(": "): block["inlines"][1]["text"]
        for block in card["body"][1]["items"]
    }


def texts(value: Any) -> list[str]:
    """Every text of a card."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []
