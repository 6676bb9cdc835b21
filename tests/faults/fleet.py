"""The fleet: workers of one site as processes, started, struck, frozen and counted."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import cache
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Final, Self

import orjson

from pipeline.settings import Settings
from tests.faults.worker import Orders, run
from tests.support import wait_until

READY_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 40.0
KEEP_SECONDS: Final = 0.1


@cache
def _context() -> ForkServerContext:
    """Workers are forked from a server that has imported them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.worker"])
    return context


class Member:
    """One worker process.

    Attributes:
        orders: what it was told.
    """

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._process = _context().Process(target=run, args=(orders,), name=orders.log.stem)
        # Two threads that ask at the same time would read the fork server's one answer twice, and the second gets 255.
        self._asking = threading.Lock()
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self.exit_code is not None

    @property
    def exit_code(self) -> int | None:
        """As of `subprocess`: negative for a signal."""
        with self._asking:
            return self._process.exitcode

    def kill(self) -> float:
        """As kill -9; gives the moment, on the monotonic clock that all processes share."""
        at = time.monotonic()
        self._process.kill()
        self.wait()
        return at

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def frozen(self) -> bool:
        """It stands still, by its own hand or ours."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    def memory_bytes(self) -> int:
        """Memory of its own; what it shares with the server it was forked from does not count."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")

    def terminate(self) -> int:
        """Ask to stop; gives the exit code."""
        self._process.terminate()
        return self.wait()

    def wait(self, seconds: float = STOP_SECONDS_MAX) -> int:
        """Wait for its end; gives the exit code."""
        wait([self._process.sentinel], seconds)
        code = self.exit_code
        assert code is not None, f"{self._process.name} does not end: {self.said()[-500:]}"
        return code

    def said(self) -> str:
        return self.orders.log.read_text(errors="replace") if self.orders.log.exists() else ""

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its JSON lines of one event."""
        lines = [line for line in self.said().splitlines() if line.startswith("{")]
        return [event for line in lines if (event := _parsed(line)).get("event") == name]

    def last_words(self) -> str:
        """Why it ended, as far as it said."""
        for event in reversed(self.events("fatal") + self.events("refused")):
            return f"{event.get('what', 'refused')}, {event.get('stage')}: {event.get('error', event.get('why'))}"
        return self.said()[-500:]

    def ready(self) -> bool:
        return bool(self.events("ready"))

    def first_commit(self) -> float | None:
        """When its first transaction was committed, whatever the stage."""
        return min((event["monotonic"] for event in self.events("first commit")), default=None)


def _parsed(line: str) -> dict[str, Any]:
    try:
        return dict(orjson.loads(line))
    except orjson.JSONDecodeError:  # the last line of one that was killed
        return {}


class Fleet:
    """All workers of one site, in the order of their start.

    Attributes:
        kills: when workers died of a signal, each with the successor whose first commit is the recovery.
        faults: what was done to them, by kind.
        allowed_exits: exit codes that are right for a worker in this scenario, besides 0 and a kill.
    """

    def __init__(self, settings: Settings, place: Path) -> None:
        self._settings = settings
        self._place = place
        self.members: list[Member] = []
        self.kills: list[tuple[float, Member]] = []
        self.faults: Counter[str] = Counter()
        self.allowed_exits: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            if not member.ended:
                member.kill()

    def start(self, seat: int | None = None, **orders: Any) -> Member:
        """One more worker.

        Args:
            seat: its place in the fleet, which a restarted worker takes again (static membership); None: no place.
            orders: further fields of `Orders`.
        """
        log = self._place / f"{self._settings.app_id}-{len(self.members)}.log"
        settings = self._settings
        if seat is not None:
            settings = settings.model_copy(update={"instance_id": f"seat-{seat}"})
        member = Member(replace(Orders(settings, log), **orders))
        self.members.append(member)
        return member

    def start_ready(self, seat: int | None = None, **orders: Any) -> Member:
        """One more worker, once it serves."""
        return self.wait_ready(self.start(seat, **orders))

    def wait_ready(self, member: Member) -> Member:
        """Wait until a worker serves."""
        wait_until(lambda: member.ready() or member.ended, READY_SECONDS_MAX, "the worker serves")
        assert not member.ended, f"{member.orders.log.name}: exit code {member.exit_code}: {member.last_words()}"
        return member

    def succeed(self, at: float, seat: int | None = None, **orders: Any) -> Member:
        """A successor of one that died at that moment."""
        heir = self.start(seat, **orders)
        self.kills.append((at, heir))
        return heir

    def check(self) -> None:
        """Fail where a worker has ended that nobody killed or stopped, or was expected to end."""
        for member in self.members:
            if member.exit_code not in (None, 0, -signal.SIGKILL, *self.allowed_exits):
                raise AssertionError(f"{member.orders.log.name}: exit code {member.exit_code}: {member.last_words()}")

    def stop(self) -> list[int]:
        """Stop all that live; gives their exit codes."""
        living = [member for member in self.members if not member.ended]
        for member in living:
            os.kill(member.pid, signal.SIGTERM)
        return [member.wait() for member in living]

    def recoveries(self) -> list[float]:
        """Seconds from each kill to the first commit of its successor, where there was one."""
        found = [(at, heir.first_commit()) for at, heir in self.kills]
        return [commit - at for at, commit in found if commit is not None]


class Keeper:
    """Starts a worker again whenever one ends, as an orchestrator does, for the time of a ``with`` block.

    Attributes:
        restarts: how often it had to.
    """

    def __init__(self, fleet: Fleet, seats: int, **orders: Any) -> None:
        self._fleet = fleet
        self._orders = orders
        self._seats = {seat: fleet.start(seat, **orders) for seat in range(seats)}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.restarts = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def members(self) -> list[Member]:
        """The workers of the seats."""
        return list(self._seats.values())

    def _run(self) -> None:
        while not self._stop.wait(KEEP_SECONDS):
            for seat, member in self._seats.items():
                if member.ended:
                    self.restarts += 1
                    self._seats[seat] = self._fleet.succeed(time.monotonic(), seat, **self._orders)
