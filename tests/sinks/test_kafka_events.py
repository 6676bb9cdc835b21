"""The Kafka sink on a real Kafka: events that anybody's CloudEvents library reads, and a broker that is not there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.models.remote import Remote
from pipeline.models.sinks.streams import KafkaEvents
from pipeline.sinks.base import Answer, SinkError, Trouble
from pipeline.sinks.kafka_events import KafkaSink, event
from pipeline.sinks.limits import Buckets
from tests.faults.cluster import Cluster
from tests.faults.proxy import Proxy
from tests.sinks.receivers import NOW
from tests.sinks.secured_kafka import PASSWORD, USER, SecuredKafka
from tests.sinks.telling import told_send

SECONDS_MAX = 60


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, SECONDS_MAX))


@pytest.fixture
def topic(kafka: str, prefix: str) -> Iterator[str]:
    name = f"{prefix}changes"
    create(kafka, name)
    yield name
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    client.delete_topics([name])[name].result(SECONDS_MAX)


def create(bootstrap: str, topic: str, **config: str) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    client.create_topics([NewTopic(topic, 1, 1, config=config)])[topic].result(SECONDS_MAX)


@asynccontextmanager
async def sink(bootstrap: str, topic: str, password: str = PASSWORD, **fields: Any) -> AsyncIterator[KafkaSink]:
    given = {"name": "bus", "bootstrap": bootstrap, "topic": topic, **fields}
    rules = KafkaEvents.model_validate(given)
    made = KafkaSink(rules, {"BUS": password}, Buckets().of(rules))
    try:
        yield made
    finally:
        await made.close()


def remote_of(answer: Answer) -> Remote:
    assert answer.outcome == "delivered", answer
    assert answer.remote is not None
    return answer.remote


def records(bootstrap: str, topic: str) -> list[Any]:
    """All records of a topic of one partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "log_level": 0})
    try:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS_MAX)
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Any] = []
        while len(found) < end:
            found += consumer.consume(end - len(found), timeout=SECONDS_MAX)
        return found
    finally:
        consumer.close()


def read(message: Any) -> Any:
    """As the library of CloudEvents reads it."""
    headers = dict(message.headers())
    return from_kafka_event(KafkaMessage(headers=headers, key=message.key(), value=message.value()))


def test_each_revision_is_an_event_that_a_library_of_cloudevents_reads(kafka: str, topic: str) -> None:
    async def test() -> None:
        async with sink(kafka, topic) as bus:
            known = remote_of(await bus.send(told_send(), NOW))
            assert known.state == "open"
            ended = told_send(2, "resolved", incident={"state": "resolved"}, remote=known)
            assert remote_of(await bus.send(ended, NOW)).state == "resolved"

    run(test())
    first, second = records(kafka, topic)
    assert first.key() == second.key() == b"INC-D5KZHUYBCD7C"
    read_first, read_second = read(first), read(second)
    assert read_first.get_id() == "INC-D5KZHUYBCD7C/1"
    assert read_first.get_type() == "dev.spillway.incident.opened.v1"
    assert read_first.get_source() == "/spillway/production"
    assert read_first.get_subject() == "INC-D5KZHUYBCD7C"
    assert read_first.get_time().isoformat() == "2026-03-04T02:06:40+00:00"
    assert (read_first.get_extension("sequence"), read_second.get_extension("sequence")) == ("1", "2")
    assert read_second.get_data()["incident"]["state"] == "resolved"
    assert dict(first.headers())["content-type"] == b"application/json"


def test_the_same_revision_is_always_the_same_bytes() -> None:
    assert event(told_send(), "") == event(told_send(attempt=7), "")
    headers, _ = event(told_send(incident={"space": None}), "urn:acme:incidents")
    assert dict(headers)["ce_source"] == b"urn:acme:incidents"


def test_only_the_changes_that_are_asked_for_are_written_and_the_ledger_knows_the_rest(kafka: str, topic: str) -> None:
    async def test() -> None:
        async with sink(kafka, topic, changes=["opened", "resolved"]) as bus:
            known = remote_of(await bus.send(told_send(), NOW))
            noted = told_send(2, "noted", incident={"state": "acknowledged"}, remote=known)
            assert remote_of(await bus.send(noted, NOW)).state == "acknowledged"
            other = await bus.send(told_send(3, "noted"), NOW)
            assert (other.outcome, other.remote) == ("delivered", None)

    run(test())
    assert [read(each).get_id() for each in records(kafka, topic)] == ["INC-D5KZHUYBCD7C/1"]


def test_a_topic_that_is_not_there_is_waited_for_and_said(kafka: str, prefix: str) -> None:
    name = f"{prefix}missing"

    async def test() -> None:
        async with sink(kafka, name, timeout_seconds=1) as bus:
            with pytest.raises(Trouble, match="there is no such topic"):
                await bus.check()
            answer = await bus.send(told_send(), NOW)
            assert (answer.outcome, answer.unknown) == ("retry", False)
            assert answer.detail == "there is no such topic: create it: UnknownTopicOrPartitionError"
            await asyncio.to_thread(create, kafka, name)
            remote_of(await bus.send(told_send(attempt=2), NOW))
            assert await bus.check() == f"topic {name} has 1 partitions"

    run(test())
    assert len(records(kafka, name)) == 1


