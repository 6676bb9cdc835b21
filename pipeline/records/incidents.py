"""Incidents in the records store: heads, revisions, timelines, and the words that people wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.core.chain import content_of
from pipeline.core.draft import MACHINE
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.analytics.measures import measure
from pipeline.records.changes import Changed
from pipeline.records.indexed import indexable
from pipeline.records.rows import SEARCHED_CHARACTERS_MAX, incident_row
from pipeline.records.tables import INCIDENT_EVENTS, INCIDENTS, TIMELINE
from pipeline.records.values import insert_new, mapping_of, moment_of, text_of, upsert_newest

# From the timeline, and so the same however often and in which batches it came.
_NOTES: Final = """
UPDATE incidents SET notes_text = found.words FROM (
    SELECT named.id, coalesce((
        SELECT left(string_agg(text, E'\\n' ORDER BY revision, position), :characters) FROM timeline
        WHERE incident_id = named.id AND actor <> :machine AND text IS NOT NULL), '') AS words
    FROM unnest(CAST(:ids AS text[])) AS named(id)) AS found
WHERE incidents.id = found.id AND incidents.notes_text <> found.words
"""


def write(connection: Connection, events: Sequence[IncidentEvent]) -> list[Changed]:
    """Write events; those that are there already change nothing, old ones undo nothing.

    Returns:
        The newest revision of each incident.
    """
    # Sorted, so that two workers that write the same rows wait for each other in one order, and not crosswise.
    ordered = sorted(events, key=lambda event: (event.incident_id, event.revision))
    heads = {event.incident_id: event for event in ordered}
    rows = [incident_row(event) for event in heads.values()]
    insert_new(connection, INCIDENT_EVENTS, [_event_row(event) for event in ordered])
    insert_new(connection, TIMELINE, [entry for event in ordered for entry in _timeline_rows(event)])
    upsert_newest(connection, INCIDENTS, rows)
    write_notes(connection, [event.incident_id for event in ordered if _has_words(event)])
    measure(connection, list(heads))
    return [_changed(event, row) for event, row in zip(heads.values(), rows, strict=True)]


def write_notes(connection: Connection, ids: Iterable[str]) -> int:
    """Bring the words that people wrote on the head of each of these incidents; how many had others."""
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    given = {"ids": wanted, "machine": MACHINE, "characters": SEARCHED_CHARACTERS_MAX}
    return connection.execute(text(_NOTES), given).rowcount


def _has_words(event: IncidentEvent) -> bool:
    return any(isinstance(each.get("actor"), str) and each["actor"] != MACHINE for each in event.entries)


def _changed(event: IncidentEvent, row: dict[str, Any]) -> Changed:
    kind = "bridge" if row["kind"] == "bridge" else "incident"
    state, priority = row["state"] or "", row["priority"] or ""
    return Changed(event.incident_id, event.revision, kind, event.change, state, priority, row["domains"])


def _event_row(event: IncidentEvent) -> dict[str, Any]:
    """A revision and what it did as it was told: what is sealed is that, to the letter."""
    seal = event.seal
    content = content_of(event.incident_id, event.revision, event.change, event.at_ms, event.entries) if seal else None
    return {
        "incident_id": event.incident_id,
        "revision": event.revision,
        "change": event.change,
        "at": moment_of(event.at_ms),
        "body": event.incident,
        "sealed": content.decode() if content else None,
        "seal": seal,
        "command_id": event.command_id,
    }


def _timeline_rows(event: IncidentEvent) -> list[dict[str, Any]]:
    return [
        {
            "incident_id": event.incident_id,
            "revision": event.revision,
            "position": position,
            "at": moment_of(entry.get("at_ms")),
            "action": text_of(entry.get("action")),
            "actor": text_of(entry.get("actor")),
            "text": text_of(entry.get("text")),
            "facts": indexable(entry.get("facts") or {}),
            "event_at": moment_of(entry.get("event_at_ms")),
            "changed": mapping_of(entry.get("changed")),
            "revised_at": moment_of(event.at_ms),
        }
        for position, entry in enumerate(event.entries)
    ]
