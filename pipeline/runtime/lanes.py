"""What waits for one partition of a stage that reads many feeds: a lane and a fair share of each transaction for all.

A feed that runs away fills its own lane and nobody else's: reading stops for the lane alone, and each transaction takes
as much of it as the others leave. What another feed sends so waits for one transaction, not for the backlog.

Only for stages in which the order between topics means nothing. Within a topic it stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from pipeline.core.step import Record
from pipeline.flow import MEBIBYTE
from pipeline.runtime.context import StageContext
from pipeline.runtime.quota import Quota
from pipeline.runtime.waiting import TRANSACTION_BYTES_MAX, Waiting

LANE_BYTES_MIN: Final = MEBIBYTE
"""What one lane may hold in any case: about one transaction of usual records, so that fetching goes on meanwhile."""

SHORT_RECORDS_MAX: Final = 200
"""Records of a lane without a backlog, which no pressure holds back: a tenth of a transaction."""

LOOK_AGAIN_SECONDS: Final = 0.05
"""While lanes are held back because of pressure: how soon its end is noticed."""

URGENT_RECORDS_MAX: Final = 50
"""Of one partition that wait to go before their turn, and go in one transaction. Three MiB at most, and beside
`STAGE_BYTES_MAX`: none of them is larger than 64 KiB (`pipeline.runtime.look_ahead`)."""

LANES_AT_WORK: Final = 2
"""A lane may hold the partition's room divided by this: a storm comes from one feed, seldom from two at a time."""

MANY: Final = 1_000_000
"""More records than any transaction takes."""