def test_what_is_larger_than_the_topic_takes_is_given_up_at_once(kafka: str, prefix: str) -> None:
    name = f"{prefix}small"
    create(kafka, name, **{"max.message.bytes": "500"})

    async def test() -> None:
        async with sink(kafka, name) as bus:
            answer = await bus.send(told_send(), NOW)
            assert (answer.outcome, answer.unknown) == ("rejected", False)
            assert (await bus.send(told_send(2), NOW)).outcome == "rejected"

    run(test())


@pytest.mark.parametrize("silent", [False, True])
def test_brokers_that_do_not_answer_are_tried_again_and_their_address_stays_unsaid(silent: bool) -> None:
    async def test() -> None:
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
            if silent:
                port.listen()
            async with sink(f"127.0.0.1:{port.getsockname()[1]}", "changes", timeout_seconds=0.5) as bus:
                answer = await bus.send(told_send(), NOW)
                assert (answer.outcome, answer.unknown) == ("retry", False)
                assert "127.0.0.1" not in answer.detail

    run(test())


def test_an_acknowledgement_that_is_lost_leaves_it_unknown_and_the_second_copy_has_the_same_id(tmp_path: Path) -> None:
    with Proxy() as proxy, Cluster(tmp_path, 1, proxy) as cluster:
        create(cluster.bootstrap, "changes")

        async def test() -> None:
            async with sink(proxy.bootstrap, "changes", timeout_seconds=2) as bus:
                known = remote_of(await bus.send(told_send(), NOW))
                # There and back takes longer than anybody waits, but the broker gets it.
                await asyncio.to_thread(proxy.delay, 1.5)
                lost = told_send(2, "resolved", remote=known)
                answer = await bus.send(lost, NOW)
                assert (answer.outcome, answer.unknown) == ("retry", True)
                await asyncio.to_thread(proxy.delay, 0)
                remote_of(await bus.send(lost._replace(unsure=True, attempt=2), NOW))
                remote_of(await bus.send(told_send(3, "closed", remote=known), NOW))

        run(test())
        ids = [read(each).get_id() for each in records(cluster.bootstrap, "changes")]
    assert ids.count("INC-D5KZHUYBCD7C/2") > 1
    assert list(dict.fromkeys(ids)) == [f"INC-D5KZHUYBCD7C/{number}" for number in (1, 2, 3)]
    assert ids == sorted(ids)


def test_only_who_logs_in_writes_and_only_to_brokers_whose_certificate_is_trusted(tmp_path: Path) -> None:
    login: dict[str, Any] = {"security": "sasl_ssl", "user": USER, "secret_env": "BUS", "timeout_seconds": 5}
    with SecuredKafka(tmp_path) as kafka:
        create(kafka.bootstrap, "changes")
        trusted: dict[str, Any] = {**login, "ca_file": str(kafka.certificate)}

        async def outcome(password: str = PASSWORD, **fields: Any) -> tuple[str, bool]:
            async with sink(kafka.secured, "changes", password, **fields) as bus:
                answer = await bus.send(told_send(), NOW)
                assert password not in answer.detail
                return answer.outcome, answer.unknown

        async def test() -> None:
            assert await outcome(**trusted) == ("delivered", False)
            assert await outcome(**trusted, mechanism="PLAIN") == ("delivered", False)
            assert await outcome("another-password", **trusted) == ("retry", False)
            assert await outcome(**login) == ("retry", False)
            assert await outcome(timeout_seconds=2) == ("retry", False)

        run(test())
        assert len(records(kafka.bootstrap, "changes")) == 2


def test_certificates_that_cannot_be_read_are_refused_by_name(tmp_path: Path) -> None:
    async def test() -> None:
        with pytest.raises(SinkError, match="sink bus: ca_file must be"):
            async with sink("kafka.example:9093", "changes", security="ssl", ca_file=str(tmp_path / "missing.pem")):
                pass

    run(test())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"security": "sasl_ssl"}, "both with security"),
        ({"user": "spillway", "secret_env": "BUS"}, "both with security"),
        ({"security": "sasl_ssl", "user": "spillway"}, "both with security"),
        (
            {"security": "sasl_plaintext", "mechanism": "PLAIN", "user": "spillway", "secret_env": "BUS"},
            "not sent in the clear",
        ),
        ({"bootstrap": "kafka.example"}, "match pattern"),
        ({"topic": "a topic"}, "match pattern"),
        ({"changes": ["broken"]}, "Input should be"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(fields: dict[str, Any], said: str) -> None:
    given = {"name": "bus", "bootstrap": "kafka.example:9092", "topic": "changes"}
    with pytest.raises(ValueError, match=said):
        KafkaEvents.model_validate({**given, **fields})
