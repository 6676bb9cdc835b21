"""A loop written by hand on confluent-kafka: transactions, state in dicts, nothing to restore it from.

The upper reference: nobody could run it, as a restart forgets what was seen.
"""

from __future__ import annotations

import signal
import time
from typing import Final

import orjson
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from benchmarks.peers.job import Document, Job, Meter, count, flatten, group

FETCH_RECORDS: Final = 500
FETCH_SECONDS: Final = 0.02


class Loop:
    """Both stages in one thread, one transaction after another."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.meter = Meter(job, commits=True)
        self.stopping = False
        self._seen: dict[str, Document] = {}
        self._groups: dict[str, Document] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": job.bootstrap,
                "transactional.id": job.group,
                "linger.ms": 5,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self._consumer = Consumer(
            {
                "bootstrap.servers": job.bootstrap,
                "group.id": job.group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 50,
            }
        )

    def run(self) -> None:
        """Serve until asked to stop."""
        self._consumer.subscribe([self.job.source, self.job.accepted])
        self._producer.init_transactions()
        due = 0.0
        while not self.stopping:
            fetched = self._consumer.consume(FETCH_RECORDS, timeout=FETCH_SECONDS)
            if fetched and not self._offsets:
                due = time.monotonic() + self.job.commit_seconds
                self._producer.begin_transaction()
            for message in fetched:
                self._handle(message)
            self._producer.poll(0)
            if self._offsets and time.monotonic() >= due:
                self._commit()
                self.meter.done()
        if self._offsets:
            self._commit()
        self._consumer.close()

    def _handle(self, message: Message) -> None:
        if (error := message.error()) is not None:
            raise KafkaException(error)
        topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
        self._offsets[topic, partition] = offset + 1
        document = orjson.loads(message.value() or b"")
        if topic == self.job.source:
            self._alert(document)
        else:
            self._accepted(document)

    def _alert(self, alert: Document) -> None:
        flat = flatten(alert, self.job.services)
        fingerprint = flat["fingerprint"]
        self._seen[fingerprint], news = count(self._seen.get(fingerprint), flat)
        if news:
            self._producer.produce(self.job.accepted, orjson.dumps(flat), key=flat["domain"])
        self.meter.one()

    def _accepted(self, flat: Document) -> None:
        domain = flat["domain"]
        self._groups[domain], change = group(self._groups.get(domain), flat)
        self._producer.produce(self.job.changes, orjson.dumps(change), key=domain)
        self.meter.two()

    def _commit(self) -> None:
        offsets = [TopicPartition(*place, offset) for place, offset in self._offsets.items()]
        self._producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata())
        self._producer.commit_transaction()
        self._offsets.clear()


def main() -> None:
    """Run until SIGTERM."""
    loop = Loop(Job.from_environment())

    def stop(*_: object) -> None:
        loop.stopping = True

    signal.signal(signal.SIGTERM, stop)
    loop.run()


if __name__ == "__main__":
    main()
