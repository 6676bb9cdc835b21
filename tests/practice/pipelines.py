"""The deciding stages of one pipeline, of which any can die and come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.core.alerts.dedupe import DedupeProcessor
from pipeline.core.clustering.correlate import CorrelateProcessor
from pipeline.core.step import Effects, Processor, StreamRecord
from pipeline.flow import STAGE_BY_NAME
from pipeline.replay import Replay, Step
from tests.practice.company import company

CONFIGS: Final = company()
SHARED: Final = {version: Shared.of(each) for version, each in CONFIGS.items()}

STEPS_AT_ONCE_MAX: Final = 3_000
"""Ticks of one advance: of a day with updates of a dozen incidents. More are a deadline that stays due."""

DEADLINES_AT_ONCE_MAX: Final = 1_000
"""Of one stage at one moment; a handful of incidents has some dozens."""


class Impatient(Processor):
    """How long deadlines may go on to fire at one moment: what stays due would never let the next record in."""

    fired: tuple[int, int] = (0, 0)

    def fire(self, now_ms: int, effects: Effects) -> bool:
        """As ever, but not for ever."""
        at_ms, count = Impatient.fired
        Impatient.fired = (self.clock_ms, count + 1 if at_ms == self.clock_ms else 0)
        assert count < DEADLINES_AT_ONCE_MAX, f"{self.stage}: a deadline stays due at {self.clock_ms}"
        return _FIRE(self, now_ms, effects)


_FIRE: Final = Processor.fire


class Pipeline:
    """A replay of which any stage can be restarted; all that it writes is compared."""

    def __init__(self, version: str) -> None:
        first = CONFIGS[version]
        self.replay = Replay(first, *(each for each in CONFIGS.values() if each is not first))

    def do(self, record: StreamRecord | None, now_ms: int) -> list[Step]:
        """One record, or time alone, and all that is due by then."""
        steps = list(self._bounded(self.replay.steps([record]))) if record is not None else []
        return steps + list(self._bounded(self.replay.advance(now_ms)))

    def _bounded(self, steps: Iterable[Step]) -> Iterable[Step]:
        for number, step in enumerate(steps):
            assert number < STEPS_AT_ONCE_MAX, "a deadline stays due"
            yield step

    def restart(self, stage: str) -> None:
        """The stage dies, and a fresh processor gets what the changelog holds."""
        if not STAGE_BY_NAME[stage].stateful:
            return
        before = self.replay.processors[stage]
        fresh = build_processor(stage, SHARED[before.config_version])
        for key, value in self.replay._states[stage].items():
            fresh.restore(key, value)
        fresh.restored()
        self.replay.processors[stage] = fresh

    @property
    def correlate(self) -> CorrelateProcessor:
        found = self.replay.processors["correlate"]
        assert isinstance(found, CorrelateProcessor)
        return found

    @property
    def dedupe(self) -> DedupeProcessor:
        found = self.replay.processors["dedupe"]
        assert isinstance(found, DedupeProcessor)
        return found
