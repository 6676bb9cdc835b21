"""The reader ahead: it finds what is urgent behind a backlog, once, and rests where no more may go."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Final

import orjson
import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition

from pipeline.core.alerts.sources import sources_of
from pipeline.core.alerts.urgent import Urgent
from pipeline.core.step import Record
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage
from pipeline.models.policy import Feed
from pipeline.runtime.host import BACKLOG_RECORDS_MIN, Backlog, Place, StageHost
from pipeline.runtime.look_ahead import (
    CORE_SHARE,
    FORGET_SECONDS,
    HURRY_SECONDS,
    KNOWN_MAX,
    PAUSE_SECONDS_MAX,
    PAUSE_SECONDS_MIN,
    AheadReader,
    Known,
    rest_seconds,
)
from pipeline.runtime.partition import PartitionTask
from pipeline.settings import Settings
from tests.runtime.test_lanes import RUNAWAY, context
from tests.runtime.workers import Bench, stamp_ms
from tests.support import wait_until

TOPIC: Final = "alerts.raw.alertmanager"
WAIT_SECONDS: Final = 30.0
OPEN: Final = Backlog(0, may_go_ahead=True)


class Topic:
    """A raw topic of two partitions, and a reader of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.topic(TOPIC, 2)
        self._producer = Producer({"bootstrap.servers": bench.kafka})
        self.reader = AheadReader(Settings(bootstrap=bench.kafka, topic_prefix=bench.prefix), "ahead")
        self.urgent = Urgent(sources_of(ADAPTERS, DEFAULT_FEEDS))
        self.found: dict[Place, list[Record]] = {}

    def place(self, partition: int = 0) -> Place:
        return self.bench.prefix + TOPIC, partition

    def say(
        self, rule: str, severity: str = "critical", partition: int = 0, ago_seconds: float = 0.0, topic: str = TOPIC
    ) -> None:
        labels = {"alertname": rule, "severity": severity, "service": "checkout"}
        alert = {"status": "firing", "labels": labels, "startsAt": "2026-03-04T02:00:00Z"}
        at_ms = stamp_ms() - int(ago_seconds * 1_000)
        self._producer.produce(
            self.bench.prefix + topic, orjson.dumps({"alerts": [alert]}), partition=partition, timestamp=at_ms
        )
        assert self._producer.flush(WAIT_SECONDS) == 0

    def read(self, backlogs: dict[Place, Backlog]) -> None:
        """One turn."""
        for place, records in self.reader.read(backlogs, self.urgent).items():
            self.found.setdefault(place, []).extend(records)

    def offsets(self, partition: int = 0) -> list[int]:
        return [record.offset for record in self.found.get(self.place(partition), ())]

    def read_until(self, backlogs: dict[Place, Backlog], partition: int, offset: int) -> None:
        """Read on until something urgent is found."""

        def is_found() -> bool:
            self.read(backlogs)
            return offset in self.offsets(partition)

        wait_until(is_found, WAIT_SECONDS, f"offset {offset} of partition {partition} is found")


@pytest.fixture
def topic(bench: Bench) -> Iterator[Topic]:
    topic = Topic(bench)
    yield topic
    topic.reader.close()


def test_what_is_critical_is_found_as_it_came_from_its_turn_on_and_once(topic: Topic) -> None:
    for rule, severity in [
        ("A", "critical"),
        ("B", "warning"),
        ("C", "critical"),
        ("C", "critical"),
        ("D", "critical"),
    ]:
        topic.say(rule, severity)
    backlogs = {topic.place(): Backlog(1, may_go_ahead=True)}
    topic.read_until(backlogs, 0, 4)

    assert topic.offsets() == [2, 4]
    record = topic.found[topic.place()][0]
    assert (record.topic, record.partition) == (TOPIC, 0)
    assert b'"alertname":"C"' in (record.value or b"")


