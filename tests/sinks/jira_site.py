"""A site of Jira, and a sink that works it as deliver does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipeline.models.sinks.jira import Jira
from pipeline.sinks.clients import client_of
from pipeline.sinks.limits import Bucket
from tests.sinks.desk import Desk
from tests.sinks.receivers import run
from tests.sinks.servers.jira import JiraServer

Story = Callable[[JiraServer, Desk], Awaitable[None]]


@asynccontextmanager
async def site(**fields: Any) -> AsyncIterator[tuple[JiraServer, Desk]]:
    server = JiraServer()
    async with server.running():
        given: dict[str, Any] = {"name": "jira", "url": server.url, "secret_env": "JIRA", "user": server.user}
        given |= {"project": "OPS", "timeout_seconds": 2, "account_id": "account-spillway", "search_again_seconds": 0}
        rules = Jira(**(given | fields))
        client = client_of(rules, {"JIRA": str(server.token)}, Bucket(0, 5))
        yield server, Desk(client, rules)
        await client.close()


def play(story: Story, **fields: Any) -> None:
    async def test() -> None:
        async with site(**fields) as (server, desk):
            await story(server, desk)

    run(test())
