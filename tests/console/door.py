"""A console whose door is shut: over a store of its own, reached with real tokens and sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Final

from sqlalchemy import Connection, create_engine
from starlette.testclient import TestClient

from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.models.command import Role
from pipeline.models.policy import Config
from pipeline.records.access.log import access_log
from pipeline.records.access.tokens import create_token
from pipeline.records.address import async_engine_of, engine_of
from pipeline.settings import Settings
from tests.console.sent import Sent

HOST: Final = "http://testserver"
_FIELD: Final = re.compile(r'name="csrf" value="([^"]+)"')
START_MS: Final = 1_900_000_000_000


@dataclass
class Shut:
    """A console with its door.

    Attributes:
        now_ms: its clock, which tests put forward.
        seconds: its other clock, of limits and caches.
    """

    url: str
    config: Config
    sent: Sent = field(default_factory=Sent)
    now_ms: int = START_MS
    seconds: float = 0.0

    def client(self, token: str | None = None, *, base_url: str = HOST) -> TestClient:
        """A client; to be used as a context manager."""
        app = create_app(self.context(), clock=lambda: self.seconds)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return TestClient(app, base_url=base_url, headers=headers, follow_redirects=False)

    def context(self) -> Context:
        """What its application is made over."""
        settings, engine = Settings(records_url=self.url), async_engine_of(self.url, 4)
        return Context(settings, self.config, engine, self.sent, now_ms=lambda: self.now_ms)

    def token(self, role: Role = Role.ADMINISTRATOR, *domains: str, name: str = "", days: float = 30) -> str:
        """A new token."""
        grant = {"role": role, "domains": list(domains) or None}
        called = name or f"{role} {token_hex(4)}"
        engine = engine_of(self.url)
        with engine.begin() as connection:
            _, whole = create_token(connection, called, [grant], days=days, by="the test", now=self.now())
        engine.dispose()
        return whole

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms / 1_000, UTC)

    def pass_minutes(self, minutes: float) -> None:
        self.now_ms += round(minutes * 60_000)

    def log(self) -> Sequence[dict[str, object]]:
        """The access log, the newest first."""

        def question(connection: Connection) -> list[dict[str, object]]:
            return access_log(connection)

        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            found = question(connection)
        engine.dispose()
        return found


def sign_in(client: TestClient, token: str, onward: str = "/") -> str:
    """Sign a browser in as a page does; the value for the forms of its session."""
    form = client.get("/login")
    answer = client.post("/login", data={"token": token, "csrf": csrf_in(form.text), "next": onward})
    assert answer.status_code == 303, answer.text
    return csrf_of_session(client)


def csrf_in(html: str) -> str:
    found = _FIELD.search(html)
    assert found, html[:500]
    return found[1]


def csrf_of_session(client: TestClient) -> str:
    """What a page of the session would have in its forms."""
    from pipeline.console.security.forgery import csrf_of

    secret = next(value for name, value in client.cookies.items() if name.endswith("spillway_session"))
    return csrf_of(secret)
