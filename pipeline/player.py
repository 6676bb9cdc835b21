"""The player: a recording through a live pipeline, one record after another, checked against its replay.

A distributed pipeline has no order between topics, so the player makes one: it produces a record only after
everything that the one before led to is visible and committed. What that is, the replay of the same recording
tells. Played so on one partition, live and replay must agree byte for byte; where they do not, the player says
at which record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from pipeline.flow import RAW_TOPIC_PREFIX, STAGE_BY_NAME
from pipeline.kafka.client import librdkafka
from pipeline.kafka.offsets import CommittedOffsets
from pipeline.replay import STAGES, Step
from pipeline.settings import Settings

SETTLE_SECONDS_MAX: Final = 60.0
"""How long one record may take to settle: a rebalance in between is over by then."""

ANSWER_SECONDS_MAX: Final = 30.0
"""How long the brokers may take to say what a stage has committed."""

POLL_SECONDS: Final = 0.005
"""Wait for visible records in one look; the next look follows at once."""

_SEEN: Final = (
    "alerts",
    "episodes",
    "incidents",
    "incidents.summaries",
    "commands",
    "bridge.commands",
    "dead.letter",
)


class PlayError(Exception):
    """The live pipeline did not do what the replay did, or not in time; one line that says where."""


class Player:
    """Plays steps of a replay through a pipeline that runs on one partition with ``SPILLWAY_CLOCK=recording``.

    Attributes:
        events: (key, value) of every incident event seen, in order.
        dead_letters: dead letters seen, in order.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        common: dict[str, Any] = librdkafka(settings)
        self._producer = Producer(common | {"linger.ms": 0, "enable.idempotence": True, "message.max.bytes": 17 << 20})
        self._offsets = CommittedOffsets(common)
        self._consumer = Consumer(
            common
            | {
                "group.id": f"{settings.app_id}-player",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
            }
        )
        self._consumer.assign([TopicPartition(settings.wire(topic), 0, 0) for topic in _SEEN])
        self._seen: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._last_offset: dict[str, int] = {}
        self.events: list[tuple[bytes, bytes]] = []
        self.dead_letters: list[Message] = []

    def play(self, steps: Iterable[Step], on_step: Callable[[Step], None] = lambda _: None) -> None:
        """Play all steps.

        Raises:
            PlayError: live and replay do not agree, or the pipeline has stopped.
        """
        for step in steps:
            self._send(step)
            self._settle(step)
            on_step(step)

    def close(self) -> None:
        """Disconnect."""
        self._offsets.close()
        self._consumer.close()

    def wait_for(self, stage: str, topic: str) -> None:
        """Wait until a stage has committed everything seen on one of its input topics.

        Raises:
            PlayError: it has not in time.
        """
        wanted = {topic: self._last_offset[topic] + 1} if topic in self._last_offset else {}
        deadline = monotonic() + SETTLE_SECONDS_MAX
        while wanted and not self._committed({stage: wanted}):
            if monotonic() > deadline:
                raise PlayError(f"stage {stage} has not caught up on {topic} within {SETTLE_SECONDS_MAX:.0f} s")

    def _send(self, step: Step) -> None:
        record = step.record
        topic = self._settings.wire(record.topic)
        delivered: list[int] = []
        failed: list[str] = []

        def report(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            if error is not None:
                failed.append(error.str())
            elif offset is None:
                failed.append("the client says that it is written, and not where")
            else:
                delivered.append(offset)

        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        self._producer.produce(
            topic, record.value, record.key, 0, timestamp=record.timestamp, headers=headers, on_delivery=report
        )
        self._producer.flush(SETTLE_SECONDS_MAX)
        if not delivered:
            raise PlayError(f"the record for {topic} was not delivered: {failed[0] if failed else 'no answer'}")
        self._sent[record.topic] += 1
        self._last_offset[record.topic] = max(self._last_offset.get(record.topic, -1), delivered[0])

    def _settle(self, step: Step) -> None:
        """Wait until all that the step led to is visible, and every deciding stage has committed its inputs."""
        expected = {topic: step.written.get(topic, 0) + self._sent[topic] for topic in _SEEN}
        deadline = monotonic() + SETTLE_SECONDS_MAX
        while True:
            self._look()
            differing = [topic for topic in _SEEN if self._seen[topic] != expected[topic]]
            if any(self._seen[topic] > expected[topic] for topic in differing):
                raise PlayError(self._difference(step, differing[0], expected))
            if not differing and self._committed(self._inputs()):
                return
            if monotonic() > deadline:
                late = self._difference(step, differing[0], expected) if differing else "a stage does not commit"
                raise PlayError(f"{late}; waited {SETTLE_SECONDS_MAX:.0f} s")

    def _difference(self, step: Step, topic: str, expected: dict[str, int]) -> str:
        record = step.record
        where = f"{record.topic} offset {record.offset}" if not step.is_tick else f"tick on {record.topic}"
        return f"after {where}: {self._seen[topic]} records on {topic}, the replay wrote {expected[topic]}"

    def _look(self) -> None:
        for message in self._consumer.consume(500, POLL_SECONDS):
            if message.error():
                raise KafkaException(message.error())
            topic = (message.topic() or "").removeprefix(self._settings.topic_prefix)
            self._seen[topic] += 1
            self._last_offset[topic] = max(self._last_offset.get(topic, -1), message.offset() or 0)
            if topic == "incidents":
                self.events.append((message.key() or b"", message.value() or b""))
            elif topic == "dead.letter":
                self.dead_letters.append(message)

    def _inputs(self) -> dict[str, dict[str, int]]:
        """Offset that each deciding stage must have committed on each of its input topics."""
        inputs: dict[str, dict[str, int]] = {}
        for topic, offset in self._last_offset.items():
            for stage in STAGES:
                reads = STAGE_BY_NAME[stage].reads
                if topic in reads or (stage == "ingest" and topic.startswith(RAW_TOPIC_PREFIX)):
                    inputs.setdefault(stage, {})[topic] = offset + 1
        return inputs

    def _committed(self, wanted: dict[str, dict[str, int]]) -> bool:
        for stage, topics in wanted.items():
            places = {(self._settings.wire(topic), 0): offset for topic, offset in topics.items()}
            found = self._offsets.of(self._settings.group(stage), places, ANSWER_SECONDS_MAX)
            if any(found.get(place, -1) < offset for place, offset in places.items()):
                return False
        return True


def disagreements(live: Iterable[tuple[bytes, bytes]], replayed: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """Incidents whose events differ between live and replay, by id; order counts within an incident."""
    sides: tuple[dict[bytes, list[bytes]], dict[bytes, list[bytes]]] = ({}, {})
    for side, events in zip(sides, (live, replayed), strict=True):
        for key, value in events:
            side.setdefault(key, []).append(value)
    here, there = sides
    return sorted(key.decode() for key in here.keys() | there.keys() if here.get(key) != there.get(key))
