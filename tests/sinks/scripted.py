"""A sink that answers as a script says, and the sender with it on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.core.outward.send import Send
from pipeline.models.delivery import Delivery, DeliveryOutcome
from pipeline.sinks.base import Answer, SinkClient
from pipeline.sinks.lane import Lane, Outlet
from pipeline.sinks.limits import Bucket, note_answer
from pipeline.sinks.sender import Sender
from tests.sinks.receivers import NOW, send
from tests.sinks.virtual import VirtualLoop

DELIVERED = Answer(DeliveryOutcome.DELIVERED, 200)
DOWN = Answer(DeliveryOutcome.RETRY, 503, "down")


@dataclass
class Scripted(SinkClient):
    """It makes as many requests as it is told to, in its rate, and takes its time.

    Attributes:
        answer: what it says to a send.
        answered: its requests are answered, whatever it says in the end.
        began: what was begun, in order; ``ended``: what has its answer.
    """

    bucket: Bucket
    loop: VirtualLoop
    answer: Callable[[Send], Answer] = lambda _: DELIVERED
    seconds: float = 0.01
    requests: int = 1
    answered: bool = False
    began: list[tuple[float, Send]] = field(default_factory=list)
    ended: list[Send] = field(default_factory=list)
    at_once: int = 0
    at_once_max: int = 0
    closed: bool = False
    _of_incident: set[str] = field(default_factory=set)

    async def send(self, send: Send, now: datetime) -> Answer:
        assert now.tzinfo is UTC
        assert send.incident_id not in self._of_incident, "two attempts of one incident at once"
        self._of_incident.add(send.incident_id)
        self.began.append((self.loop.time(), send))
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            for _ in range(self.requests):
                await self.bucket.take(send.rank)
                await asyncio.sleep(self.seconds)
                if self.answered:
                    note_answer()
            answer = self.answer(send)
        finally:
            self.at_once -= 1
            self._of_incident.discard(send.incident_id)
        self.ended.append(send)
        return answer

    async def close(self) -> None:
        self.closed = True

    @property
    def incidents(self) -> list[str]:
        """Whose attempts began, in order."""
        return [send.incident_id for _, send in self.began]


class Desk:
    """One sender with scripted sinks; its outcomes are a list."""

    def __init__(self, loop: VirtualLoop, *names: str, rate: float = 0.0, burst: int = 1) -> None:
        self.loop = loop
        self.outcomes: list[Delivery] = []
        self.lost: list[BaseException] = []
        self.write_seconds = 0.0
        self._news = asyncio.Condition()
        self.buckets = {name: Bucket(rate, burst, loop.time) for name in names or ("desk",)}
        self.sinks = {name: Scripted(bucket, loop) for name, bucket in self.buckets.items()}
        outlets = {name: Outlet(self.sinks[name], bucket) for name, bucket in self.buckets.items()}
        self.sender = Sender(outlets, self._write, self.lost.append, lambda: NOW, timer=loop.time)

    @property
    def sink(self) -> Scripted:
        return self.sinks["desk"]

    @property
    def lane(self) -> Lane:
        return self.sender._lanes["desk"]

    async def _write(self, delivery: Delivery) -> None:
        await asyncio.sleep(self.write_seconds)
        async with self._news:
            self.outcomes.append(delivery)
            self._news.notify_all()

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait for outcomes."""
        async with self._news:
            await self._news.wait_for(enough)

    def tell(self, *sends: Send, withdrawn: tuple[str, ...] = ()) -> None:
        self.sender.tell(0, sends, [("desk", each) for each in withdrawn])


def of(
    incident: int, *, rank: int = 0, turn: int = 0, revision: int = 1, since_ms: int = 0, sink: str = "desk"
) -> Send:
    """A send of an incident."""
    plain = send(revision, 1, sink, f"INC-{incident}")
    return plain._replace(rank=rank, turn=turn, since_ms=since_ms)
