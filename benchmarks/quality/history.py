"""What the product said in the course of a day, out of its incident events: suspects, and Major Incidents declared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from pipeline.core.step import Output
from pipeline.models.incident import IncidentChange, IncidentKind


class Said(NamedTuple):
    """The suspects of an incident from a moment on, most likely first, by reference."""

    at_ms: int
    suspects: tuple[str, ...]


class Declared(NamedTuple):
    """A Major Incident, declared.

    Attributes:
        episodes: that the incident it was declared for, the first of its members, had then.
    """

    at_ms: int
    episodes: frozenset[str]


@dataclass(slots=True)
class History:
    """All of it, by incident.

    Attributes:
        suspects: of each incident, whenever they changed, in order of time.
        detected_ms: when each incident was opened.
        declared: bridge incidents, in order.
    """

    suspects: dict[str, list[Said]] = field(default_factory=dict)
    detected_ms: dict[str, int] = field(default_factory=dict)
    declared: list[Declared] = field(default_factory=list)

    def suspects_at(self, incident_id: str, at_ms: int | None = None) -> tuple[str, ...]:
        """The suspects of an incident at a moment; None: at its end."""
        found: tuple[str, ...] = ()
        for said in self.suspects.get(incident_id, ()):
            if at_ms is not None and said.at_ms > at_ms:
                break
            found = said.suspects
        return found


def history(events: Iterable[Output]) -> History:
    """Read the incident events of a replay, in their order."""
    found, members = History(), dict[str, set[str]]()
    for event in events:
        told = orjson.loads(event.value or b"{}")
        incident_id, incident = told["incident_id"], told["incident"]
        if incident["kind"] == IncidentKind.BRIDGE:
            if told["change"] == IncidentChange.OPENED:
                held = members.get(incident["members"][0], set())
                found.declared.append(Declared(told["at_ms"], frozenset(held)))
            continue
        holds = members.setdefault(incident_id, set())
        holds.update(told["joined"])
        holds.difference_update(told["left"])
        found.detected_ms.setdefault(incident_id, incident["detected_at_ms"])
        suspects = tuple(each["ref"] for each in incident["suspects"])
        said = found.suspects.setdefault(incident_id, [])
        if not said or said[-1].suspects != suspects:
            said.append(Said(told["at_ms"], suspects))
    return found
