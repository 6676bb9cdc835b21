"""Overload, as the board tells it: how much waits, of which feeds, and about how long that takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import inf
from time import monotonic
from typing import Final

from confluent_kafka import KafkaException

from pipeline.console.pages.words import span
from pipeline.flow import PRESSING_STAGES, RAW_TOPIC_PREFIX
from pipeline.kafka.behind import Behind, Onlooker
from pipeline.runtime.guard import log_line
from pipeline.settings import Settings

LOOK_SECONDS: Final = 5.0
STAGES: Final = ("ingest", *PRESSING_STAGES)
SECONDS_BEHIND_MIN: Final = 10.0
"""What is worked off sooner is no news to anybody who looks at a board."""

RECORDS_BEHIND_MIN: Final = 1_000
"""So few are told of by nobody, however slow it goes: marks of transactions, a stage that has just begun."""

FEEDS_NAMED_MAX: Final = 3


class Overload:
    """How the stages stand, from one look to the next."""

    def __init__(self) -> None:
        self._before: Mapping[str, Behind] = {}
        self._at = 0.0
        self.words = ""

    def observe(self, stages: Mapping[str, Behind], now: float) -> None:
        """Take how they stand at a monotonic time, seconds."""
        elapsed = max(0.001, now - self._at)
        waits = {name: self._seconds(name, each, elapsed) for name, each in stages.items() if each.records}
        slow = {name: seconds for name, seconds in waits.items() if seconds >= SECONDS_BEHIND_MIN}
        late = {name: each for name, each in slow.items() if stages[name].records >= RECORDS_BEHIND_MIN}
        self.words = _sentence(stages, late) if self._before and late else ""
        self._before, self._at = stages, now

    def _seconds(self, name: str, stage: Behind, elapsed: float) -> float:
        before = self._before.get(name)
        rate = (stage.handled - before.handled) / elapsed if before is not None else 0.0
        return stage.records / rate if rate > 0 else inf

    async def watch(self, settings: Settings) -> None:
        """Look again and again, until cancelled. Without an answer nothing is told: that is another trouble's."""
        onlooker, told = Onlooker(settings), ""
        while True:
            try:
                self.observe(await asyncio.to_thread(onlooker.behind, STAGES), monotonic())
                told = ""
            except KafkaException as error:
                self.observe({}, monotonic())
                if told != (told := str(error)):
                    log_line("console overload unknown", because=told)
            await asyncio.sleep(LOOK_SECONDS)


def _sentence(stages: Mapping[str, Behind], late: Mapping[str, float]) -> str:
    """How much waits, of which feeds, how long it takes."""
    records = sum(stages[name].records for name in late)
    longest = max(late.values())
    pace = "nothing is handled at the moment" if longest == inf else f"about {span(round(longest))} at this pace"
    feeds = sorted(
        ((count, topic) for name in late for topic, count in stages[name].topics.items() if _is_raw(topic)),
        reverse=True,
    )
    named = ", ".join(f"{topic.removeprefix(RAW_TOPIC_PREFIX)} {count:,}" for count, topic in feeds[:FEEDS_NAMED_MAX])
    of_feeds = f" Deferred: {named}; feeds without a backlog go first." if named else ""
    return f"Overloaded: {records:,} records wait, {pace}.{of_feeds}"


def _is_raw(topic: str) -> bool:
    return topic.startswith(RAW_TOPIC_PREFIX)
