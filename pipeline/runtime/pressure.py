"""Pressure: ingest hands on no more than the stages after it get through, so that a backlog lies in the raw topics.

There every feed has a lane of its own, and what is urgent in one passes another's backlog. In `alerts` and `episodes`
it would wait behind everything. So each ingest process looks twice a second how far dedupe and correlate are behind,
whatever process they are in. A backlog begins at a pace that any machine bears and goes twice as fast each look that
uses it up, as TCP begins: in half a second more would go than correlate opens in five. Where more than a second's worth
is behind, lanes with a backlog wait but for a trickle, and then go on at half of what they had; what they may rises
again as long as nothing is behind. Lanes without a backlog always go on.
"""

from __future__ import annotations

import asyncio
from collections import deque
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

USED: Final = 0.45
"""A look that used this share of the limit used it up: half a second's worth is saved up, looks may take longer."""

ROOM: Final = 2.5
"""A limit that is not used up comes down to so many times the most that went in a look of the last `RECENT_SECONDS`;
less than 1 / `USED` would raise it again at once."""

RECENT_SECONDS: Final = 5.0
"""So long after the last backlog the next one begins anew; a shorter pause may be ingest's own."""

UNKNOWN_SECONDS_MAX: Final = 30.0
"""So long without an answer there is no limit any more; a busy broker may leave some looks without one (5 s each)."""

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
        """A backlog would begin now. ``clock``: monotonic time, seconds."""
        self.held = False
        self.rate: float | None = BEGIN_RATE
        self._rise = BEGIN_RISE
        self._clock = clock
        self._before: dict[str, tuple[float, Behind]] = {}
        self._looked_at = self._answered_at = self._refilled_at = clock()
        self._spent = 0
        self._paces: deque[tuple[float, float]] = deque()  # of the looks of the last seconds: when, records a second
        self._tokens = BEGIN_RATE * LOOK_SECONDS

    def allowed(self) -> int | None:
        """Records that lanes with a backlog may hand on now; None: as many as they like."""
        if not self._is_limited:
            return None
        self._refill()
        return max(0, int(self._tokens))

    def spend(self, records: int) -> None:
        """So many of such a lane were taken."""
        self._spent += records
        if self._is_limited:
            self._tokens -= records

    def observe(self, stages: Mapping[str, Behind]) -> bool:
        """Take how the stages after ingest stand. Whether lanes began or ceased to be held.

        Args:
            stages: by name; those that have committed nothing yet are not. The first look at one decides nothing: how
                much it gets done shows between two.
        """
        now = self._answered_at = self._clock()
        pressed = any(self._is_pressed(stages[name], now, *self._before[name]) for name in stages.keys() & self._before)
        is_first = bool(stages) and not stages.keys() & self._before
        changed = False if is_first else self._decide(pressed, now)
        self._before |= {name: (now, stage) for name, stage in stages.items()}
        self._end_look(now)
        return changed

    def unknown(self) -> bool:
        """Nobody answers how the stages stand: nothing is held. Whether lanes ceased to be."""
        now, changed = self._clock(), self.held
        self._refill()
        self.held = False
        if now - self._answered_at >= UNKNOWN_SECONDS_MAX:
            self.rate = None
        self._end_look(now)
        return changed

    @property
    def _is_limited(self) -> bool:
        return self.held or self.rate is not None

    def _decide(self, pressed: bool, now: float) -> bool:
        changed = pressed != self.held
        pace = self._spent / max(0.001, now - self._looked_at)
        self._remember(now, pace)
        if changed:
            if pressed:
                self.rate, self._rise = max(RATE_MIN, EASED * pace), RISE
            self.held, self._tokens, self._refilled_at = pressed, 0.0, now
        elif not pressed:
            self._ease(pace)
        self._refill()
        return changed

    def _ease(self, pace: float) -> None:
        """Nothing is behind: what lanes with a backlog may rises where they use it, and else comes down."""
        most = max(each for _, each in self._paces)
        if self.rate is None or most == 0.0:
            self.rate, self._rise, self._tokens = BEGIN_RATE, BEGIN_RISE, BEGIN_RATE * LOOK_SECONDS
        elif pace >= USED * self.rate:
            self.rate *= self._rise
        else:
            self.rate = min(self.rate, max(BEGIN_RATE, ROOM * most))

    def _remember(self, now: float, pace: float) -> None:
        self._paces.append((now, pace))
        while self._paces[0][0] < now - RECENT_SECONDS:
            self._paces.popleft()

    def _end_look(self, now: float) -> None:
        self._looked_at, self._spent = now, 0

    def _refill(self) -> None:
        """Tokens come with time, however long a look takes, and half a second's worth is saved up at most."""
        now, rate = self._clock(), TRICKLE if self.held else self.rate
        if rate is not None:
            self._tokens = min(rate * LOOK_SECONDS, self._tokens + rate * (now - self._refilled_at))
        self._refilled_at = now

    @staticmethod
    def _is_pressed(stage: Behind, now: float, then: float, before: Behind) -> bool:
        handled = max(0, stage.handled - before.handled) / max(0.001, now - then)
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
            pressure.unknown()
            if told != (told := str(error)):
                log_line(
                    "pressure unknown", stages=PRESSING_STAGES, because=told, so="feeds are not held back for them"
                )
        await asyncio.sleep(LOOK_SECONDS)
