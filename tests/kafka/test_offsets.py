"""Offsets of groups, asked from outside of them."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.kafka.embedded import EmbeddedKafka
from pipeline.kafka.offsets import CommittedOffsets
from tests.support import wait_until

SECONDS_MAX = 60.0
ASKERS = 3

ASKS_AT_ONCE = """
import sys, time
from confluent_kafka import KafkaException
from pipeline.kafka.offsets import CommittedOffsets
from tests.support import wait_until
offsets, until = CommittedOffsets({"bootstrap.servers": sys.argv[1], "log_level": 0}), time.monotonic() + 8
while time.monotonic() < until:
    try:
        offsets.of("group", [("topic", 0)], 2.0)
    except KafkaException:
        pass
"""


def test_what_a_group_has_committed_is_told_and_what_it_has_not_is_left_out(kafka: str, prefix: str) -> None:
    topic, group = f"{prefix}topic", f"{prefix}group"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b"one", partition=0)
    assert producer.flush(SECONDS_MAX) == 0
    offsets = CommittedOffsets({"bootstrap.servers": kafka})
    places = [(topic, 0), (topic, 1)]
    assert offsets.of(group, places, SECONDS_MAX) == {}
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    consumer.close()
    assert offsets.of(group, places, SECONDS_MAX) == {(topic, 0): 1}
    assert offsets.of(group, [], SECONDS_MAX) == {}
    offsets.close()


def test_a_login_that_expires_is_renewed_although_nothing_is_ever_read() -> None:
    given: list[float] = []

    def token(_: str) -> tuple[str, float]:
        given.append(time.time())
        return "header.claims.signature", time.time() + 1

    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": token}
    offsets = CommittedOffsets({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, **login})

    def is_renewed() -> bool:
        with suppress(KafkaException):
            offsets.of("group", [("topic", 0)], 0.1)
        return len(given) >= 3

    wait_until(is_renewed, SECONDS_MAX, "two more tokens were asked for")
    offsets.close()


def test_nobody_asks_in_the_way_that_may_end_the_process() -> None:
    sources = (Path(__file__).parents[2] / "pipeline").rglob("*.py")
    assert not [each for each in sources if "list_consumer_group_offsets(" in each.read_text("utf-8")]


def test_who_asks_brokers_that_have_just_started_does_not_die_of_it() -> None:
    # The administration's own call ends one process in six here, by a segmentation fault.
    with EmbeddedKafka() as broker:
        command = [sys.executable, "-c", ASKS_AT_ONCE, broker.bootstrap]
        askers = [subprocess.Popen(command) for _ in range(ASKERS)]
        assert [asker.wait(SECONDS_MAX) for asker in askers] == [0] * ASKERS
