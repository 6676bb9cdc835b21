"""Deliver's hooks on a real Kafka: what is ready is sent, and its outcome is where the outbox looks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.agents.deliver import DeliverHooks
from pipeline.core.identity import partition_of
from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.models.policy import Config
from pipeline.settings import Settings, SettingsError
from pipeline.sinks.base import SinkError
from tests.sinks.receivers import SECONDS_MAX, SECRET, Receiver, run, serving, sink

PARTITIONS = 5


@pytest.fixture
def settings(kafka: str, prefix: str) -> Iterator[Settings]:
    client, topic = AdminClient({"bootstrap.servers": kafka, "log_level": 0}), f"{prefix}deliveries"
    client.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(SECONDS_MAX)
    yield Settings(bootstrap=kafka, topic_prefix=prefix)
    client.delete_topics([topic])[topic].result(SECONDS_MAX)


def opened(incident_id: str) -> StreamRecord:
    document = {"schema": 1, "incident_id": incident_id, "revision": 1, "change": "opened", "at_ms": 1, "entries": []}
    value = orjson.dumps({**document, "incident": {"id": incident_id, "state": "logged"}})
    return StreamRecord("incidents", 0, 1, 1, incident_id.encode(), value)


def outcome(settings: Settings, incident_id: str) -> StreamRecord:
    """The first record where the outcomes of an incident belong."""
    partition = partition_of(incident_id.encode(), PARTITIONS)
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": incident_id, "log_level": 0})
    try:
        consumer.assign([TopicPartition(settings.wire("deliveries"), partition, 0)])
        [message] = consumer.consume(1, timeout=SECONDS_MAX)
        _, timestamp = message.timestamp()
        return StreamRecord("deliveries", partition, 0, timestamp, message.key(), message.value())
    finally:
        consumer.close()


def test_what_a_batch_made_ready_is_sent_after_its_commit_and_its_outcome_comes_back(settings: Settings) -> None:
    receiver = Receiver()

    async def test() -> None:
        async with serving(receiver.handle) as url:
            config = Config(sinks={"desk": sink("desk", url)})
            processor, effects = DeliverProcessor(config), Effects()
            hooks = DeliverHooks(settings, config, secret=lambda _: SECRET)
            await hooks.on_assigned(0, processor)
            processor.handle([opened("INC-1")], effects)
            await hooks.after_commit(0, processor, effects)
            await hooks.after_commit(0, processor, effects)
            record = await asyncio.to_thread(outcome, settings, "INC-1")
            processor.handle([record], effects)
            assert processor.ready() == []
            assert effects.outputs == []
            await hooks.on_revoked(0)
            await hooks.stop()

    run(test())
    assert receiver.got == ["INC-1/1/desk"]


def test_what_a_former_owner_left_is_sent_when_the_partition_is_assigned(settings: Settings) -> None:
    receiver = Receiver()

    async def test() -> None:
        async with serving(receiver.handle) as url:
            config = Config(sinks={"desk": sink("desk", url)})
            processor = DeliverProcessor(config)
            processor.handle([opened("INC-2")], Effects())
            hooks = DeliverHooks(settings, config, secret=lambda _: SECRET)
            await hooks.on_assigned(0, processor)
            await asyncio.to_thread(outcome, settings, "INC-2")
            await hooks.stop()

    run(test())
    assert receiver.got == ["INC-2/1/desk"]


def test_a_missing_secret_stops_the_start_and_names_sink_and_variable() -> None:
    def missing(name: str) -> str:
        raise SettingsError(f"{name} is not set")

    async def test() -> None:
        config = Config(sinks={"desk": sink("desk", "https://desk.example")})
        hooks = DeliverHooks(Settings(), config, secret=missing)
        with pytest.raises(SinkError, match="sink desk: DESK_SECRET is not set"):
            await hooks.on_assigned(0, DeliverProcessor(config))

    run(test())
