"""The programs under test, started for a test and ended with it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from confluent_kafka import Message

from tests.live.site import Site
from tests.real.debian import Program

END_SECONDS_MAX: Final = 10.0

Start = Callable[[Program, str, Sequence[str]], "Running"]


def body_of(message: Message) -> Any:
    """What a record of ours says."""
    return orjson.loads(message.value() or b"null")


def change_of(message: Message) -> str:
    """What an incident event says happened."""
    return str(body_of(message)["change"])


class Running:
    """A program that runs, with its log."""

    def __init__(self, started: Program, name: str, arguments: Sequence[str], place: Path) -> None:
        self._name = name
        self._log = place / f"{name}.log"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(started.path), *arguments],
                env=os.environ | started.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=started.root,
            )

    def check(self) -> None:
        """Fail, with its last words, where it has ended."""
        assert self._process.poll() is None, f"{self._name} ended: {self.said()[-2_000:]}"

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program under a name; the test's end ends it."""
    with ExitStack() as programs:

        def begin(started: Program, name: str, arguments: Sequence[str]) -> Running:
            running = Running(started, name, arguments, tmp_path)
            programs.callback(running.end)
            return running

        yield begin


@pytest.fixture
def site(kafka: str, prefix: str, database: str, tmp_path: Path) -> Iterator[Site]:
    """Topics of this test and the example company, where quiet for a second is quiet; its workers end with it."""
    site = Site(kafka, prefix, tmp_path, records_url=database, partitions=1)
    policy = site.directory / "domains" / "retail.yaml"
    policy.write_text(re.sub(r"resolve_quiet_seconds: \d+", "resolve_quiet_seconds: 1", policy.read_text()))
    yield site
    site.close()
