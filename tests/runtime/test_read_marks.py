"""Read marks: of which time they are, whatever the machine's clock says, and that each is written or tried again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError

from pipeline.core.alerts.ingest import CLOCK_SKEW_MS_MAX
from pipeline.core.step import Processor
from pipeline.runtime.host import StageHost
from pipeline.runtime.read_marks import MARK_SECONDS, ReadMarks
from pipeline.runtime.waiting import Waiting
from pipeline.settings import Settings
from tests.core.builders import HOUR, T0, Bench, config
from tests.core.test_feed_watch import expecting

TOPIC = "alerts.raw.a"


@dataclass
class Partition:
    processor: Processor
    handled_timestamp_ms: int = 0
    serving: bool = True
    waiting: Waiting = field(default_factory=Waiting)


class Clocks:
    """The machine's clock and, apart from it, the time that passes; a producer that notes what it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ahead_ms: int = 0, partitions: int = 1) -> None:
        self.passed, self.ahead_ms = 1_000.0, ahead_ms
        processor = Bench("ingest", config(feeds=expecting("a"))).processor
        self.tasks = {number: Partition(processor) for number in range(partitions)}
        context = SimpleNamespace(inputs=(TOPIC,), partition_counts={TOPIC: partitions}, settings=Settings())
        host = SimpleNamespace(stage="ingest", tasks=self.tasks, context=context)
        monkeypatch.setattr("pipeline.runtime.read_marks.monotonic", lambda: self.passed)
        monkeypatch.setattr("pipeline.runtime.read_marks.time", lambda: (self.true_ms + self.ahead_ms) / 1_000)
        self.marks = ReadMarks(cast(StageHost, host))
        self.written: list[int] = []
        self.fails = 0

    @property
    def true_ms(self) -> int:
        return T0 + round((self.passed - 1_000) * 1_000)

    async def send_and_wait(self, topic: str, **record: Any) -> None:
        self.fails -= 1
        if self.fails >= 0:
            raise KafkaError
        self.written.append(record["timestamp_ms"])

    async def stop(self) -> None:
        pass

    def look(self, seconds: int = 1) -> None:
        """As often as the pulse does."""
        for _ in range(seconds):
            self.passed += 1
            self.marks._producer = self
            asyncio.run(self.marks.write_due({(Settings().wire(TOPIC), number): 0 for number in self.tasks}))


@pytest.mark.parametrize("ahead_ms", [0, HOUR, -HOUR])
def test_a_mark_is_never_later_than_the_brokers_clock_whatever_this_machines_says(
    ahead_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(monkeypatch, ahead_ms)
    clocks.look()
    clocks.tasks[0].handled_timestamp_ms = read_ms = clocks.true_ms
    clocks.look(5 * int(MARK_SECONDS))
    assert len(clocks.written) >= 4
    assert max(clocks.written) <= clocks.true_ms
    assert clocks.written == sorted(clocks.written)
    if ahead_ms >= 0:
        assert clocks.written[-1] >= clocks.true_ms - (MARK_SECONDS + 1) * 1_000, "and it goes on without new records"
        assert clocks.written[-1] > read_ms


def test_before_anything_was_read_a_minute_is_taken_off_this_machines_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    clocks.look(3)
    assert clocks.written
    assert max(clocks.written) <= clocks.true_ms - CLOCK_SKEW_MS_MAX


def test_a_mark_that_could_not_be_written_is_written_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch, partitions=2)
    clocks.look()
    clocks.fails = 1
    clocks.look()
    before = len(clocks.written)
    clocks.look()
    assert len(clocks.written) == before + 2
