"""Starts record workers faster than Python imports them: a process that has everything imported forks each of them.

Each is ``spillway run record`` from its first line on, in a process of its own that can be killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import orjson

from pipeline.cli import main as spillway
from pipeline.kafka.ports import free_ports
from pipeline.settings import Settings
from tests.support import is_ready, wait_until

READY_SECONDS_MAX: Final = 120.0
END_SECONDS_MAX: Final = 60.0
ANSWER_SECONDS_MAX: Final = 5.0


class Nursery:
    """The process that forks. Children of it are no children of ours: it tells how they have ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.records.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def worker(self, settings: Settings, log: Path) -> ForkedWorker:
        """A worker, just begun."""
        port = free_ports(1)[0]
        environment = settings.model_copy(update={"http_port": port}).to_environment()
        pid = self.ask({"start": environment, "log": str(log)})
        return ForkedWorker(self, pid, port, log)

    def ask(self, order: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(orjson.dumps(order) + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_SECONDS_MAX)


class ForkedWorker:
    """One worker process, with its log in a file."""

    def __init__(self, nursery: Nursery, pid: int, port: int, log: Path) -> None:
        self._nursery, self._pid, self._port, self._log = nursery, pid, port, log
        self._status: int | None = None

    def wait_ready(self) -> ForkedWorker:
        """Return once it serves its partitions."""
        wait_until(lambda: self.is_ready() or self.ended(), READY_SECONDS_MAX, f"the worker is ready: {self._log}")
        self.check()
        return self

    def is_ready(self) -> bool:
        return is_ready(self._port, ANSWER_SECONDS_MAX)

    def ended(self) -> bool:
        if self._status is None:
            status = self._nursery.ask({"ended": self._pid})
            self._status = status if status >= 0 else None
        return self._status is not None

    def check(self) -> None:
        """Fail, with its last words, where it has ended."""
        assert not self.ended(), f"exit status {self._status}: {self.said()[-2000:]}"

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """As kill -9, and as the machine's end."""
        os.kill(self._pid, signal.SIGKILL)
        wait_until(self.ended, END_SECONDS_MAX, "it is dead")

    def terminate(self) -> int:
        """Ask to stop; returns what `os.wait` says of its end: 0 for a good one."""
        os.kill(self._pid, signal.SIGTERM)
        wait_until(self.ended, END_SECONDS_MAX, "it has stopped")
        assert self._status is not None
        return self._status


def main() -> None:
    """Obey: ``start`` answers the process id, ``ended`` the status, -1 while it lives."""
    for name in ("pipeline.agents.record", "pipeline.app", "pipeline.cli.run"):
        import_module(name)  # all that a worker needs, before the first fork
    alive: set[int] = set()
    for line in sys.stdin.buffer:
        order = orjson.loads(line)
        if "ended" in order:
            pid, status = os.waitpid(order["ended"], os.WNOHANG)
            answer = status if pid else -1
            alive.discard(pid)
        elif not (answer := os.fork()):
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for old, new in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(old, new)
            os.environ.update(order["start"])
            spillway(["run", "record"])
        else:
            alive.add(answer)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
