"""Toy workers as processes, and the topics, records and checks of the runtime's tests."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, cast

import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client.parser import text_string_to_metric_families

from pipeline.core.step import TICK_KEY
from pipeline.flow import DEAD_LETTER_RECORD_BYTES_MAX, DEAD_LETTER_TOPIC, changelog_topic
from pipeline.kafka.served import unserved
from pipeline.runtime.note import OffsetNote
from tests.runtime.toy import INPUT, OUTPUT, STAGE
from tests.support import wait_until

PARTITIONS: Final = 4
READY_SECONDS_MAX: Final = 30.0
HANDLED_SECONDS_MAX: Final = 30.0
END_SECONDS_MAX: Final = 30.0


class Worker:
    """One toy worker process."""

    def __init__(self, kafka: str, prefix: str, *more: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.toy", kafka, prefix, app_id(prefix), *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.port = 0
        self.said: list[str] = []
        self._readers = [
            threading.Thread(target=reader, daemon=True) for reader in (self._read_ready, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    def _read_ready(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.port = int(line.removeprefix("ready "))

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self.said.extend(self._process.stderr)

    def wait_ready(self) -> Worker:
        wait_until(lambda: self.port or self.ended(), READY_SECONDS_MAX, "the worker serves")
        assert self.port, self.said
        return self

    def serves_or_ends(self, done: Callable[[], bool]) -> bool:
        """Wait until ``done`` or its end; False where it ended."""
        wait_until(lambda: self.ended() or done(), HANDLED_SECONDS_MAX, "it is done or it ends")
        return not self.ended()

    def wait_stuck(self) -> None:
        """Wait until its event loop stands still."""
        wait_until(lambda: self.ask("/healthz", {200, 503})[0] == 503, 10, "the loop is stuck")

    def ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def events(self) -> list[dict[str, Any]]:
        """What it told on standard error so far."""
        return [orjson.loads(line) for line in self.said if line.startswith("{")]

    def terminate(self) -> int:
        """Ask to stop; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.exit_code()

    def exit_code(self) -> int:
        code = self._process.wait(END_SECONDS_MAX)
        for reader in self._readers:
            reader.join()
        return code

    @property
    def memory_bytes(self) -> int:
        """Memory that the process has in use now."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def get(self, path: str, also: int = 200) -> str:
        """Body of an answer with status 200, or the one given."""
        return self.ask(path, {200, also})[1]

    def ask(self, path: str, allowed: Collection[int]) -> tuple[int, str]:
        """Status, which must be an allowed one, and body of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status in allowed, answer.status
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def sample(self, name: str, **labels: str) -> float:
        """Value of a series now."""
        for family in text_string_to_metric_families(self.get("/metrics")):
            for found in family.samples:
                if found.name == name and found.labels == labels:
                    return float(found.value)
        raise AssertionError(f"no series {name} {labels}")


def served(worker: Worker) -> list[int]:
    """Partitions that a worker serves; none where it ends while it is asked."""
    try:
        partitions: list[int] = orjson.loads(worker.get("/readyz", also=503))["stages"][STAGE]["partitions"]
    except (ConnectionError, HTTPException):
        return []
    return partitions


