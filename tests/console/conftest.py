"""A console over a real PostgreSQL that holds the three stories, as the record stage writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.console.identity import Grant, Identity
from pipeline.models.command import Role
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.settings import Settings
from tests.console.door import Shut
from tests.console.sent import Sent
from tests.played import OUTAGE_MS

CONFIG: Final = Path(__file__).parents[2] / "config"
RUN_ON_SECONDS: Final = 600

Client = Callable[..., TestClient]


@pytest.fixture
def sent() -> Sent:
    """What the console asked for."""
    return Sent()


def somebody(role: Role = Role.ADMINISTRATOR, *domains: str, subject: str = "noor.haddad") -> Identity:
    """Somebody with one grant; for all domains unless some are named."""
    return Identity(subject, subject, (Grant(role, frozenset(domains) or None),), "token", "test")


@pytest.fixture
def shut(stories: str, company: Config) -> Shut:
    """A console whose door is shut, over the stories."""
    return Shut(stories, company)


@pytest.fixture
def client(stories: str, company: Config, sent: Sent) -> Iterator[Client]:
    """Clients of a console over the stories, each as somebody: ``client(somebody(Role.VIEWER, "retail"))``.

    What lets people in is not in the way: tests of that come with real tokens.
    """
    with ExitStack() as opened:
        yield _clients(opened, Context(Settings(records_url=stories), company, async_engine_of(stories, 4), sent))


@contextmanager
def clients_of(context: Context) -> Iterator[Client]:
    """Clients of a console that is like this one, each as somebody."""
    with ExitStack() as opened:
        yield _clients(opened, context)


def _clients(opened: ExitStack, context: Context) -> Client:
    def make(identity: Identity | None = None) -> TestClient:
        app = create_app(replace(context, engine=async_engine_of(context.settings.records_url or "", 4)))

        async def as_somebody(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "spillway.identity": identity}, receive, send)

        return opened.enter_context(TestClient(as_somebody, follow_redirects=False))

    return make


EVENING_MS: Final = 1_773_153_600_000
"""2026-03-10 14:40 UTC: the day of the stories is over."""


@pytest.fixture
def in_the_evening(stories: str, company: Config, sent: Sent) -> Iterator[Client]:
    """As `client`, at the end of the day of the stories."""
    context = Context(
        Settings(records_url=stories), company, async_engine_of(stories, 4), sent, now_ms=lambda: EVENING_MS
    )
    with ExitStack() as opened:
        yield _clients(opened, context)


@pytest.fixture
def in_the_outage(outage: str, company: Config, sent: Sent) -> Iterator[Client]:
    """As `client`, in the middle of the hospital's outage, over a store as it was then."""
    context = Context(Settings(records_url=outage), company, async_engine_of(outage, 4), sent, now_ms=lambda: OUTAGE_MS)
    with ExitStack() as opened:
        yield _clients(opened, context)
