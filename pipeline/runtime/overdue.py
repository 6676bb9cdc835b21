"""Overdue deadlines: after a downtime a hundred thousand may be due at once, which no one transaction should hold.

They fire in order before the record that makes them due, so many in each transaction, which commits their effects and
no new offset. A crash in between repeats none and leaves none out: what has fired is gone from the state, and the
record is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from pipeline.core.step import Processor, Record

FIRED_PER_TRANSACTION_MAX: Final = 1_000
"""An incident that a deadline touches writes some 12 kB, so a transaction stays near 12 MB and takes under a second."""

FIRED_PER_TURN: Final = 100
"""Then others on the event loop have their turn, as with records."""


async def parts(
    processor: Processor, records: Sequence[Record], fire: Callable[[int], Awaitable[bool]]
) -> AsyncIterator[Sequence[Record]]:
    """Records in the parts that one transaction takes, too many deadlines fired before each.

    Args:
        processor: of the partition.
        records: to be handled next, in order.
        fire: fires in a transaction of its own what is due at a time (epoch milliseconds), `FIRED_PER_TRANSACTION_MAX`
            at most; False where the partition is about to leave us.
    """
    while records:
        size = len(records)
        while _too_many(processor, records[size - 1].timestamp):
            if size > 1:
                size //= 2
            elif not await fire(records[0].timestamp):
                return
        yield records[:size]
        records = records[size:]


def _too_many(processor: Processor, now_ms: int) -> bool:
    return processor.timers.more_due(max(now_ms, processor.clock_ms), FIRED_PER_TRANSACTION_MAX)
