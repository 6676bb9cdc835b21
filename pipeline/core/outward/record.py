"""Record: reads what the other stages tell and collects it, each with its place; `pipeline.records` writes it.

Stateless: what the rows say is all in the records. The place of a record is what the records store knows it by, so
that it is written once however often it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pipeline.core.outward.incident_event import IncidentEvent, ProblemEvent, read_event, read_problem_event
from pipeline.core.outward.told import (
    DeliveryTold,
    EpisodeTold,
    LedgerTold,
    read_delivery,
    read_episode,
    read_ledger,
    read_suppression,
)
from pipeline.core.step import Effects, Processor, Record, dead_letter
from pipeline.models.decision import BadRecord
from pipeline.models.delivery import DELIVERIES_TOPIC
from pipeline.models.ledger import DELIVERIES_STATE_TOPIC
from pipeline.models.problem import PROBLEMS_TOPIC
from pipeline.models.suppression import SUPPRESSIONS_TOPIC, Suppression

Fact = IncidentEvent | ProblemEvent | Suppression | EpisodeTold | DeliveryTold | LedgerTold
"""What one record tells."""


class Told(NamedTuple):
    """One record that the store takes, and its place."""

    topic: str
    partition: int
    offset: int
    fact: Fact


READERS: Final[Mapping[str, Callable[[Record], Fact | None]]] = {
    "incidents": read_event,
    SUPPRESSIONS_TOPIC: read_suppression,
    PROBLEMS_TOPIC: read_problem_event,
    "episodes": read_episode,
    DELIVERIES_TOPIC: read_delivery,
    DELIVERIES_STATE_TOPIC: read_ledger,
}
"""What reads a record of each topic; None: there is nothing to keep in it."""


class RecordProcessor(Processor):
    """What the current batch tells."""

    stage = "record"

    def __init__(self) -> None:
        super().__init__()
        self._told: list[Told] = []

    def process(self, record: Record, effects: Effects) -> None:
        """Collect what one record tells."""
        fact = READERS[record.topic](record)
        if fact is not None:
            self._told.append(Told(record.topic, record.partition, record.offset, fact))

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Send a record to the dead letter. It is no alert: those were counted where they were decided."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def take(self) -> list[Told]:
        """What was collected since the last call, in the order of each partition."""
        told, self._told = self._told, []
        return told
