"""Looking ahead: what is urgent in a feed with a backlog is found far behind its turn, and goes first.

A feed that runs away, or has a quota, waits in Kafka, and the one message that matters would wait with it. So while a
topic-partition has a backlog, another consumer of the process reads it from the next record in turn to its end, with a
share of a core. It looks at each message once and hands on those in which something critical begins. `PartitionTask`
decides them before everything else, and notes beside the offset that it has (`pipeline.core.overtaking`).

This reader commits nothing and joins no group. What it misses waits for its turn, as everything did without it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from time import monotonic, sleep, thread_time, time
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipeline.core.alerts.urgent import Urgent, may_be_urgent
from pipeline.core.step import Headers, Record, StreamRecord
from pipeline.kafka.client import librdkafka
from pipeline.runtime.guard import log_line, second_look
from pipeline.runtime.host import Backlog, Place, StageHost
from pipeline.settings import Settings

LOOK_SECONDS: Final = 0.5
"""How often it is looked whether there is a backlog, while there was none."""

CORE_SHARE: Final = 0.25
"""Of one core that looking ahead may take from the stages of its process: a backlog waits for them, too."""

PAUSE_SECONDS_MIN: Final = 0.01
PAUSE_SECONDS_MAX: Final = 0.5
"""Between two turns. At least so much, as turns without anything to read must not spin; at most so much, however long
the last one took: a rare long one shall not cost what comes meanwhile."""

READ_SECONDS: Final = 0.25
"""The reader goes on by itself for so long: in a storm the event loop is busy, and to come back to it takes a while."""

TURN_RECORDS_MAX: Final = 1_000
"""Looked at in a turn: two milliseconds for messages that are known, and some twenty for those that must be read."""

VALUE_BYTES_MAX: Final = 64 << 10
"""Larger messages wait for their turn: what is ahead must not fill the memory. Fifty alerts of Alertmanager fit."""

TURN_WAIT_SECONDS: Final = 0.1

HURRY_SECONDS: Final = 2.0
"""Older messages are read only if they have a word of urgent ones: of five seconds to a P1 incident two are gone."""

FETCHED_KIB_MAX: Final = 8 << 10
FETCHED_RECORDS_MIN: Final = 5_000
"""What the client fetches for later turns: it stops at the first of both, and an answer that is under way may be as
much again. Beside `STAGE_BYTES_MAX` in memory."""

FORGET_SECONDS: Final = 30.0
KNOWN_MAX: Final = 50_000
"""Messages and conditions that were looked at are known for one to two times as long, or so many: a repeat of an urgent
message may go ahead again then, as a sign of life, once the one before has had its turn. 10 MiB."""


class Known:
    """What was looked at lately, in two generations: as one is full or old, the one before it is forgotten."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Nothing was. ``clock``: monotonic time, seconds."""
        self._clock = clock
        self._younger: set[object] = set()
        self._older: set[object] = set()
        self._since = clock()

    def generations(self) -> tuple[set[object], set[object]]:
        """Both, until the next call: whoever looks at thousands a second looks into them without a call for each."""
        if len(self._younger) >= KNOWN_MAX or self._clock() - self._since > FORGET_SECONDS:
            self._younger, self._older, self._since = set(), self._younger, self._clock()
        return self._younger, self._older

    def is_new(self, what: object) -> bool:
        """Whether it was not looked at lately; from now on it was."""
        if what in self._younger or what in self._older:
            return False
        self._younger.add(what)
        return True

    def forget(self) -> None:
        """All is looked at anew."""
        self._younger.clear()
        self._older.clear()


