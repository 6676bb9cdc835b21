"""An instance of ServiceNow, and a sink that works it as deliver does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.sinks.clients import client_of
from pipeline.sinks.limits import Bucket
from tests.sinks.desk import Desk
from tests.sinks.receivers import run
from tests.sinks.servers.servicenow import ServiceNowServer

KIM = f"{7:032x}"
Story = Callable[[ServiceNowServer, Desk], Awaitable[None]]


@asynccontextmanager
async def instance(**fields: Any) -> AsyncIterator[tuple[ServiceNowServer, Desk]]:
    server = ServiceNowServer()
    async with server.running():
        given: dict[str, Any] = {
            "name": "snow",
            "url": server.url,
            "secret_env": "SNOW",
            "user": server.user,
            "timeout_seconds": 2,
        }
        rules = ServiceNow(**(given | {"timeout_seconds": 2} | fields))
        secret = server.client[1] if rules.auth == "oauth" else str(server.token)
        client = client_of(rules, {"SNOW": secret}, Bucket(0, 5))
        yield server, Desk(client, rules)
        await client.close()


def play(story: Story, **fields: Any) -> None:
    async def test() -> None:
        async with instance(**fields) as (server, desk):
            await story(server, desk)

    run(test())
