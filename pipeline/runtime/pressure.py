"""Pressure: ingest hands on no more than the stages after it get through, so that a backlog lies in the raw topics.

There every feed has a lane of its own, and what is urgent in one passes another's backlog. In `alerts` and `episodes`
it would wait behind everything. So ingest looks twice a second how far dedupe and correlate are behind, whatever
process they are in. A backlog begins at a pace that any machine bears and goes twice as fast each look, as TCP begins:
in half a second more would go than correlate opens in five. Where more than a second's worth is behind, lanes with a
backlog wait but for a trickle, and then go on at half of what they had; what they may rises again as long as nothing is
behind. Lanes without a backlog always go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from confluent_kafka import KafkaException

from pipeline.flow import PRESSING_STAGES
from pipeline.kafka.behind import Behind, Onlooker
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

BEGIN_RATE: Final = 2_000.0
"""Records a second that a backlog begins with: about as many new conditions as one core of correlate opens."""

BEGIN_RISE: Final = 2.0
"""So much more each look, until something is behind for the first time: 32,000 a second after two seconds."""

IDLE_SECONDS: Final = 5.0
"""So long after the last backlog the next one begins anew, and so long without an answer there is no limit: a shorter
pause may be ingest's own, or the brokers'."""

RATE_MIN: Final = 200.0
"""Records a second that are let through in any case when nothing is pressed: else none would measure what goes."""

TRICKLE: Final = 10.0
"""Records a second that are let through while held. What is behind may be nothing but aborted records at the end of a
partition: a stage commits past them only with a record that comes after, and without one they would hold for ever."""


class Pressure:
    """How much lanes with a backlog may hand on, in one process; shared by its partitions.

    Attributes:
        held: a stage after ingest is too far behind: lanes with a backlog wait, but for a trickle.
        rate: records a second that they may hand on together when not held; None: as many as they can, as nobody can
            tell how the stages after ingest stand.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Nothing is held. ``clock``: monotonic time, seconds."""
        self.held = False
        self.rate: float | None = BEGIN_RATE
        self._rise = BEGIN_RISE
        self._clock = clock
        self._before: Mapping[str, Behind] = {}
        self._looked_at = self._refilled_at = clock()
        self._spent = 0
        self._idle_seconds = self._unknown_seconds = 0.0
        self._tokens = BEGIN_RATE * LOOK_SECONDS
        self._least = 0.0  # tokens there were at any time since the last look

    def allowed(self) -> int | None:
        """Records that lanes with a backlog may hand on now; None: as many as they like."""
        if not self.held and self.rate is None:
            return None
        self._refill()
        return max(0, int(self._tokens))

    def spend(self, records: int) -> None:
        """So many of such a lane were taken."""
        self._spent += records
        self._tokens -= records
        self._least = min(self._least, self._tokens)

    def observe(self, stages: Mapping[str, Behind]) -> bool:
        """Take how the stages after ingest stand. Whether lanes began or ceased to be held.

        Args:
            stages: by name; those of which nothing is known are not. The first look at one decides nothing: how much
                it gets done shows between two.
        """
        now, known = self._clock(), [name for name in stages if name in self._before]
        elapsed = max(0.001, now - self._looked_at)
        changed = False
        self._unknown_seconds = 0.0 if stages else self._unknown_seconds + elapsed
        if not stages:
            changed, self.held = self.held, False
            self.rate = None if self._unknown_seconds >= IDLE_SECONDS else self.rate
        elif known or self.rate is None:
            pressed = any(self._is_pressed(stages[name], self._before[name], elapsed) for name in known)
            changed = self._decide(pressed, elapsed)
        self._refill()
        self._before, self._looked_at, self._spent, self._least = stages, now, 0, self._tokens
        return changed

    def _decide(self, pressed: bool, elapsed: float) -> bool:
        changed = pressed != self.held
        if pressed and changed:
            self.rate, self._rise = max(RATE_MIN, EASED * self._spent / elapsed), RISE
        elif not pressed:
            self._idle_seconds = 0.0 if self._spent else self._idle_seconds + elapsed
            if self.rate is None or self._idle_seconds >= IDLE_SECONDS:
                self.rate, self._rise = BEGIN_RATE, BEGIN_RISE
            elif changed or self._least < self.rate * LOOK_SECONDS / 2:
                self.rate *= self._rise
        if changed:
            self.held, self._tokens, self._refilled_at = pressed, 0.0, self._clock()
        return changed

    def _refill(self) -> None:
        """Tokens come with time, however long a look takes, and half a second's worth is saved up at most."""
        now, rate = self._clock(), TRICKLE if self.held else self.rate
        if rate is not None:
            self._tokens = min(rate * LOOK_SECONDS, self._tokens + rate * (now - self._refilled_at))
        self._refilled_at = now

    @staticmethod
    def _is_pressed(stage: Behind, before: Behind, elapsed: float) -> bool:
        handled = max(0, stage.handled - before.handled) / elapsed
        return stage.records > max(RECORDS_BEHIND_MIN, handled * SECONDS_BEHIND_MAX)


async def watch_pressure(pressure: Pressure, settings: Settings) -> None:
    """Look how the stages after ingest stand, until cancelled. Without an answer nothing is held."""
    onlooker = Onlooker(settings)
    told = ""
    while True:
        try:
            pressure.observe(await asyncio.to_thread(onlooker.behind, PRESSING_STAGES))
            told = ""
        except KafkaException as error:
            pressure.observe({})
            if told != (told := str(error)):
                log_line(
                    "pressure unknown", stages=PRESSING_STAGES, because=told, so="feeds are not held back for them"
                )
        await asyncio.sleep(LOOK_SECONDS)
