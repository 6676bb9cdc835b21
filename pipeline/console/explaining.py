"""What explanations are read from, as far as somebody may see it: see `pipeline.records.explanation`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from pipeline.console.identity import Scope, domains_of
from pipeline.models.suppression import Suppression
from pipeline.records import receipts, suppressions
from pipeline.records.explanation import Asked
from pipeline.records.questions import entries_of_alert, entries_of_episode
from pipeline.records.tables import TIMELINE

_NAMES = ("revision", "at", "action", "actor", "text", "facts", "event_at", "changed")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a records store tells somebody: of an incident that he may not see nothing is known."""

    connection: Connection
    scope: Scope
    _known: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """The newest snapshot of an incident, or None."""
        if incident_id not in self._known:
            found = receipts.incident(self.connection, incident_id)
            may = found is not None and (self.scope is None or not self.scope.isdisjoint(domains_of(found)))
            self._known[incident_id] = found if may else None
        return self._known[incident_id]

    def timeline(self, incident_id: str) -> list[dict[str, Any]]:
        """Entries of an incident."""
        if self.incident(incident_id) is None:
            return []
        columns = [TIMELINE.c[name] for name in _NAMES]
        query = select(*columns).where(TIMELINE.c.incident_id == incident_id)
        rows = self.connection.execute(query.order_by(TIMELINE.c.revision, TIMELINE.c.position))
        return [dict(row) for row in rows.mappings()]

    def of_episode(self, episode_id: str) -> list[dict[str, Any]]:
        """Entries of all incidents that are about an episode."""
        return self._may(entries_of_episode(self.connection, episode_id))

    def of_alert(self, asked: Asked) -> list[dict[str, Any]]:
        """Entries that an alert led to, or all alerts of a condition."""
        return self._may(entries_of_alert(self.connection, asked.text, asked.origin))

    def hidden(self, name: str) -> list[Suppression]:
        """What was hidden of an episode, or of a condition by its alert key, oldest first."""
        found = suppressions.about(self.connection, name)
        return [each for each in found if self.scope is None or each.domain in self.scope]

    def _may(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each for each in entries if self.incident(each["incident_id"]) is not None]
