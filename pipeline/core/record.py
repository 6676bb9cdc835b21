"""Record: reads incident events and collects them as rows; `pipeline.records` writes them.

Stateless: what the rows say is all in the events, and writing a row twice changes nothing.
"""

from __future__ import annotations

from pipeline.core.incident_event import IncidentEvent, read_event
from pipeline.core.step import Effects, Processor, Record, dead_letter
from pipeline.models.decision import BadRecord


class RecordProcessor(Processor):
    """Rows of the current batch."""

    stage = "record"

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[IncidentEvent] = []

    def process(self, record: Record, effects: Effects) -> None:
        """Collect one event."""
        self._rows.append(read_event(record))

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Send a record to the dead letter. It is no alert: those were counted where they were decided."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def take_rows(self) -> list[IncidentEvent]:
        """Events collected since the last call, in order."""
        rows, self._rows = self._rows, []
        return rows
