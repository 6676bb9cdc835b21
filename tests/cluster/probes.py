"""Probes as a kubelet runs them: startup before the others, each with its period, time limit and thresholds."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from tests.cluster.manifests import Document, ManifestError

OK_BELOW: Final = 400
REDIRECT: Final = 300
FAILURES: Final = 3
"""Failures in a row that count where the manifest names no number; likewise the next two, in seconds and in number."""
PERIOD_SECONDS: Final = 10.0
TIMEOUT_SECONDS: Final = 1.0


class Probe:
    """One probe of one run of a container.

    Attributes:
        passing: what the thresholds made of the answers so far; None: no threshold was reached yet.
        asked: how often it was asked.
    """

    def __init__(self, said: Document, ask: Callable[[float], bool], started_at: float) -> None:
        """Describe it.

        Args:
            said: the manifest's words.
            ask: asks once, for so many seconds at most.
            started_at: when the container started, seconds of the monotonic clock.
        """
        self._ask = ask
        self._period = float(said.get("periodSeconds", PERIOD_SECONDS))
        self._timeout = float(said.get("timeoutSeconds", TIMEOUT_SECONDS))
        self._needed = {False: int(said.get("failureThreshold", FAILURES)), True: int(said.get("successThreshold", 1))}
        self._due = started_at + float(said.get("initialDelaySeconds", 0))
        self._running: Future[bool] | None = None
        self._last: bool | None = None
        self._in_a_row = 0
        self.passing: bool | None = None
        self.asked = 0

    def advance(self, now: float, pool: ThreadPoolExecutor) -> None:
        """Take an answer that has come, and ask where it is time."""
        if self._running is not None:
            if not self._running.done():
                return
            self._take(self._running.result())
            self._running = None
        if now >= self._due:
            self._due = now + self._period
            self.asked += 1
            self._running = pool.submit(self._ask, self._timeout)

    def _take(self, answer: bool) -> None:
        self._in_a_row = self._in_a_row + 1 if answer == self._last else 1
        self._last = answer
        if self._in_a_row >= self._needed[answer]:
            self.passing = answer


def handler(
    said: Document, ports: Mapping[str | int, int], argv: Callable[[list[str]], list[str]], environment: dict[str, str]
) -> Callable[[float], bool]:
    """What asks once, by the manifest's words.

    Args:
        said: a probe or a hook.
        ports: of the container, by name and by number -> the port that it has on this machine.
        argv: makes a command of the manifest one of this machine.
        environment: of the container.

    Raises:
        ManifestError: a port that the container does not declare, or a kind that this kubelet does not know.
    """
    if "exec" in said:
        command = argv(said["exec"]["command"])
        return lambda seconds: _exec(command, environment, seconds)
    for kind in ("httpGet", "tcpSocket"):
        if kind in said:
            port = ports.get(said[kind]["port"])
            if port is None:
                raise ManifestError(f"{kind} asks port {said[kind]['port']}, which the container does not declare")
            if kind == "tcpSocket":
                return lambda seconds: _connect(port, seconds)
            path, headers = said[kind].get("path", "/"), said[kind].get("httpHeaders", ())
            named = {header["name"]: header["value"] for header in headers}
            return lambda seconds: _get(port, path, named, seconds)
    raise ManifestError(f"a probe or hook of a kind that this kubelet does not know: {sorted(said)}")


def _exec(command: list[str], environment: dict[str, str], seconds: float) -> bool:
    try:
        done = subprocess.run(command, env=environment, timeout=seconds, capture_output=True, check=False, cwd=os.sep)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _connect(port: int, seconds: float) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds):
            return True
    except OSError:
        return False


def _get(port: int, path: str, headers: Mapping[str, str], seconds: float) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 our own machine
            return bool(answer.status < OK_BELOW)
    except urllib.error.HTTPError as error:
        return REDIRECT <= error.code < OK_BELOW
    except (OSError, ValueError):
        return False
