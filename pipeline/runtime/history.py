"""Guards: what the brokers hold must be what the stage's offsets and state belong to.

Each committed offset says which topic it belongs to and how many partitions everything had (`pipeline.runtime.note`).
What does not fit is refused with one sentence; nothing is guessed, moved or reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from pipeline.flow import STAGE_BY_NAME, changelog_topic
from pipeline.kafka.client import librdkafka
from pipeline.kafka.grants import INTERNAL_TOPICS
from pipeline.runtime.broker import ANSWER_SECONDS_MAX, StartError
from pipeline.runtime.context import StageContext
from pipeline.runtime.guard import RefusedError
from pipeline.runtime.note import OffsetNote
from pipeline.settings import Settings

REPLICAS_MIN: Final = 3
IN_SYNC_MIN: Final = 2
"""With three copies, two of which must have a record, one broker may be lost and another restarted."""

# A stop waits for an answer that is under way; without a broker it is given up this soon.
STILL_SECONDS_MAX: Final = 2.0

ANEW: Final = "start anew with another SPILLWAY_APP_ID and SPILLWAY_TOPIC_PREFIX"


class TopicMake(NamedTuple):
    """One topic as the cluster has it.

    Attributes:
        id: its id; a topic made anew under the same name has another.
        partitions: their count.
        replicas: copies of the partition that has the fewest.
    """

    id: str
    partitions: int
    replicas: int


def topic_makes(settings: Settings, topics: Iterable[str], seconds: float = ANSWER_SECONDS_MAX) -> dict[str, TopicMake]:
    """Logical name -> make, of the topics that exist.

    Raises:
        StartError: the brokers do not answer.
    """
    wire = {settings.wire(topic): topic for topic in topics}
    return {wire[name]: make for name, make in _makes(_client(settings), wire, seconds).items()}


def stage_topics(stage: str, inputs: Iterable[str]) -> tuple[str, ...]:
    """All topics that a stage depends on, logical names."""
    flow = STAGE_BY_NAME[stage]
    state = (changelog_topic(stage),) if flow.stateful else ()
    return tuple(dict.fromkeys((*inputs, *flow.writes, *state)))


def check_notes(context: StageContext, notes: Iterable[tuple[str, str]]) -> None:
    """Compare what the stage's committed offsets say with what is there.

    Args:
        context: the stage, with the makes of its topics as they were at the start.
        notes: logical input topic and the text beside a committed offset, of all its partitions, ours or not.

    Raises:
        RefusedError: a topic was made anew, a partition count has changed, or a note is of another release.
    """
    for topic, text in set(notes):
        try:
            _check_note(context, topic, OffsetNote.from_text(text))
        except ValueError as error:
            raise RefusedError(
                f"stage {context.stage}: {error}: run the release that wrote it, or a later one"
            ) from error


def _check_note(context: StageContext, topic: str, note: OffsetNote) -> None:
    stage, counts, ids = context.stage, context.partition_counts, context.topic_ids
    for name, count in note.partitions.items():
        if counts.get(name, count) != count:
            raise RefusedError(
                f"topic {name} has {counts[name]} partitions and had {count} when stage {stage} last committed: keys "
                f"have moved away from their state and order; {ANEW}"
            )
    if note.topic_id and ids.get(topic, note.topic_id) != note.topic_id:
        raise RefusedError(
            f"topic {topic} was made anew since stage {stage} read it (id {ids[topic]}, the offsets are of "
            f"{note.topic_id}): they point at other records; {ANEW}, or, to read the new topic, set the offsets with "
            f"kafka-consumer-groups --group {context.settings.group(stage)} --reset-offsets"
        )
    changelog = changelog_topic(stage)
    if note.changelog_id and ids.get(changelog, note.changelog_id) != note.changelog_id:
        raise RefusedError(
            f"topic {changelog} was made anew since stage {stage} wrote it (id {ids[changelog]}, the state was in "
            f"{note.changelog_id}): the state is gone, the offsets are not; {ANEW}"
        )


def check_replication(settings: Settings, makes: Mapping[str, TopicMake]) -> None:
    """In production, refuse topics that one broker's loss would take along.

    Raises:
        RefusedError: a topic has too few copies, or a write counts with too few of them.
        StartError: the brokers do not answer.
    """
    if not settings.production:
        return
    client = _client(settings)
    named = {settings.wire(topic): make for topic, make in makes.items()}
    named |= _makes(client, INTERNAL_TOPICS, ANSWER_SECONDS_MAX)
    for name, make in sorted(named.items()):
        if make.replicas < REPLICAS_MIN:
            raise RefusedError(
                f"topic {name} has {make.replicas} copies and SPILLWAY_PRODUCTION asks for {REPLICAS_MIN}: add "
                "replicas with kafka-reassign-partitions"
            )
    asked = client.describe_configs(
        [ConfigResource(ResourceType.TOPIC, name) for name in sorted(named)], request_timeout=ANSWER_SECONDS_MAX
    )
    for resource, future in asked.items():
        in_sync = int(_answer(future, f"tell the settings of {resource.name}")["min.insync.replicas"].value)
        if in_sync < IN_SYNC_MIN:
            raise RefusedError(
                f"topic {resource.name} has min.insync.replicas={in_sync} and SPILLWAY_PRODUCTION asks for "
                f"{IN_SYNC_MIN}: set it with kafka-configs, or SPILLWAY_MIN_INSYNC_REPLICAS and `spillway topics apply`"
            )


async def check_still(context: StageContext) -> None:
    """While the stage runs: its topics are those that it started on. Without a broker, nothing.

    Raises:
        RefusedError: a topic is gone or was made anew, or a partition count has changed.
    """
    topics = [topic for topic in stage_topics(context.stage, context.inputs) if topic in context.topic_ids]
    try:
        makes = await asyncio.to_thread(topic_makes, context.settings, topics, STILL_SECONDS_MAX)
    except StartError:
        return
    for topic in topics:
        before = context.topic_ids[topic], context.partition_counts[topic]
        make = makes.get(topic)
        if make is None or (make.id, make.partitions) != before:
            now = "is gone" if make is None else f"has id {make.id} and {make.partitions} partitions now"
            raise RefusedError(
                f"topic {topic} {now}, and had id {before[0]} and {before[1]} partitions when stage {context.stage} "
                f"started: somebody changed it under a running stage; {ANEW}"
            )


def _client(settings: Settings) -> AdminClient:
    return AdminClient(librdkafka(settings))


def _makes(client: AdminClient, names: Iterable[str], seconds: float) -> dict[str, TopicMake]:
    makes: dict[str, TopicMake] = {}
    asked = client.describe_topics(TopicCollection(sorted(names)), request_timeout=seconds)
    for name, future in asked.items():
        try:
            found = future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            raise _unanswered("describe topics", error) from error
        replicas = min((len(partition.replicas) for partition in found.partitions), default=0)
        makes[name] = TopicMake(str(found.topic_id), len(found.partitions), replicas)
    return makes


def _answer(future: Future[Any], what: str) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        raise _unanswered(what, error) from error


def _unanswered(what: str, error: KafkaException) -> StartError:
    cause = error.args[0]
    return StartError(f"the brokers do not {what}: {cause.str()} ({cause.name()}); check them and your rights")
