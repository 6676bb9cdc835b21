"""The time of a console: this machine's, or that of the recording whose story it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import time
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.records.tables import PROJECTED

LOOK_SECONDS: Final = 0.5


def wall_ms() -> int:
    """This machine's clock, epoch milliseconds."""
    return int(time() * 1_000)


class RecordedClock:
    """The time of the newest record that is in the store: ages and clocks are those of the story, not of the viewer."""

    def __init__(self) -> None:
        self._ms: int | None = None

    def __call__(self) -> int:
        """Epoch milliseconds; this machine's while nothing is in the store."""
        return wall_ms() if self._ms is None else self._ms

    async def follow(self, ask: Callable[[Callable[[Connection], Any]], Any]) -> None:
        """Follow the store until cancelled.

        Args:
            ask: puts a question to it.
        """
        while True:
            try:
                reached: datetime | None = await ask(_reached)
            except SQLAlchemyError:
                reached = None  # away or not set up yet: the process says so itself
            if reached is not None:
                self._ms = max(self._ms or 0, round(reached.timestamp() * 1_000))
            await asyncio.sleep(LOOK_SECONDS)


def _reached(connection: Connection) -> Any:
    return connection.scalar(select(func.max(PROJECTED.c.reached_at)))
