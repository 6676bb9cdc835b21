"""What a receiver of revisions has of each incident: bodies as they came, read alike by all of the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.models.remote import STATES, RemoteState
from tests.sinks.servers.base import Seen

Bodies = Mapping[str, Sequence[Mapping[str, Any]]]
"""Incident id -> the data of each revision, in the order in which they came."""


def out_of_order(bodies: Bodies) -> list[str]:
    """Incidents whose revisions came in another order than they have."""
    revisions = {key: [each["revision"] for each in told] for key, told in bodies.items()}
    return [key for key, numbers in revisions.items() if numbers != sorted(numbers)]


def seen_in(bodies: Bodies) -> list[Seen]:
    """The incidents, each by its newest revision."""
    return [_seen(incident_id, told) for incident_id, told in bodies.items()]


def _seen(incident_id: str, told: Sequence[Mapping[str, Any]]) -> Seen:
    incident = told[-1]["incident"]
    return Seen(
        incident_id=incident_id,
        id=incident_id,
        state=STATES.get(incident["state"], RemoteState.OPEN),
        title=incident["title"],
        priority=incident["priority"],
        notes=[entry["text"] for each in told for entry in each["entries"]],
        steps=[call["key"] for each in told for call in each.get("calls", ())],
    )
