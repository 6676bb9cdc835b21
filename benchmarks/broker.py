"""The broker of a run: topics, preloading, counting; and what the broker itself uses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.machine import cpu_seconds, descendants
from benchmarks.results import BenchmarkError
from pipeline.kafka.embedded import EmbeddedKafka

PRELOAD_TRANSACTION_MS: Final = 600_000
PRELOAD_SECONDS_MAX: Final = 300.0
READ_RECORDS_MAX: Final = 5_000
SHOWN_SECONDS_MAX: Final = 20.0
POLL_SECONDS: Final = 0.05
IDLE_SECONDS_MAX: Final = 20.0
QUEUED_MESSAGES_MAX: Final = 200_000

ANYWHERE: Final = -1
"""Partition of a record that its partitioner places."""

_NAMES = count(1)


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker.

    Attributes:
        bootstrap: its address.
        process: process id, to read its CPU time.
    """

    bootstrap: str
    process: int

    def cpu_seconds(self) -> float:
        """CPU time it has used, seconds."""
        return cpu_seconds(self.process)

    @property
    def admin(self) -> AdminClient:
        """A client to administrate it."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        """Create topics: name -> partitions."""
        new = [NewTopic(name, partitions, 1, config=dict(config or {})) for name, partitions in topics.items()]
        admin = self.admin  # its requests end with it
        for made in admin.create_topics(new).values():
            made.result()
        # What is made shows a moment later, and a consumer that comes too early gives up.
        deadline = time.monotonic() + SHOWN_SECONDS_MAX
        while not topics.keys() <= led(admin):
            if time.monotonic() > deadline:
                raise BenchmarkError(f"topics {', '.join(topics)} were made and have no leader yet")
            time.sleep(POLL_SECONDS)

    def drop(self, *prefixes: str) -> None:
        """Delete every topic whose name begins so, without any all: the next run shall find an empty disk."""
        admin = self.admin
        known = [name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")]
        gone = [name for name in known if not prefixes or name.startswith(prefixes)]
        for deleted in (admin.delete_topics(gone) if gone else {}).values():
            deleted.result()

    def preload(
        self, topic: str, records: Iterable[tuple[str, bytes]], placed: Callable[[str], int] = lambda _: ANYWHERE
    ) -> int:
        """Write key and value pairs in one transaction: readers of committed records see all of them at once.

        Args:
            topic: where to.
            records: keys and values.
            placed: the partition of a key; by default as Kafka's own clients place it.

        Returns:
            How many records were written.
        """
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "linger.ms": 20,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": QUEUED_MESSAGES_MAX,
                "transactional.id": fresh_name("preload"),
                "transaction.timeout.ms": PRELOAD_TRANSACTION_MS,
            }
        )
        producer.init_transactions()
        producer.begin_transaction()
        written = 0
        for key, value in records:
            while True:
                try:
                    producer.produce(topic, value, key=key, partition=placed(key))
                    break
                except BufferError:
                    producer.poll(0.05)
            written += 1
            if not written & 1023:
                producer.poll(0)
        producer.commit_transaction(PRELOAD_SECONDS_MAX)
        return written

    def partitions(self, topic: str) -> int:
        """Partitions of a topic."""
        return len(self.admin.list_topics(topic, timeout=10).topics[topic].partitions)

    def read(self, topic: str, take: Callable[[Message], None]) -> int:
        """Hand over every committed record of a topic up to its end; how many they were."""
        consumer = self.reader(topic, {"enable.partition.eof": True})
        ends, found = len(consumer.assignment()), 0
        deadline = time.monotonic() + IDLE_SECONDS_MAX
        while ends and time.monotonic() < deadline:
            for message in consumer.consume(READ_RECORDS_MAX, timeout=1):
                deadline = time.monotonic() + IDLE_SECONDS_MAX
                if message.error() is not None:
                    ends -= 1
                else:
                    found += 1
                    take(message)
        consumer.close()
        return found

    def reader(self, topic: str, more: Mapping[str, Any] | None = None) -> Consumer:
        """A consumer of committed records of all partitions of a topic, from the beginning."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": fresh_name("reader"),
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                **(more or {}),
            }
        )
        consumer.assign([TopicPartition(topic, number, 0) for number in range(self.partitions(topic))])
        return consumer


def led(admin: AdminClient) -> set[str]:
    """Topics whose every partition has a leader."""
    listed = admin.list_topics(timeout=10).topics
    return {
        name
        for name, topic in listed.items()
        if topic.partitions and all(partition.leader >= 0 for partition in topic.partitions.values())
    }


@contextmanager
def running_broker() -> Iterator[Broker]:
    """An embedded broker for the time of the block: always ours, as topics are made and dropped freely."""
    with EmbeddedKafka() as kafka:
        ours = descendants(os.getpid())
        java = [process for process, command in ours.items() if str(kafka.directory) in command and "java" in command]
        shells = [process for process in java if ours[process].startswith("/bin/sh")]
        yield Broker(kafka.bootstrap, next(iter(sorted(set(java) - set(shells)))))


def fresh_name(what: str) -> str:
    """A name that nothing on the broker has yet."""
    return f"bench-{what}-{int(time.time())}-{os.getpid()}-{next(_NAMES)}"
