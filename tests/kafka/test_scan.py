"""A scan up to now misses nothing that was written before it."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.kafka.scan import scan


def test_a_scan_up_to_now_waits_for_the_transaction_that_is_open_there(kafka: str, prefix: str) -> None:
    topic = f"{prefix}scanned"
    client: dict[str, Any] = {"bootstrap.servers": kafka}
    admin = AdminClient(client)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    before = Producer(client)
    before.produce(topic, b"before")
    assert before.flush(30) == 0
    during = Producer({**client, "transactional.id": f"{prefix}writer"})
    during.init_transactions(30)
    during.begin_transaction()
    during.produce(topic, b"during")
    assert during.flush(30) == 0
    records = scan(client, {topic: (0,)})
    assert next(records).value == b"before"
    during.commit_transaction(30)
    assert [record.value for record in records] == [b"during"]
