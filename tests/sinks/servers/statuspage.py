"""Statuspage as it is documented: a page with components, incidents and their updates.

Source: the OpenAPI description at https://developer.statuspage.io, version 1.0.0, and the texts in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.sinks.status_page_words import remote_state
from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.shapes import faults

PAGE_ID: Final = "kctbh9vrtdwd"
API_KEY: Final = "c0ffee00-5ec2-4e70-statuspage"
ROWS_MAX: Final = 100


@dataclass
class Component:
    """A component of the page."""

    id: str
    name: str
    status: str = "operational"


@dataclass
class PageIncident:
    """An incident of the page; ``updates``: newest first."""

    id: str
    name: str
    created_at: str
    status: str = "investigating"
    impact: str = "none"
    updates: list[dict[str, Any]] = field(default_factory=list)
    component_ids: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    updated_at: str = ""
    renamed: int = 0


class StatuspageServer(VendorServer):
    """One page.

    Attributes:
        components: by id.
        incidents: in the order in which they were made; what was deleted is not among them.
        notified: texts that subscribers were sent, in order.
        reopens: a resolved incident may be opened again.
        refuse_with: every request is refused with this status, and with patience asked for; 0: none is.
        answer_with: every request is answered with these bytes; None: as documented.
    """

    def __init__(self, seed: int = 0, *components: str) -> None:
        super().__init__(seed)
        self.components = {name: Component(name, name.capitalize()) for name in components or ("web", "pay", "app")}
        self.incidents: list[PageIncident] = []
        self.notified: list[str] = []
        self.reopens = True
        self.refuse_with = 0
        self.answer_with: bytes | None = None
        self.token = API_KEY
        self._ids = count(1)
        self._seconds = count(1)

    def admits(self, request: web.Request) -> bool:
        """By the scheme of the documentation and no other."""
        return request.headers.get("Authorization") == f"OAuth {self.token}"

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:  # noqa: PLR0911  # a path each
        """Answer as documented."""
        if self.answer_with is not None:
            return web.Response(body=self.answer_with)
        if self.refuse_with:
            headers = {"Retry-After": "7"}
            return web.json_response({"error": "Rate limit exceeded"}, status=self.refuse_with, headers=headers)
        parts = request.path.strip("/").split("/")
        if parts[:3] != ["v1", "pages", PAGE_ID]:
            return self.error(request, 404, "Not found")
        match request.method, *parts[3:]:
            case ("GET",):
                return web.json_response({"id": PAGE_ID, "name": "Northwind status"})
            case "POST", "incidents":
                return self._create(request, body)
            case "GET", "incidents":
                return self._list(request, self.incidents, "limit")
            case "GET", "incidents", "unresolved":
                return self._list(request, [each for each in self.incidents if each.status != "resolved"], "per_page")
            case "PATCH", "components", identity:
                return self._component(request, identity, body)
            case method, "incidents", identity:
                found = next((each for each in self.incidents if each.id == identity), None)
                if found is None:
                    return self.error(request, 404, "Not found")
                return web.json_response(self.shown(found)) if method == "GET" else self._update(request, found, body)
        return self.error(request, 404, "Not found")

    def error(self, request: web.Request, status: int, words: str) -> web.Response:
        """As `ErrorEntity` has it."""
        del request
        return web.json_response({"error": words}, status=status)

    def _create(self, request: web.Request, body: bytes) -> web.Response:
        given = orjson.loads(body)
        wrong = faults("statuspage", "create", given) or self._unknown(given["incident"])
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        found = PageIncident(f"p{next(self._ids):011x}", given["incident"]["name"], self._now())
        self.incidents.append(found)
        self._apply(found, given["incident"])
        return web.json_response(self.shown(found), status=201)

    def _update(self, request: web.Request, found: PageIncident, body: bytes) -> web.Response:
        given = orjson.loads(body)
        wrong = faults("statuspage", "update", given) or self._unknown(given["incident"])
        fields = given["incident"]
        if found.status == "resolved" and fields.get("status", "resolved") != "resolved" and not self.reopens:
            wrong = ["Status cannot be changed: the incident is resolved"]
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        self._apply(found, fields)
        return web.json_response(self.shown(found))

    def _unknown(self, fields: dict[str, Any]) -> list[str]:
        named = {*fields.get("component_ids", ()), *fields.get("components", {})}
        return [f"Component {each} is not of this page" for each in sorted(named - set(self.components))]

    def _apply(self, found: PageIncident, fields: dict[str, Any]) -> None:
        found.renamed += fields.get("name", found.name) != found.name
        found.name = fields.get("name", found.name)
        found.impact = fields.get("impact_override", found.impact)
        found.component_ids = fields.get("component_ids", found.component_ids)
        found.metadata = fields.get("metadata", found.metadata)
        changed = fields.get("status", found.status) != found.status
        found.status = fields.get("status", found.status)
        for identity, status in fields.get("components", {}).items():
            self.components[identity].status = status
        found.updated_at = self._now()
        if "body" in fields or changed:
            found.updates.insert(0, self._said(found, fields.get("body", "")))
        if fields.get("deliver_notifications", True):
            self.notified.append(fields.get("body", ""))

    def _said(self, found: PageIncident, text: str) -> dict[str, Any]:
        at = found.updated_at
        words = {"id": f"u{next(self._ids):011x}", "incident_id": found.id, "status": found.status, "body": text}
        return {**words, "created_at": at, "updated_at": at, "display_at": at}

    def _component(self, request: web.Request, identity: str, body: bytes) -> web.Response:
        given = orjson.loads(body)
        wrong = faults("statuspage", "component", given)
        found = self.components.get(identity)
        if wrong or found is None:
            return self.error(request, 404 if found is None else 422, "; ".join(wrong) or "Not found")
        found.status = given["component"].get("status", found.status)
        return web.json_response(self._shown_component(found))

    def _list(self, request: web.Request, found: list[PageIncident], size: str) -> web.Response:
        rows = min(int(request.query.get(size, ROWS_MAX)), ROWS_MAX)
        first = (int(request.query.get("page", 1)) - 1) * rows
        return web.json_response([self.shown(each) for each in found[::-1][first : first + rows]])

    # -- what people do there

    def by_hand(self, name: str, *components: str, status: str = "investigating") -> PageIncident:
        """A person makes an incident there."""
        found = PageIncident(f"p{next(self._ids):011x}", name, self._now(), component_ids=list(components))
        self.incidents.append(found)
        self._apply(found, {"status": status, "body": name})
        return found

    def change(self, found: PageIncident, **fields: Any) -> bytes:
        """A person changes one; the webhook that says so."""
        self._apply(found, fields)
        return self.webhook(found)

    def webhook(self, found: PageIncident) -> bytes:
        """What subscribers get."""
        page = {"id": PAGE_ID, "status_indicator": found.impact, "status_description": "Some trouble"}
        meta = {"unsubscribe": "https://x.statuspage.io/u", "documentation": "https://help.statuspage.io"}
        return orjson.dumps({"meta": meta, "page": page, "incident": self.shown(found)})

    def shown(self, found: PageIncident) -> dict[str, Any]:
        """An incident as the API has it."""
        components = [self._shown_component(self.components[each]) for each in found.component_ids]
        return {
            "id": found.id,
            "name": found.name,
            "status": found.status,
            "impact": found.impact,
            "impact_override": found.impact,
            "created_at": found.created_at,
            "updated_at": found.updated_at,
            "resolved_at": found.updated_at if found.status == "resolved" else None,
            "shortlink": f"https://stspg.io/{found.id}",
            "page_id": PAGE_ID,
            "metadata": found.metadata,
            "incident_updates": found.updates,
            "components": components,
        }

    def _shown_component(self, component: Component) -> dict[str, Any]:
        return {"id": component.id, "name": component.name, "status": component.status, "page_id": PAGE_ID}

    def seen(self) -> list[Seen]:
        """One an incident of ours: the newest, and how many there are."""
        found: dict[str, list[PageIncident]] = {}
        for each in self.incidents:
            if "spillway" in each.metadata:
                found.setdefault(each.metadata["spillway"]["incident_id"], []).append(each)
        return [
            Seen(
                incident_id=incident_id,
                id=made[-1].id,
                state=remote_state(made[-1].status),
                title=made[-1].name,
                notes=[update["body"] for each in made for update in reversed(each.updates)],
                created=len(made),
            )
            for incident_id, made in found.items()
        ]

    def _now(self) -> str:
        return f"{datetime(2026, 3, 4, 2, tzinfo=UTC) + timedelta(seconds=next(self._seconds)):%Y-%m-%dT%H:%M:%S.000Z}"
