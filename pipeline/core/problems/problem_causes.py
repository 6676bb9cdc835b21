"""Causes: what incidents share that come back, and which incidents of late had each.

The signature of a cause is what is suspected (the identified suspect, else the first, else the service itself) and the
incident's category: enough to tell a database that runs out of connections from one whose disk is full, and coarse
enough that the next time, with other symptoms, has the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pipeline.core.identity import short_id
from pipeline.models.incident import IncidentState
from pipeline.models.problem import OCCURRENCES_MAX, Occurrence
from pipeline.models.summary import Summary

DAY_MS: Final = 24 * 60 * 60 * 1_000

OVER: Final = frozenset({IncidentState.RESOLVED.value, IncidentState.CLOSED.value})
"""States in which it is known what an incident was: only then does it make a problem."""

VOID: Final = frozenset({IncidentState.MERGED.value, IncidentState.CANCELLED.value})
"""States of incidents that were none, or are part of another."""


class Signature(NamedTuple):
    """What makes two incidents repeats of each other."""

    id: str
    ref: str
    category: str | None


def signature_of(summary: Summary) -> Signature | None:
    """The signature of an incident; None while nothing is known of what it is about."""
    ref = summary.cause or summary.service
    if ref is None:
        return None
    return Signature(short_id("CS", ref, summary.category or ""), ref, summary.category)


def occurrence_of(summary: Summary) -> Occurrence:
    """An incident as an occurrence."""
    return Occurrence(
        incident_id=summary.incident_id,
        space=summary.space,
        title=summary.title,
        priority=summary.priority,
        opened_at_ms=summary.opened_at_ms,
        resolved_at_ms=summary.resolved_at_ms,
        users=sum(users for _, users, *_ in summary.impacts.values()),
        change_id=summary.change_id,
    )


@dataclass(slots=True)
class Cause:
    """The incidents of late that had one signature.

    Attributes:
        occurrences: the newest `OCCURRENCES_MAX`, in order of their first summary.
        problem_id: the problem that they are of, once there is one.
    """

    signature: Signature
    occurrences: list[Occurrence] = field(default_factory=list)
    problem_id: str | None = None

    def put(self, occurrence: Occurrence, *, may_enter: bool = True) -> bool:
        """Add an incident, or bring it up to date; whether it is new here.

        Args:
            occurrence: the incident.
            may_enter: False of one that has entered before: where newer ones have taken its place, it stays out.
        """
        for place, known in enumerate(self.occurrences):
            if known.incident_id == occurrence.incident_id:
                self.occurrences[place] = occurrence
                return False
        if not may_enter:
            return False
        self.occurrences.append(occurrence)
        del self.occurrences[:-OCCURRENCES_MAX]
        return True

    def drop(self, incident_id: str) -> None:
        """An incident is no longer of this cause."""
        self.occurrences = [each for each in self.occurrences if each.incident_id != incident_id]

    def since(self, from_ms: int) -> list[Occurrence]:
        """The incidents that were opened from a moment on."""
        return [each for each in self.occurrences if each.opened_at_ms >= from_ms]

    def document(self) -> dict[str, Any]:
        """What the state record holds."""
        return {"signature": list(self.signature), "occurrences": self.occurrences, "problem_id": self.problem_id}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Cause:
        """Read a state record back."""
        occurrences = [Occurrence(**each) for each in document["occurrences"]]
        return cls(Signature(*document["signature"]), occurrences, document["problem_id"])


@dataclass(slots=True)
class Place:
    """What is remembered of an open incident: its signature, and which known errors were offered for it."""

    signature_id: str
    offered: list[str] = field(default_factory=list)
    linked: str | None = None
