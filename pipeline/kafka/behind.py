"""How far stages are behind, asked of Kafka: what lies in their topics beyond what they have committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.settings import Settings

ANSWER_SECONDS_MAX: Final = 5.0

Place = tuple[str, int]
"""Wire topic and partition."""


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


def behind(
    admin: AdminClient, settings: Settings, stages: Iterable[str], seconds_max: float = ANSWER_SECONDS_MAX
) -> dict[str, Behind]:
    """How stages stand; one that has committed nothing yet is left out.

    Args:
        admin: connected to the brokers.
        settings: they name the groups.
        stages: which.
        seconds_max: how long a broker may take.

    Raises:
        KafkaException: the brokers do not answer, or refuse to say.
    """
    committed = {stage: _committed(admin, settings.group(stage), seconds_max) for stage in stages}
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(*place): latest for places in committed.values() for place in places}
    if not wanted:
        return {}
    listed = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=seconds_max)
    ends = {(place.topic, place.partition): answer.result().offset for place, answer in listed.items()}
    return {stage: _stands(settings, places, ends) for stage, places in committed.items() if places}


def _stands(settings: Settings, places: Mapping[Place, int], ends: Mapping[Place, int]) -> Behind:
    topics: dict[str, int] = {}
    for place, at in places.items():
        if (left := ends[place] - at) > 0:
            topic = place[0].removeprefix(settings.topic_prefix)
            topics[topic] = topics.get(topic, 0) + left
    return Behind(sum(topics.values()), sum(places.values()), topics)


def _committed(admin: AdminClient, group: str, seconds_max: float) -> dict[Place, int]:
    (answer,) = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=seconds_max
    ).values()
    found: dict[Place, int] = {}
    for place in answer.result().topic_partitions:
        if place.error is not None:
            raise KafkaException(place.error)
        if place.offset >= 0:
            found[place.topic, place.partition] = place.offset
    return found
