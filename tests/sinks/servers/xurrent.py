"""Xurrent's REST API as far as it is documented: requests, events, notes, groups, pages, limits, webhooks.

Sources are those of ``tests/sinks/shapes/xurrent.json``. Not published, and stricter here than it may be there: a
status of work needs somebody who has the request, and the steps of the process of Major Incidents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.models.remote import RemoteState
from pipeline.models.sinks.xurrent import IMPACTS, STATES_READ
from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.shapes import faults

TOKEN: Final = "xurrent-personal-access-token"
ACCOUNT: Final = "northwind"
ME: Final = 6001
MAJOR_STEPS: Final = {
    None: {"proposed", "accepted"},
    "proposed": {"accepted", "rejected", "canceled"},
    "accepted": {"resolved", "canceled"},
}
NEED_A_MEMBER: Final = {"accepted", "in_progress", "waiting_for"}
COLLECTION_FIELDS: Final = {"id", "sourceID", "subject", "category", "impact", "status", "team", "member"} | {
    "grouped_into",
    "service_instance",
    "created_at",
    "updated_at",
    "completed_at",
    "next_target_at",
}
REFERENCES: Final = ("service_instance", "ci", "team", "member", "problem", "grouped_into")
START: Final = datetime(2026, 3, 4, 2, tzinfo=UTC)


@dataclass
class XurrentRequest:
    """A request there."""

    id: int
    fields: dict[str, Any]
    notes: list[dict[str, Any]] = field(default_factory=list)
    trashed: bool = False


class XurrentServer(VendorServer):
    """One account.

    Attributes:
        requests: by id.
        people: id -> name.
        reopens: a completed request can be opened again.
        refuses: statuses that are refused.
        reads_people: the token has the scope to read people.
        limit: requests that are left in the hour; None: enough.
        page_size_max: of collections.
        webhooks: bodies that Xurrent has sent, in order.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.token = TOKEN
        self.requests: dict[int, XurrentRequest] = {}
        self.people = {ME: "Spillway", 6120: "Aylin Kaya", 6121: "Kim Novak"}
        self.reopens = True
        self.refuses: set[str] = set()
        self.reads_people = True
        self.limit: int | None = None
        self.page_size_max = 100
        self.elsewhere: str | None = None
        self.webhooks: list[bytes] = []
        self._ids = count(1_004_417)
        self._clock = count(1)

    # -- what is asked

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer as documented."""
        answer = self._handle(request, body)
        if self.limit is not None:
            self.limit = max(0, self.limit - 1)
            answer.headers["X-RateLimit-Limit"] = "3600"
            answer.headers["X-RateLimit-Remaining"] = str(self.limit)
            answer.headers["X-RateLimit-Reset"] = str(int(datetime.now(UTC).timestamp()) + 1_800)
        return answer

    def _handle(self, request: web.Request, body: bytes) -> web.Response:  # noqa: PLR0911  # a route each
        parts = request.path.strip("/").split("/")
        document = orjson.loads(body) if body else None
        match (request.method, parts):
            case ("GET", ["v1", "people", "me"]):
                if not self.reads_people:
                    return self.error(request, 403, "Forbidden")
                return web.json_response({"id": ME, "name": self.people[ME]})
            case ("GET", ["v1", "requests"]):
                return self._list(request)
            case ("POST", ["v1", "requests"]):
                return self._create(request, document, "request")
            case ("POST", ["v1", "events"]):
                return self._event(request, document)
            case (method, ["v1", "requests", identity, *rest]):
                found = self.requests.get(int(identity))
                if found is None or found.trashed:
                    return self.error(request, 404, "Not Found")
                if rest == ["notes"]:
                    return self._notes(request, found, document)
                if method == "PATCH":
                    return self._update(request, found, document)
                return web.json_response(self._shown(found))
        return self.error(request, 404, "Not Found")

    def admits(self, request: web.Request) -> bool:
        """A token of the account that is named."""
        named = request.headers.get("X-Xurrent-Account") == ACCOUNT
        return named and request.headers.get("Authorization") == f"Bearer {self.token}"

    def error(self, request: web.Request, status: int, words: str) -> web.Response:
        """An error in Xurrent's shape."""
        return web.json_response({"message": words}, status=status)

    def _create(self, request: web.Request, document: Any, shape: str) -> web.Response:
        wrong = faults("xurrent", shape, document)
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        found = XurrentRequest(next(self._ids), {"status": "assigned", "grouping": "none", "category": "incident"})
        found.fields["created_at"] = self._now()
        self.requests[found.id] = found
        self._apply(found, document, ME)
        return web.json_response(self._shown(found), status=201)

    def _event(self, request: web.Request, document: Any) -> web.Response:
        """The open request of the same source is added to; else one is created."""
        wrong = faults("xurrent", "event", document)
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        same = (document["source"], document["sourceID"])
        for found in self.requests.values():
            is_open = found.fields.get("status") != "completed" and not found.trashed
            if is_open and (found.fields.get("source"), found.fields.get("sourceID")) == same:
                self._note(found, document.get("internal_note", ""), ME, internal=True)
                return web.json_response(self._shown(found))
        return self._create(request, document, "event")

    def _update(self, request: web.Request, found: XurrentRequest, document: Any) -> web.Response:
        wrong = [*faults("xurrent", "update", document), *self._refused(found, document)]
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        self._apply(found, document, ME)
        return web.json_response(self._shown(found))

    def _refused(self, found: XurrentRequest, document: dict[str, Any]) -> list[str]:
        wrong = []
        status = document.get("status")
        member = document.get("member_id", (found.fields.get("member") or {}).get("id"))
        if status in self.refuses:
            wrong.append(f"status can't be {status}")
        if status in NEED_A_MEMBER and member is None:
            wrong.append("member can't be blank")
        if found.fields["status"] == "completed" and status not in (None, "completed") and not self.reopens:
            wrong.append("status can't be changed: the request is archived")
        if "major_incident_status" in document:
            known = found.fields.get("major_incident_status")
            if document["major_incident_status"] not in MAJOR_STEPS.get(known, set()):
                wrong.append(f"major_incident_status can't be set after {known}")
        group = document.get("grouped_into_id")
        if group is not None and (group not in self.requests or self.requests[group].fields["grouping"] != "group"):
            wrong.append("grouped_into must be a request group")
        return wrong

    def _apply(self, found: XurrentRequest, document: dict[str, Any], person: int) -> None:
        before = found.fields.get("status")
        for name, value in document.items():
            reference = name.removesuffix("_id")
            if name in ("note", "internal_note"):
                self._note(found, value, person, internal=name == "internal_note")
            elif name.endswith("_id") and reference in REFERENCES:
                found.fields[reference] = None if value is None else {"id": value, "name": self.people.get(value, "")}
            elif name in REFERENCES:
                found.fields[name] = {"id": 7, "name": value}
            else:
                found.fields[name] = value
        if "grouped_into_id" in document:
            found.fields["grouping"] = "none" if document["grouped_into_id"] is None else "grouped"
        if document.get("status") not in (None, "completed"):
            found.fields["completion_reason"] = None
        self._touch(found, person, before)

    def _note(self, found: XurrentRequest, text: str, person: int, *, internal: bool) -> dict[str, Any]:
        note = {
            "id": 55_000 + sum(len(each.notes) for each in self.requests.values()),
            "person": {"id": person, "name": self.people[person]},
            "text": text,
            "internal": internal,
            "medium": "default",
            "created_at": self._now(),
        }
        found.notes.append(note)
        return note

    def _notes(self, request: web.Request, found: XurrentRequest, document: Any) -> web.Response:
        if request.method == "GET":
            return self._page(request, found.notes)
        wrong = faults("xurrent", "note", document)
        if wrong:
            return self.error(request, 422, "; ".join(wrong))
        note = self._note(found, document["text"], ME, internal=document.get("internal", False))
        self._touch(found, ME, found.fields["status"], note)
        return web.json_response(note, status=201)

    def _list(self, request: web.Request) -> web.Response:
        query = request.query
        found = [self._shown(each) for each in self.requests.values() if not each.trashed]
        if "source" in query:
            found = [each for each in found if str(each["source"]).casefold() == query["source"].casefold()]
        if "sourceID" in query:
            found = [each for each in found if str(each["sourceID"]).casefold() == query["sourceID"].casefold()]
        if since := query.get("updated_at", "").removeprefix(">="):
            found = [each for each in found if each["updated_at"] >= since]
        found.sort(key=lambda each: each["updated_at"] if query.get("sort") == "updated_at" else -each["id"])
        shown = {*COLLECTION_FIELDS, "id"} if "fields" not in query else {*query["fields"].split(","), "id"}
        return self._page(request, [{name: each.get(name) for name in shown} for each in found])

    def _page(self, request: web.Request, found: list[dict[str, Any]]) -> web.Response:
        size = min(int(request.query.get("per_page", "25")), self.page_size_max)
        page = int(request.query.get("page", "1"))
        answer = web.json_response(found[(page - 1) * size : page * size])
        if len(found) > page * size:
            here = str(request.url.update_query(page=page + 1))
            if self.elsewhere is not None:
                here = f"{self.elsewhere}/v1/requests?page=2"
            answer.headers["Link"] = f'<{request.url}>; rel="first", <{here}>; rel="next"'
        return answer

    # -- what people do there

    def of(self, incident_id: str) -> XurrentRequest:
        """The newest request of an incident."""
        return [each for each in self.requests.values() if each.fields.get("sourceID") == incident_id][-1]

    def by(self, person: int, incident_id: str, note: str = "", **fields: Any) -> bytes:
        """A person changes a request; the webhook that says so."""
        found = self.of(incident_id)
        if note:
            written = self._note(found, note, person, internal=fields.pop("internal", True))
            self._touch(found, person, found.fields["status"], written)
        if fields:
            self._apply(found, fields, person)
        return self.webhooks[-1]

    def _touch(
        self, found: XurrentRequest, person: int, before: Any = None, note: dict[str, Any] | None = None
    ) -> None:
        found.fields["updated_at"] = self._now()
        shown = self._shown(found)
        kept = ("source", "sourceID", "status", "subject", "category", "impact", "completion_reason", "team", "member")
        payload = {
            "audit_line_id": 71_960 + len(self.webhooks),
            "note_id": note["id"] if note else None,
            "previous_status": before,
            "problem": shown["problem"],
            **{name: shown[name] for name in kept},
        }
        if note:
            payload["note"] = {"text": note["text"], "internal": note["internal"]}
        document = {
            "webhook_id": 78,
            "account_id": ACCOUNT,
            "account": f"https://{ACCOUNT}.xurrent.com",
            "event": "request.update" if len(found.notes) else "request.create",
            "object_id": found.id,
            "person_id": person,
            "person_name": self.people[person],
            "payload": payload,
        }
        self.webhooks.append(orjson.dumps(document))

    def _shown(self, found: XurrentRequest) -> dict[str, Any]:
        names = ("source", "sourceID", "subject", "impact", "completion_reason", "major_incident_status", "supplier")
        more = ("waiting_until", "downtime_start_at", "downtime_end_at", "supplier_requestID", "completed_at")
        empty: dict[str, Any] = dict.fromkeys((*names, *more, *REFERENCES))
        return {**empty, **found.fields, "id": found.id}

    def seen(self) -> list[Seen]:
        """One an incident of ours: its newest request, and how many there are."""
        runs: dict[str, list[XurrentRequest]] = {}
        for each in self.requests.values():
            if not each.trashed and (identity := each.fields.get("sourceID")):
                runs.setdefault(identity, []).append(each)
        priorities = {impact: priority for priority, impact in IMPACTS.items()}
        return [
            Seen(
                incident_id=identity,
                id=str(found[-1].id),
                state=STATES_READ.get(found[-1].fields["status"], RemoteState.OPEN),
                title=found[-1].fields["subject"],
                priority=priorities.get(found[-1].fields.get("impact", ""), ""),
                notes=[note["text"] for note in found[-1].notes],
                created=len(found),
            )
            for identity, found in runs.items()
        ]

    def _now(self) -> str:
        return f"{START + timedelta(seconds=next(self._clock)):%Y-%m-%dT%H:%M:%SZ}"
