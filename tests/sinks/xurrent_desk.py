"""The Xurrent sink, its server, and what deliver would remember between attempts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipeline.models.remote import Remote
from pipeline.models.sinks.xurrent import Xurrent
from pipeline.sinks.base import Answer
from pipeline.sinks.limits import Bucket
from pipeline.sinks.xurrent import XurrentSink
from tests.sinks.bodies import INCIDENT_ID, OPENED_MS, send, snapshot
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.xurrent import ACCOUNT, ME, TOKEN, XurrentServer

TITLE = "Checkout: 12 % of checkout requests fail"
OPEN = {"state": "open", "title": TITLE, "priority": "P1"}
KIM = 6121
OTHER_ID = "INC-AAAAAAAAAAAA"


class Desk:
    """A sink, its server, and what deliver would remember between attempts, by incident."""

    def __init__(self, server: XurrentServer, sink: XurrentSink, bucket: Bucket) -> None:
        self.server = server
        self.sink = sink
        self.bucket = bucket
        self.remotes: dict[str, Remote] = {}

    async def tell(self, **said: Any) -> Answer:
        """Send, with what is known by now; what it answers is remembered."""
        incident = said.pop("incident", None) or snapshot()
        answer = await self.sink.send(send(incident, remote=self.remotes.get(incident["id"]), **said), NOW)
        if answer.remote is not None:
            self.remotes[incident["id"]] = answer.remote
        return answer

    @property
    def fields(self) -> dict[str, Any]:
        """The request of the usual incident."""
        return self.server.of(INCIDENT_ID).fields

    def asked(self) -> list[str]:
        """Methods and paths that were asked, in order."""
        return [f"{each.method} {each.path.partition('?')[0]}" for each in self.server.journal]


def rules(url: str, **fields: Any) -> Xurrent:
    given: dict[str, Any] = {"url": url, "account": ACCOUNT, "timeout_seconds": 1, "member": ME}
    return Xurrent(name="desk", secret_env="XURRENT", **given | fields)


@asynccontextmanager
async def desk(**fields: Any) -> AsyncIterator[Desk]:
    async with XurrentServer().running() as server:
        bucket = Bucket(0, 5)
        sink = XurrentSink(rules(server.url, **fields), {"XURRENT": TOKEN}, bucket)
        try:
            yield Desk(server, sink, bucket)
        finally:
            await sink.close()


def with_desk(test: Callable[[Desk], Awaitable[None]], **fields: Any) -> None:
    async def main() -> None:
        async with desk(**fields) as found:
            await test(found)

    run(main())


def over(state: str = "resolved", **fields: Any) -> dict[str, Any]:
    return snapshot(state=state, resolved_at_ms=OPENED_MS + 600_000, **fields)


MAPPED: dict[str, Any] = {"service_instances": {"checkout": "331"}, "groups": {"storefront-sre": "14"}}
