"""What the broker has, asked once at start: topics and their partition counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.flow import RAW_TOPIC_PREFIX, RAW_TOPICS, STAGE_BY_NAME, changelog_topic
from pipeline.kafka.client import librdkafka
from pipeline.kafka.reach import UnreachableError, list_topics
from pipeline.kafka.rights import RightsError, check_rights
from pipeline.runtime.guard import RefusedError
from pipeline.settings import Settings

ANSWER_SECONDS_MAX: Final = 15.0

ADVICE: Final = "start one, set SPILLWAY_BOOTSTRAP and SPILLWAY_KAFKA_SECURITY, or use --embedded"


class StartError(Exception):
    """A stage cannot start here; the message is one line and says what to do."""


def existing_topics(settings: Settings, seconds: float | None = None) -> dict[str, int]:
    """Logical names of the installation's topics -> partition count.

    Args:
        settings: brokers, names.
        seconds: how long to wait for an answer; by default `ANSWER_SECONDS_MAX`.

    Raises:
        StartError: no broker answers, or none lets us in.
    """
    try:
        found = list_topics(librdkafka(settings), ANSWER_SECONDS_MAX if seconds is None else seconds)
    except UnreachableError as error:
        advice = (
            ""
            if error.refused
            else ": start one, set SPILLWAY_BOOTSTRAP and SPILLWAY_KAFKA_SECURITY, or use --embedded"
        )
        raise StartError(f"{error}{advice}") from None
    prefix = settings.topic_prefix
    return {
        name.removeprefix(prefix): len(topic.partitions) for name, topic in found.items() if name.startswith(prefix)
    }


def input_topics(stage: str, topics: Mapping[str, int], feeds: Iterable[str]) -> tuple[str, ...]:
    """Logical input topics of a stage, the one that gets ticks first.

    Ingest reads the topics of the feeds that are asked for (`pipeline.feeds.required_feeds`), which must be there, and
    every other raw topic there is, so that a record of a feed that nobody configured reaches the dead letter instead
    of being ignored.
    """
    reads = STAGE_BY_NAME[stage].reads
    if reads != (RAW_TOPICS,):
        return reads
    configured = {RAW_TOPIC_PREFIX + feed for feed in feeds}
    return tuple(sorted(configured | {name for name in topics if name.startswith(RAW_TOPIC_PREFIX)}))


def check_grants(settings: Settings, stage: str, inputs: Iterable[str]) -> None:
    """Check that the brokers grant a stage what it does with its topics.

    Args:
        settings: brokers, names, who we are.
        stage: the stage's word.
        inputs: logical names of its input topics; they stand for those that are granted by prefix.

    Raises:
        StartError: a grant is missing.
    """
    try:
        check_rights(settings, stage, map(settings.wire, inputs))
    except RightsError as error:
        raise StartError(str(error)) from None


def check_topics(settings: Settings, stage: str, inputs: Iterable[str], topics: Mapping[str, int]) -> None:
    """Check that all that a stage reads and writes is there, and that its state fits its input.

    Raises:
        StartError: a topic is missing.
        RefusedError: partition counts do not fit.
    """
    flow = STAGE_BY_NAME[stage]
    state = (changelog_topic(stage),) if flow.stateful else ()
    for name in (*inputs, *flow.writes, *state):
        if name not in topics:
            raise StartError(f"topic {settings.wire(name)} is missing: run `spillway topics apply`")
    if flow.stateful:
        counts = {name: topics[name] for name in (*inputs, *state)}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise RefusedError(f"topics of stage {stage} differ in partition count ({listed}): they must be equal")
