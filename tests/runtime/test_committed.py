"""A coordinator that is not ready is asked again: its silence is not the answer that nothing is committed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v1, OffsetFetchResponse_v3
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.runtime.committed import fetch_committed

HERE, THERE = TopicPartition("read", 0), TopicPartition("read", 1)
ANSWER = OffsetFetchResponse_v3(0, [("read", [(0, 17, "note", 0), (1, -1, "", 0)])], 0)
COMMITTED = {HERE: OffsetAndMetadata(17, "note")}


class Coordinator:
    """As aiokafka's, with given answers."""

    group_id = "readers"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.found_again = 0

    async def ensure_coordinator_known(self) -> None:
        pass

    def coordinator_dead(self) -> None:
        self.found_again += 1

    async def _send_req(self, _: object) -> Any:
        return self.answers.pop(0)


def fetched(coordinator: Coordinator) -> dict[TopicPartition, OffsetAndMetadata]:
    return asyncio.run(fetch_committed(coordinator, (HERE, THERE)))


@pytest.mark.parametrize(
    ("error", "found_again"),
    [
        (GroupLoadInProgressError, 0),
        (NotCoordinatorForGroupError, 1),
        (GroupCoordinatorNotAvailableError, 1),
    ],
)
def test_an_answer_that_is_an_error_as_a_whole_is_no_answer(error: Any, found_again: int) -> None:
    coordinator = Coordinator(OffsetFetchResponse_v3(0, [], error.errno), ANSWER)

    assert fetched(coordinator) == COMMITTED
    assert coordinator.found_again == found_again


def test_a_topic_that_the_broker_does_not_know_yet_is_asked_for_again() -> None:
    unknown = OffsetFetchResponse_v1([("read", [(0, -1, "", UnknownTopicOrPartitionError.errno)])])

    assert fetched(Coordinator(unknown, ANSWER)) == COMMITTED


def test_a_refusal_is_told() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        fetched(Coordinator(OffsetFetchResponse_v3(0, [], GroupAuthorizationFailedError.errno)))
