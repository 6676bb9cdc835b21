"""Writes outcomes to ``deliveries`` and updates to ``sink.updates``, in the same partition as the incident's events."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from pipeline.core.identity import partition_of
from pipeline.kafka.client import aiokafka
from pipeline.models.delivery import DELIVERIES_TOPIC, Delivery
from pipeline.models.remote import SINK_UPDATES_TOPIC, SinkUpdate
from pipeline.settings import Settings
from pipeline.sinks.bounds import fitting

# The client retries inside this time: a broker that restarts is back within it. After it the process ends,
# because a head whose outcome is lost would wait for ever.
WRITE_MS_MAX: Final = 60_000


class OutcomeTopic:
    """An idempotent producer of outcomes. Their loss costs a second attempt, so no transaction is needed.

    Attributes:
        partitions: how many ``deliveries`` has; known once it has started.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.wire(DELIVERIES_TOPIC)
        self._updates_topic = settings.wire(SINK_UPDATES_TOPIC)
        self._producer: Any = None
        self.partitions = 0

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaError: no broker answers.
        """
        producer = AIOKafkaProducer(
            **aiokafka(self._settings),
            client_id=f"{self._settings.group('deliver')}-outcomes",
            enable_idempotence=True,
            request_timeout_ms=WRITE_MS_MAX,
        )
        await producer.start()
        self._producer = producer
        self.partitions = len(await producer.partitions_for(self._topic))

    async def write(self, delivery: Delivery) -> None:
        """Write one outcome and wait until the brokers have it.

        Raises:
            KafkaError: they did not take it in time.
        """
        await self._put(self._topic, delivery.incident_id, orjson.dumps(delivery.to_wire()), delivery.at_ms)

    async def publish(self, update: SinkUpdate) -> None:
        """Write what has come back from a sink and wait until the brokers have it.

        Raises:
            KafkaError: they did not take it in time.
        """
        value = fitting(update).model_dump_json(by_alias=True).encode()
        await self._put(self._updates_topic, update.incident_id, value, None)

    async def _put(self, topic: str, incident_id: str, value: bytes, timestamp_ms: int | None) -> None:
        key = incident_id.encode()
        await self._producer.send_and_wait(
            topic, value, key=key, partition=partition_of(key, self.partitions), timestamp_ms=timestamp_ms
        )

    async def stop(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