def test_another_partition_is_read_when_it_has_a_backlog_and_left_when_it_has_none(topic: Topic) -> None:
    topic.say("A")
    topic.say("B", partition=1)
    topic.read_until({topic.place(0): OPEN}, 0, 0)
    assert topic.offsets(1) == []
    topic.read_until({topic.place(0): OPEN, topic.place(1): OPEN}, 1, 0)
    topic.say("C", partition=0)
    topic.say("D", partition=1)
    topic.read_until({topic.place(1): OPEN}, 1, 1)
    assert topic.offsets(0) == [0]


def test_where_no_more_may_go_ahead_it_rests_and_goes_on_where_it_was(topic: Topic) -> None:
    topic.say("A")
    topic.read_until({topic.place(): OPEN}, 0, 0)
    topic.say("B")
    topic.say("C", partition=1)
    resting = {topic.place(0): Backlog(0, may_go_ahead=False), topic.place(1): OPEN}
    topic.read_until(resting, 1, 0)
    assert topic.offsets() == [0]
    topic.read_until({topic.place(): OPEN}, 0, 1)
    assert topic.offsets() == [0, 1]


def test_a_place_that_rested_when_it_was_left_is_read_when_it_comes_back(topic: Topic) -> None:
    topic.say("A")
    topic.read_until({topic.place(): OPEN}, 0, 0)
    topic.read({topic.place(): Backlog(0, may_go_ahead=False)})
    topic.read({})
    topic.say("B")
    topic.read_until({topic.place(): Backlog(1, may_go_ahead=True)}, 0, 1)
    assert topic.offsets() == [0, 1]


def test_what_was_not_taken_is_found_again(topic: Topic) -> None:
    for rule in "ABC":
        topic.say(rule)
    topic.read_until({topic.place(): OPEN}, 0, 2)
    topic.reader.go_back(topic.place(), 1)
    topic.found.clear()
    topic.read_until({topic.place(): OPEN}, 0, 2)
    assert topic.offsets() == [1, 2]


def test_after_a_rebalance_all_is_looked_at_anew(topic: Topic) -> None:
    topic.say("A")
    topic.read_until({topic.place(): OPEN}, 0, 0)
    topic.found.clear()
    topic.read_until({topic.place(): Backlog(0, may_go_ahead=True, opening=2)}, 0, 0)
    assert topic.offsets() == [0]


def test_equal_messages_of_two_feeds_are_found_in_both(topic: Topic, bench: Bench) -> None:
    bench.topic("alerts.raw.grafana", 1)
    topic.urgent = Urgent(
        sources_of(ADAPTERS, DEFAULT_FEEDS | {"grafana": Feed(name="grafana", adapter="alertmanager")})
    )
    topic.say("A")
    other = bench.prefix + "alerts.raw.grafana", 0
    topic.say("A", topic="alerts.raw.grafana")

    def both() -> bool:
        topic.read({topic.place(): OPEN, other: OPEN})
        return topic.found.keys() == {topic.place(), other}

    wait_until(both, WAIT_SECONDS, "both are found")


def test_after_an_error_of_the_client_it_begins_anew(topic: Topic) -> None:
    topic.say("A")
    topic.say("B", partition=1)
    topic.read_until({topic.place(): OPEN}, 0, 0)
    assert topic.reader._consumer is not None
    topic.reader._consumer.incremental_assign([TopicPartition(*topic.place(1), 0)])  # behind its back
    with pytest.raises(KafkaException):
        topic.read({topic.place(0): OPEN, topic.place(1): OPEN})
    topic.read_until({topic.place(0): OPEN, topic.place(1): OPEN}, 1, 0)


def test_where_the_turn_has_passed_it_begins_anew_at_the_turn(topic: Topic) -> None:
    topic.say("A")
    topic.read_until({topic.place(): OPEN}, 0, 0)
    for number in range(3):
        topic.say(f"B{number}")
    topic.read_until({topic.place(): Backlog(3, may_go_ahead=True)}, 0, 3)
    assert topic.offsets() == [0, 3]