class Lanes:
    """Fetched batches by topic; to the partition's task it is a `Waiting`."""

    def __init__(self, context: StageContext) -> None:
        """Without lanes at first; ``context`` has the quotas."""
        self._lanes: dict[str, Waiting] = {}
        self._quotas: dict[str, Quota] = {}
        self._pressure = context.pressure
        self._urgent: list[Record] = []
        self.renew(context)

    @property
    def held_bytes(self) -> int:
        """What waits and what was taken and is not done yet."""
        return sum(lane.held_bytes for lane in self._lanes.values())

    @property
    def in_hand(self) -> bool:
        """Something was taken and is not done yet."""
        return any(lane.in_hand for lane in self._lanes.values())

    def __bool__(self) -> bool:
        return bool(self._urgent) or any(self._allowed(topic) for topic, lane in self._lanes.items() if lane)

    def seconds_until_due(self) -> float | None:
        """How long until something that waits may be taken; None: nothing waits."""
        if self._urgent:
            return 0.0
        waits = [self._wait(topic) for topic, lane in self._lanes.items() if lane]
        return min(waits, default=None)

    def has_room(self, topic: str, bytes_max: int) -> bool:
        """Whether more of a topic may be read where the partition may hold so many bytes.

        A lane that is held back is read no further than what it may hand on soon: it would fill the stage's memory,
        and nobody would be read.
        """
        lane = self._lanes.get(topic)
        if lane is None:
            return True
        quota, pressure = self._quotas.get(topic), self._pressure
        if quota is not None and lane.records >= quota.soon_max:
            return False
        if pressure is not None and pressure.held and lane.records > SHORT_RECORDS_MAX:
            return False
        return lane.held_bytes < max(LANE_BYTES_MIN, bytes_max // LANES_AT_WORK)

    def may_overflow(self, topic: str) -> bool:
        """Whether a topic may be read although the stage holds enough: the lanes of others fill it, not its own."""
        lane = self._lanes.get(topic)
        return lane is None or not lane.held_bytes

    def put(self, topic: str, records: Sequence[Record], wire_bytes: int | None = None) -> None:
        """Add one topic's fetched records; as in `Waiting.put`."""
        self._lanes.setdefault(topic, Waiting()).put(topic, records, wire_bytes)

    @property
    def urgent_room(self) -> int:
        """Records that may be put to go before their turn."""
        return max(0, URGENT_RECORDS_MAX - len(self._urgent))

    def put_urgent(self, records: Sequence[Record]) -> None:
        """Add records that were found far behind what waits here, and shall go before their turn."""
        self._urgent += records

    def take_urgent(self) -> Sequence[Record]:
        """What shall go now, before everything else; neither quota nor pressure holds it."""
        taken, self._urgent = self._urgent, []
        return taken

    def take(self, records_max: int, bytes_max: int = TRANSACTION_BYTES_MAX) -> dict[str, list[Record]]:
        """One transaction's worth, by topic, at least one record; `done` ends it.

        The emptiest lane first: each gets what it has, up to an equal share of what is left, and what it leaves is
        shared by those after it. So a lane that holds less than its share is emptied in every transaction.
        """
        lanes = sorted(
            ((topic, lane) for topic, lane in self._lanes.items() if lane and self._allowed(topic)),
            key=lambda each: each[1].records,
        )
        batch: dict[str, list[Record]] = {}
        records_left, bytes_left = records_max, bytes_max
        for place, (topic, lane) in enumerate(lanes):
            if records_left <= 0 or (batch and bytes_left <= 0):
                break
            sharing = len(lanes) - place
            share = min(max(1, records_left // sharing), self._allowed(topic))
            if share <= 0:  # the lanes before it have used up what was left
                continue
            taken = lane.take(share, max(1, bytes_left // sharing))
            batch |= taken
            count = len(taken.get(topic, ()))
            records_left -= count
            bytes_left -= lane.taken_bytes
            self._spend(topic, count, bulk=count + lane.records > SHORT_RECORDS_MAX)
        return batch

    def done(self) -> None:
        """What was taken is committed and needs no memory any more."""
        for lane in self._lanes.values():
            lane.done()

    def clear(self) -> None:
        """Drop what waits."""
        self._urgent.clear()
        for lane in self._lanes.values():
            lane.clear()

    def counts(self) -> dict[str, int]:
        """Records by topic that wait or are in hand."""
        return {topic: count for lane in self._lanes.values() for topic, count in lane.counts().items()}

    def oldest_ms(self) -> int | None:
        """Timestamp of the oldest of the first records that wait, or None."""
        oldest = (at_ms for lane in self._lanes.values() if (at_ms := lane.oldest_ms()) is not None)
        return min(oldest, default=None)

    def renew(self, context: StageContext) -> None:
        """Another configuration decides: its quotas count from now on, each with a full burst.

        A quota is the whole feed's, so each partition of its topic has an equal part.
        """
        self._quotas = {}
        for topic, quota in context.quotas.items():
            parts = max(1, context.partition_counts.get(topic, 1))
            wire = context.settings.wire(topic)
            self._quotas[wire] = Quota(quota.messages_per_second / parts, quota.burst / parts)

    def deferred(self) -> Sequence[str]:
        """Topics of which something waits that their quota, or pressure, does not let through at the moment."""
        return [topic for topic, lane in self._lanes.items() if lane and not self._allowed(topic)]

    def _allowed(self, topic: str) -> int:
        quota, pressure = self._quotas.get(topic), self._pressure
        allowed = MANY if quota is None else quota.allowed()
        if pressure is None or self._lanes[topic].records <= SHORT_RECORDS_MAX:
            return allowed
        bulk = pressure.allowed()
        return allowed if bulk is None else min(allowed, bulk)

    def _wait(self, topic: str) -> float:
        quota = self._quotas.get(topic)
        if quota is not None and (seconds := quota.seconds_until_allowed()):
            return seconds
        return 0.0 if self._allowed(topic) else LOOK_AGAIN_SECONDS

    def _spend(self, topic: str, records: int, *, bulk: bool) -> None:
        quota = self._quotas.get(topic)
        if quota is not None:
            quota.spend(records)
        if bulk and self._pressure is not None:
            self._pressure.spend(records)


def waiting_of(context: StageContext) -> Waiting | Lanes:
    """What holds the fetched records of one partition of a stage."""
    return Lanes(context) if context.reads_raw else Waiting()


async def until_due(changed: asyncio.Condition, waiting: Waiting | Lanes, over: Callable[[], bool]) -> None:
    """Wait until something may be taken, or it is over. ``changed``: is held, and notified of what comes."""
    while not (over() or waiting):
        with suppress(TimeoutError):
            async with asyncio.timeout(waiting.seconds_until_due()):
                await changed.wait()
