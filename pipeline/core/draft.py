"""A draft gathers what one record does to one incident, and becomes one revision: event and state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.core.step import Headers, Output
from pipeline.models.incident import CHANGE_RANK, INCIDENT_SCHEMA, Incident, IncidentChange, TimelineEntry

CONTENT_TYPE: Final = b"application/json"
TYPE_PREFIX: Final = "dev.spillway.incident."


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


def publish(draft: Draft) -> list[Output]:
    """Turn a draft into a revision of its incident: the CloudEvent and the compacted twin.

    CloudEvents 1.0, Kafka protocol binding, binary content mode.
    """
    incident = draft.incident
    incident.revision += 1
    incident.updated_at_ms = draft.now_ms
    change = draft.change()
    snapshot = orjson.dumps(incident)
    body = {
        "schema": INCIDENT_SCHEMA,
        "incident_id": incident.id,
        "revision": incident.revision,
        "change": change,
        "at_ms": draft.now_ms,
        "entries": draft.entries,
        "joined": draft.joined,
        "left": draft.left,
        "incident": orjson.Fragment(snapshot),
    }
    key = incident.id.encode()
    event = Output("incidents", key, orjson.dumps(body), draft.now_ms, _headers(incident, change, draft.now_ms))
    return [event, Output("incidents.state", key, snapshot, draft.now_ms, (("content-type", CONTENT_TYPE),))]


def _headers(incident: Incident, change: IncidentChange, now_ms: int) -> Headers:
    moment = datetime.fromtimestamp(now_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = (
        ("ce_specversion", "1.0"),
        ("ce_id", f"{incident.id}/{incident.revision}"),
        ("ce_type", f"{TYPE_PREFIX}{change}.v1"),
        ("ce_source", f"/spillway/{incident.space}"),
        ("ce_subject", incident.id),
        ("ce_time", moment),
        ("ce_partitionkey", incident.id),
        ("ce_sequence", str(incident.revision)),
    )
    return (("content-type", CONTENT_TYPE), *((name, text.encode()) for name, text in said))
