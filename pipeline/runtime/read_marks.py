"""Read marks: the owner of an ingest partition says, once in a while, that nothing is left unread in it.

Only whoever reads a partition knows that. `pipeline.core.alerts.feed_watch` takes no feed's silence for a fact
without it: a backlog, or ingest being down, looks the same from behind.

A mark is compared with times of raw records, which are the brokers'. So it is never later than both clocks allow: this
machine's, and the brokers' as the newest raw record that was read here shows it, counted on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic, time
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.core.alerts.feed_watch import SIGNS_PARTITION, SIGNS_TOPIC, read_to_end
from pipeline.core.alerts.ingest import CLOCK_SKEW_MS_MAX, IngestProcessor
from pipeline.kafka.client import aiokafka
from pipeline.runtime.guard import log_line
from pipeline.runtime.host import StageHost

# A feed is missed within minutes at the earliest; one small record for each partition.
MARK_SECONDS: Final = 30.0
REQUEST_TIMEOUT_MS: Final = 10_000
# Who slept longer between two looks may have lost its partitions, and knows nothing of what is unread by now.
LOOK_SECONDS_MAX: Final = 5.0


class ReadMarks:
    """Writes read marks for the partitions of ingest that are ours."""

    def __init__(self, host: StageHost) -> None:
        self._host = host
        self._written: dict[int, float] = {}  # partition -> monotonic time of its last mark, seconds
        self._looked_at = 0.0
        self._brokers_ms: float | None = None  # their time when the monotonic clock was 0, at least
        self._idle: set[int] = set()  # at the last look
        self._producer: Any = None

    async def write_due(self, unread: Mapping[tuple[str, int], int]) -> None:
        """Write a mark for each partition that needs one; one that cannot be written is tried at the next call.

        Args:
            unread: (wire topic, partition) -> records on the broker that were not fetched yet.
        """
        now, slept = monotonic(), monotonic() - self._looked_at > LOOK_SECONDS_MAX
        self._looked_at = now
        self._learn_time(now)
        idle = {number for number in self._host.tasks if self._is_idle(number, unread)}
        # Between the fetch and here records are on their way: who is idle twice has handled them.
        lasting, self._idle = idle & self._idle, idle
        if slept:
            return
        due = [number for number in sorted(lasting) if now - self._written.get(number, 0.0) >= MARK_SECONDS]
        if not due:
            return
        at_ms = self._now_ms(now)
        topic = self._host.context.settings.wire(SIGNS_TOPIC)
        try:
            producer = await self._started()
            marks = (read_to_end(number, at_ms) for number in due)
            await asyncio.gather(
                *(
                    producer.send_and_wait(
                        topic, key=mark.key, headers=list(mark.headers), partition=SIGNS_PARTITION, timestamp_ms=at_ms
                    )
                    for mark in marks
                )
            )
        except KafkaError as error:
            log_line("read mark not written", stage=self._host.stage, error=str(error))
            await self.stop()
            return
        self._written.update(dict.fromkeys(due, now))

    async def stop(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    def _learn_time(self, now: float) -> None:
        """A record that is handled now was taken by a broker before now."""
        newest_ms = max((task.handled_timestamp_ms for task in self._host.tasks.values()), default=0)
        if newest_ms:
            at_zero_ms = newest_ms - now * 1_000
            self._brokers_ms = at_zero_ms if self._brokers_ms is None else max(self._brokers_ms, at_zero_ms)

    def _now_ms(self, now: float) -> int:
        ours_ms = time() * 1_000
        if self._brokers_ms is None:  # nothing was read here yet: this machine's clock is trusted to a minute
            return int(ours_ms) - CLOCK_SKEW_MS_MAX
        return int(min(ours_ms, self._brokers_ms + now * 1_000))

    def _is_idle(self, number: int, unread: Mapping[tuple[str, int], int]) -> bool:
        """Nothing of a partition is unread, in any of its topics; one that was not looked into yet may hold all."""
        context, task = self._host.context, self._host.tasks[number]
        processor = task.processor
        if not (isinstance(processor, IngestProcessor) and processor.tells_of_feeds):
            return False
        if not task.serving or task.waiting.held_bytes:
            return False
        topics = (topic for topic in context.inputs if context.partition_counts.get(topic, 0) > number)
        return all(unread.get((context.settings.wire(topic), number), 1) == 0 for topic in topics)

    async def _started(self) -> Any:
        if self._producer is None:
            settings = self._host.context.settings
            self._producer = AIOKafkaProducer(
                **aiokafka(settings),
                client_id=f"{settings.group(self._host.stage)}-read-marks",
                enable_idempotence=True,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
            await self._producer.start()
        return self._producer
