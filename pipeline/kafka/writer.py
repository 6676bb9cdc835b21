"""Writes records from an event loop: each is acknowledged by all in-sync replicas, or its sender is told so.

confluent-kafka does the work on threads of its own, with bounded memory; one thread of ours takes its reports, and
hands them to the event loop in one call for all that came together. With 64 records at once, each waited for, that
takes 13 to 31 us of CPU a record and aiokafka 26 to 37 (`python -m benchmarks gateway`, on a busy machine).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.kafka.client import librdkafka
from pipeline.kafka.reach import Ear, UnreachableError
from pipeline.kafka.rights import RightsError, check_rights
from pipeline.runtime.guard import fatal, log_line
from pipeline.settings import Settings

QUEUE_RECORDS_MAX: Final = 20_000
QUEUE_KIBIBYTES_MAX: Final = 64 * 1_024
FRAMING_BYTES: Final = 64 << 10
POLL_SECONDS: Final = 0.1
CHECK_SECONDS: Final = 5.0
CHECK_DOWN_SECONDS: Final = 1.0
METADATA_SECONDS_MAX: Final = 3.0

_TOO_LARGE: Final = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
_MISSING: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)

Headers = Sequence[tuple[str, bytes]]
"""Headers of a record."""


class Why(StrEnum):
    """Why a record was not written, or is not known to be."""

    AWAY = "away"
    BUSY = "busy"
    MISSING_TOPIC = "missing_topic"
    TOO_LARGE = "too_large"


class NotWrittenError(Exception):
    """A record that is not written, or not known to be.

    Attributes:
        why: for whoever handles it.
        detail: what exactly, for a log.
    """

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(f"{why}: {detail}")
        self.why = why
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Manner:
    """How a process writes.

    Attributes:
        name: of the process, for the brokers and the log.
        delivery_seconds_max: a record that is not acknowledged by then counts as not written.
        linger_ms: records that come within it go together, and each waits for it.
        record_bytes_max: of a record's value.
    """

    name: str
    delivery_seconds_max: float
    linger_ms: int
    record_bytes_max: int

    def options(self) -> dict[str, Any]:
        """Of librdkafka: nothing is lost, nothing is doubled by the client, nothing grows without end."""
        return {
            "client.id": f"spillway-{self.name}",
            "acks": "all",
            "enable.idempotence": True,
            "delivery.timeout.ms": int(self.delivery_seconds_max * 1_000),
            "linger.ms": self.linger_ms,
            "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
            "queue.buffering.max.kbytes": QUEUE_KIBIBYTES_MAX,
            "message.max.bytes": self.record_bytes_max + FRAMING_BYTES,
            "partitioner": "consistent_random",  # `core.identity.partition_of` for keys; any partition without one
            "reconnect.backoff.max.ms": 1_000,
            "allow.auto.create.topics": False,
        }


_Report = tuple[asyncio.Future[None], NotWrittenError | None]


class Writer:
    """Writes records. Made inside a running event loop.

    Attributes:
        up: the brokers answered when they were last asked, and have not all gone since.
        missing: topics that are needed and not there.
    """

    def __init__(self, settings: Settings, topics: frozenset[str], manner: Manner) -> None:
        """Connect in the background.

        Args:
            settings: the brokers, and the way to them.
            topics: names on the wire of those that will be written.
            manner: how.

        Raises:
            SettingsError: a file that the settings name cannot be read.
        """
        self.up = False
        self.missing: frozenset[str] = frozenset()
        self._name = manner.name
        self._topics = topics
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        client = librdkafka(settings)
        self._ear = Ear(client)
        self._producer = Producer({**client, **manner.options(), "error_cb": self._on_error})
        self._reports: list[_Report] = []
        self._acknowledged_at = -CHECK_SECONDS
        self._running = True
        self._thread = threading.Thread(target=self._poll, name="deliveries", daemon=True)
        self._thread.start()

    async def write(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers = (), timestamp_ms: int = 0
    ) -> None:
        """Write a record, and return when it is acknowledged. ``timestamp_ms`` 0: now.

        Raises:
            NotWrittenError: it is not, or not known to be.
        """
        if topic in self.missing:
            raise NotWrittenError(Why.MISSING_TOPIC, topic)
        if not self.up:
            raise NotWrittenError(Why.AWAY, "brokers are down")
        report: asyncio.Future[None] = self._loop.create_future()
        try:
            self._producer.produce(
                topic,
                value,
                key,
                timestamp=timestamp_ms,
                headers=list(headers),
                on_delivery=partial(self._delivered, report),
            )
        except BufferError:
            raise NotWrittenError(Why.BUSY, "the producer's queue is full") from None
        except KafkaException as error:
            raise _not_written(error.args[0]) from None
        await report

    async def check(self) -> None:
        """Ask the brokers whether they are there and have the topics.

        Raises:
            UnreachableError: they do not let us in, and no connection is left.
            RightsError: they do not let us write.
        """
        try:
            metadata = await asyncio.to_thread(self._producer.list_topics, timeout=METADATA_SECONDS_MAX)
        except KafkaException:
            # A busy broker may be late with metadata while it acknowledges records: then it is there.
            self._set_up(monotonic() - self._acknowledged_at < CHECK_SECONDS)
            if not self.up and (refusal := self._ear.refusal()) is not None:
                raise refusal from None
            return
        self._ear.forget()
        missing = frozenset(self._topics - metadata.topics.keys())
        if missing - self.missing or not self.up:
            await asyncio.to_thread(check_rights, self._settings, self._name, self._topics)
        self.missing = missing
        self._set_up(True)

    async def watch(self) -> None:
        """Ask again and again, until cancelled. Who is not let in ends: a restart reads password and files anew."""
        while True:
            await asyncio.sleep(CHECK_SECONDS if self.up else CHECK_DOWN_SECONDS)
            try:
                await self.check()
            except (UnreachableError, RightsError) as error:
                fatal("write to Kafka", str(error))

    async def close(self) -> None:
        """Disconnect. Called when no request waits any more; what is left has been given up."""
        self._running = False
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._producer.flush, 1.0)

    def _set_up(self, up: bool) -> None:
        if up != self.up:
            log_line("kafka reachable", process=self._name, up=up)
        self.up = up

    def _on_error(self, error: KafkaError) -> None:
        """Of librdkafka, on the thread of deliveries or of a check."""
        self._ear(error)
        if error.fatal():
            fatal("write to Kafka", error.str(), code=error.name())
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._loop.call_soon_threadsafe(self._set_up, False)

    def _delivered(self, report: asyncio.Future[None], error: KafkaError | None, message: Message) -> None:
        failure = _failure(error, message)
        if failure is None:
            self._acknowledged_at = monotonic()
        self._reports.append((report, failure))

    def _poll(self) -> None:
        while self._running:
            self._producer.poll(POLL_SECONDS)
            if self._reports:
                reports, self._reports = self._reports, []
                self._loop.call_soon_threadsafe(_settle, reports)


def _settle(reports: list[_Report]) -> None:
    for report, failure in reports:
        if report.done():
            continue  # its request has been given up
        if failure is None:
            report.set_result(None)
        else:
            report.set_exception(failure)


def _failure(error: KafkaError | None, message: Message) -> NotWrittenError | None:
    """Why a record does not count as written; None where it does.

    A report without an offset is no proof: librdkafka gives it for batches that the broker calls repeated, and has
    been seen to give it for records that were in no log. Sent again, they are there twice at worst.
    """
    if error is not None:
        return _not_written(error)
    offset = message.offset()
    return NotWrittenError(Why.AWAY, "acknowledged without an offset") if offset is None or offset < 0 else None


def _not_written(error: KafkaError) -> NotWrittenError:
    if error.code() in _TOO_LARGE:
        return NotWrittenError(Why.TOO_LARGE, error.name())
    return NotWrittenError(Why.MISSING_TOPIC if error.code() in _MISSING else Why.AWAY, error.name())
