"""Open incidents of which all that fires is silenced, or is work that was announced late: nobody is called for them.

The incident goes on: its state, its clocks, its members and its commands are as ever. What began before a window is not
explained by it, and calls on. Who was told of it outside hears of it to its end; nobody else does. When the reason is
over, or anything else fires in the incident, calling goes on where it had stopped; the time in between does not count.
"""

from __future__ import annotations

from typing import Any

from pipeline.core import calling
from pipeline.core.correlate_expected import CorrelateExpected
from pipeline.core.desk import MACHINE
from pipeline.core.draft import Draft
from pipeline.core.lifecycle import OPEN_STATES, UNANSWERED_STATES
from pipeline.models.alert import FeedClass
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.member import Member


class CorrelateMuted(CorrelateExpected):
    """The part of correlate that mutes incidents."""

    def _weigh_muting(self, draft: Draft) -> None:
        """Mute an incident all of which is silenced or expected now, or call for it again; before anybody is called."""
        incident = draft.incident
        if incident.muted is None and not self._silences and not self._changes.suppress_any():
            return
        if incident.state not in OPEN_STATES:
            incident.muted = None
            self._muted.discard(incident.id)
            return
        firing = False
        by: dict[str, None] = {}
        for member in self._book.members_of(incident.id):
            if member.resolved_at_ms is not None:
                continue
            firing, why = True, self._muting(member, incident)
            if why is None:
                self._unmute(draft)
                return
            by[why] = None
        if firing and incident.muted is None and not by.keys() <= set(incident.escalation.pushed_over):
            self._mute(draft, list(by))

    def _weigh_all_muted(self) -> None:
        """A reason to mute is perhaps over."""
        for incident_id in sorted(self._muted):
            incident = self._book.incident(incident_id)
            if incident is not None:
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

    def _muting(self, member: Member, incident: Incident) -> str | None:
        """What mutes a member; None where nothing does. What people report is never muted once it is in an incident."""
        if member.feed_class == FeedClass.DESK:
            return None
        places = self._topology.runs_on(member.entity) if member.entity else set()
        places |= {(member.host or "").lower()} - {""}
        if self._changes.suppress_any():
            change = self._changes.suppressing(places, self.clock_ms, {}, member.opened_at_ms)
            if change is not None:
                return f"change {change}"
        if not self._silences or incident.priority in self._desk.policy(incident).silence_never:
            return None
        silence = self._silences.muting(incident.space, member.alert_key, _facts(member, incident), {})
        return None if silence is None else f"silence {silence.id} of {silence.owner}"

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


def _facts(member: Member, incident: Incident) -> dict[str, Any]:
    """What is known of a member, by the names of correlation rules; its labels and its name are not kept."""
    return {
        "feed": member.feed,
        "feed_class": str(member.feed_class),
        "summary": member.summary,
        "severity": str(member.severity),
        "space": incident.space,
        "host": member.host or "",
        "entity": member.entity or "",
        "service": member.service or "",
        "domain": member.domain or "",
    }
