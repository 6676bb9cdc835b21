"""Pressure: ingest hands on no more than the stages after it get through, so that a backlog lies in the raw topics.

There every feed has a lane of its own, and what is urgent in one passes another's backlog. In `alerts` and `episodes`
it would wait behind everything. So ingest looks twice a second how far dedupe and correlate are behind, whatever
process they are in. Where it is more than a second's worth, lanes with a backlog wait, and then go on at half of what
they had; what they may rises again as long as nothing is behind. Lanes without a backlog always go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.flow import PRESSING_STAGES
from pipeline.kafka.behind import Behind, behind
from pipeline.kafka.client import librdkafka
from pipeline.runtime.guard import log_line
from pipeline.settings import Settings

LOOK_SECONDS: Final = 0.5

SECONDS_BEHIND_MAX: Final = 1.0
"""A stage that is further behind than it handles in this time is pressed. Of five seconds from a raw alert to a P1
incident two stages may take two."""

RECORDS_BEHIND_MIN: Final = 1_000
"""So few are never too many: an idle stage's transaction marks, one batch of a stage that has handled nothing yet."""

EASED: Final = 0.5
RISE: Final = 1.25
"""What lanes with a backlog may have: after pressure this share of what they had; without it so much more each look."""

RATE_MIN: Final = 200.0
"""Records a second that are let through in any case when nothing is pressed: else none would measure what goes."""


class Pressure:
    """How much lanes with a backlog may hand on, in one process; shared by its partitions.

    Attributes:
        held: a stage after ingest is too far behind: lanes with a backlog wait.
        rate: records a second that they may hand on together; None: as many as they can.
    """

    def __init__(self) -> None:
        self.held = False
        self.rate: float | None = None
        self._before: Mapping[str, Behind] = {}
        self._at = 0.0
        self._spent = 0
        self._tokens = 0.0

    def allowed(self) -> int | None:
        """Records that lanes with a backlog may hand on now; None: as many as they like."""
        if self.held:
            return 0
        return None if self.rate is None else max(0, int(self._tokens))

    def spend(self, records: int) -> None:
        """So many of such a lane were taken."""
        self._spent += records
        self._tokens -= records

    def observe(self, stages: Mapping[str, Behind], now: float) -> bool:
        """Take how the stages after ingest stand. Whether lanes began or ceased to be held.

        Args:
            stages: by name; those of which nothing is known are not.
            now: monotonic time, seconds.
        """
        elapsed = max(0.001, now - self._at)
        pressed = any(self._is_pressed(name, each, elapsed) for name, each in stages.items())
        if pressed and not self.held:
            self.rate = max(RATE_MIN, EASED * self._spent / elapsed)
        elif not pressed and self.rate is not None:
            used = self._spent / elapsed
            # Nobody needs the limit: what came was less than half of it, and nothing was behind.
            self.rate = None if not self.held and used < self.rate / 2 else self.rate * RISE
        changed = pressed != self.held
        self.held, self._before, self._at, self._spent = pressed, stages, now, 0
        self._tokens = 0.0 if self.rate is None else self.rate * LOOK_SECONDS
        return changed

    def _is_pressed(self, name: str, stage: Behind, elapsed: float) -> bool:
        before = self._before.get(name)
        handled = max(0, stage.handled - before.handled) / elapsed if before is not None else 0.0
        return stage.records > max(RECORDS_BEHIND_MIN, handled * SECONDS_BEHIND_MAX)


async def watch_pressure(pressure: Pressure, settings: Settings) -> None:
    """Look how the stages after ingest stand, until cancelled. Without an answer nothing is held."""
    admin = AdminClient({**librdkafka(settings), "log_level": 0})
    told = ""
    while True:
        try:
            pressure.observe(await asyncio.to_thread(behind, admin, settings, PRESSING_STAGES), monotonic())
            told = ""
        except KafkaException as error:
            pressure.observe({}, monotonic())
            if told != (told := str(error)):
                log_line(
                    "pressure unknown", stages=PRESSING_STAGES, because=told, so="feeds are not held back for them"
                )
        await asyncio.sleep(LOOK_SECONDS)