class Bench:
    """Topics of one test, and what goes in and comes out."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self.kafka = kafka
        self.prefix = prefix
        self.workers: list[Worker] = []
        self.sent = 0
        self._producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5, "message.max.bytes": 18 << 20})
        self.admin = admin = AdminClient({"bootstrap.servers": kafka})
        large = {"max.message.bytes": str(DEAD_LETTER_RECORD_BYTES_MAX)}
        topics = [
            NewTopic(prefix + INPUT, PARTITIONS, 1, config=large),
            NewTopic(prefix + OUTPUT, PARTITIONS, 1),
            NewTopic(prefix + DEAD_LETTER_TOPIC, 1, 1, config=large),
            NewTopic(prefix + changelog_topic(STAGE), PARTITIONS, 1, config={"cleanup.policy": "compact"}),
        ]
        for made in admin.create_topics(topics).values():
            made.result()
        assert unserved(admin, {topic.topic: topic.num_partitions for topic in topics}, READY_SECONDS_MAX) is None

    def topic(self, name: str, partitions: int = PARTITIONS) -> None:
        """Make one topic."""
        (made,) = self.admin.create_topics([NewTopic(self.prefix + name, partitions, 1)]).values()
        made.result()
        assert unserved(self.admin, {self.prefix + name: partitions}, READY_SECONDS_MAX) is None

    def drop(self, name: str) -> None:
        """Remove a topic, and wait until it is gone."""
        (gone,) = self.admin.delete_topics([self.prefix + name]).values()
        gone.result()
        wait_until(lambda: self.prefix + name not in self.admin.list_topics(timeout=10).topics, 10, "the topic is gone")

    def worker(self, *more: str) -> Worker:
        """Start a worker; ``more`` are the toy's further arguments."""
        worker = Worker(self.kafka, self.prefix, *more)
        self.workers.append(worker)
        return worker

    def send(
        self, key: str, value: bytes, partition: int = 0, headers: Sequence[tuple[str, bytes | None]] = ()
    ) -> None:
        self._producer.produce(self.prefix + INPUT, value, key.encode(), partition=partition, headers=list(headers))
        self._producer.poll(0)
        self.sent += 1

    def send_tick(self, timestamp_ms: int, partition: int = 0) -> None:
        self._producer.produce(self.prefix + INPUT, None, TICK_KEY, partition=partition, timestamp=timestamp_ms)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def read(self, topic: str, count: int, seconds: float = HANDLED_SECONDS_MAX) -> list[Message]:
        """Committed records of a topic, as soon as there are ``count``."""
        found: list[Message] = []
        consumer = self._reader(topic)

        def enough() -> bool:
            for message in consumer.consume(1000, timeout=0.1):
                assert message.error() is None, message.error()
                found.append(message)
            return len(found) >= count

        try:
            wait_until(enough, seconds, f"{count} records of {topic}, found {len(found)}")
        finally:
            consumer.close()
        return found

    def read_all(self, topic: str) -> list[Message]:
        """All committed records of a topic, now that no worker runs."""
        found: list[Message] = []
        consumer = self._reader(topic, **{"enable.partition.eof": True})
        ends = len(consumer.assignment())
        while ends:
            for message in consumer.consume(1000, timeout=1):
                if message.error() is None:
                    found.append(message)
                else:
                    ends -= 1
        consumer.close()
        return found

    def uncommitted(self, topic: str) -> int:
        """Records of a topic, also of open transactions; the marks of transactions count too."""
        consumer = self._reader(topic, **{"isolation.level": "read_uncommitted"})
        try:
            ends = [consumer.get_watermark_offsets(each, timeout=10)[1] for each in consumer.assignment()]
        finally:
            consumer.close()
        return sum(ends)

    def _reader(self, topic: str, **more: Any) -> Consumer:
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka,
                "group.id": "reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                **more,
            }
        )
        partitions = consumer.list_topics(self.prefix + topic, timeout=10).topics[self.prefix + topic].partitions
        consumer.assign([TopicPartition(self.prefix + topic, number, 0) for number in partitions])
        return consumer

    def committed(self) -> int:
        """Sum of the stage's committed input offsets."""
        return sum(self.committed_by_partition())

    def committed_by_partition(self) -> list[int]:
        """The stage's committed input offsets."""
        found = self._committed()
        return [max(0, found[number].offset) if number in found else 0 for number in range(PARTITIONS)]

    def notes(self) -> dict[int, OffsetNote]:
        """Partition -> note beside its committed offset, where it tells of a crash."""
        notes = {number: OffsetNote.from_text(found.metadata) for number, found in self._committed().items()}
        return {number: note for number, note in notes.items() if note.crash is not None}

    def _committed(self) -> dict[int, OffsetAndMetadata]:
        """Of each partition. By aiokafka: confluent-kafka reads past the end of the text beside an offset."""
        return asyncio.run(self._ask_committed())

    async def _ask_committed(self) -> dict[int, OffsetAndMetadata]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(f"{app_id(self.prefix)}-{STAGE}")
        except GroupCoordinatorNotAvailableError:  # a broker that has just started is making its topic of offsets
            return {}
        finally:
            await admin.close()
        return {topic.partition: each for topic, each in found.items()}

    def wait_committed(self, count: int) -> None:
        wait_until(lambda: self.committed() >= count, HANDLED_SECONDS_MAX, f"{count} records are committed")

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()


def app_id(prefix: str) -> str:
    return prefix.strip(".")


def out_of_sequence(messages: Sequence[Message]) -> dict[str, list[int]]:
    """Keys whose counts are not 1, 2, 3...: something was lost or took effect twice."""
    counts: dict[str, list[int]] = defaultdict(list)
    for message in messages:
        counts[(message.key() or b"").decode()].append(int(message.value() or b"0"))
    return {key: seen for key, seen in counts.items() if seen != list(range(1, len(seen) + 1))}


def headers_of(message: Message) -> dict[str, bytes]:
    return dict(cast(list[tuple[str, bytes]], message.headers() or []))


def stamp_ms() -> int:
    return int(time.time() * 1000)
