"""Deliver's hooks on a real Kafka: what is ready is sent, and its outcome is where the outbox looks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client import CollectorRegistry

from pipeline.agents.deliver import DeliverHooks
from pipeline.agents.deliver import hooks as hooks_of
from pipeline.core.identity import partition_of
from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.models.delivery import Delivery, DeliveryOutcome
from pipeline.models.policy import Config
from pipeline.models.sinks.chat import Teams
from pipeline.settings import Settings, SettingsError
from pipeline.sinks.base import SinkError
from pipeline.sinks.watch import Watched
from tests.sinks.receivers import SECONDS_MAX, SECRET, Receiver, run, serving, sink
from tests.sinks.servers.teams import TeamsServer

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


@pytest.mark.parametrize("is_left", [True, False])
def test_only_what_a_former_owner_left_may_have_been_begun_by_it(settings: Settings, *, is_left: bool) -> None:
    server = TeamsServer()

    async def test() -> None:
        async with server.running():
            config = Config(sinks={"chat": Teams(name="chat", url_env="CHAT")})
            processor, effects = DeliverProcessor(config), Effects()
            hooks = DeliverHooks(settings, config, secret=lambda _: server.address)
            if is_left:
                processor.handle([opened("INC-5")], effects)
            await hooks.on_assigned(0, processor)
            if not is_left:
                processor.handle([opened("INC-6")], effects)
            await hooks.after_commit(0, processor, effects)
            await asyncio.to_thread(outcome, settings, "INC-5" if is_left else "INC-6")
            await hooks.stop()

    run(test())
    assert ["Posted again" in str(card) for card in server.cards] == [is_left]


def test_a_missing_secret_stops_the_start_and_names_sink_and_variable() -> None:
    def missing(name: str) -> str:
        raise SettingsError(f"{name} is not set")

    async def test() -> None:
        config = Config(sinks={"desk": sink("desk", "https://desk.example")})
        hooks = DeliverHooks(Settings(), config, secret=missing)
        with pytest.raises(SinkError, match="sink desk: DESK_SECRET is not set"):
            await hooks.on_assigned(0, DeliverProcessor(config))

    run(test())


def test_a_missing_secret_is_told_before_anything_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_SECRET", raising=False)
    config = Config(sinks={"desk": sink("desk", "https://desk.example")})
    with pytest.raises(SettingsError, match="sink desk: DESK_SECRET is not set"):
        hooks_of(Settings(), config, CollectorRegistry())
    resting = config.sinks["desk"].model_copy(update={"enabled": False})
    hooks_of(Settings(), Config(sinks={"desk": resting}), CollectorRegistry())


def delivered(incident_id: str) -> StreamRecord:
    """The outcome that a former owner wrote last."""
    told = Delivery(
        delivery_id=f"{incident_id}/1/desk",
        sink="desk",
        incident_id=incident_id,
        revision=1,
        attempt=1,
        outcome=DeliveryOutcome.DELIVERED,
        at_ms=2,
    )
    return StreamRecord("deliveries", 0, 1, 2, incident_id.encode(), orjson.dumps(told.to_wire()))


def test_what_a_former_owner_told_and_noted_is_not_told_again(settings: Settings) -> None:
    receiver = Receiver()

    async def test() -> None:
        async with serving(receiver.handle) as url:
            config = Config(sinks={"desk": sink("desk", url)})
            processor, effects = DeliverProcessor(config), Effects()
            processor.handle([opened("INC-3")], effects)
            hooks = DeliverHooks(settings, config, secret=lambda _: SECRET)
            await hooks.on_assigned(0, processor)
            await asyncio.sleep(0.1)  # it is read a little later
            processor.handle([delivered("INC-3"), opened("INC-4")], effects)
            await hooks.after_commit(0, processor, effects)
            await asyncio.to_thread(outcome, settings, "INC-4")
            await hooks.stop()

    run(test())
    assert receiver.got == ["INC-4/1/desk"]


def test_a_watcher_runs_while_there_are_partitions_and_sees_them_come_and_go(settings: Settings) -> None:
    seen: list[Watched] = []
    ended = asyncio.Event()

    async def watcher(watched: Watched) -> None:
        seen.append(watched)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def test() -> None:
        async with serving(Receiver().handle) as url:
            off = sink("off", url).model_copy(update={"enabled": False})
            config = Config(sinks={"desk": sink("desk", url), "off": off})
            hooks = DeliverHooks(settings, config, secret=lambda _: SECRET, watchers=(watcher,))
            processors = {number: DeliverProcessor(config) for number in range(2)}
            for number, processor in processors.items():
                await hooks.on_assigned(number, processor)
            await asyncio.sleep(0)
            [watched] = seen
            assert watched.processors == processors
            assert (set(watched.clients), watched.partitions) == ({"desk"}, PARTITIONS)
            assert hooks._buckets.of(config.sinks["desk"])._share == 2 / PARTITIONS
            assert watched.leads("desk") is (partition_of(b"desk", PARTITIONS) in processors)
            await hooks.on_revoked(0)
            assert set(watched.processors) == {1}
            await hooks.stop()
            assert ended.is_set()

    run(test())
