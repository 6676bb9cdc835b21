"""Incidents by the real core, and what their measures are: words of the analytics tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from pipeline.core.outward.incident_event import IncidentEvent, read_event
from pipeline.core.step import StreamRecord
from pipeline.records.store import RecordsStore
from tests.core.rooms import Room


def told(room: Room) -> list[IncidentEvent]:
    """Every event that a room has written, in order."""
    return [
        read_event(StreamRecord(each.topic, 0, offset, each.timestamp_ms, each.key, each.value, each.headers))
        for offset, each in enumerate(room.effects.outputs)
        if each.topic == "incidents"
    ]


def rows(store: RecordsStore, source: str = "measures") -> dict[str, dict[str, Any]]:
    """Rows of the table, or of the view that computes them anew, by incident."""
    statement = text(f"SELECT * FROM {source}")  # noqa: S608  # one of two names of ours
    found = store.ask(lambda connection: connection.execute(statement).mappings().all())
    return {row["incident_id"]: dict(row) for row in found}


def measured(store: RecordsStore, room: Room) -> dict[str, dict[str, Any]]:
    """What the incidents of a room come to."""
    store.project(told(room))
    return rows(store)
