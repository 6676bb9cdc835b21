"""``spillway run`` as a process under measurement: what it says, counts and uses."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.machine import cpu_seconds
from benchmarks.results import BenchmarkError
from pipeline.settings import Settings

READY_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 40.0
POLL_SECONDS: Final = 0.02
IDLE_SHARE: Final = 0.15
"""CPU of one core below which a worker counts as idle; without work it uses about 5 %."""

IDLE_SECONDS: Final = 0.5
BUSY_SECONDS_MAX: Final = 300.0
_PORT: Final = re.compile(r"on port (\d+)")
_SAMPLE: Final = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")


class WorkerError(BenchmarkError):
    """The worker ended or does not answer; the message holds what it said last."""


class Worker:
    """One process that hosts stages; it ends with the ``with`` block."""

    def __init__(self, settings: Settings, stages: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        """Start it. ``more``: variables of its environment beside the settings."""
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "pipeline", "run", *stages],
            env={**settings.model_copy(update={"http_port": 0}).to_environment(), **(more or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.began = time.monotonic()
        self.ready_at = 0.0
        self._port = 0
        self._said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def process(self) -> int:
        """Its process id."""
        return self._process.pid

    def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101  # opened above
        for line in self._process.stderr:
            self._said.append(line)
            if not self._port and (found := _PORT.search(line)):
                self._port, self.ready_at = int(found[1]), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def wait_ready(self) -> Self:
        """Return when it serves all its stages."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._port:
            self.check()
            if time.monotonic() > deadline:
                raise WorkerError(f"not ready after {READY_SECONDS_MAX:g} s: {self.last_words()}")
            time.sleep(POLL_SECONDS)
        return self

    def check(self) -> None:
        """Raise WorkerError if it has ended."""
        if self._process.poll() is not None:
            raise WorkerError(f"the worker ended with code {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it said."""
        return "".join(self._said[-20:]).strip()

    def cpu_seconds(self) -> float:
        """CPU time used so far, seconds."""
        return cpu_seconds(self.process)

    def wait_idle(self) -> float:
        """Wait until it has nothing more to do; the CPU time used until the idle phase began, seconds.

        Raises:
            WorkerError: it has ended, or is still busy after `BUSY_SECONDS_MAX`.
        """
        deadline = time.monotonic() + BUSY_SECONDS_MAX
        while time.monotonic() < deadline:
            used = self.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            self.check()
            if self.cpu_seconds() - used <= IDLE_SHARE * IDLE_SECONDS:
                return used
        raise WorkerError(f"still busy after {BUSY_SECONDS_MAX:g} s: {self.last_words()}")

    def metrics(self) -> dict[str, float]:
        """Its series: ``name`` or ``name{labels}`` -> value."""
        self.check()
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        found = (_SAMPLE.match(line) for line in text.splitlines())
        return {f"{each['name']}{{{each['labels'] or ''}}}": float(each["value"]) for each in found if each}

    def kill(self) -> None:
        """End it as the machine's failure would."""
        self._process.kill()
        self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def total(metrics: Sequence[dict[str, float]], name: str, *labels: str) -> float:
    """Sum over workers of every series with this name whose labels hold all the given ones (``stage="dedupe"``)."""
    return sum(
        value
        for each in metrics
        for series, value in each.items()
        if series.startswith(f"{name}{{") and all(label in series for label in labels)
    )


def settings_for(bootstrap: str, app_id: str, directory: Path, partitions: int) -> Settings:
    """Settings of a worker: the defaults, but for what the run is about."""
    return Settings(bootstrap=bootstrap, app_id=app_id, config_dir=directory, partitions=partitions, http_port=0)
