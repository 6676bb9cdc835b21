"""Raw topics that appear while ingest runs: it reads the topics that were there at its start, and says so."""

from __future__ import annotations

import asyncio
from typing import Final

from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.runtime.broker import StartError, existing_topics
from pipeline.runtime.context import StageContext
from pipeline.runtime.guard import log_line

# A stop waits for a listing that is under way; without a broker it is given up this soon.
ANSWER_SECONDS_MAX: Final = 2.0


class TopicWatch:
    """Compares the raw topics there are with those that the stage reads."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._told: set[str] = set()

    async def look(self) -> None:
        """Set the gauge, and write a log line for each topic that is new. Without a broker, nothing."""
        context = self._context
        try:
            topics = await asyncio.to_thread(existing_topics, context.settings, ANSWER_SECONDS_MAX)
        except StartError:
            return
        unread = {name for name in topics if name.startswith(RAW_TOPIC_PREFIX)} - set(context.inputs)
        context.metrics.topics_not_read.labels(context.stage).set(len(unread))
        for name in sorted(unread - self._told):
            topic = context.settings.wire(name)
            log_line(
                "topic not read",
                stage=context.stage,
                topic=topic,
                do=f"restart {context.stage}; the brokers keep the records until then",
            )
        self._told = unread
