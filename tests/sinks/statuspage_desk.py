"""The Statuspage sink with its server, as its tests have it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipeline.models.sinks.status_pages import Statuspage
from pipeline.sinks.limits import Bucket
from pipeline.sinks.statuspage import StatuspageSink
from tests.sinks.pages import Desk
from tests.sinks.receivers import run
from tests.sinks.servers.statuspage import API_KEY, PAGE_ID, PageIncident, StatuspageServer

COMPONENTS = {"checkout": "web", "payments-api": "pay", "app": "app"}


class PageDesk(Desk):
    """A desk whose server is known."""

    server: StatuspageServer

    @property
    def only(self) -> PageIncident:
        [found] = self.server.incidents
        return found

    def statuses(self) -> dict[str, str]:
        return {each.id: each.status for each in self.server.components.values()}


def rules(url: str, **fields: Any) -> Statuspage:
    given: dict[str, Any] = {"components": COMPONENTS, "timeout_seconds": 1, "requests_per_second": 0}
    return Statuspage(name="page", url=url, secret_env="PAGE_KEY", page_id=PAGE_ID, **given | fields)


def sink_of(server: StatuspageServer, **fields: Any) -> StatuspageSink:
    return StatuspageSink(rules(server.url, **fields), {"PAGE_KEY": API_KEY}, Bucket(0, 5))


@asynccontextmanager
async def desk(server: StatuspageServer | None = None, **fields: Any) -> AsyncIterator[PageDesk]:
    async with (server or StatuspageServer()).running() as running:
        sink = sink_of(running, **fields)
        try:
            yield PageDesk(running, sink)
        finally:
            await sink.close()


def with_desk(test: Callable[[PageDesk], Awaitable[None]], **fields: Any) -> None:
    async def main() -> None:
        async with desk(**fields) as found:
            await test(found)

    run(main())
