"""The Kafka sink: each revision as a CloudEvent on a topic of any Kafka, in the binary mode of its binding.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md. Headers are
those of our own topic (docs/events.md). The producer is idempotent, so what its client sends again by itself is written
once; what we send again after an outcome that is unknown has the same ``ce_id``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from pipeline.core.outward.send import Send
from pipeline.kafka.client import Access, AccessError, for_aiokafka
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.streams import KafkaEvents
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble
from pipeline.sinks.last_told import last_told
from pipeline.sinks.limits import Bucket
from pipeline.sinks.told import told

BACKSTOP_TIMES: Final = 2.0
"""The client ends its own waits at the timeout, and says why; what it does not end is broken off so much later."""

WORDS: Final[Mapping[type[Exception], str]] = {
    KafkaConnectionError: "no broker answers, or none knows the user and its password",
    TopicAuthorizationFailedError: "the user may not write to the topic",
    ClusterAuthorizationFailedError: "the user may not write idempotently: give it IdempotentWrite on the cluster",
    UnknownTopicOrPartitionError: "there is no such topic: create it",
}
"""What a person has to do, of what does not pass by itself."""


class KafkaSink(SinkClient):
    """One topic. Connects with the first event; made inside a running event loop."""

    def __init__(self, rules: KafkaEvents, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Describe; nothing connects yet.

        Args:
            rules: the configuration.
            secrets: the password, by the name of its variable.
            bucket: of the brokers.

        Raises:
            SinkError: the certificates cannot be read.
        """
        self._rules = rules
        self._bucket = bucket
        self._access = _access(rules, secrets[rules.secret_env] if rules.secret_env else None)
        self._producer: Any = None
        self._starting = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def send(self, send: Send, now: datetime) -> Answer:
        """Write one event, and wait until the brokers have it."""
        del now
        said = told(send.body)
        if self._rules.changes and said.change not in self._rules.changes:
            remote = last_told(send, said) if send.remote is not None else None
            return Answer(DeliveryOutcome.DELIVERED, detail="not among the changes", remote=remote)
        headers, value = event(send, self._rules.source)
        await self._bucket.take(send.rank)
        try:
            producer = await self._started()
            await self._write(producer, send.incident_id.encode(), value, headers)
        except Trouble as trouble:
            return trouble.answer
        return Answer(DeliveryOutcome.DELIVERED, remote=last_told(send, said))

    async def check(self) -> str:
        """Log in and look the topic up."""
        partitions = await self._partitions(await self._started())
        return f"topic {self._rules.topic} has {partitions} partitions"

    async def close(self) -> None:
        """Disconnect, once the brokers have what is under way, or the time for it is over."""
        if self._producer is not None:
            self._leave(self._producer)
        await asyncio.gather(*self._ending)

    async def _started(self) -> Any:
        """The producer, connected.

        Raises:
            Trouble: no broker answers, or none lets us in.
        """
        async with self._starting:
            if self._producer is None:
                producer = self._made()
                try:
                    async with self._backstop():
                        await producer.start()
                except (KafkaError, OSError) as error:  # a timeout is an OSError
                    self._leave(producer)
                    raise Trouble(_answer(error, unknown=False)) from None
                self._producer = producer
            return self._producer

    async def _write(self, producer: Any, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Write one record.

        Raises:
            Trouble: it was not written, or perhaps it was.
        """
        await self._partitions(producer)
        try:
            async with self._backstop():
                await producer.send_and_wait(self._rules.topic, value, key=key, headers=headers)
        except MessageSizeTooLargeError:
            raise Trouble(Answer(DeliveryOutcome.REJECTED, detail="larger than the topic takes")) from None
        except (ClusterAuthorizationFailedError, TopicAuthorizationFailedError) as error:
            raise Trouble(_answer(error, unknown=False)) from None
        except (KafkaError, OSError) as error:
            # A producer that has lost count of what it sent takes nothing more; another one begins anew.
            self._leave(producer)
            raise Trouble(_answer(error, unknown=True)) from None

    async def _partitions(self, producer: Any) -> int:
        """How many the topic has. Asked before anything is sent.

        Raises:
            Trouble: the topic is not there, or not ours.
        """
        try:
            async with self._backstop():
                return len(await producer.partitions_for(self._rules.topic))
        except (KafkaError, OSError) as error:
            raise Trouble(_answer(error, unknown=False)) from None

    def _leave(self, producer: Any) -> None:
        """Use a producer no more; it ends by itself, since what it holds has to run out of time first."""
        if self._producer is producer:
            self._producer = None
        task = asyncio.create_task(self._stopped(producer), name=f"leave-{self._rules.name}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _stopped(self, producer: Any) -> None:
        with suppress(KafkaError, OSError):  # it is not used again
            async with self._backstop():
                await producer.stop()

    def _backstop(self) -> asyncio.Timeout:
        return asyncio.timeout(self._rules.timeout_seconds * BACKSTOP_TIMES)

    def _made(self) -> Any:
        rules = self._rules
        return AIOKafkaProducer(
            **self._access,
            client_id=f"spillway-sink-{rules.name}",
            enable_idempotence=True,
            request_timeout_ms=int(rules.timeout_seconds * 1_000),
        )


def event(send: Send, source: str) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and value of a revision. Same input, same bytes."""
    body = orjson.loads(send.body)
    space = body["data"]["incident"].get("space") or "default"
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": f"{send.incident_id}/{send.revision}",
        "ce_type": body["type"],
        "ce_source": source or f"/spillway/{space}",
        "ce_subject": send.incident_id,
        "ce_time": body["timestamp"],
        "ce_partitionkey": send.incident_id,
        "ce_sequence": str(send.revision),
    }
    return [(name, str(value).encode()) for name, value in headers.items()], orjson.dumps(body["data"])


def _answer(error: Exception, *, unknown: bool) -> Answer:
    words = WORDS.get(type(error), "no word from the brokers")
    return Answer(DeliveryOutcome.RETRY, detail=f"{words}: {type(error).__name__}", unknown=unknown)


def _access(rules: KafkaEvents, password: str | None) -> dict[str, Any]:
    """The way to the sink's brokers, whose certificates and names are verified.

    Raises:
        SinkError: the certificates cannot be read.
    """
    access = Access(
        bootstrap=rules.bootstrap,
        protocol=rules.security.upper(),
        ca_file=Path(rules.ca_file) if rules.ca_file else None,
        mechanism=rules.mechanism if "sasl" in rules.security else None,
        username=rules.user,
        password=password,
    )
    try:
        return for_aiokafka(access)
    except AccessError:
        raise SinkError(f"sink {rules.name}: ca_file must be a file of certificates in PEM") from None
