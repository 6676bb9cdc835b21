"""A desk of the tests of poller and reconciler: records that people change, over real HTTP, and a client that reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Fields, Remote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.sinks.base import Answer, SinkClient
from pipeline.sinks.http import Http
from pipeline.sinks.limits import Buckets
from pipeline.sinks.looking import Known
from tests.sinks.servers.base import Seen, VendorServer

BEGAN = datetime(2026, 3, 4, 12, tzinfo=UTC)
PAGE = 3


class DeskServer(VendorServer):
    """Records by id; ``/changed`` gives those of a time or later, oldest first, in pages."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Any]] = {}

    def put(self, incident_id: str, at: datetime, **fields: str) -> None:
        """Somebody changes a record."""
        before = self.records.get(f"R-{incident_id}", {"incident_id": incident_id, "state": "open"})
        self.records[f"R-{incident_id}"] = {**before, **fields, "at": at.isoformat()}

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path == "/changed":
            return self._changed(request)
        record = self.records.get(request.path.rpartition("/")[2])
        return web.json_response(record, status=200 if record else 404)

    def _changed(self, request: web.Request) -> web.StreamResponse:
        since, begin = request.query["since"], int(request.query["from"])
        found = sorted((each["at"], key) for key, each in self.records.items() if each["at"] >= since)
        page = [self.records[key] for _, key in found[begin : begin + PAGE]]
        return web.json_response({"records": page, "more": len(found) > begin + PAGE})

    def seen(self) -> list[Seen]:
        return [
            Seen(incident_id=each["incident_id"], id=key, state=each["state"]) for key, each in self.records.items()
        ]


class DeskClient(SinkClient):
    """Reads them."""

    def __init__(self, url: str) -> None:
        rules = ServiceNow(name="desk", url=url, user="spillway", secret_env="DESK", timeout_seconds=5)
        self._url = url
        self._http = Http(rules, Buckets().of(rules))

    async def send(self, send: Send, now: datetime) -> Answer:
        return Answer(DeliveryOutcome.DELIVERED)

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        reply = await self._http.call("GET", f"{self._url}/records/{remote.id}", allowed=(404,))
        if reply.status == 404:
            return self._update(incident_id, UpdateKind.GONE, now, {"at": now.isoformat()})
        return self._update(incident_id, UpdateKind.READ, now, reply.data)

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:
        begin, more = 0, True
        while more:
            params = {"since": since.isoformat(), "from": str(begin)}
            data = (await self._http.call("GET", f"{self._url}/changed", params=params)).data
            for record in data["records"]:
                yield self._update(record["incident_id"], UpdateKind.READ, since, record)
            begin, more = begin + PAGE, data["more"]

    async def close(self) -> None:
        await self._http.close()

    def _update(self, incident_id: str, kind: UpdateKind, now: datetime, record: dict[str, Any]) -> SinkUpdate:
        fields = {name: record[name] for name in ("state", "assignee") if record.get(name)}
        return SinkUpdate(
            kind=kind,
            update_id=f"{incident_id}/{kind}/{record['at']}",
            sink="desk",
            incident_id=incident_id,
            at=datetime.fromisoformat(record["at"]),
            fields=Fields.model_validate(fields),
        )


@dataclass
class Books:
    """A ledger as a partition's processor has it."""

    records: list[Known] = field(default_factory=list)
    read_to_ms: int | None = None

    def known(self, sink: str) -> Iterable[Known]:
        return [each for each in self.records if each.sink == sink]

    def polled_ms(self, sink: str) -> int | None:
        return self.read_to_ms


def known(incident_id: str, state: str = RemoteState.OPEN, turn: int = 1, **fields: str) -> Known:
    """A record as it is known."""
    remote = Remote(id=f"R-{incident_id}", state=state, fields={"state": state, **fields})
    return Known("desk", incident_id, remote, turn)


class TimeIsOver(Exception):
    """The time of a test has passed."""


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, until: timedelta = timedelta(days=365)) -> None:
        self.now = BEGAN
        self._until = BEGAN + until

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let it pass.

        Raises:
            TimeIsOver: so that a watcher ends.
        """
        self.now += timedelta(seconds=seconds)
        if self.now > self._until:
            raise TimeIsOver
