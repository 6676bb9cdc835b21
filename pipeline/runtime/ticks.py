"""Ticks: records that carry nothing but time, for partitions whose deadlines are due while no records come.

The core knows stream time only. Where the machine's clock says that a partition's next deadline is due, its owner
writes a tick into the stage's first input topic; the deadline fires when the tick is read back, in order with
everything else, so that a replay of the topic decides the same.
"""

from __future__ import annotations

import asyncio
from time import time
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.core.step import TICK_KEY
from pipeline.kafka.client import aiokafka
from pipeline.runtime.guard import log_line
from pipeline.runtime.host import StageHost

REQUEST_TIMEOUT_MS: Final = 10_000
# A broker that loses what it had acknowledged (its disk, its machine) takes a tick along.
REPEAT_MS: Final = 60_000


class TickWriter:
    """Writes ticks for the partitions of one stage that are ours and have something due."""

    def __init__(self, host: StageHost) -> None:
        self._host = host
        self._written: dict[int, tuple[int, int]] = {}  # partition -> offset and time (ms) of its last tick
        self._producer: Any = None

    async def write_due(self) -> None:
        """Write a tick to each partition that needs one, unless its last one has not been read back yet.

        A tick that cannot be written is tried again at the next call: it carries no data.
        """
        now_ms = int(time() * 1000)
        due = [number for number, task in self._host.tasks.items() if task.serving and self._is_due(number, now_ms)]
        if not due:
            return
        topic = self._host.context.wire_inputs[0]
        try:
            producer = await self._started()
            written = await asyncio.gather(
                *(producer.send_and_wait(topic, key=TICK_KEY, partition=number, timestamp_ms=now_ms) for number in due)
            )
        except KafkaError as error:
            log_line("tick not written", stage=self._host.stage, error=str(error))
            await self.stop()  # an idempotent producer may be unusable after an error, for good
            return
        self._written.update((record.partition, (record.offset, now_ms)) for record in written)

    async def stop(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    def _is_due(self, partition: int, now_ms: int) -> bool:
        task = self._host.tasks[partition]
        deadline_ms = task.processor.next_deadline_ms()
        if deadline_ms is None or deadline_ms > now_ms:
            return False
        # Behind a backlog the last tick is still on its way; another would only wait behind it. Told by offset, not
        # by time: a topic that is stamped by a broker whose clock is late would never seem to have caught up.
        following = task.next_offsets.get(self._host.context.wire_inputs[0], 0)
        offset, written_ms = self._written.get(partition, (-1, 0))
        return offset < following or written_ms + REPEAT_MS <= now_ms

    async def _started(self) -> Any:
        if self._producer is None:
            settings = self._host.context.settings
            producer = AIOKafkaProducer(
                **aiokafka(settings),
                client_id=f"{settings.group(self._host.stage)}-ticks",
                enable_idempotence=True,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
            self._producer = producer
            await producer.start()
        return self._producer
