"""incident.io's status pages as they are documented: incidents by idempotency key, and their updates.

Source: https://docs.incident.io/api-reference, Status Pages V2 and the page on errors and rates, and the models of its
own client for Python, version 2.29.0. None says what becomes of an update of what is resolved: it is refused here.
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

PAGE_ID: Final = "01FCNDV6P870EA6S7TK1DSYDG0"
API_KEY: Final = "inc_5ec2e70fc0ffee00"
UPDATES_MAX: Final = 100
SUBSCRIBERS_MAX: Final = 1_000


@dataclass
class PageIncident:
    """An incident of the page; ``updates``: oldest first."""

    id: str
    key: str
    name: str
    status: str
    updates: list[dict[str, Any]] = field(default_factory=list)
    components: dict[str, str] = field(default_factory=dict)


class IncidentIoServer(VendorServer):
    """One page.

    Attributes:
        incidents: in the order in which they were made.
        notified: messages that subscribers were sent, in order.
        subscribers: how many the page has.
        newest_first: order of the updates of an incident; it is not documented.
        answer_with: every request is answered with these bytes; None: as documented.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.incidents: list[PageIncident] = []
        self.notified: list[str] = []
        self.subscribers = 10
        self.newest_first = True
        self.answer_with: bytes | None = None
        self.token = API_KEY
        self._ids = count(1)
        self._originals: dict[str, bytes] = {}

    def admits(self, request: web.Request) -> bool:
        """By the scheme of the documentation and no other."""
        return request.headers.get("Authorization") == f"Bearer {self.token}"

    def error(self, request: web.Request, status: int, words: str) -> web.Response:
        """As `ErrorResponse` has it."""
        del request
        kind = {401: "authentication_error", 404: "not_found", 422: "validation_error", 429: "too_many_requests"}
        about = {"type": kind.get(status, "api_error"), "status": status, "request_id": "631766c4"}
        return web.json_response({**about, "errors": [{"code": "invalid", "message": words}]}, status=status)

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:  # a path each
        """Answer as documented."""
        if self.answer_with is not None:
            return web.Response(body=self.answer_with)
        given: dict[str, Any] = orjson.loads(body or b"{}")
        match request.method, *request.path.strip("/").split("/"):
            case "POST", "v2", "status_page_incidents":
                return self._create(request, given)
            case "POST", "v2", "status_page_incident_updates":
                return self._update(request, given)
            case method, "v2", "status_page_incidents", identity:
                found = self._found(identity)
                if found is not None and method == "GET":
                    return web.json_response({"status_page_incident": self.shown(found)})
                if found is not None and method == "PUT":
                    return self._rename(request, found, given)
        return self.error(request, 404, "Not found")

    def _create(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        wrong = faults("incident_io", "create", given)
        if not wrong and given["status_page_id"] != PAGE_ID:
            wrong = ["status_page_id: no such page"]
        wrong += self._cannot_notify(given)
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        key = given["idempotency_key"]
        if key not in self._originals:
            found = PageIncident(self._id(), key, given["name"], given["incident_status"])
            self.incidents.append(found)
            self._say(found, given)
            self._originals[key] = orjson.dumps({"status_page_incident": self.shown(found)})
        return web.Response(body=self._originals[key], status=201, content_type="application/json")

    def _update(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        wrong = faults("incident_io", "update", given) + self._cannot_notify(given)
        found = self._found(given.get("status_page_incident_id", ""))
        if found is None:
            return self.error(request, 404, "Status page incident not found")
        if found.status == "resolved":
            wrong.append("incident_status: the incident is resolved")
        if len(found.updates) >= UPDATES_MAX:
            wrong.append("an incident has 100 updates at most")
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        update = self._say(found, given)
        return web.json_response({"status_page_incident_update": update}, status=201)

    def _cannot_notify(self, given: dict[str, Any]) -> list[str]:
        too_many = given.get("notify_subscribers") and self.subscribers > SUBSCRIBERS_MAX
        return ["notify_subscribers: a page with more than 1000 subscribers cannot"] if too_many else []

    def _say(self, found: PageIncident, given: dict[str, Any]) -> dict[str, Any]:
        found.status = given.get("incident_status", found.status)
        statuses = given.get("component_statuses", [])
        found.components |= {each["component_id"]: each["component_status"] for each in statuses}
        if found.status == "resolved":
            found.components = dict.fromkeys(found.components, "operational")
        update = {
            "id": self._id(),
            "status_page_incident_id": found.id,
            "incident_status": found.status,
            "message": given["message"],
            "component_statuses": statuses,
            "published_at": self._now(),
        }
        found.updates.append(update)
        if given["notify_subscribers"]:
            self.notified.append(given["message"])
        return update

    def _rename(self, request: web.Request, found: PageIncident, given: dict[str, Any]) -> web.Response:
        wrong = faults("incident_io", "rename", given)
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        found.name = given["name"]
        return web.json_response({"status_page_incident": self.shown(found)})

    def _found(self, identity: str) -> PageIncident | None:
        return next((each for each in self.incidents if each.id == identity), None)

    def by_hand(self, found: PageIncident, status: str, message: str) -> None:
        """A person says something there."""
        self._say(found, {"incident_status": status, "message": message, "notify_subscribers": True})

    def status_of(self, component: str) -> str:
        """The status of a component: the worst that an incident does to it."""
        order = ("operational", "degraded_performance", "partial_outage", "full_outage")
        return max((each.components.get(component, order[0]) for each in self.incidents), key=order.index)

    def shown(self, found: PageIncident) -> dict[str, Any]:
        """An incident as the API has it."""
        return {
            "id": found.id,
            "name": found.name,
            "incident_status": found.status,
            "status_page_id": PAGE_ID,
            "published_at": found.updates[0]["published_at"],
            "component_impacts": [],
            "updates": found.updates[:: -1 if self.newest_first else 1],
        }

    def seen(self) -> list[Seen]:
        """One an incident of ours: the newest, and how many there are."""
        made: dict[str, list[PageIncident]] = {}
        for each in self.incidents:
            made.setdefault(each.key.partition("/")[0], []).append(each)
        return [
            Seen(
                incident_id=incident_id,
                id=found[-1].id,
                state=remote_state(found[-1].status),
                title=found[-1].name,
                notes=[update["message"] for each in found for update in each.updates],
                created=len(found),
            )
            for incident_id, found in made.items()
        ]

    def _id(self) -> str:
        return f"01FCNDV6P870EA6S7T{next(self._ids):08}"

    def _now(self) -> str:
        moment = datetime(2026, 3, 4, 2, tzinfo=UTC) + timedelta(seconds=next(self._ids))
        return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
