"""The PagerDuty sink, its server, and what deliver would remember between attempts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from pipeline.core.outward.send import Send
from pipeline.models.remote import Remote
from pipeline.models.sinks.paging import PagerDuty
from pipeline.sinks.base import Answer
from pipeline.sinks.limits import Bucket
from pipeline.sinks.pagerduty import PagerDutySink
from tests.sinks.bodies import INCIDENT_ID, send
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.pagerduty import API_KEY, ROUTING_KEY, USER, PagerDutyServer

KEY = f"{INCIDENT_ID}/0"
WITH_API: dict[str, Any] = {"api_secret_env": "PD_API", "api_user": USER, "notes": "important"}


class Desk:
    """A sink, its server, and what deliver would remember between attempts."""

    def __init__(self, server: PagerDutyServer, sink: PagerDutySink) -> None:
        self.server = server
        self.sink = sink
        self.remote: Remote | None = None

    async def tell(self, **said: Any) -> Answer:
        """Send, with what is known by now; what it answers is remembered."""
        attempt: Send = send(said.pop("incident", None), remote=self.remote, **said)
        answer = await self.sink.send(attempt, NOW)
        self.remote = answer.remote or self.remote
        return answer

    def actions(self) -> list[str]:
        """What was asked of the events API, in order."""
        return [
            orjson.loads(attempt.body)["event_action"]
            for attempt in self.server.journal
            if attempt.path == "/v2/enqueue"
        ]


def rules(url: str, **fields: Any) -> PagerDuty:
    given: dict[str, Any] = {"url": url, "api_url": url, "timeout_seconds": 1}
    return PagerDuty(name="desk", secret_env="PD_KEY", **given | fields)


@asynccontextmanager
async def desk(**fields: Any) -> AsyncIterator[Desk]:
    server = PagerDutyServer()
    secrets = {"PD_KEY": ROUTING_KEY, "PD_API": API_KEY}
    async with server.running():
        sink = PagerDutySink(rules(server.url, **fields), secrets, Bucket(0, 5))
        try:
            yield Desk(server, sink)
        finally:
            await sink.close()


def with_desk(test: Callable[[Desk], Awaitable[None]], **fields: Any) -> None:
    async def main() -> None:
        async with desk(**fields) as found:
            await test(found)

    run(main())


OPEN = {"state": "open", "title": "Checkout: 12 % of checkout requests fail", "priority": "P1"}


def foreign() -> dict[str, Any]:
    payload = {"summary": "disk full", "source": "db1", "severity": "warning"}
    return {"event_action": "trigger", "dedup_key": "disk-db1", "payload": payload}
