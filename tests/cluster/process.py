"""One process of a container: started in a session of its own, ended as a kubelet ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

# The kernel ends the process with the thread that started it, so that nothing outlives a test that was killed.
_LEASH: Final = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
os.execvpe(sys.argv[1], sys.argv[1:], os.environ)
"""

STARTING_NICE: Final = 10
"""Of a process that starts. In a cluster each pod has the CPU that it requests, so the start of one takes nothing from
those that serve; here all share two cores, and a tenth of a share is what comes nearest."""


class Process:
    """A running command.

    Attributes:
        killed: the grace period was over before it ended.
        asked_at: when it was asked to end, seconds of the monotonic clock; None: it was not.
    """

    def __init__(self, argv: list[str], environment: dict[str, str], directory: Path, log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LEASH, *argv],
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stands_back = os.geteuid() == 0  # nobody else may take a share again
        if self._stands_back:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, STARTING_NICE)
            self._nice_session(STARTING_NICE)
        self.killed = False
        self.asked_at: float | None = None
        self._grace_seconds = 0.0
        self._hook: Future[bool] | None = None
        self._told = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """As of `subprocess`; None while it runs."""
        return self._process.poll()

    def take_share(self) -> None:
        """It has started: each of its threads has as much of the machine as others'."""
        if not self._stands_back:
            return
        self._stands_back = False
        self._nice_session(0)
        for _ in range(2):  # a thread that was begun amid the first pass
            for thread in Path(f"/proc/{self._process.pid}/task").glob("*"):
                with suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), 0)

    def _nice_session(self, nice: int) -> None:
        """Between sessions, of which each container has one, Linux weighs these as a whole where it groups by them."""
        with suppress(FileNotFoundError, ProcessLookupError):  # it does not, or it has ended
            Path(f"/proc/{self._process.pid}/autogroup").write_text(str(nice))

    def ask(
        self, now: float, grace_seconds: float, hook: Callable[[float], bool] | None, pool: ThreadPoolExecutor
    ) -> None:
        """Begin to end it: the ``preStop`` hook first, whose time is part of the grace period."""
        if self.asked_at is None:
            self.asked_at, self._grace_seconds = now, grace_seconds
            self._hook = pool.submit(hook, grace_seconds) if hook is not None else None

    def advance(self, now: float) -> None:
        """Go on with the end: SIGTERM after the hook, SIGKILL after the grace period."""
        if self.asked_at is None or self.exit_code is not None:
            return
        if now - self.asked_at >= self._grace_seconds:
            self.killed = True
            self.kill()
        elif not self._told and (self._hook is None or self._hook.done()):
            self._told = True
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As the end of a machine: the process and what it started, at once."""
        if self.exit_code is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
