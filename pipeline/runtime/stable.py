"""Committed offsets that no commit is on its way to change.

A commit returns, and an heir may start its producer, before the commit's mark has reached the group's offsets; a
broker that has just come back may take its time. Whoever asks then is told the offset before that transaction, while
the changelog has its state already: its records would take effect twice. Since KIP-447 a client can ask for stable
offsets only. aiokafka cannot; librdkafka does for readers of committed records, and asks until they are stable.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from time import monotonic, sleep
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.kafka.client import librdkafka
from pipeline.settings import Settings

# A transaction that a dead worker left open in our group ends within its own time limit of 60 s.
STABLE_SECONDS_MAX: Final = 90.0
# A coordinator that has just moved is found again within a second or two.
RETRY_SECONDS: Final = 0.5
# While a coordinator moves; librdkafka passes these on instead of asking the next one.
MOVING: Final = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
)


def wait_until_stable(settings: Settings, group: str, places: Iterable[tuple[str, int]]) -> None:
    """Return once no transaction that commits offsets of these partitions is under way. Blocks: call it in a thread.

    Args:
        settings: brokers.
        group: the consumer group.
        places: wire names of topics with partition numbers.

    Raises:
        KafkaException: the brokers did not answer, or a transaction stayed open for `STABLE_SECONDS_MAX`.
    """
    client: dict[str, Any] = {
        **librdkafka(settings),
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
    }
    asked = [TopicPartition(*place) for place in places]
    deadline = monotonic() + STABLE_SECONDS_MAX
    while True:
        try:
            with closing(Consumer(client)) as consumer:
                consumer.committed(asked, timeout=max(0.0, deadline - monotonic()))
        except KafkaException as error:
            if error.args[0].code() not in MOVING or monotonic() > deadline:
                raise
            sleep(RETRY_SECONDS)
        else:
            return
