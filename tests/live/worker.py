"""A real worker of the product as a child process: started, killed, stopped, and asked over HTTP."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from math import ceil
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from pipeline.kafka.ports import free_ports
from pipeline.settings import Settings
from tests.support import wait_until

READY_SECONDS_MAX: Final = 40.0
END_SECONDS_MAX: Final = 20.0
ANSWER_SECONDS_MAX: Final = 5.0

SPILLWAY_RUN: Final = (sys.executable, "-m", "pipeline", "run")
FAUST_WORKER: Final = (sys.executable, "-m", "faust", "-A", "pipeline.app", "worker")


class Worker:
    """One worker process, with its log in a file."""

    def __init__(self, settings: Settings, log: Path, command: tuple[str, ...], secrets: Mapping[str, str]) -> None:
        self._log = log
        self._settings = settings.model_copy(update={"http_port": free_ports(1)[0]})
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=self._settings.to_environment() | dict(secrets), stdout=output, stderr=output
            )

    def wait_ready(self) -> Worker:
        """Return once all its stages serve their first assignment."""
        wait_until(lambda: self.is_ready() or self.ended(), READY_SECONDS_MAX, "the worker is ready")
        self.check()
        return self

    def is_ready(self) -> bool:
        try:
            return self._answer("/readyz")[0] == 200
        except (OSError, HTTPException):
            return False

    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def check(self) -> None:
        """Fail, with its last words, where it has ended."""
        assert not self.ended(), f"exit code {self._process.returncode}: {self.said()[-2000:]}"

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """As kill -9, and as the machine's end."""
        self._process.kill()
        self._process.wait()

    def hang_up(self) -> None:
        """Ask for a reload of the configuration."""
        self._process.send_signal(signal.SIGHUP)

    def terminate(self) -> int:
        """Ask to stop; returns the exit code."""
        self._process.terminate()
        return self._process.wait(END_SECONDS_MAX)

    def get(self, path: str) -> str:
        self.check()
        status, body = self._answer(path)
        assert status == 200, f"{path}: {status}"
        return body

    def series(self) -> dict[str, Counter[tuple[str, ...]]]:
        """Its metrics: name -> values of the labels, in the labels' alphabetical order -> number.

        Figures in whole numbers (counts); what is below one, as seconds may be, is rounded up so that it shows.
        """
        found: dict[str, Counter[tuple[str, ...]]] = {}
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, Counter())[labels] += ceil(sample.value)
        return found

    def dispositions(self) -> Counter[str]:
        """Alerts that this worker has decided, by disposition."""
        counts: Counter[str] = Counter()
        for (disposition, _, _), number in self.series().get("spillway_alerts_total", Counter()).items():
            counts[disposition] += number
        return counts

    def remainder(self) -> int:
        """Alerts unaccounted for in its stages, as its gauges say; both signs count."""
        return sum(map(abs, self.series()["spillway_conservation_remainder"].values()))

    def _answer(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self._settings.http_port, timeout=ANSWER_SECONDS_MAX)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