class AheadReader:
    """Reads backlogs of one process to their ends. Its methods block, and wait for each other."""

    def __init__(self, settings: Settings, group: str) -> None:
        """Connects when it first has something to read.

        Args:
            settings: brokers, names.
            group: named by the client, and never joined.
        """
        self._options: dict[str, Any] = {
            **librdkafka(settings),
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": FETCHED_KIB_MAX,
            "queued.min.messages": FETCHED_RECORDS_MIN,
            "fetch.max.bytes": FETCHED_KIB_MAX << 10,
        }
        self._prefix = settings.topic_prefix
        self._consumer: Consumer | None = None
        self._closed = False
        self._reading: dict[Place, Reading] = {}
        self._resting: set[Place] = set()
        self._known = Known()
        self._one_at_a_time = Lock()  # who is cancelled while a thread reads closes what that thread uses

    def read(self, backlogs: Mapping[Place, Backlog], urgent: Urgent) -> dict[Place, list[Record]]:
        """Read on for a while, until something urgent is found, or there is nothing more to read; rest between turns.

        Args:
            backlogs: where to read; places that are there no more are left, those that are new begin at their turn.
            urgent: tells what is.

        Returns:
            Urgent records by place, in order; none once it is closed.

        Raises:
            KafkaException: the brokers refuse, or the client does. The next call begins anew.
        """
        with self._one_at_a_time:
            try:
                return self._read(backlogs, urgent)
            except KafkaException:
                self._disconnect()  # which of its places it still reads nobody knows
                raise

    def go_back(self, place: Place, offset: int) -> None:
        """Read a place from an offset on again: what was found there was not taken."""
        with self._one_at_a_time:
            if (reading := self._reading.get(place)) is not None:
                reading.again = offset

    def close(self) -> None:
        """Disconnect, after the turn that is under way."""
        with self._one_at_a_time:
            self._closed = True
            self._disconnect()

    def _disconnect(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
        self._reading.clear()
        self._resting.clear()
        self._known.forget()

    def _read(self, backlogs: Mapping[Place, Backlog], urgent: Urgent) -> dict[Place, list[Record]]:
        found: dict[Place, list[Record]] = defaultdict(list)
        consumer = self._turned_to(backlogs)
        until = monotonic() + READ_SECONDS
        while consumer is not None and self._reading.keys() - self._resting:
            began, used = monotonic(), thread_time()
            messages = consumer.consume(TURN_RECORDS_MAX, TURN_WAIT_SECONDS)
            self._look_at(messages, urgent, found)
            if found or not messages or monotonic() > until:
                break
            sleep(rest_seconds(thread_time() - used, monotonic() - began))
        return found

    def _turned_to(self, backlogs: Mapping[Place, Backlog]) -> Consumer | None:
        if self._consumer is None and not self._closed and backlogs:
            self._consumer = Consumer(self._options)
        if self._consumer is not None:
            self._turn_to(self._consumer, backlogs)
        return self._consumer

    def _turn_to(self, consumer: Consumer, backlogs: Mapping[Place, Backlog]) -> None:
        """Read where there is a backlog; rest where no more may go ahead at the moment."""
        reading = self._reading
        for at in consumer.position([TopicPartition(*place) for place in reading]) if reading else ():
            each = reading[at.topic, at.partition]
            each.position = max(each.position, at.offset)  # below 0 where nothing was read yet
        over = [place for place, each in reading.items() if not each.goes_on(backlogs.get(place))]
        again = {place: each.again for place in over if (each := reading[place]).again is not None}
        if again or any(place in backlogs and backlogs[place].opening != reading[place].opening for place in over):
            self._known.forget()  # what was found may not have been taken
        for place in over:
            del reading[place]
        if over:
            # The client remembers that a place rests, also past its end.
            consumer.resume([TopicPartition(*place) for place in self._resting.intersection(over)])
            consumer.incremental_unassign([TopicPartition(*place) for place in over])
            self._resting.difference_update(over)
        for place in backlogs.keys() - reading.keys():
            begin = max(backlogs[place].begin, again.get(place) or 0)
            consumer.incremental_assign([TopicPartition(*place, begin)])
            reading[place] = Reading(backlogs[place].opening, begin)
        full = {place for place, backlog in backlogs.items() if not backlog.may_go_ahead}
        if begun := full - self._resting:
            consumer.pause([TopicPartition(*place) for place in begun])
        if ended := self._resting - full:
            consumer.resume([TopicPartition(*place) for place in ended])
        self._resting = full

    def _look_at(self, messages: list[Message], urgent: Urgent, found: dict[Place, list[Record]]) -> None:
        """Look at what is not known. Of a storm most is, so what is known costs as little as may be."""
        younger, older = self._known.generations()
        for message in messages:
            value = message.value()
            mark = hash((message.topic(), value))  # equal messages of two feeds are two conditions
            if mark not in younger and mark not in older:
                younger.add(mark)
                if value and len(value) <= VALUE_BYTES_MAX and message.error() is None:
                    self._look(message, value, urgent, found)

    def _look(self, message: Message, value: bytes, urgent: Urgent, found: dict[Place, list[Record]]) -> None:
        _, timestamp_ms = message.timestamp()
        if time() - timestamp_ms / 1_000 > HURRY_SECONDS and not may_be_urgent(value):
            return
        topic, partition = message.topic() or "", message.partition() or 0
        logical, headers = topic.removeprefix(self._prefix), _headers(message)
        nothing: tuple[str, ...] = ()
        keys = second_look(urgent.keys, nothing, logical, value, headers)
        if sum(map(self._known.is_new, keys)):  # all of them are known from now on
            key, offset = _bytes(message.key()), message.offset() or 0
            found[topic, partition].append(StreamRecord(logical, partition, offset, timestamp_ms, key, value, headers))


def rest_seconds(took: float, elapsed: float) -> float:
    """How long to rest after a turn to keep to `CORE_SHARE`.

    Args:
        took: processor time of the turn, seconds.
        elapsed: how long it lasted, seconds.
    """
    return min(PAUSE_SECONDS_MAX, max(PAUSE_SECONDS_MIN, took / CORE_SHARE - elapsed))


@dataclass(slots=True)
class Reading:
    """How far one place is read.

    Attributes:
        opening: of the partition, as it was when reading began.
        position: offset of the next record to look at.
        again: read from this offset on again.
    """

    opening: int
    position: int
    again: int | None = None

    def goes_on(self, backlog: Backlog | None) -> bool:
        """Whether it may be read on from where it is."""
        if backlog is None or self.again is not None:
            return False
        return backlog.opening == self.opening and backlog.begin <= self.position


async def look_ahead(host: StageHost) -> None:
    """Read backlogs of a stage to their ends until cancelled, and hand on what is urgent."""
    context = host.context
    told, was_reading = "", False
    with closing(AheadReader(context.settings, context.settings.group(context.stage))) as reader:
        while True:
            backlogs, urgent = host.backlogs(), host.context.urgent
            pause_seconds = LOOK_SECONDS
            if urgent is not None and (backlogs or was_reading):
                was_reading = bool(backlogs)
                try:
                    found = await asyncio.to_thread(reader.read, backlogs, urgent)
                except KafkaException as error:
                    if told != (told := str(error)):
                        log_line("look ahead interrupted", stage=context.stage, because=told)
                else:
                    told, pause_seconds = "", PAUSE_SECONDS_MIN if was_reading else LOOK_SECONDS
                    await _hand_on(host, reader, found)
            await asyncio.sleep(pause_seconds)


async def _hand_on(host: StageHost, reader: AheadReader, found: Mapping[Place, list[Record]]) -> None:
    for place, records in found.items():
        taken = await host.offer_urgent(place[1], records)
        if taken < len(records):
            await asyncio.to_thread(reader.go_back, place, records[taken].offset)


def _headers(message: Message) -> Headers:
    found = message.headers() or ()
    pairs = found.items() if isinstance(found, dict) else found
    return tuple((str(name), _bytes(value) or b"") for name, value in pairs)


def _bytes(given: str | bytes | None) -> bytes | None:
    return given.encode() if isinstance(given, str) else given
