"""Record: reads events and suppressions and collects them as rows; `pipeline.records` writes them.

Stateless: what the rows say is all in the records, and writing a row twice changes nothing.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from pipeline.core.outward.incident_event import (
    ID_CHARACTERS_MAX,
    IncidentEvent,
    ProblemEvent,
    need,
    read_event,
    read_object,
    read_problem_event,
    read_time_ms,
)
from pipeline.core.step import Effects, Processor, Record, dead_letter
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.problem import PROBLEMS_TOPIC
from pipeline.models.suppression import SUPPRESSION_SCHEMA, SUPPRESSIONS_TOPIC, Ended, Suppression, What

COUNT_MAX: Final = (1 << 63) - 1
"""What a column of whole numbers holds."""

PAGES_MAX: Final = 1_000
"""People whom one incident calls at once: far more than any path names."""


class RecordProcessor(Processor):
    """Rows of the current batch."""

    stage = "record"

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[IncidentEvent] = []
        self._hidden: list[Suppression] = []
        self._problems: list[ProblemEvent] = []

    def process(self, record: Record, effects: Effects) -> None:
        """Collect one event of an incident or a problem, or one suppression."""
        if record.topic == SUPPRESSIONS_TOPIC:
            self._hidden.append(read_suppression(record))
        elif record.topic == PROBLEMS_TOPIC:
            self._problems.append(read_problem_event(record))
        else:
            self._rows.append(read_event(record))

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Send a record to the dead letter. It is no alert: those were counted where they were decided."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def take_rows(self) -> list[IncidentEvent]:
        """Events collected since the last call, in order."""
        rows, self._rows = self._rows, []
        return rows

    def take_problems(self) -> list[ProblemEvent]:
        """Problem events collected since the last call, in order."""
        problems, self._problems = self._problems, []
        return problems

    def take_hidden(self) -> list[Suppression]:
        """Suppressions collected since the last call, in order."""
        hidden, self._hidden = self._hidden, []
        return hidden


def read_suppression(record: Record) -> Suppression:
    """The suppression that a record of ``suppressions`` holds.

    Raises:
        BadRecord: it is not a suppression of this schema.
    """
    document = read_object(record, SUPPRESSION_SCHEMA)
    for name in ("what", "ended", "episode_id", "alert_key", "space", "feed", "summary", "severity"):
        need(document, name, str)
    if document["what"] not in set(What) or document["ended"] not in set(Ended):
        raise BadRecord(Reason.WRONG_TYPE, "what, ended: not words that this release knows")
    if not 0 < len(document["episode_id"]) <= ID_CHARACTERS_MAX:
        raise BadRecord(Reason.WRONG_TYPE, f"episode_id: 1 to {ID_CHARACTERS_MAX} characters")
    for name in ("since_ms", "until_ms"):
        read_time_ms(document, name)
    for name in ("alerts", "runs"):
        if not 0 <= need(document, name, int) <= COUNT_MAX:
            raise BadRecord(Reason.WRONG_TYPE, f"{name}: not a count")
    for name in ("entity", "service", "domain", "incident_id", "let_in_by", "priority"):
        need(document, name, str, type(None))
    need(document, "decided_by", dict)
    pages = need(document, "pages", list)
    if len(pages) > PAGES_MAX or not all(isinstance(page, dict) for page in pages):
        raise BadRecord(Reason.WRONG_TYPE, f"pages: expected objects, {PAGES_MAX} at most")
    return Suppression(**{each.name: document[each.name] for each in fields(Suppression)})
