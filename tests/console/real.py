"""``spillway console`` as an operator runs it, and tokens for it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

from pipeline.models.command import Role
from pipeline.records.access.tokens import create_token
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings
from tests.support import wait_until

SECONDS_MAX = 60.0
CONFIG = Path(__file__).parents[2] / "config"
LISTENING = re.compile(r"console on http://[\d.]+:(\d+)/ .* on port (\d+)")
NOWHERE = "127.0.0.1:1"
"""Where no broker is."""


def token(url: str, role: Role = Role.ADMINISTRATOR, *domains: str, name: str = "tests") -> str:
    """A token that is in the store."""
    store = RecordsStore(url)
    try:
        grants = [{"role": str(role), "domains": list(domains) or None}]
        _, whole = store.change(
            lambda connection: create_token(connection, name, grants, days=1, by="tests", now=datetime.now(UTC))
        )
        return whole
    finally:
        store.close()


class Process:
    """A console."""

    def __init__(self, place: Path, records_url: str, bootstrap: str = NOWHERE, prefix: str = "") -> None:
        settings = Settings(
            bootstrap=bootstrap, topic_prefix=prefix, http_port=0, config_dir=CONFIG, records_url=records_url
        )
        self.log = place / "console.log"
        with self.log.open("w") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "console", "--listen", "127.0.0.1:0"],
                env=settings.to_environment(),
                stderr=log,
                stdout=log,
            )

    def wait_listening(self) -> Process:
        wait_until(lambda: self._found() or self.popen.poll() is not None, SECONDS_MAX, "the console listens")
        found = self._found()
        assert found, self.said
        self.url, self.health_url = f"http://127.0.0.1:{found[1]}", f"http://127.0.0.1:{found[2]}"
        return self

    def _found(self) -> re.Match[str] | None:
        return LISTENING.search(self.said)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS_MAX)

    def ready(self) -> bool:
        return httpx.get(f"{self.health_url}/readyz", timeout=SECONDS_MAX).status_code == 200

    def metrics(self) -> str:
        return httpx.get(f"{self.health_url}/metrics", timeout=SECONDS_MAX).text


@contextmanager
def console(place: Path, records_url: str, bootstrap: str = NOWHERE, prefix: str = "") -> Iterator[Process]:
    """A console for the time of a block."""
    process = Process(place, records_url, bootstrap, prefix)
    try:
        yield process.wait_listening()
    finally:
        process.popen.kill()
        process.popen.wait()


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The address of an application for the time of a block."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, SECONDS_MAX, "it listens")
        port: int = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
