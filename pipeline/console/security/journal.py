"""The access log's writer: takes entries at once, writes them in batches, and says what it could not write."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from pipeline.console.context import Context
from pipeline.console.security.metrics import LOG_LOST, LOG_WRITTEN
from pipeline.records.access.log import SWEEP_ROWS, Entry, sweep_log, write_entries
from pipeline.records.access.sessions import sweep_sessions
from pipeline.runtime.guard import log_line

WAITING_MAX: Final = 20_000
"""Entries in memory while the database is away, some 10 MB: minutes of a busy console."""

BATCH_MAX: Final = 500
WRITE_SECONDS: Final = 0.25
"""How long an entry waits for others: one statement then has many."""

AGAIN_SECONDS: Final = 2.0
DRAIN_SECONDS_MAX: Final = 5.0
SWEEP_SECONDS: Final = 3_600.0

SAME_LOOK_MINUTES: Final = 5
"""A page that stays open loads its parts again whenever something happens: that is one look."""
LOOKS_MAX: Final = 20_000


class Journal:
    """Writes the access log of one process. What waits is bounded; what is lost is counted and said."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: deque[Entry] = deque()
        self._looks: OrderedDict[tuple[str | None, str | None, str, str | None], float] = OrderedDict()
        self._stir = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._lost = 0

    def start(self) -> None:
        """Begin to write, in this event loop."""
        self._task = asyncio.create_task(self._run(), name="access-log")

    def looked(self, entry: Entry) -> None:
        """Take a look at something; looking again soon is the same look."""
        key = (entry.subject, entry.credential, entry.action, entry.target)
        at = entry.at.timestamp()
        before = self._looks.get(key)
        if before is not None and at - before < SAME_LOOK_MINUTES * 60:
            return
        self._looks[key] = at
        self._looks.move_to_end(key)
        if len(self._looks) > LOOKS_MAX:
            self._looks.popitem(last=False)
        self.take(entry)

    def take(self, entry: Entry) -> None:
        """Take an entry. The oldest ones make room: what happens now is what somebody will ask for."""
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self._lose(1)
        self._waiting.append(entry)
        self._stir.set()

    async def close(self) -> None:
        """Write what waits, for some seconds; say what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                while self._waiting:
                    await self._write()
        except (SQLAlchemyError, OSError, TimeoutError):
            self._lose(len(self._waiting))
        if self._lost:
            log_line("access-log-lost", entries=self._lost)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while True:
            try:
                async with asyncio.timeout(max(0.0, sweep_at - loop.time())):
                    await self._stir.wait()
            except TimeoutError:
                sweep_at = loop.time() + SWEEP_SECONDS
                await self._sweep()
                continue
            await asyncio.sleep(WRITE_SECONDS)
            self._stir.clear()
            try:
                while self._waiting:
                    await self._write()
            except (SQLAlchemyError, OSError) as error:
                log_line("access-log-waits", entries=len(self._waiting), error=type(error).__name__)
                self._stir.set()
                await asyncio.sleep(AGAIN_SECONDS)

    async def _write(self) -> None:
        """Write a batch; it is let go of when it is written, and not before."""
        batch = [self._waiting[index] for index in range(min(BATCH_MAX, len(self._waiting)))]
        lost_before = self._lost
        await self._context.write(lambda connection: write_entries(connection, batch))
        for _ in range(len(batch) - (self._lost - lost_before)):  # those that made room meanwhile are gone already
            self._waiting.popleft()
        LOG_WRITTEN.inc(len(batch))

    def _lose(self, count: int) -> None:
        self._lost += count
        LOG_LOST.inc(count)

    async def _sweep(self) -> None:
        """Forget what is older than it has to be kept, and sessions that are over."""
        settings = self._context.config.console
        now = self._context.now()
        before = now - timedelta(days=settings.access_log_days)

        def sessions_over(connection: Connection) -> int:
            return sweep_sessions(connection, idle_minutes=settings.session_idle_minutes, now=now)

        try:
            await self._context.write(sessions_over)
            while await self._context.write(lambda connection: sweep_log(connection, before)) >= SWEEP_ROWS:
                pass
        except (SQLAlchemyError, OSError) as error:
            log_line("access-log-not-swept", error=type(error).__name__)
