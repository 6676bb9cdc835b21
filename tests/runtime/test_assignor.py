"""Which worker gets which partitions, also while workers differ in what they read."""

from __future__ import annotations

from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataResponse_v0

from pipeline.runtime.assignor import PartitionNumberAssignor


def cluster(**partitions: int) -> ClusterMetadata:
    known = ClusterMetadata()
    topics = [(0, topic, [(0, number, 0, [0], [0]) for number in range(count)]) for topic, count in partitions.items()]
    known.update_metadata(MetadataResponse_v0([(0, "localhost", 1)], topics))
    return known


def dealt(known: ClusterMetadata, **members: list[str]) -> dict[str, dict[str, list[int]]]:
    asked = {member: PartitionNumberAssignor.metadata(topics) for member, topics in members.items()}
    return {
        member: dict(assignment.assignment)
        for member, assignment in PartitionNumberAssignor.assign(known, asked).items()
    }


def test_every_topic_of_a_number_goes_to_one_worker_also_where_counts_differ() -> None:
    known = cluster(x=4, y=2)
    assert dealt(known, a=["x", "y"], b=["x", "y"]) == {"a": {"x": [0, 2], "y": [0]}, "b": {"x": [1, 3], "y": [1]}}


def test_a_worker_that_does_not_know_a_topic_yet_is_not_given_it_and_nobody_else_gets_its_number() -> None:
    known = cluster(x=4, new=4)
    assert dealt(known, a=["x", "new"], b=["x"]) == {"a": {"new": [0, 2], "x": [0, 2]}, "b": {"x": [1, 3]}}


def test_what_is_known_is_dealt_though_a_broker_that_came_back_lists_no_partitions_yet() -> None:
    assignor = PartitionNumberAssignor.knowing({"x": 2})
    asked = {member: assignor.metadata(["x"]) for member in ("a", "b")}
    shares = assignor.assign(cluster(), asked)
    assert {member: dict(each.assignment) for member, each in shares.items()} == {"a": {"x": [0]}, "b": {"x": [1]}}
