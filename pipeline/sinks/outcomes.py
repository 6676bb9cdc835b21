"""Writes outcomes to ``deliveries``, beside the incident's events: same key, same partition."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from pipeline.core.identity import partition_of
from pipeline.core.outward.deliver import DELIVERIES_TOPIC
from pipeline.models.delivery import Delivery
from pipeline.settings import Settings

# The client retries inside this time: a broker that restarts is back within it. After it the process ends,
# because a head whose outcome is lost would wait for ever.
WRITE_MS_MAX: Final = 60_000


class OutcomeTopic:
    """An idempotent producer of outcomes. Their loss costs a second attempt, so no transaction is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.wire(DELIVERIES_TOPIC)
        self._producer: Any = None
        self._partitions = 0

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaError: no broker answers.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            client_id=f"{self._settings.group('deliver')}-outcomes",
            enable_idempotence=True,
            request_timeout_ms=WRITE_MS_MAX,
        )
        await producer.start()
        self._producer = producer
        self._partitions = len(await producer.partitions_for(self._topic))

    async def write(self, delivery: Delivery) -> None:
        """Write one outcome and wait until the brokers have it.

        Raises:
            KafkaError: they did not take it in time.
        """
        key = delivery.incident_id.encode()
        await self._producer.send_and_wait(
            self._topic,
            orjson.dumps(delivery.to_wire()),
            key=key,
            partition=partition_of(key, self._partitions),
            timestamp_ms=delivery.at_ms,
        )

    async def stop(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
