"""Assignment by partition number: every topic's partition n of a stage goes to the same worker.

State and transactional id of a stage belong to the partition number, so its topics must never be split between
workers, also where they differ in partition count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, Self

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

PROTOCOL_VERSION: Final = 0


class PartitionNumberAssignor(AbstractPartitionAssignor):  # type: ignore[misc] # aiokafka carries no types
    """Deals partition numbers to the members in turn.

    Attributes:
        counts: wire name of topic -> partitions that it is known to have.
    """

    name = "spillway-partition-number"
    counts: ClassVar[Mapping[str, int]] = {}

    @classmethod
    def knowing(cls, counts: Mapping[str, int]) -> type[Self]:
        """An assignor that deals these partitions whatever the brokers say.

        A broker that has just come back may list a topic without partitions: every member would be dealt nothing,
        and nobody would deal again.
        """
        return type(cls.__name__, (cls,), {"counts": dict(counts)})

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Give each member its partitions of all subscribed topics."""
        topics = sorted({topic for member in members.values() for topic in member.subscription})
        dealt: dict[str, dict[str, list[int]]] = {member: defaultdict(list) for member in members}
        order = sorted(members)
        for topic in topics:
            for number in sorted({*range(cls.counts.get(topic, 0)), *(cluster.partitions_for_topic(topic) or ())}):
                owner = order[number % len(order)]
                # While workers are restarted one by one, some read a topic that others do not know yet. Its
                # partition waits until its number's owner does: with another worker the two would fence each other,
                # and a member that is dealt a topic it did not ask for drops out.
                if topic in members[owner].subscription:
                    dealt[owner][topic].append(number)
        return {
            member: ConsumerProtocolMemberAssignment(PROTOCOL_VERSION, sorted(shares.items()), b"")
            for member, shares in dealt.items()
        }

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What a member says when it joins: its topics."""
        return ConsumerProtocolMemberMetadata(PROTOCOL_VERSION, list(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing is kept between assignments."""
