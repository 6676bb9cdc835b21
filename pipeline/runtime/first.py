"""Where reading begins when nothing was committed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aiokafka.structs import TopicPartition


async def seek_to_first(consumer: Any, topics: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Seek to the first record that there is.

    Not by aiokafka's own `seek_to_beginning`: when the leader has changed, it asks the former one again and again
    and never for who leads now, until metadata grows old by itself (five minutes).

    Args:
        consumer: an `AIOKafkaConsumer` to which the partitions are assigned.
        topics: the partitions; those that a rebalance takes away meanwhile are left out of the answer.

    Returns:
        The position of each.

    Raises:
        KafkaError: the brokers did not answer in time.
    """
    if not topics:
        return {}
    found: dict[TopicPartition, int] = await consumer.beginning_offsets(list(topics))
    begins = {topic: offset for topic, offset in found.items() if topic in consumer.assignment()}
    for topic, offset in begins.items():
        consumer.seek(topic, offset)
    return begins
