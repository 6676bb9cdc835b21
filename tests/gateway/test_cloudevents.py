"""CloudEvents made by their SDK, through HTTP, read back from Kafka by the same SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Message

from tests.gateway.house import House

FEEDS = {"cloudevents": {"adapter": "cloudwatch", "gateway": {"auth": {"scheme": "none"}}}}


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(kafka, f"cloudevents-{os.getpid()}.", tmp_path_factory.mktemp("ce"), FEEDS, {}) as made:
        yield made


def event(**attributes: Any) -> CloudEvent:
    usual = {
        "id": "e-1",
        "type": "com.example.disk.full",
        "source": "/hosts/db 1",
        "subject": 'Größe "100 %"',
        "datacontenttype": "application/json",
        "time": datetime(2026, 3, 4, 2, 11, 42, tzinfo=UTC),
        "severity": "error",
    }
    return CloudEvent(attributes={**usual, **attributes}, data={"mount": "/var", "used": 1.0})


def read_back(record: Message) -> CloudEvent:
    headers = dict(cast(list[tuple[str, bytes]], record.headers() or []))
    return cast(CloudEvent, from_kafka_event(KafkaMessage(headers, None, record.value() or b"")))


def sent(house: House, message: HTTPMessage) -> Message:
    before = len(house.records("cloudevents", 0))
    answer = house.send("/v1/feeds/cloudevents", message.body, message.headers)
    assert answer.status == 202
    return house.records("cloudevents", before + 1)[-1]


def test_a_binary_event_is_the_same_event_on_kafka(house: House) -> None:
    record = sent(house, to_binary_event(event()))
    assert read_back(record).get_attributes() == event().get_attributes()
    assert read_back(record).get_data() == event().get_data()
    assert dict(cast(list[tuple[str, bytes]], record.headers()))["ce_subject"].decode() == 'Größe "100 %"'


def test_a_structured_event_is_the_same_event_on_kafka(house: House) -> None:
    message = to_structured_event(event())
    record = sent(house, message)
    assert record.value() == message.body
    assert read_back(record).get_attributes() == event().get_attributes()
    assert read_back(record).get_data() == event().get_data()


def test_a_batch_is_refused_with_a_sentence(house: House) -> None:
    answer = house.feed("cloudevents", b"[]", Content_Type="application/cloudevents-batch+json")
    assert answer.status == 415
    assert "each event in a request of its own" in answer.json["error"]
