"""The demo's console: a process of its own, and a token that looks on while the story plays and acts afterwards."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from sqlalchemy import update

from pipeline.demo.engines import STOP_SECONDS_MAX, DemoError
from pipeline.kafka.ports import free_ports
from pipeline.models.command import Role
from pipeline.records.access.tables import ACCESS_TOKENS
from pipeline.records.access.tokens import create_token
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings

READY_SECONDS_MAX: Final = 60.0
"""It starts in three seconds; a busy machine may take ten times that."""

TOKEN_DAYS: Final = 1.0
"""The store that knows the token ends with the demo, which is long before."""

WHO: Final = "demo"


@dataclass(frozen=True, slots=True)
class DemoConsole:
    """A running console.

    Attributes:
        address: of its board.
        token: to sign in with; nobody comes in without it.
    """

    address: str
    token: str
    _token_id: str
    _records_url: str
    _process: subprocess.Popen[bytes]

    @property
    def link(self) -> str:
        """To the sign-in, with the token behind "#": it stays in the browser, which puts it into the form."""
        return f"{self.address}login#token={self.token}"

    def may_act(self) -> None:
        """The play is over, and need not go as its replay does any more: who has the token may do everything."""
        store = RecordsStore(self._records_url)
        try:
            of_token = update(ACCESS_TOKENS).where(ACCESS_TOKENS.c.id == self._token_id)
            store.change(lambda connection: connection.execute(of_token.values(grants=_grants(Role.ADMINISTRATOR))))
        finally:
            store.close()

    def wait(self) -> None:
        """Wait until it ends."""
        self._process.wait()


@contextmanager
def console(settings: Settings, log: Path) -> Iterator[DemoConsole]:
    """Run ``spillway console`` for the duration of a block.

    Args:
        settings: of the demo's stages, whose records store and Kafka it uses.
        log: where its words go.

    Raises:
        DemoError: it ended, or was not ready in time.
    """
    records_url = settings.records_url or ""
    store = RecordsStore(records_url)
    try:
        store.migrate()
        now = datetime.now(UTC)
        made, whole = store.change(
            lambda connection: create_token(
                connection, WHO, _grants(Role.VIEWER), days=TOKEN_DAYS, by="spillway demo", now=now
            )
        )
    finally:
        store.close()
    port, health_port = free_ports(2)
    own = settings.model_copy(update={"http_port": health_port})
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own command, with the interpreter that runs us
            [sys.executable, "-m", "pipeline", "console", "--listen", f"127.0.0.1:{port}"],
            env=own.to_environment(),
            stdout=output,
            stderr=output,
        )
        try:
            _wait_until_ready(process, health_port, log)
            yield DemoConsole(f"http://127.0.0.1:{port}/", whole, made.id, records_url, process)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _grants(role: Role) -> list[dict[str, object]]:
    return [{"role": str(role), "domains": None}]


def _wait_until_ready(process: subprocess.Popen[bytes], health_port: int, log: Path) -> None:
    deadline = monotonic() + READY_SECONDS_MAX
    while True:
        if (code := process.poll()) is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
            raise DemoError(f"the console ended with exit code {code}: {last[0]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if monotonic() > deadline:
                raise DemoError(f"the console was not ready within {READY_SECONDS_MAX:.0f} s") from None
        sleep(0.1)
