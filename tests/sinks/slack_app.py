"""The Slack sink before a server of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pipeline.models.remote import Remote
from pipeline.models.sinks.chat import Slack
from pipeline.sinks.base import Answer
from pipeline.sinks.limits import Buckets
from pipeline.sinks.slack import SlackSink
from tests.sinks.servers.slack import CHANNEL, TOKEN, SlackServer

PEOPLE = {"U0ADA": "ada", "grace.hopper": "grace"}


@asynccontextmanager
async def slack(server: SlackServer, **fields: Any) -> AsyncIterator[SlackSink]:
    given = {"channel": CHANNEL, "people": PEOPLE, "requests_per_second": 0, **fields}
    async with server.running():
        rules = Slack.model_validate({"name": "chat", "url": f"{server.url}/api", "secret_env": "SLACK", **given})
        sink = SlackSink(rules, {"SLACK": TOKEN}, Buckets().of(rules))
        try:
            yield sink
        finally:
            await sink.close()


def remote_of(answer: Answer) -> Remote:
    assert answer.outcome == "delivered", answer
    assert answer.remote is not None
    return answer.remote


def methods(server: SlackServer) -> list[str]:
    return [each.path.removeprefix("/api/").split("?")[0] for each in server.journal]
