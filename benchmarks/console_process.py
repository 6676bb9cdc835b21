"""``spillway console`` as a process under measurement, and tokens to ask it with."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.console_store import CONFIG
from benchmarks.results import BenchmarkError
from pipeline.records.access.tokens import create_token
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings

READY_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 40.0
TOKENS: Final = 40
"""People who ask; nobody may hold all streams alone."""

# Nothing is measured of limits on purpose: they are far above what two cores answer.
RATES: Final = """\
rates:
  strangers_per_second: 10000
  people_per_second: 10000
  commands_per_second: 10000
  sign_ins_per_minute: 10000
"""
_ADDRESS: Final = re.compile(r"console on http://127\.0\.0\.1:(\d+)/")


@dataclass(frozen=True, slots=True)
class Console:
    """A running console.

    Attributes:
        process: its id.
        tokens: of people who may everything.
    """

    port: int
    process: int
    tokens: list[str]


@contextmanager
def running_console(url: str, bootstrap: str, directory: Path) -> Iterator[Console]:
    """A console over a store and a broker, ready. ``directory``: for its configuration.

    Raises:
        BenchmarkError: it ended or is not ready in time; the message holds what it said last.
    """
    config = directory / "config"
    shutil.copytree(CONFIG, config)
    (config / "console.yaml").write_text(RATES)
    settings = Settings(bootstrap=bootstrap, config_dir=config, records_url=url, http_port=0)
    process = subprocess.Popen(  # our own command
        [sys.executable, "-m", "pipeline", "console", "--listen", "127.0.0.1:0"],
        env=settings.to_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    threading.Thread(target=_listen, args=(process, said), daemon=True).start()
    try:
        yield Console(_port(process, said), process.pid, _tokens(url))
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listen(process: subprocess.Popen[str], said: list[str]) -> None:
    assert process.stderr is not None  # noqa: S101  # opened above
    said.extend(line for line in iter(process.stderr.readline, ""))  # as it comes


def _port(process: subprocess.Popen[str], said: list[str]) -> int:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        for line in list(said):
            if found := _ADDRESS.search(line):
                return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise BenchmarkError(f"the console is not ready: {''.join(said[-20:]).strip()}")


def _tokens(url: str) -> list[str]:
    store, run = RecordsStore(url), f"{time.time():.0f}"
    grant = {"role": "administrator", "domains": None}
    now = datetime.now(UTC)
    found = [
        store.change(lambda c, n=n: create_token(c, f"bench-{run}-{n}", [grant], days=1, by="bench", now=now)[1])  # type: ignore[misc]  # a default binds the number
        for n in range(TOKENS)
    ]
    store.close()
    return found
