"""Offsets are asked for when no commit is on its way to change them."""

from __future__ import annotations

import threading
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.runtime.stable import wait_until_stable
from pipeline.settings import Settings

HELD_UP_SECONDS = 1.0
SETTLED_SECONDS_MAX = 30.0


def test_an_offset_that_an_open_transaction_may_change_is_waited_for(kafka: str, prefix: str) -> None:
    topic, group = f"{prefix}read", f"{prefix}readers"
    client: dict[str, Any] = {"bootstrap.servers": kafka}
    admin = AdminClient(client)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    producer = Producer({**client, "transactional.id": f"{prefix}writer"})
    producer.init_transactions(30)
    producer.begin_transaction()
    reader = Consumer({**client, "group.id": group})
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], reader.consumer_group_metadata(), 30)
    stable = threading.Event()

    def wait() -> None:
        wait_until_stable(Settings(bootstrap=kafka), group, [(topic, 0)])
        stable.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not stable.wait(HELD_UP_SECONDS)
    producer.commit_transaction(30)
    assert stable.wait(SETTLED_SECONDS_MAX)
    waiting.join()
    reader.close()
