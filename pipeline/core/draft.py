"""A draft gathers what one record does to one incident; `pipeline.core.press` makes it one revision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.models.incident import CHANGE_RANK, Incident, IncidentChange
from pipeline.models.incident_parts import TimelineEntry


@dataclass(slots=True)
class Draft:
    """What one record does to one incident.

    Attributes:
        entries: timeline entries, in order.
        changes: what the revision is about; the highest-ranking names the event.
        joined: episodes that became members.
        left: episodes that are members no longer.
        received_at_ms: timestamp of the raw record behind it; 0 for timers.
    """

    incident: Incident
    now_ms: int
    entries: list[TimelineEntry] = field(default_factory=list)
    changes: list[IncidentChange] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    received_at_ms: int = 0

    def note(self, action: str, actor: str, text: str, change: IncidentChange | None = None, **facts: Any) -> None:
        """Put an action on the record."""
        self.entries.append(TimelineEntry(at_ms=self.now_ms, action=action, actor=actor, text=text, facts=facts))
        if change is not None:
            self.changes.append(change)

    def change(self) -> IncidentChange:
        """The one word for this revision."""
        return min(self.changes, key=CHANGE_RANK.__getitem__, default=IncidentChange.UPDATED)
