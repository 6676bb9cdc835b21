"""Open incidents of which all that fires is silenced, or is work that was announced late: nobody is called for them.

The incident goes on: its state, its clocks, its members and its commands are as ever. What began before a window is not
explained by it, and calls on. Who was told of it outside hears of it to its end; nobody else does. When the reason is
over, or anything else fires in the incident, calling goes on where it had stopped; the time in between does not count.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.core.clustering.correlate_expected import CorrelateExpected
from pipeline.core.clustering.correlate_state import MUTING
from pipeline.core.clustering.recalled import alert_of
from pipeline.core.clustering.rule_facts import RuleFacts
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling
from pipeline.core.practice.desk import MACHINE
from pipeline.core.practice.lifecycle import OPEN_STATES, UNANSWERED_STATES
from pipeline.models.alert import FeedClass
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.member import Member

WEIGHED_AT_ONCE: Final = 1_000
"""Open incidents that one beginning of a silence weighs, at some 30 microseconds each, 150 where one is folded away."""


class _Why(NamedTuple):
    """What mutes a member, in words, and when that is over where only time ends it."""

    by: str
    until_ms: int | None = None


class CorrelateMuted(CorrelateExpected):
    """The part of correlate that mutes incidents."""

    def restored(self) -> None:
        """Besides, weigh who is muted, where another configuration decides now: by its windows and policies."""
        super().restored()
        if self.decided_by not in (None, self._desk.config.version) and (self._muted or self._mutes_any()):
            self.timers.set(MUTING, self.clock_ms)

    def _weigh_muting(self, draft: Draft) -> None:
        """Mute an incident all of which is silenced or expected now, or call for it again; before anybody is called."""
        incident = draft.incident
        if incident.muted is None and not self._mutes_any():
            return
        if incident.state not in OPEN_STATES:
            incident.muted = None
            self._muted.discard(incident.id)
            return
        by: dict[str, None] = {}
        untils: list[int] = []
        for member in self._book.each_of(incident.id):
            if member.resolved_at_ms is not None:
                continue
            why = self._muting(member, incident)
            if why is None:
                self._unmute(draft)
                return
            by[why.by] = None
            if why.until_ms is not None:
                untils.append(why.until_ms)
        if by and incident.muted is None and not by.keys() <= set(incident.escalation.pushed_over):
            self._mute(draft, list(by))
        if by and incident.muted is not None:
            incident.muted["until_ms"] = min(untils, default=None)

    def _mutes_any(self) -> bool:
        """Whether anything is on that may mute."""
        return bool(self._silences) or self._changes.suppress_any() or self._maintenance.any_on(self.clock_ms)

    def _weigh_all_muted(self) -> None:
        """A reason to mute is perhaps over."""
        for incident_id in sorted(self._muted):
            incident = self._book.incident(incident_id)
            if incident is not None:
                self._weigh_quietly(incident)

    def _weigh_open(self) -> None:
        """A reason to mute has begun whose incidents no index finds. One that is left out is weighed when it is due."""
        if not self._mutes_any():
            return
        for incident_id in self._book.first_incidents(WEIGHED_AT_ONCE):
            incident = self._book.incident(incident_id)
            if incident is not None and incident.muted is None:
                self._weigh_quietly(incident)

    def _weigh_places(self, refs: list[str]) -> None:
        """A reason to mute has begun on some entities: weigh the incidents that are about them."""
        for ref in refs:
            found = self._book.with_entity(ref)
            incident = None if found is None else self._book.incident(found)
            if incident is not None:
                self._weigh_quietly(incident)

    def _weigh_quietly(self, incident: Incident) -> None:
        """Weigh one that nothing else has been done to: where that changes nothing, there is no revision."""
        draft = self._draft(incident)
        self._weigh_muting(draft)
        self._forget_empty(draft)

    def _muting(self, member: Member, incident: Incident) -> _Why | None:
        """What mutes a member; None where nothing does. What people report is never muted once it is in an incident."""
        if member.feed_class == FeedClass.DESK:
            return None
        alert = alert_of(member, incident.space)
        if self._changes.suppress_any():
            places = self._places(alert)
            change = self._changes.suppressing(places, self.clock_ms, alert.labels, member.opened_at_ms)
            if change is not None:
                return _Why(f"change {change}")
        if self._maintenance.any_on(self.clock_ms):
            window = self._maintenance.explaining(alert, self.clock_ms, member.opened_at_ms)
            if window is not None:
                return _Why(f"maintenance {window[0]}", window[1])
        if not self._silences or incident.priority in self._desk.policy(incident).silence_never:
            return None
        facts = RuleFacts(alert, member.terms, self._topology)
        silence = self._silences.muting(incident.space, member.alert_key, facts.values, alert.labels)
        return None if silence is None else _Why(f"silence {silence.id} of {silence.owner}")

    def _mute(self, draft: Draft, by: list[str]) -> None:
        incident = draft.incident
        incident.muted = {"since_ms": self.clock_ms, "by": by}
        self._muted.add(incident.id)
        calling.reschedule(self._desk, incident)
        text = f"muted by {', '.join(by)}: nobody is called for it meanwhile"
        draft.note("mute", MACHINE, text, IncidentChange.UPDATED, by=by)

    def _unmute(self, draft: Draft) -> None:
        incident = draft.incident
        if incident.muted is None:
            return
        now_ms, since_ms = self.clock_ms, incident.muted["since_ms"]
        incident.muted = None
        self._muted.discard(incident.id)
        draft.note("unmute", MACHINE, "no longer muted, and it fires still", IncidentChange.UPDATED, since_ms=since_ms)
        escalation = incident.escalation
        escalation.started_at_ms += max(0, now_ms - max(since_ms, escalation.started_at_ms))
        calling.reschedule(self._desk, incident)
        if incident.state in UNANSWERED_STATES:
            calling.escalate(self._desk, draft)
