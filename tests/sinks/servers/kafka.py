"""A Kafka of somebody else, behind a network that can fail, and a consumer that drops events that it has seen."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import orjson
from aiohttp import web
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.faults.cluster import Cluster
from tests.faults.proxy import Proxy
from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.servers.revisions import out_of_order, seen_in

TOPIC = "incidents.changes.v1"
ANSWER_SECONDS_MAX = 30


class KafkaServer(VendorServer):
    """One broker of its own. Of the faults of downstreams it has one: nothing gets through.

    Attributes:
        url: its bootstrap address, through that network.
    """

    def __init__(self, seed: int = 0) -> None:
        self._proxy: Proxy | None = None
        self._down = False
        super().__init__(seed)
        self._bootstrap = ""
        self._left: dict[str, list[dict[str, Any]]] | None = None
        """What was there when it stopped."""

    @property
    def down(self) -> bool:
        return self._down

    @down.setter
    def down(self, value: bool) -> None:
        if self._proxy is not None and value != self._down:
            (self._proxy.blackhole if value else self._proxy.heal)()
        self._down = value

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        raise AssertionError("it speaks no HTTP")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        stack = ExitStack()
        try:
            await asyncio.to_thread(self._start, stack)
            yield self
            self._left = await asyncio.to_thread(self._told)
        finally:
            await asyncio.to_thread(stack.close)

    def _start(self, stack: ExitStack) -> None:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._proxy = stack.enter_context(Proxy())
        self._bootstrap = stack.enter_context(Cluster(place, 1, self._proxy)).bootstrap
        self.url = self._proxy.bootstrap
        client = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})
        client.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(ANSWER_SECONDS_MAX)

    def seen(self) -> list[Seen]:
        # Whoever reads events makes a call of one key once.
        return [replace(each, steps=list(dict.fromkeys(each.steps))) for each in seen_in(self._told())]

    def disorder(self) -> list[str]:
        """Incidents whose revisions came in another order than they have."""
        return out_of_order(self._told())

    def _told(self) -> dict[str, list[dict[str, Any]]]:
        """The data of each event that was new, by incident, in the order in which they are there."""
        if self._left is not None:
            return self._left
        found: dict[str, list[dict[str, Any]]] = {}
        ids: set[bytes] = set()
        for record in self._records():
            identity = dict(record.headers())["ce_id"]
            if identity not in ids:
                ids.add(identity)
                found.setdefault(record.key().decode(), []).append(orjson.loads(record.value()))
        return found

    def _records(self) -> list[Any]:
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": "reader", "log_level": 0})
        try:
            _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=ANSWER_SECONDS_MAX)
            consumer.assign([TopicPartition(TOPIC, 0, 0)])
            records: list[Any] = []
            while len(records) < end:
                records += consumer.consume(end - len(records), timeout=ANSWER_SECONDS_MAX)
            return records
        finally:
            consumer.close()
