"""Committed offsets of groups, asked by consumers that never join them.

librdkafka's administration has a call of its own for it (`list_consumer_group_offsets`). It ends the process by a
segmentation fault where the coordinator is not there yet, as on brokers that have just started: once in six tries
within seconds, with confluent-kafka 2.16 on 2026-12-01. What a consumer asks of its own offsets takes another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

Place = tuple[str, int]
"""Wire topic and partition."""


class CommittedOffsets:
    """What groups have committed."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        """Nothing connects yet.

        Args:
            client: configuration of the librdkafka client.
        """
        # Offsets of transactions under way are not waited for: who looks from outside wants a number now.
        self._client = {**client, "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
        self._consumers: dict[str, Consumer] = {}

    def of(self, group: str, places: Iterable[Place], seconds_max: float) -> dict[Place, int]:
        """Offsets of a group by place; places of which it has committed nothing are left out.

        Raises:
            KafkaException: the brokers do not answer in time, or refuse to say.
        """
        asked = [TopicPartition(*place) for place in places]
        if not asked:
            return {}
        if group not in self._consumers:
            self._consumers[group] = Consumer({**self._client, "group.id": group})
        found: dict[Place, int] = {}
        for place in self._consumers[group].committed(asked, timeout=seconds_max):
            if place.error is not None:
                raise KafkaException(place.error)
            if place.offset >= 0:
                found[place.topic, place.partition] = place.offset
        return found

    def close(self) -> None:
        """Disconnect."""
        for consumer in self._consumers.values():
            consumer.close()
        self._consumers.clear()
