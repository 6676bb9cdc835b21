"""Whether topics that were just made can be written to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

LOOK_AGAIN_SECONDS: Final = 0.05


def unserved(admin: AdminClient, partitions: Mapping[str, int], seconds_max: float) -> TopicPartition | None:
    """Wait until every partition of new topics is served by its leader.

    A topic is shown before its leaders have made its logs, and librdkafka has been seen to report records as written,
    without an offset, that it had sent in between and that were in no log.

    Args:
        admin: client of the cluster.
        partitions: wire name of topic -> its partitions.
        seconds_max: how long to wait.

    Returns:
        None, or a partition that is not served in time.
    """
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    waiting = {TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)}
    deadline = time.monotonic() + seconds_max
    while waiting:
        asked = admin.list_offsets(dict.fromkeys(waiting, latest), request_timeout=seconds_max)
        waiting = {place for place, answer in asked.items() if answer.exception(seconds_max) is not None}
        if waiting and time.monotonic() > deadline:
            return min(waiting, key=str)
        if waiting:
            time.sleep(LOOK_AGAIN_SECONDS)
    return None
