"""The bench: mutants through the real ingest stage and on through the pipeline, and what must hold of each of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from time import process_time
from typing import Final

from pipeline.catalog import load_config
from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.flow import DEAD_LETTER_TOPIC, RAW_TOPIC_PREFIX
from pipeline.replay import Replay
from tests.fuzz.checks import alert_problems, letter_problems
from tests.fuzz.mutants import FEEDS, Mutant
from tests.outage.recording import COMPANY

NOW_MS: Final = 1_772_594_000_000  # 2026-03-04T03:13:20Z: an hour into the outage of the samples
PACE_MS: Final = 7_000
PIPELINE_RECORDS: Final = 500
"""Messages that meet in one pipeline: what has come before decides about what comes; thousands would be slow."""

RUN_ON_SECONDS: Final = 5 * 24 * 3_600
READ_SECONDS_MAX: Final = 0.25
"""Processor time that ingest may take for one message; what takes longer stops a partition for everybody."""


@dataclass(slots=True)
class Tally:
    """Counts of a run.

    Attributes:
        records: by adapter.
        alerts: by adapter.
        refused: dead letters by adapter and reason.
        slowest: processor seconds of the message that ingest took longest for, and its number.
    """

    records: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, 0)


class Bench:
    """One ingest stage with all adapters and a catalogue, and behind it a pipeline that takes what it makes."""

    def __init__(self) -> None:
        self._config = load_config(COMPANY).model_copy(update={"feeds": FEEDS})
        self._pipeline = Replay(self._config)
        self._now_ms = NOW_MS
        self.ingest = IngestProcessor(self._config, ADAPTERS, FEEDS)
        self.tally = Tally()

    def problems(self, mutant: Mutant) -> list[str]:
        """Send a mutant through; what is wrong with what came of it.

        Raises:
            Exception: whatever an adapter raises beside its declared error: the defect that is looked for.
        """
        topic = RAW_TOPIC_PREFIX + mutant.feed.name
        record = StreamRecord(topic, 0, mutant.number, NOW_MS, None, mutant.value, mutant.headers)
        effects, again = Effects(), Effects()
        begin = process_time()
        self.ingest.handle_one(record, effects)
        seconds = process_time() - begin
        self.tally.slowest = max(self.tally.slowest, (seconds, mutant.number))
        self.ingest.handle_one(record, again)
        self._count(mutant.feed.adapter, effects)
        found = [] if effects.outputs else ["nothing came of it: neither an alert nor a dead letter"]
        if seconds > READ_SECONDS_MAX:
            found.append(f"ingest took {seconds:.1f} s for it")
        if again.outputs != effects.outputs:
            found.append("the same record a second time came to something else")
        if remainder := self.ingest.ledger.remainder():
            found.append(f"the ledger's remainder is {remainder}")
        for output in effects.outputs:
            found += letter_problems(output, mutant) if output.topic == DEAD_LETTER_TOPIC else alert_problems(output)
        return found + self._later_problems(record)

    def _later_problems(self, record: StreamRecord) -> list[str]:
        """Let the stages after ingest decide; on and off, time runs until nothing is due any more."""
        last = record.offset % PIPELINE_RECORDS == PIPELINE_RECORDS - 1
        self._now_ms += PACE_MS
        self._pipeline.run([record._replace(timestamp=self._now_ms)], run_on_seconds=RUN_ON_SECONDS if last else 0)
        remainder = self._pipeline.remainder()
        if last or remainder:
            self._pipeline = Replay(self._config)
        return [f"the pipeline's remainder is {remainder}"] if remainder else []

    def _count(self, adapter: str, effects: Effects) -> None:
        self.tally.records[adapter] += 1
        for output in effects.outputs:
            if output.topic == DEAD_LETTER_TOPIC:
                self.tally.refused[adapter, dict(output.headers)["spillway-reason"].decode()] += 1
            else:
                self.tally.alerts[adapter] += 1
