"""PagerDuty as it is documented: alerts by deduplication key, incidents, pages, notes, webhooks.

Behaviour of keys: PagerDuty/developer-docs, ``docs/events-API-v2``; answers of the REST API: PagerDuty/api-schema,
``reference/REST/openapiv3.json``; webhooks: ``docs/webhooks/01-Overview.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.models.remote import RemoteState
from pipeline.sinks.pagerduty_words import Key, read_key
from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.shapes import faults

EVENT_BYTES_MAX: Final = 512 * 1_024
STATES: Final = {
    "triggered": RemoteState.OPEN,
    "acknowledged": RemoteState.ACKNOWLEDGED,
    "resolved": RemoteState.RESOLVED,
}
LOG_TYPES: Final = {
    "triggered": "trigger",
    "acknowledged": "acknowledge",
    "unacknowledged": "unacknowledge",
    "resolved": "resolve",
    "annotated": "annotate",
    "reassigned": "assign",
    "delegated": "delegate",
}
ROUTING_KEY: Final = "0123456789abcdef0123456789abcdef"
API_KEY: Final = "u+PagerDutyRestKey20"
USER: Final = "spillway@northwind.example"
BY_EVENT: Final = {
    "id": "PINT001",
    "type": "events_api_v2_inbound_integration_reference",
    "summary": "Spillway",
    "html_url": "https://acme.pagerduty.com/services/PSVC/integrations/PINT001",
}


def person(name: str) -> dict[str, str]:
    """A user, as references name one."""
    identity = f"P{name.upper()}"
    return {"id": identity, "type": "user_reference", "summary": name.capitalize(), "html_url": f"https://x/{identity}"}


@dataclass
class PagerDutyIncident:
    """An incident there; each holds one alert, unless it was merged into another."""

    id: str
    number: int
    key: str
    title: str
    status: str = "triggered"
    priority: str | None = None
    triggers: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    acknowledged_by: list[dict[str, str]] = field(default_factory=list)
    assignees: list[dict[str, str]] = field(default_factory=lambda: [person("on-call")])
    changed_by: dict[str, str] = field(default_factory=lambda: BY_EVENT)
    changed_at: int = 0
    resolve_reason: dict[str, Any] | None = None


class PagerDutyServer(VendorServer):
    """Events and REST on one address.

    Attributes:
        incidents: in the order in which they were opened.
        pages: deduplication keys, in the order in which people were paged for them.
        dropped: acknowledgements and resolutions of keys that were not open.
        webhooks: bodies that PagerDuty has sent, in order.
        log: log entries, oldest first.
        keys_on_incidents: incidents say their key; those with child alerts do not.
        page_size_max: of lists.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.incidents: list[PagerDutyIncident] = []
        self.pages: list[str] = []
        self.dropped: list[tuple[str, str]] = []
        self.webhooks: list[bytes] = []
        self.log: list[dict[str, Any]] = []
        self.routing_key = ROUTING_KEY
        self.api_key = API_KEY
        self.keys_on_incidents = True
        self.page_size_max = 100
        self._numbers = count(1)
        self._clock = count(1)

    # -- what is asked

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer as documented."""
        path, method = request.path, request.method
        if (method, path) == ("POST", "/v2/enqueue"):
            return self._enqueue(body)
        if (method, path) == ("GET", "/incidents"):
            found = [each for each in self.incidents if each.key == request.query.get("incident_key", each.key)]
            if request.query.get("date_range") != "all":
                found = []  # only those of the last month are shown, and ours are of last March
            return self._page(request, "incidents", [self.shown(each) for each in found])
        if (method, path) == ("GET", "/log_entries"):
            entries = [entry for entry in self.log if entry["created_at"] >= _utc(request.query["since"])]
            return self._page(request, "log_entries", [self._entry(entry) for entry in reversed(entries)])
        parts = path.strip("/").split("/")
        if len(parts) == 3 and parts[0] == "incidents" and parts[2] == "notes":  # a path of three
            return self._notes(request, parts[1], body)
        return self.error(request, 404, "Not Found")

    def admits(self, request: web.Request) -> bool:
        """Events carry their key inside; the REST API asks for its own."""
        if request.path == "/v2/enqueue":
            return True
        return request.headers.get("Authorization") == f"Token token={self.api_key}"

    def error(self, request: web.Request, status: int, words: str) -> web.Response:
        """Events and the REST API word errors in their own ways."""
        if request.path == "/v2/enqueue":
            return web.json_response({"status": words, "message": words, "errors": [words]}, status=status)
        return web.json_response({"error": {"message": words, "code": 2000 + status, "errors": [words]}}, status=status)

    def _enqueue(self, body: bytes) -> web.Response:
        if len(body) > EVENT_BYTES_MAX:
            return _invalid("event is too large", status=413)
        event = orjson.loads(body)
        wrong = faults("pagerduty", "event", event)
        if event.get("routing_key") != self.routing_key:
            wrong.append("routing_key is invalid")
        if wrong:
            return _invalid(*wrong)
        key = event.get("dedup_key") or f"made-{next(self._numbers)}"
        {"trigger": self._trigger, "acknowledge": self._acknowledge, "resolve": self._resolve}[event["event_action"]](
            key, event
        )
        return web.json_response({"status": "success", "message": "Event processed", "dedup_key": key}, status=202)

    def _trigger(self, key: str, event: dict[str, Any]) -> None:
        found = self.open(key)
        if found is None:
            number = next(self._numbers)
            found = PagerDutyIncident(f"Q{number:06}", number, key, event["payload"]["summary"])
            self.incidents.append(found)
            self.pages.append(key)
            self._tell("incident.triggered", found, BY_EVENT)
        found.triggers.append(event)

    def _acknowledge(self, key: str, event: dict[str, Any]) -> None:
        self._change(key, "acknowledged", BY_EVENT)

    def _resolve(self, key: str, event: dict[str, Any]) -> None:
        self._change(key, "resolved", BY_EVENT)

    def _change(self, key: str, status: str, agent: dict[str, str]) -> None:
        found = self.open(key)
        if found is None:
            self.dropped.append((status, key))
            return
        if found.status != status:
            self._become(found, status, agent)

    def _become(self, found: PagerDutyIncident, status: str, agent: dict[str, str]) -> None:
        found.status, found.changed_by = status, agent
        if status == "acknowledged" and agent["type"] == "user_reference":
            found.acknowledged_by, found.assignees = [agent], [agent]
        self._tell(f"incident.{status}", found, agent)

    def open(self, key: str) -> PagerDutyIncident | None:
        """The incident whose alert of this key is open."""
        return next((each for each in self.incidents if each.key == key and each.status != "resolved"), None)

    # -- what people do there

    def by(self, name: str, action: str, key: str, value: str = "") -> bytes:
        """A person acts in PagerDuty; the webhook that says so."""
        found = [each for each in self.incidents if each.key == key][-1]
        agent = person(name)
        if action in ("acknowledged", "resolved"):
            self._become(found, action, agent)
        elif action == "reopened":
            found.status, found.changed_by = "triggered", agent
            self._tell("incident.reopened", found, agent)
        elif action == "reassigned":
            found.assignees = [person(value)]
            self._tell("incident.reassigned", found, agent)
        elif action == "priority_updated":
            found.priority = value
            self._tell("incident.priority_updated", found, agent)
        elif action == "annotated":
            self._annotate(found, value, agent)
        elif action == "merged":
            into = [each for each in self.incidents if each.key == value][-1]
            reason = {"id": into.id, "summary": into.title, "type": "incident_reference"}
            found.resolve_reason = {"type": "merge_resolve_reason", "incident": reason}
            self._become(found, "resolved", agent)
        return self.webhooks[-1]

    def _annotate(self, found: PagerDutyIncident, text: str, agent: dict[str, str]) -> dict[str, Any]:
        note = {"id": f"PN{len(found.notes)}{found.id}", "content": text, "user": agent, "created_at": self._now()}
        found.notes.append(note)
        about = {"id": found.id, "summary": found.title, "type": "incident_reference", "html_url": _url(found)}
        data = {"incident": about, "id": note["id"], "content": text, "trimmed": False, "type": "incident_note"}
        self._tell("incident.annotated", found, agent, data)
        return note

    def _tell(
        self, kind: str, found: PagerDutyIncident, agent: dict[str, str], data: dict[str, Any] | None = None
    ) -> None:
        at = self._now()
        self.log.append({"id": f"L{len(self.log)}", "type": kind, "created_at": at, "incident": found, "agent": agent})
        found.changed_at = len(self.log)
        event = {
            "id": f"01EVENT{len(self.webhooks):06}",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": at,
            "agent": agent,
            "client": None,
            "data": data or self._told(found),
        }
        self.webhooks.append(orjson.dumps({"event": event}))

    # -- what is shown

    def shown(self, found: PagerDutyIncident) -> dict[str, Any]:
        """An incident as the REST API has it."""
        return {
            "id": found.id,
            "type": "incident",
            "incident_number": found.number,
            "title": found.title,
            "status": found.status,
            "incident_key": found.key if self.keys_on_incidents else None,
            "html_url": _url(found),
            "created_at": _moment(found.number),
            "updated_at": _moment(found.changed_at),
            "last_status_change_at": _moment(found.changed_at),
            "last_status_change_by": _rest(found.changed_by),
            "assignments": [{"at": _moment(0), "assignee": each} for each in found.assignees],
            "acknowledgements": [
                {"at": "2026-03-04T02:12:00Z", "acknowledger": each} for each in found.acknowledged_by
            ],
            "priority": found.priority and {"id": "PPRIO", "type": "priority", "summary": found.priority},
            "resolve_reason": found.resolve_reason,
            "urgency": "high",
        }

    def _told(self, found: PagerDutyIncident) -> dict[str, Any]:
        shown = self.shown(found)
        kept = ("id", "type", "title", "status", "incident_key", "html_url", "created_at", "priority", "resolve_reason")
        return {
            **{name: shown[name] for name in kept},
            "number": found.number,
            "assignees": found.assignees,
            "urgency": "high",
        }

    def _entry(self, entry: dict[str, Any]) -> dict[str, Any]:
        kind = LOG_TYPES.get(entry["type"].partition(".")[2], "notify")
        return {
            "id": entry["id"],
            "type": f"{kind}_log_entry",
            "created_at": entry["created_at"],
            "agent": _rest(entry["agent"]),
            "channel": {"type": "api"},
            "incident": self.shown(entry["incident"]),
        }

    def _page(self, request: web.Request, name: str, found: list[dict[str, Any]]) -> web.Response:
        limit, offset = int(request.query.get("limit", "25")), int(request.query.get("offset", "0"))
        limit = min(limit, self.page_size_max)
        more = len(found) > offset + limit
        shown = found[offset : offset + limit]
        return web.json_response({name: shown, "limit": limit, "offset": offset, "more": more, "total": None})

    def _notes(self, request: web.Request, identity: str, body: bytes) -> web.Response:
        found = next((each for each in self.incidents if each.id == identity), None)
        if found is None:
            return self.error(request, 404, "Not Found")
        if request.method == "GET":
            return web.json_response({"notes": found.notes})
        if "@" not in request.headers.get("From", ""):
            return self.error(request, 400, "Invalid Input Provided: From header")
        wrong = faults("pagerduty", "note", orjson.loads(body))
        if wrong:
            return self.error(request, 400, wrong[0])
        note = self._annotate(found, orjson.loads(body)["note"]["content"], person("spillway"))
        return web.json_response({"note": note}, status=201)

    def seen(self) -> list[Seen]:
        """One an incident of ours: its last run, and how often any was opened."""
        runs: dict[str, list[tuple[Key, PagerDutyIncident]]] = {}
        for incident in self.incidents:
            if (key := read_key(incident.key)) is not None:
                runs.setdefault(key.incident_id, []).append((key, incident))
        return [self._seen(name, found) for name, found in runs.items()]

    def _seen(self, name: str, found: list[tuple[Key, PagerDutyIncident]]) -> Seen:
        own = [incident for key, incident in found if not key.step]
        open_now = [incident for _, incident in found if incident.status != "resolved"]
        last = (open_now or own)[-1]
        payload = own[-1].triggers[-1]["payload"]
        calls = [
            call["key"]
            for _, incident in found
            for event in incident.triggers
            for call in event["payload"].get("custom_details", {}).get("calls", [])
        ]
        return Seen(
            incident_id=name,
            id=last.id,
            state=STATES[last.status],
            title=payload["summary"].rpartition(" [")[0],
            priority=payload["custom_details"].get("priority", ""),
            notes=[note["content"] for incident in own for note in incident.notes],
            # Of a repeated trigger only the first is a call: the others are lines in the log of an open alert.
            steps=list(dict.fromkeys(calls)),
            created=len(own),
        )

    def _now(self) -> str:
        return _moment(next(self._clock))


def _rest(agent: dict[str, str]) -> dict[str, str]:
    """The REST API names the kind of an agent in fewer words than webhooks do."""
    kind = "integration_reference" if agent["type"].endswith("integration_reference") else agent["type"]
    return {**agent, "type": kind}


def _invalid(*errors: str, status: int = 400) -> web.Response:
    words = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return web.json_response(words, status=status)


def _url(found: PagerDutyIncident) -> str:
    return f"https://acme.pagerduty.com/incidents/{found.id}"


def _moment(seconds: int) -> str:
    return f"{datetime(2026, 3, 4, 2, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def _utc(text: str) -> str:
    return text.replace("+00:00", "Z")
