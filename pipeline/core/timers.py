"""Deadlines on stream time."""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace


class Timers:
    """Deadlines on stream time, in order of (due, key). Setting a key again replaces its deadline.

    A deadline that moves away, as one does with each sign of life, is only noted: its heap entry stays and is put
    back to the new time when it comes up. So every key has an entry at its deadline or earlier.
    """

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, key: str, due_ms: int | None) -> None:
        """Set, move or, with None, cancel the deadline of a key."""
        due = self._due
        if due_ms is None:
            due.pop(key, None)
            return
        before = due.get(key)
        due[key] = due_ms
        if before is None or due_ms < before:
            heappush(self._heap, (due_ms, key))
            if len(self._heap) > 64 + 4 * len(due):  # cancelled and hastened deadlines leave stale entries behind
                self._heap = [(at_ms, name) for name, at_ms in due.items()]
                heapify(self._heap)

    def may_be_due(self, now_ms: int) -> bool:
        """False where nothing is due at ``now_ms``: answers for every record, without looking further."""
        heap = self._heap
        return bool(heap) and heap[0][0] <= now_ms

    def more_due(self, now_ms: int, count: int) -> bool:
        """Whether more than so many deadlines are due at ``now_ms``; those that moved away meanwhile count as well.

        Looks at no more entries of the heap than that and twice as many: below one that is not due none is.
        """
        heap, found, below = self._heap, 0, [0]
        while below:
            place = below.pop()
            if place < len(heap) and heap[place][0] <= now_ms:
                found += 1
                if found > count:
                    return True
                below += (2 * place + 1, 2 * place + 2)
        return False

    def next_ms(self) -> int | None:
        """The earliest deadline, or None."""
        heap, due = self._heap, self._due
        while heap:
            at_ms, key = heap[0]
            due_ms = due.get(key)
            if due_ms == at_ms:
                return at_ms
            if due_ms is None:
                heappop(heap)
            else:
                heapreplace(heap, (due_ms, key))
        return None

    def pop(self, now_ms: int) -> tuple[int, str] | None:
        """Take the earliest deadline that is due at ``now_ms``, or None."""
        earliest = self.next_ms()
        if earliest is None or earliest > now_ms:
            return None
        due_ms, key = heappop(self._heap)
        del self._due[key]
        return due_ms, key
