"""The reader ahead: it finds what is urgent behind a backlog, once, and rests where no more may go."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Final

import orjson
import pytest
from confluent_kafka import Producer

from pipeline.core.alerts.sources import sources_of
from pipeline.core.alerts.urgent import Urgent
from pipeline.core.overtaking import Overtaking
from pipeline.core.step import Record, StreamRecord
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage
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
from pipeline.runtime.note import ERROR_CHARACTERS_MAX, Crash, OffsetNote
from pipeline.runtime.offset_notes import OffsetNotes
from pipeline.runtime.partition import PartitionTask
from pipeline.runtime.quarantine import Quarantine
from pipeline.runtime.transaction import OversizedRecordError
from pipeline.settings import Settings
from tests.runtime.test_lanes import RUNAWAY, context
from tests.runtime.toy import Count
from tests.runtime.workers import Bench, stamp_ms
from tests.support import wait_until

TOPIC: Final = "alerts.raw.alertmanager"
WAIT_SECONDS: Final = 30.0
OFFSET_METADATA_BYTES_MAX: Final = 4_096
"""Kafka's default of ``offset.metadata.max.bytes``."""

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

    def say(self, rule: str, severity: str = "critical", partition: int = 0, ago_seconds: float = 0.0) -> None:
        labels = {"alertname": rule, "severity": severity, "service": "checkout"}
        alert = {"status": "firing", "labels": labels, "startsAt": "2026-03-04T02:00:00Z"}
        at_ms = stamp_ms() - int(ago_seconds * 1_000)
        self._producer.produce(
            self.bench.prefix + TOPIC, orjson.dumps({"alerts": [alert]}), partition=partition, timestamp=at_ms
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


def notes() -> OffsetNotes:
    return OffsetNotes(context(), Quarantine())


def test_a_note_with_all_that_may_stand_in_it_fits_beside_an_offset() -> None:
    topics = {f"a-topic-of-a-long-name-{number}": 1_000 for number in range(4)}
    ahead, offset = Overtaking(), 2**34
    while ahead.has_room(offset, 1):
        ahead.add(offset, [str(offset)])
        offset += 2**21
    crash = Crash(2, offset, offset, "x" * ERROR_CHARACTERS_MAX)
    note = OffsetNote("A" * 22, "B" * 22, topics, crash, ahead.to_text())

    assert len(note.to_text()) < OFFSET_METADATA_BYTES_MAX
    assert OffsetNote.from_text(note.to_text()) == note


def test_what_stands_beside_an_offset_is_ahead_for_the_next_owner() -> None:
    ahead = Overtaking()
    ahead.add(70, ["disk"])
    subject = notes()
    subject.learn(RUNAWAY, OffsetNote(ahead=ahead.to_text()).to_text())
    records: list[Record] = [StreamRecord(RUNAWAY, 0, offset, 0, None, b"x") for offset in range(68, 73)]

    assert [record.offset for record in subject.undecided(RUNAWAY, records, 69)] == [69, 71, 72]
    assert OffsetNote.from_text(subject.texts({RUNAWAY: 69})[RUNAWAY]).ahead
    assert OffsetNote.from_text(subject.texts({RUNAWAY: 71})[RUNAWAY]).ahead == ""


def test_where_a_record_has_crashed_a_worker_nothing_goes_ahead_until_it_is_passed() -> None:
    subject = notes()
    subject.learn(RUNAWAY, OffsetNote("T", crash=Crash(1, None, 80, "RuntimeError")).to_text())
    assert not subject.may_go_ahead(RUNAWAY)
    subject.committed({RUNAWAY: 81})
    assert subject.may_go_ahead(RUNAWAY)


class Willing(Count):
    """Lets everything go ahead; what crashes the toy crashes the question, too."""

    def goes_ahead(self, record: Record, ahead: Overtaking) -> bool:
        if record.value == b"crash":
            raise RuntimeError("the toy was told to crash")
        ahead.add(record.offset, [f"condition {record.offset}"])
        return True


def test_what_has_had_its_turn_in_the_meantime_goes_not_again() -> None:
    subject, processor = notes(), Willing()
    records = [StreamRecord(RUNAWAY, 0, offset, 0, None, b"x") for offset in (5, 9, 9, 12)]
    going, beside = subject.going_ahead(processor, records, {RUNAWAY: 6})
    assert [record.offset for record in going] == [9, 12]
    assert beside == {RUNAWAY: 6}
    assert subject.going_ahead(processor, records, {}) == ([], {})


def test_a_record_that_crashes_a_worker_on_its_way_ahead_is_the_one_that_is_blamed() -> None:
    quarantine = Quarantine()
    subject = OffsetNotes(context(), quarantine)
    said = ((5, b"x"), (9, b"crash"))
    records: list[Record] = [StreamRecord(RUNAWAY, 0, offset, 0, None, value) for offset, value in said]
    with pytest.raises(RuntimeError) as raised:
        subject.going_ahead(Willing(), records, {RUNAWAY: 2})
    crashes = quarantine.blame(raised.value)

    assert {topic: crash[:3] for topic, crash in crashes.items()} == {RUNAWAY: (1, 9, 9)}
    successor = notes()
    successor.learn(RUNAWAY, subject.of_crashes(crashes)[RUNAWAY])
    assert not successor.may_go_ahead(RUNAWAY)
    assert successor.undecided(RUNAWAY, records, 2) == records


def test_what_was_not_committed_did_not_go_ahead_and_what_was_before_stays_so() -> None:
    quarantine = Quarantine()
    subject = OffsetNotes(context(), quarantine)
    records: list[Record] = [StreamRecord(RUNAWAY, 0, offset, 0, None, b"x") for offset in (5, 9, 12)]
    going, beside = subject.going_ahead(Willing(), records[:1], {RUNAWAY: 2})
    subject.committed(beside)
    going, _ = subject.going_ahead(Willing(), records, {RUNAWAY: 2})
    quarantine.hold(going)
    crashes = quarantine.blame(OversizedRecordError("too large"))

    assert {topic: crash[:3] for topic, crash in crashes.items()} == {RUNAWAY: (1, 9, 9)}, "and not a whole backlog"
    successor = notes()
    successor.learn(RUNAWAY, subject.of_crashes(crashes)[RUNAWAY])
    assert successor.undecided(RUNAWAY, records, 2) == records[1:]


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
