"""A storm of 1,000 incidents into a slow sink, over real HTTP: the most urgent first, the backlog in sight, bounded.

The suite's sink takes 200 requests a second; ``python -m benchmarks sinks --full`` is the same at one a second, with a
worker on a real broker.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count
from time import monotonic

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.models.delivery import Delivery
from pipeline.models.policy import Config
from pipeline.sinks.limits import Buckets
from pipeline.sinks.metrics import SinkMetrics
from pipeline.sinks.sender import Sender
from tests.sinks.receivers import outlet, serving, sink

INCIDENTS = 1_000
RATE = 200.0
UPDATES = 5
"""Of each incident, while it waits."""

NEWEST = 1 + UPDATES
SECONDS_MAX = 60


def rank_of(number: int) -> int:
    return 0 if number % 50 == 7 else 1 + number % 3


class Town:
    """Outboxes, sender and two sinks; outcomes come straight back."""

    def __init__(self, slow: str, quick: str) -> None:
        rules = [
            sink("slow", slow, requests_per_second=RATE, burst=1),
            sink("quick", quick).model_copy(update={"secret_env": "OTHER_SECRET"}),
        ]
        self.processor = DeliverProcessor(Config(sinks={each.name: each for each in rules}))
        self.registry = CollectorRegistry()
        buckets = Buckets()
        outlets = {each.name: outlet(each, buckets.of(each)) for each in rules}
        self.lost: list[BaseException] = []
        self.sender = Sender(outlets, self._write, self.lost.append, metrics=SinkMetrics(self.registry))
        self._offsets = count()

    def feed(self, topic: str, incident_id: str, value: bytes) -> None:
        record = StreamRecord(topic, 0, next(self._offsets), 1_772_590_000_000, incident_id.encode(), value)
        self.processor.handle([record], Effects())

    def tell(self) -> None:
        """As after a commit."""
        self.sender.tell(0, *self.processor.take_ready())

    async def _write(self, delivery: Delivery) -> None:
        self.feed("deliveries", delivery.incident_id, orjson.dumps(delivery.to_wire()))
        self.tell()

    def event(self, number: int, revision: int) -> None:
        rank, change = rank_of(number), "opened" if revision == 1 else "updated"
        snapshot = {"id": f"INC-{number}", "state": "logged", "priority": f"P{rank + 1}", "priority_rank": rank}
        document = {
            "schema": 1,
            "incident_id": f"INC-{number}",
            "revision": revision,
            "change": change,
            "at_ms": number,
        }
        self.feed(
            "incidents",
            f"INC-{number}",
            orjson.dumps({**document, "at_ms": number, "entries": [], "incident": snapshot}),
        )

    def shown(self, series: str, name: str) -> float:
        self.sender.observe()
        return self.registry.get_sample_value(series, {"sink": name}) or 0.0


class Desk:
    """Notes what comes when."""

    def __init__(self, all_there: asyncio.Event) -> None:
        self.got: list[tuple[float, int, int]] = []
        self._newest: set[int] = set()
        self._all_there = all_there

    async def handle(self, request: web.Request) -> web.Response:
        data = orjson.loads(await request.read())["data"]
        number = int(data["incident_id"][4:])
        self.got.append((monotonic(), number, data["revision"]))
        if data["revision"] == NEWEST:
            self._newest.add(number)
        if len(self._newest) == INCIDENTS:
            self._all_there.set()
        return web.Response()


def test_a_storm_into_a_slow_sink() -> None:
    asyncio.run(asyncio.wait_for(storm(), SECONDS_MAX))


async def storm() -> None:
    slow_done, quick_done = asyncio.Event(), asyncio.Event()
    slow, quick = Desk(slow_done), Desk(quick_done)
    async with serving(slow.handle) as slow_url, serving(quick.handle) as quick_url:
        town = Town(slow_url, quick_url)
        for revision in range(1, NEWEST + 1):
            for number in range(INCIDENTS):
                town.event(number, revision)
        assert max(len(outbox.queue) for outbox in town.processor.outboxes()) == 2  # bounded, whatever comes
        town.tell()
        assert town.shown("spillway_sink_ready", "slow") > INCIDENTS - 10
        await quick_done.wait()
        told_by_then = len(slow.got)
        assert town.shown("spillway_sink_ready", "slow") > 0
        assert town.shown("spillway_sink_ready", "quick") == 0
        assert town.processor.gauges()["deliveries_waiting"]["slow"] > 0
        await slow_done.wait()
        await town.sender.close()
    assert town.lost == []
    check_order(slow)
    seconds = slow.got[-1][0] - slow.got[0][0]
    assert len(slow.got) <= 1 + seconds * RATE * 1.02, "above its rate"
    if seconds * RATE < len(slow.got) * 1.2:  # else this machine was the bottleneck, and both were as slow
        assert told_by_then < len(slow.got), "the sink without a limit waited for the other one"


def check_order(slow: Desk) -> None:
    """Each incident opens and comes up to date by one request more; a rank is told when those before it are."""
    assert Counter(number for _, number, _ in slow.got) == dict.fromkeys(range(INCIDENTS), 2)
    assert {revision for _, _, revision in slow.got} == {1, NEWEST}
    opened = [rank_of(number) for _, number, revision in slow.got if revision == 1]
    assert opened == sorted(opened)
    first = [rank_of(number) for _, number, _ in slow.got][: 2 * opened.count(0) - 10]
    assert set(first) == {0}, "less urgent incidents were told before the newest state of the most urgent"
