"""What a group has committed, from a coordinator that knows it.

aiokafka does not read the error of an answer as a whole, which is where a coordinator says since 2017 that it is still
loading or has moved: it takes the empty list beside it for "nothing is committed", and reading begins at the start.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

# As long as a transaction may keep a coordinator from answering; a broker that comes back loads in a few seconds.
ANSWER_SECONDS_MAX: Final = 90.0
RETRY_SECONDS: Final = 0.1
_MOVED: Final = (NotCoordinatorForGroupError, GroupCoordinatorNotAvailableError)
# Of a topic that we read and that a broker which has just come back does not know yet.
_PASSING: Final = (*_MOVED, GroupLoadInProgressError, UnknownTopicOrPartitionError)

Committed = dict[TopicPartition, OffsetAndMetadata]


async def fetch_committed(coordinator: Any, partitions: Iterable[TopicPartition]) -> Committed:
    """Committed offsets with their notes; partitions for which there are none are left out.

    Args:
        coordinator: aiokafka's, of the consumer whose group it is.
        partitions: which to ask for.

    Raises:
        KafkaError: the brokers refuse to say.
        TimeoutError: they did not answer for `ANSWER_SECONDS_MAX`.
    """
    by_topic: dict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions:
        by_topic[topic].append(partition)
    if not by_topic:
        return {}
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        while True:
            await coordinator.ensure_coordinator_known()
            try:
                return _read(await coordinator._send_req(OffsetFetchRequest(coordinator.group_id, [*by_topic.items()])))
            except KafkaError as error:
                if isinstance(error, _MOVED):
                    coordinator.coordinator_dead()
                elif not (isinstance(error, _PASSING) or error.retriable):
                    raise
                await asyncio.sleep(RETRY_SECONDS)


def _read(answer: Any) -> Committed:
    """The offsets of an answer without an error anywhere."""
    _raise_for(getattr(answer, "error_code", 0))  # the oldest versions have none
    committed: Committed = {}
    for topic, partitions in answer.topics:
        for partition, offset, note, code in partitions:
            _raise_for(code)
            if offset >= 0:
                committed[TopicPartition(topic, partition)] = OffsetAndMetadata(offset, note)
    return committed


def _raise_for(code: int) -> None:
    if code:
        raise for_code(code)


def out_of_range(error: OffsetOutOfRangeError, stage: str, group: str) -> str:
    """The sentence for offsets that their topic does not have."""
    where = ", ".join(f"{topic}-{number} at {offset}" for (topic, number), offset in error.args[0].items())
    return (
        f"stage {stage} cannot read on: {where} is not in the log any more or not yet. Either records went unread "
        "(retention is shorter than the backlog) or the topic was made anew. To accept that, stop the stage and set "
        f"its offsets with kafka-consumer-groups --group {group} --reset-offsets"
    )
