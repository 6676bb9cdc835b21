"""How late the partitions of a stage are: the age of the oldest record that is not handled.

An idle partition is not late, however long ago its last record was; one that is blocked gets later by the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol


class Waits(Protocol):
    """What was fetched and is not handled."""

    def oldest_ms(self) -> int | None:
        """Timestamp of its oldest record, or None."""


class Handling(Protocol):
    """A partition that is worked on."""

    @property
    def waiting(self) -> Waits:
        """What was fetched and is not handled."""

    @property
    def handled_timestamp_ms(self) -> int:
        """Timestamp of the last record handled; 0 where there was none."""


class Lateness:
    """What is remembered of the partitions from one look to the next."""

    def __init__(self) -> None:
        self._caught_up_ms: dict[int, int] = {}

    def oldest_ms(self, tasks: Mapping[int, Handling], unread: Set[int], now_ms: int) -> int | None:
        """Timestamp of the oldest record that is not handled; None where there is none, or nothing is known of it.

        Of records that were not even fetched we know that they came after the last one handled, and after the last look
        at which there was none: the later of the two. So a record that comes after an idle night is not a night late.

        Args:
            tasks: partition number -> how it stands.
            unread: numbers of partitions with records on the broker that were not fetched yet.
            now_ms: the machine's time, epoch milliseconds.
        """
        self._caught_up_ms = {number: self._caught_up_ms.get(number, 0) for number in tasks}
        found: list[int] = []
        for number, task in tasks.items():
            if (waiting_ms := task.waiting.oldest_ms()) is not None:
                found.append(waiting_ms)
            elif number not in unread:
                self._caught_up_ms[number] = now_ms
            elif since_ms := max(task.handled_timestamp_ms, self._caught_up_ms[number]):
                found.append(since_ms)
        return min(found, default=None)
