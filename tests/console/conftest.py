"""A console over a real PostgreSQL that holds the three stories, as the record stage writes them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import create_engine, make_url, text
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from pipeline.catalog import load_config
from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.console.identity import Grant, Identity
from pipeline.core.outward.record import RecordProcessor
from pipeline.core.step import Effects, Output, Processor, StreamRecord
from pipeline.examples import one_day
from pipeline.flow import STAGE_BY_NAME
from pipeline.models.command import Role
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.records.projected import ends_of
from pipeline.records.store import RecordsStore
from pipeline.replay import Replay
from pipeline.settings import Settings
from tests.console.door import Shut
from tests.console.sent import Sent

CONFIG: Final = Path(__file__).parents[2] / "config"
RUN_ON_SECONDS: Final = 600

Client = Callable[..., TestClient]


@pytest.fixture(scope="session")
def company() -> Config:
    """The example company."""
    return load_config(CONFIG)


@dataclass(slots=True)
class Played:
    """What the stages wrote of the stories, in order."""

    outputs: list[Output] = field(default_factory=list)

    def watch(self, processor: Processor, record: StreamRecord, effects: Effects) -> None:
        self.outputs += effects.outputs


@pytest.fixture(scope="session")
def played(company: Config) -> Played:
    """The stories, decided."""
    played = Played()
    Replay(company, watch=played.watch).run(one_day(), run_on_seconds=RUN_ON_SECONDS)
    return played


@pytest.fixture(scope="session")
def stories(played: Played, postgres: str) -> Iterator[str]:
    """Address of a records store that holds the stories. For reading: tests that write have a `database`."""
    with _filled(postgres, "console_stories", played) as url:
        yield url


@pytest.fixture(scope="session")
def outage(played: Played, postgres: str) -> Iterator[str]:
    """Address of a records store as it was at `OUTAGE_MS`. For reading."""
    until_then = Played([each for each in played.outputs if each.timestamp_ms <= OUTAGE_MS])
    with _filled(postgres, "console_outage", until_then) as url:
        yield url


@contextmanager
def _filled(postgres: str, name: str, played: Played) -> Iterator[str]:
    """A database of that name on a server, with what was played."""
    address = make_url(postgres)
    name = f"{name}_{os.getpid()}"  # of this process alone: where the server is given, all test processes share it
    engine = create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = address.set(database=name).render_as_string(hide_password=False)
    fill(url, played)
    yield url
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def fill(url: str, played: Played) -> None:
    """Write what a replay came to, as the record stage does."""
    store = RecordsStore(url)
    store.migrate()
    processor, effects, records = RecordProcessor(), Effects(), list(records_of(played))
    processor.handle(records, effects)
    assert not effects.outputs, "nothing of it is refused"
    store.write(processor.take(), ends_of(records, {}))
    store.close()


def records_of(played: Played) -> Iterable[StreamRecord]:
    """What the record stage reads, in order."""
    offsets: Counter[str] = Counter()
    for each in played.outputs:
        if each.topic in STAGE_BY_NAME["record"].reads:
            yield StreamRecord(each.topic, 0, offsets[each.topic], each.timestamp_ms, each.key, each.value)
            offsets[each.topic] += 1


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

OUTAGE_MS: Final = 1_773_147_900_000
"""2026-03-10 13:05 UTC: the hospital's Major Incident goes on since five minutes, and nobody has it."""


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
