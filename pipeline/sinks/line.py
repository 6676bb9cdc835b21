"""The line at one sink: one send an incident at most; the lowest rank first, then the oldest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from pipeline.core.outward.send import Send

LEFT_OVER_MAX: Final = 64
"""Entries of sends that have moved on may lie about up to so many, or as many as there are live ones."""

_Place = tuple[int, int, int]


@dataclass(slots=True)
class Waiting:
    """A send that waits.

    Attributes:
        partition: whose outbox it is of.
        order: when its incident came into the line.
        asked: how often it was the one that asked whether the sink is back.
    """

    send: Send
    partition: int
    order: int
    asked: int = 0

    @property
    def place(self) -> _Place:
        """Its place in the line; the lowest is next."""
        return self.send.rank, self.send.since_ms, self.order


class Line:
    """What waits at one sink, by incident."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._heap: list[tuple[_Place, str]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting.values())

    def put(self, send: Send, partition: int, asked: int = 0) -> None:
        """Have a send wait, instead of the one of its incident that does."""
        before = self._waiting.get(send.incident_id)
        if before is None:
            waiting = Waiting(send, partition, next(self._order), asked)
        else:
            waiting = Waiting(_instead_of(before.send, send), partition, before.order, before.asked)
        self._waiting[send.incident_id] = waiting
        if before is None or before.place != waiting.place:
            heappush(self._heap, (waiting.place, send.incident_id))
        if len(self._heap) > 2 * len(self._waiting) + LEFT_OVER_MAX:
            self._heap = [(each.place, incident_id) for incident_id, each in self._waiting.items()]
            heapify(self._heap)

    def first(self) -> Waiting | None:
        """Who is next."""
        while self._heap:
            place, incident_id = self._heap[0]
            waiting = self._waiting.get(incident_id)
            if waiting is not None and waiting.place == place:
                return waiting
            heappop(self._heap)
        return None

    def first_to_ask(self, has_failed: Callable[[str], bool]) -> Waiting | None:
        """Who asks whether the sink is back: another one each time, since it may be one that the sink cannot bear."""

        def turn(waiting: Waiting) -> tuple[bool, int, _Place]:
            return has_failed(waiting.send.incident_id), waiting.asked, waiting.place

        return min(self._waiting.values(), key=turn, default=None)

    def drop(self, incident_id: str) -> None:
        """What this incident has to say waits no more."""
        self._waiting.pop(incident_id, None)

    def drop_partition(self, partition: int | None) -> None:
        """What outboxes of this partition have to say waits no more; None: of any."""
        kept = (each for each in self._waiting.values() if partition not in {each.partition, None})
        self._waiting = {each.send.incident_id: each for each in kept}


def _instead_of(before: Send, send: Send) -> Send:
    """A newer send keeps the age of the one that it replaces and, in the same turn, its doubt."""
    unsure = send.unsure or (before.unsure and before.turn == send.turn)
    return send._replace(unsure=unsure, since_ms=min(before.since_ms, send.since_ms))
