"""A site: topics of one test, a configuration directory, a database, and the workers that serve them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.catalog import load_config
from pipeline.core.step import Headers
from pipeline.examples import config_directory
from pipeline.flow import RAW_RECORD_BYTES_MAX
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.policy import Config
from pipeline.settings import Settings
from tests.live.worker import SPILLWAY_RUN, Worker
from tests.support import wait_until

SECRET_VARIABLE: Final = "SPILLWAY_SINK_DESK_SECRET"
HANDLED_SECONDS_MAX: Final = 120.0
# A killed worker's partitions go to the next one after this; long enough for a busy machine's pauses.
SESSION_SECONDS: Final = 6.0


class Site:
    """Everything of one test on the shared engines.

    Attributes:
        settings: as the workers have them, but for the HTTP port.
        directory: the configuration: the example company's, to be changed before topics are made.
        secrets: variables of the environment that workers have beside their settings.
    """

    def __init__(self, bootstrap: str, prefix: str, place: Path, **settings: Any) -> None:
        self._place = place
        self.directory = place / "config"
        shutil.copytree(config_directory(), self.directory)
        self.settings = Settings(
            bootstrap=bootstrap,
            topic_prefix=prefix,
            app_id=prefix.strip("."),
            config_dir=self.directory,
            session_timeout_seconds=SESSION_SECONDS,
            **settings,
        )
        self.secrets: dict[str, str] = {}
        self._workers: list[Worker] = []
        self._client: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.admin = AdminClient(self._client)
        self._producer = Producer(self._client | {"message.max.bytes": RAW_RECORD_BYTES_MAX, "linger.ms": 20})

    @property
    def config(self) -> Config:
        return load_config(self.directory)

    def send_to(self, address: str, secret: str) -> None:
        """Have incident changes sent to a webhook."""
        (self.directory / "sinks.yaml").write_text(
            f"desk:\n  type: webhook\n  url: {address}\n  secret_env: {SECRET_VARIABLE}\n"
        )
        self.secrets[SECRET_VARIABLE] = secret

    def make_topics(self) -> None:
        apply(self.admin, plan(self.admin, desired_topics(self.settings, self.config)))

    def worker(self, command: tuple[str, ...] = SPILLWAY_RUN, **settings: Any) -> Worker:
        """Start a worker; the test's end kills it."""
        log = self._place / f"worker-{len(self._workers)}.log"
        worker = Worker(self.settings.model_copy(update=settings), log, command, self.secrets)
        self._workers.append(worker)
        return worker

    def send(
        self, topic: str, value: bytes | None, *, key: bytes | None = None, partition: int = 0, headers: Headers = ()
    ) -> None:
        """Hand one record over, by the topic's logical name."""
        wire = self.settings.wire(topic)
        self._producer.produce(wire, value, key, partition=partition, headers=list(headers))
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(HANDLED_SECONDS_MAX) == 0

    def read(self, topic: str, enough: Any, what: str) -> list[Message]:
        """Committed records of a topic, as soon as ``enough(records)`` is true."""
        wire = self.settings.wire(topic)
        options = {"group.id": f"{self.settings.app_id}-reader", "isolation.level": "read_committed"}
        consumer = Consumer(self._client | options | {"enable.auto.commit": False, "fetch.message.max.bytes": 18 << 20})
        partitions: Sequence[int] = list(consumer.list_topics(wire, timeout=10).topics[wire].partitions)
        consumer.assign([TopicPartition(wire, number, 0) for number in partitions])
        found: list[Message] = []

        def done() -> bool:
            for message in consumer.consume(1_000, 0.1):
                assert message.error() is None, message.error()
                found.append(message)
            return bool(enough(found))

        try:
            wait_until(done, HANDLED_SECONDS_MAX, what)
        finally:
            consumer.close()
        return found

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
