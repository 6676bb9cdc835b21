"""Words to drive the outboxes of one partition: events in, outcomes in, time on."""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.outward.send import Send
from pipeline.core.step import TICK_KEY, Effects, StreamRecord
from pipeline.models.delivery import Delivery, DeliveryOutcome
from pipeline.models.policy import Config
from pipeline.models.sinks import Sink as AnySink
from pipeline.models.sinks.streams import Webhook as Sink

START_MS = 1_772_590_000_000
HOUR_MS = 3_600_000


def sink(name: str = "desk", **fields: Any) -> Sink:
    return Sink(name=name, url="https://desk.example/hook", secret_env="DESK_SECRET", **fields)


def config(*sinks: AnySink) -> Config:
    return Config(sinks={each.name: each for each in sinks or (sink(),)})


class Desk:
    """A processor, and the words to drive it."""

    def __init__(self, *sinks: AnySink) -> None:
        self.processor = DeliverProcessor(config(*sinks))
        self.effects = Effects()
        self.now_ms = START_MS
        self._offsets = count()

    def feed(self, topic: str, key: bytes, value: bytes | None) -> None:
        record = StreamRecord(topic, 0, next(self._offsets), self.now_ms, key, value)
        self.processor.handle([record], self.effects)

    def event(self, revision: int, change: str, incident_id: str = "INC-1", **snapshot: Any) -> None:
        incident = {"id": incident_id, "state": "logged", "priority": "P1", "domain": "shop"} | snapshot
        entries = [{"at_ms": self.now_ms, "action": change, "actor": "spillway", "text": f"number {revision}"}]
        value = {
            "schema": 1,
            "incident_id": incident_id,
            "revision": revision,
            "change": change,
            "at_ms": self.now_ms,
            "entries": entries,
            "incident": {
                **incident,
                "revision": revision,
            },
        }
        self.feed("incidents", incident_id.encode(), orjson.dumps(value))

    def answer(self, send: Send, outcome: str, **fields: Any) -> None:
        delivery = Delivery(
            delivery_id=send.delivery_id,
            sink=send.sink,
            incident_id=send.incident_id,
            revision=send.revision,
            attempt=send.attempt,
            outcome=outcome,
            at_ms=self.now_ms,
            turn=send.turn,
            wanted=dict(send.wanted),
            **fields,
        )
        self.feed("deliveries", send.incident_id.encode(), orjson.dumps(delivery.to_wire()))

    def wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.feed("deliveries", TICK_KEY, None)

    def ready(self) -> list[tuple[str, int]]:
        return [(send.delivery_id, send.attempt) for send in self.processor.ready()]

    def deliver_all(self) -> list[str]:
        """Answer each send with success until nothing is ready; the delivery ids in their order."""
        told = []
        while sends := self.processor.ready():
            for send in sends:
                told.append(send.delivery_id)
                self.answer(send, DeliveryOutcome.DELIVERED)
        return told

    def parked(self) -> list[dict[str, Any]]:
        values = [orjson.loads(each.value or b"") for each in self.effects.outputs if each.topic == "deliveries"]
        return [value for value in values if value["outcome"] == DeliveryOutcome.PARKED]


def body(send: Send) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(send.body)
    return document
