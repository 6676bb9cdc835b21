"""How far stages are behind, asked of Kafka: what lies in their topics beyond what they have committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.flow import RAW_TOPIC_PREFIX, RAW_TOPICS, STAGE_BY_NAME
from pipeline.kafka.client import librdkafka
from pipeline.kafka.offsets import CommittedOffsets, Place
from pipeline.settings import Settings

ANSWER_SECONDS_MAX: Final = 5.0


class Behind(NamedTuple):
    """How a stage stands.

    Attributes:
        records: not handled yet. Marks of transactions and aborted records count: with nothing after them they are
            told until the next record is handled.
        handled: sum of its committed offsets: what it grows by was handled in between.
        topics: logical name of each topic of which records are not handled yet -> how many.
    """

    records: int
    handled: int
    topics: Mapping[str, int] = MappingProxyType({})


class Onlooker:
    """Looks at how stages stand, from outside of their groups."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked yet.

        Args:
            settings: brokers, and the names of groups and topics.
        """
        client = {**librdkafka(settings), "log_level": 0}
        self._settings = settings
        self._admin = AdminClient(client)
        self._committed = CommittedOffsets(client)

    def behind(self, stages: Iterable[str], seconds_max: float = ANSWER_SECONDS_MAX) -> dict[str, Behind]:
        """How stages stand; one that has committed nothing yet is left out. Blocks: call it in a thread.

        Args:
            stages: which.
            seconds_max: how long a broker may take.

        Raises:
            KafkaException: the brokers do not answer, or refuse to say.
        """
        topics = self._admin.list_topics(timeout=seconds_max).topics
        counts = {name: len(topic.partitions) for name, topic in topics.items()}
        group = self._settings.group
        committed = {
            stage: self._committed.of(group(stage), self._places(stage, counts), seconds_max) for stage in stages
        }
        latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = {TopicPartition(*place): latest for places in committed.values() for place in places}
        if not wanted:
            return {}
        listed = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=seconds_max
        )
        ends = {(place.topic, place.partition): answer.result().offset for place, answer in listed.items()}
        return {stage: _stands(self._settings, places, ends) for stage, places in committed.items() if places}

    def _places(self, stage: str, counts: Mapping[str, int]) -> list[Place]:
        """Everywhere that a stage reads, of the topics that are there."""
        wire, reads = self._settings.wire, STAGE_BY_NAME[stage].reads
        raw = [name for name in counts if RAW_TOPICS in reads and name.startswith(wire(RAW_TOPIC_PREFIX))]
        names = [name for name in (*raw, *map(wire, reads)) if name in counts]
        return [(name, number) for name in names for number in range(counts[name])]


def _stands(settings: Settings, places: Mapping[Place, int], ends: Mapping[Place, int]) -> Behind:
    topics: dict[str, int] = {}
    for place, at in places.items():
        if (left := ends[place] - at) > 0:
            topic = place[0].removeprefix(settings.topic_prefix)
            topics[topic] = topics.get(topic, 0) + left
    return Behind(sum(topics.values()), sum(places.values()), topics)
