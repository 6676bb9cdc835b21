"""A draft gathers what one record does to one incident; `pipeline.core.press` makes it one revision."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from pipeline.models.incident import AUDITED, CHANGE_RANK, Incident, IncidentChange
from pipeline.models.incident_parts import TimelineEntry

MACHINE: Final = "spillway"
"""Actor of what nobody asked for."""

_audited: Final = attrgetter(*AUDITED)


@dataclass(slots=True)
class Draft:
    """What one record does to one incident.

    Attributes:
        entries: timeline entries, in order.
        changes: what the revision is about; the highest-ranking names the event.
        joined: episodes that became members.
        left: episodes that are members no longer.
        received_at_ms: timestamp of the raw record behind it; 0 for timers.
        command_id: of the command that is obeyed or refused; None: it follows from none.
        event_at_ms: when what the record tells happened, by its sender's clock; None: he does not say.
    """

    incident: Incident
    now_ms: int
    entries: list[TimelineEntry] = field(default_factory=list)
    changes: list[IncidentChange] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    received_at_ms: int = 0
    event_at_ms: int | None = None
    command_id: str | None = None
    _seen: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._seen = _audited(self.incident)

    @property
    def asked_at_ms(self) -> int:
        """When what the record asks for was asked, by its sender's clock, of which the future is not believed."""
        return self.now_ms if self.event_at_ms is None else min(self.event_at_ms, self.now_ms)

    def note(self, action: str, actor: str, text: str, change: IncidentChange | None = None, **facts: Any) -> None:
        """Put an action on the record, with what it has changed of the incident since the one before."""
        entry = TimelineEntry(
            at_ms=self.now_ms,
            action=action,
            actor=actor,
            text=text,
            facts=facts,
            event_at_ms=self.event_at_ms,
            changed=self._changed(),
        )
        self.entries.append(entry)
        if change is not None:
            self.changes.append(change)

    def finish(self) -> None:
        """Nothing more is done: what has changed since the last action belongs to that."""
        changed = self._changed()
        if changed is not None and self.entries:
            last = self.entries[-1]
            last.changed = _merged(last.changed, changed)

    def change(self) -> IncidentChange:
        """The one word for this revision."""
        return min(self.changes, key=CHANGE_RANK.__getitem__, default=IncidentChange.UPDATED)

    def _changed(self) -> dict[str, tuple[Any, Any]] | None:
        before, after = self._seen, _audited(self.incident)
        if before == after:
            return None
        self._seen = after
        pairs = zip(AUDITED, before, after, strict=True)
        return {name: (was, became) for name, was, became in pairs if was != became}


def _merged(first: dict[str, tuple[Any, Any]] | None, then: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Two changes in a row as one."""
    merged = dict(first or {})
    for name, (was, became) in then.items():
        merged[name] = (merged[name][0] if name in merged else was, became)
    return {name: pair for name, pair in merged.items() if pair[0] != pair[1]}
