"""Deadlines: each fires, also one that was set for a moment which had passed."""

from __future__ import annotations

from typing import ClassVar

from pipeline.core.step import TICK_KEY, Effects, Processor, Record, StreamRecord
from tests.core.builders import T0


class LateSetter(Processor):
    """Sets a deadline in the past of its own clock with each record."""

    stage: ClassVar[str] = "late"

    def __init__(self) -> None:
        super().__init__()
        self.fired: list[int] = []

    def process(self, record: Record, effects: Effects) -> None:
        self.timers.set("missed", self.clock_ms - 500)

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        self.fired.append(due_ms)


def test_a_deadline_that_had_passed_when_it_was_set_fires_with_the_next_record_however_late() -> None:
    processor = LateSetter()
    processor.handle_one(StreamRecord("t", 0, 0, T0, None, b"x"), Effects())
    assert processor.next_deadline_ms() == T0 - 500
    processor.handle_one(StreamRecord("t", 0, 1, T0 - 499, TICK_KEY, None), Effects())
    assert (processor.fired, processor.next_deadline_ms(), processor.clock_ms) == ([T0], None, T0)
