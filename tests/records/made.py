"""Incidents made up for tests of reading: as few facts as a test is about, written as the record stage writes them."""

from __future__ import annotations

from typing import Any, Final

from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.reading import Filters

NOW_MS: Final = 1_772_590_302_000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000

NOW: Final = Filters(now_ms=NOW_MS)


def incident(incident_id: str, revision: int = 1, /, **facts: Any) -> IncidentEvent:
    """A revision of an incident; opened a minute ago unless it says otherwise."""
    opened = facts.get("opened_at_ms", NOW_MS - MINUTE_MS)
    snapshot = {
        "id": incident_id,
        "revision": revision,
        "kind": "incident",
        "space": "production",
        "state": "logged",
        "title": "Something is broken",
        "priority": "P3",
        "priority_rank": 2,
        "domain": "retail",
        "opened_at_ms": opened,
        "detected_at_ms": opened,
        **facts,
    }
    entry = {"at_ms": opened, "action": "note", "actor": "noor", "text": facts.get("note", "")}
    return IncidentEvent(incident_id, revision, "opened", opened, [entry], snapshot)


def due(at_ms: int, *, breached: bool = False) -> dict[str, Any]:
    """The clocks of an incident, of which one runs."""
    return {"resolution": {"due_at_ms": at_ms, "met_at_ms": None, "breached_at_ms": at_ms if breached else None}}
