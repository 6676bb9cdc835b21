"""Many topics are read as one stream in the order of time, however unevenly they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from random import Random
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.core.step import StreamRecord
from pipeline.kafka.scan import Place, spans
from pipeline.shadow import reader as readers
from pipeline.shadow.reader import MergedReader
from tests.support import wait_until

NAMES = ("alerts.raw.a", "alerts.raw.b", "changes", "episodes", "incidents")
AT_MS = 1_780_000_000_000
SECONDS_MAX = 30.0
RECORDS = 3_000


class Topics:
    """Topics of two partitions with times of our own."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self.client: dict[str, Any] = {"bootstrap.servers": kafka, "group.id": f"{prefix}reader"}
        self.prefix = prefix
        admin = AdminClient({"bootstrap.servers": kafka})
        made = admin.create_topics([NewTopic(prefix + name, 2, 1) for name in NAMES])
        for each in made.values():
            each.result()
        self._producer = Producer({"bootstrap.servers": kafka})

    def write(self, name: str, partition: int, at_ms: int) -> None:
        self._producer.produce(self.prefix + name, b"{}", partition=partition, timestamp=at_ms)

    def flush(self) -> None:
        assert self._producer.flush(SECONDS_MAX) == 0

    def places(self) -> dict[Place, int]:
        return {(self.prefix + name, partition): 0 for name in NAMES for partition in range(2)}


@pytest.fixture
def topics(kafka: str, prefix: str) -> Topics:
    return Topics(kafka, prefix)


@pytest.fixture
def reader(topics: Topics) -> Iterator[MergedReader]:
    with closing(MergedReader(topics.client, topics.prefix)) as made:
        made.assign(topics.places())
        yield made


def read(reader: MergedReader, count: int) -> list[StreamRecord]:
    found: list[StreamRecord] = []

    def enough() -> bool:
        found.extend(reader.poll(100))
        return len(found) >= count

    wait_until(enough, SECONDS_MAX, f"{count} records are read")
    return found


@pytest.mark.parametrize("waiting_max", [10, readers.WAITING_MAX])
def test_a_backlog_comes_in_the_order_of_time(
    topics: Topics, monkeypatch: pytest.MonkeyPatch, waiting_max: int
) -> None:
    monkeypatch.setattr(readers, "WAITING_MAX", waiting_max)
    monkeypatch.setattr(readers, "WAITING_MIN", waiting_max // 2)
    random = Random(7)  # noqa: S311  # repeatable, not secret
    written = {at: sorted(random.randrange(10**6) for _ in range(RECORDS // 10)) for at in topics.places()}
    for (name, partition), moments in written.items():
        for moment in moments[: random.randrange(1, RECORDS // 10)] if "changes" in name else moments:
            topics.write(name.removeprefix(topics.prefix), partition, AT_MS + moment)
    topics.flush()
    count = sum(high for high in ends(topics).values())
    # One that was there before the records would take the ends of empty topics for the end of the backlog.
    with closing(MergedReader(topics.client, topics.prefix)) as reader:
        reader.assign(topics.places())
        found = read(reader, count)
        wait_until(lambda: not reader.poll(100) and reader.idle(), SECONDS_MAX, "all is read to its end")
        assert reader.lag() == 0
    moments = [record.timestamp for record in found]
    assert moments == sorted(moments)
    assert len(found) == count == len({(each.topic, each.partition, each.offset) for each in found})
    assert {record.topic for record in found} == set(NAMES)


def test_at_one_moment_what_came_from_outside_is_before_what_was_made_of_it(
    topics: Topics, reader: MergedReader
) -> None:
    for name in reversed(NAMES):
        topics.write(name, 1, AT_MS)
    topics.flush()
    assert [record.topic for record in read(reader, len(NAMES))] == list(NAMES)


def test_at_the_live_edge_one_topic_does_not_wait_for_silent_ones(topics: Topics, reader: MergedReader) -> None:
    for number in range(3):
        topics.write("changes", number % 2, AT_MS + number)
        topics.flush()
        (record,) = read(reader, 1)
        assert record.timestamp == AT_MS + number


def test_reading_goes_on_where_it_is_told_to(topics: Topics) -> None:
    for number in range(5):
        topics.write("changes", 0, AT_MS + number)
    topics.flush()
    with closing(MergedReader(topics.client, topics.prefix)) as reader:
        reader.assign(topics.places() | {(topics.prefix + "changes", 0): 3})
        assert [record.offset for record in read(reader, 2)] == [3, 4]


def ends(topics: Topics) -> dict[Place, int]:
    found = spans(topics.client, {topics.prefix + name: (0, 1) for name in NAMES}, None, None)
    return {at: end for at, (_, end) in found.items()}
