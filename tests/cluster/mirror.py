"""A mirror between clusters, with the promises of MirrorMaker 2 in its default mode: record for record, at least once.

Committed records alone, topic and partition kept, key, value, headers and timestamp as they are. What was carried
since the last noted position is carried again after a restart; `again` does that at any time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Self, cast

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from pipeline.flow import SNAPSHOT_RECORD_BYTES_MAX

AGAIN_MAX: Final = 50
"""Records that are carried again at most: MirrorMaker notes its position once a minute."""
LOOK_SECONDS: Final = 0.05
REQUEST_SECONDS: Final = 10.0


class Mirror:
    """Carries topics from one cluster to another, for the time of a ``with`` block.

    Attributes:
        carried: records carried, those that were carried again included.
        failures: times that a cluster did not answer.
    """

    def __init__(self, source: str, target: str, topics: Sequence[str]) -> None:
        self._source, self._target, self._topics = source, target, tuple(topics)
        self._stop = threading.Event()
        self._again = threading.Event()
        self._newest: deque[Message] = deque(maxlen=AGAIN_MAX)
        self._positions: dict[tuple[str, int], int] = {}
        self._thread = threading.Thread(target=self._run, name="mirror")
        self.carried = 0
        self.failures = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def again(self) -> None:
        """Carry the newest records once more, as after a restart."""
        self._again.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._carry()
            except KafkaException:
                self.failures += 1
                self._stop.wait(1.0)

    def _carry(self) -> None:
        """Carry until told to stop, or a cluster does not answer."""
        consumer, producer = Consumer(self._reading()), Producer(self._writing())
        try:
            consumer.assign(self._places(consumer))
            while not self._stop.is_set():
                batch = [each for each in consumer.consume(500, LOOK_SECONDS) if each.error() is None]
                self._write(producer, batch)
                self._newest.extend(batch)
                if self._again.is_set():
                    self._again.clear()
                    self._write(producer, list(self._newest))
        finally:
            consumer.close()

    def _places(self, consumer: Consumer) -> list[TopicPartition]:
        known = consumer.list_topics(timeout=REQUEST_SECONDS).topics
        return [
            TopicPartition(topic, number, self._positions.get((topic, number), 0))
            for topic in self._topics
            for number in known[topic].partitions
        ]

    def _write(self, producer: Producer, batch: Sequence[Message]) -> None:
        """Write a batch; only then are its positions noted.

        Raises:
            KafkaException: the target does not take it.
        """
        refused: list[Any] = []
        for each in batch:
            producer.produce(
                str(each.topic()),
                each.value(),
                each.key(),
                int(each.partition() or 0),
                timestamp=each.timestamp()[1],
                headers=cast(list[tuple[str, str | bytes | None]], each.headers() or []),
                on_delivery=lambda error, _: refused.append(error) if error is not None else None,
            )
        deadline = time.monotonic() + REQUEST_SECONDS
        while producer.flush(LOOK_SECONDS) and not self._stop.is_set():
            if time.monotonic() > deadline:
                raise KafkaException("the target does not answer")
        if refused:
            raise KafkaException(refused[0])
        for each in batch:
            self._positions[str(each.topic()), int(each.partition() or 0)] = int(each.offset() or 0) + 1
        self.carried += len(batch)

    def _reading(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._source,
            "group.id": "mirror",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }

    def _writing(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._target,
            "enable.idempotence": True,
            "message.max.bytes": SNAPSHOT_RECORD_BYTES_MAX,
            "linger.ms": 0,
            "log_level": 0,
        }
