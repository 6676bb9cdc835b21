"""Writes updates to ``sink.updates`` from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import click
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.cli.sink_ledger import Cluster
from pipeline.core.identity import partition_of
from pipeline.kafka.ledger import partitions_of
from pipeline.models.remote import EVERY, SINK_UPDATES_TOPIC, SinkUpdate, UpdateKind

# A person waits for the answer; a broker that takes longer is not well.
ANSWER_SECONDS_MAX: Final = 15.0

Delivered = Callable[[KafkaError | None, Message], None]


def send_updates(cluster: Cluster, updates: Iterable[SinkUpdate]) -> int:
    """Write updates and wait until the brokers have them; how many records that were.

    One for every incident goes to every partition, since each knows its own incidents alone.

    Raises:
        click.ClickException: the brokers do not take them.
        ScanError: the topic is missing.
    """
    topic = cluster.wire(SINK_UPDATES_TOPIC)
    partitions = partitions_of(cluster.client, topic)
    producer = Producer(
        {**cluster.client, "enable.idempotence": True, "delivery.timeout.ms": int(ANSWER_SECONDS_MAX * 1_000)}
    )
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    count = 0
    for update in updates:
        key = update.incident_id.encode()
        places = range(partitions) if update.incident_id == EVERY else (partition_of(key, partitions),)
        for partition in places:
            _produce(producer, topic, update, partition, delivered)
            count += 1
    unsent = producer.flush(ANSWER_SECONDS_MAX)
    if failures or unsent:
        reason = failures[0].str() if failures else "no answer"
        raise click.ClickException(f"Kafka did not take the updates: {reason}. Try again: a repeat changes nothing.")
    return count


def _produce(producer: Producer, topic: str, update: SinkUpdate, partition: int, delivered: Delivered) -> None:
    value, key = update.to_bytes(), update.incident_id.encode()
    while True:
        try:
            producer.produce(topic, value, key, partition, on_delivery=delivered)
        except BufferError:
            producer.poll(0.1)
        except KafkaException as error:
            raise click.ClickException(f"Kafka did not take the updates: {error.args[0].str()}") from None
        else:
            producer.poll(0)
            return


def retry_update(sink: str, incident_id: str, actor: str) -> SinkUpdate:
    """What asks that deliveries which were given up be sent again."""
    return SinkUpdate(
        kind=UpdateKind.RETRY,
        update_id=f"cli-{uuid4().hex}",
        sink=sink,
        incident_id=incident_id,
        at=datetime.now(UTC),
        author=actor,
    )