def test_in_a_hurry_only_what_has_a_word_of_it_is_read(topic: Topic) -> None:
    topic.say("Word", ago_seconds=10 * HURRY_SECONDS)
    topic.say("None", "p1", ago_seconds=10 * HURRY_SECONDS)
    topic.say("Lately", "p1")
    topic.read_until({topic.place(): OPEN}, 0, 2)
    assert topic.offsets() == [0, 1, 2]  # "p1" stands as a word of its own
    topic.say("Number", "5", ago_seconds=10 * HURRY_SECONDS)
    topic.say("End")
    topic.read_until({topic.place(): OPEN}, 0, 4)
    assert 3 not in topic.offsets()


@pytest.mark.parametrize(
    ("took", "elapsed", "rests"),
    [
        (0.05, 0.05, 0.15),
        (0.05, 0.15, 0.05),  # it has waited for others meanwhile
        (0.0, 0.1, PAUSE_SECONDS_MIN),
        (0.01, 1.0, PAUSE_SECONDS_MIN),
        (3.0, 3.0, PAUSE_SECONDS_MAX),
    ],
)
def test_it_rests_to_keep_to_its_share_of_a_core(took: float, elapsed: float, rests: float) -> None:
    assert rest_seconds(took, elapsed) == pytest.approx(rests)
    assert rests in (PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX) or took / (elapsed + rests) == pytest.approx(CORE_SHARE)


def test_it_is_closed_after_the_turn_that_is_under_way_and_reads_no_more(topic: Topic) -> None:
    topic.say("A")
    turns = 0

    def read_on() -> None:
        nonlocal turns
        while topic.reader._consumer is not None or not turns:
            topic.read({topic.place(): OPEN})
            turns += 1

    thread = Thread(target=read_on)
    thread.start()
    wait_until(lambda: turns > 2, WAIT_SECONDS, "it reads")
    topic.reader.close()
    thread.join(WAIT_SECONDS)
    topic.say("B")

    assert not thread.is_alive()
    assert topic.reader.read({topic.place(): OPEN}, topic.urgent) == {}


def test_a_defect_of_an_adapter_costs_the_look_and_not_the_process(
    topic: Topic, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(document: object, message: RawMessage) -> list[Alert | BadRecord]:
        raise KeyError("startsAt")

    adapter = ADAPTERS["alertmanager"]._replace(parse=broken)
    topic.urgent = Urgent(sources_of(ADAPTERS | {"alertmanager": adapter}, DEFAULT_FEEDS))
    topic.say("A")
    topic.say("B", partition=1)

    def has_looked() -> bool:
        topic.read({topic.place(0): OPEN, topic.place(1): OPEN})
        return "second look failed" in capfd.readouterr().err

    wait_until(has_looked, WAIT_SECONDS, "the defect is told")
    assert topic.found == {}


class Clock:
    """A monotonic clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_looked_at_is_known_for_a_while() -> None:
    clock = Clock()
    known = Known(clock)
    assert known.is_new("a")
    assert not known.is_new("a")
    clock.now += FORGET_SECONDS + 1
    assert "a" in known.generations()[1]
    assert not known.is_new("a")
    clock.now += FORGET_SECONDS + 1
    assert known.generations() == (set(), set())
    assert known.is_new("a")
    known.forget()
    assert known.is_new("a")


def test_what_is_known_is_bounded() -> None:
    known = Known(Clock())
    for number in range(3 * KNOWN_MAX):
        known.generations()
        assert known.is_new(number)
    assert sum(map(len, known.generations())) <= 2 * KNOWN_MAX


def test_a_backlog_is_more_than_a_transaction_or_what_is_held_back() -> None:
    host = StageHost(context())
    task = host.tasks[0] = PartitionTask(host.context, 0)
    task.serving = True
    task.next_offsets[RUNAWAY] = 7
    host.observe({(RUNAWAY, 0): BACKLOG_RECORDS_MIN - 1})
    assert host.backlogs() == {}
    host.observe({(RUNAWAY, 0): BACKLOG_RECORDS_MIN})
    assert host.backlogs() == {(RUNAWAY, 0): Backlog(7, may_go_ahead=True)}
    task.serving = False
    assert host.backlogs() == {}
