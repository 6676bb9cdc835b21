"""What correlate learns of conditions from their runs and incidents, and what follows: chronic alerts rank lower.

An incident that nothing but a chronic condition speaks for has the lowest urgency, so that it pages nobody by itself.
Other evidence, or a rise in severity, ends that at once.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from pipeline.core.clustering.correlate_state import HABIT, CorrelateState
from pipeline.core.clustering.habits import chronic_words
from pipeline.core.draft import Draft
from pipeline.core.identity import content_hash
from pipeline.core.practice.desk import MACHINE
from pipeline.models.alert import SEVERITY_RANK, Alert, FeedClass
from pipeline.models.decision import Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.incident import Incident, IncidentChange, IncidentState
from pipeline.models.member import Member

CONDITIONS_OF_INCIDENT_MAX: Final = 500
"""Conditions whose habits one incident changes: more in one are a storm, which says nothing of a habit."""

CHRONIC: Final = "chronic"
"""Action on the timeline of an incident that is ranked down, or is no longer."""


class CorrelateHabits(CorrelateState):
    """The part of correlate that learns."""

    # -- learning

    def _note_began(self, alert: Alert) -> None:
        """A run of a monitor's condition has begun."""
        if alert.feed_class != FeedClass.DESK:
            self._changed(self._habits.began(alert.alert_key, rule_of(alert), self.clock_ms))

    def _note_over(self, event: EpisodeEvent, opened_at_ms: int, incident: Incident | None) -> None:
        """A run is over. What flapped, or fell silent, says nothing of how long such runs are."""
        if event.change != EpisodeChange.RESOLVED or event.reason != Reason.RESOLVED:
            return
        by_itself = incident is None or not in_hand(incident)
        length_ms = event.at_ms - opened_at_ms
        now_ms = self.clock_ms
        self._changed(self._habits.run_ended(event.alert_key, length_ms, by_itself=by_itself, now_ms=now_ms))

    def _ended(self, incident: Incident) -> None:
        """An incident is over: whether it mattered is known now."""
        if incident.state == IncidentState.MERGED:
            return  # its members are in another, whose end says it
        members = self._book.members_of(incident.id)
        conditions = dict.fromkeys(each.alert_key for each in members if each.feed_class != FeedClass.DESK)
        mattered = in_hand(incident) or len({each.alert_key for each in members}) > 1
        for alert_key in islice(conditions, CONDITIONS_OF_INCIDENT_MAX):
            self._changed(self._habits.incident_ended(alert_key, mattered=mattered, now_ms=self.clock_ms))

    def _changed(self, names: list[str]) -> None:
        for name in names:
            self.touch(HABIT + name)

    # -- what follows

    def _rank_down(self, draft: Draft, first: Member) -> None:
        """Let an incident that a chronic condition opens have the lowest urgency, where the policy says so."""
        rule = self._desk.policy_of(first.domain).chronic
        if rule.severity_at_most is None or first.feed_class == FeedClass.DESK:
            return
        if SEVERITY_RANK.get(first.severity, 0) > SEVERITY_RANK[rule.severity_at_most]:
            return
        known = self._habits.chronic(first.alert_key, self.clock_ms)
        often = known.incidents >= rule.incidents_at_least and known.days >= rule.days_at_least
        if not often or 1.0 - known.share > rule.mattered_at_most:
            return
        draft.incident.chronic = {
            "alert_key": first.alert_key,
            "episode_id": first.episode_id,
            "severity": first.severity,
            "incidents": round(known.incidents, 1),
            "days": round(known.days, 1),
            "mattered": round(known.mattered, 1),
        }
        text = f"chronic, so it has the lowest urgency: {chronic_words(draft.incident.chronic)}"
        draft.note(CHRONIC, MACHINE, text, **draft.incident.chronic)

    def _rank_up(self, draft: Draft) -> None:
        """End that as soon as something else speaks for the incident, or it gets worse."""
        incident = draft.incident
        chronic = incident.chronic
        if chronic is None:
            return
        joined = (self._book.member(each) for each in draft.joined)
        other = next((each for each in joined if each is not None and each.alert_key != chronic["alert_key"]), None)
        worst = self._book.tally(incident.id).severity
        if other is not None:
            because = f"{other.summary} speaks for it too"
        elif SEVERITY_RANK.get(worst, 0) > SEVERITY_RANK.get(chronic["severity"], 0):
            because = f"severity rose to {worst}"
        else:
            return
        incident.chronic = None
        text = f"counts as chronic no longer: {because}"
        draft.note(CHRONIC, MACHINE, text, IncidentChange.UPDATED, episode_id=chronic["episode_id"])


def rule_of(alert: Alert) -> str:
    """The name of the rule behind an alert, among all sources."""
    return content_hash(alert.feed, alert.name)


def in_hand(incident: Incident) -> bool:
    """Whether a person has had anything to do with an incident."""
    by = (incident.resolution or {}).get("by", MACHINE)
    decided = incident.priority_by is not None or incident.assignee is not None
    return incident.acknowledged_at_ms is not None or decided or by != MACHINE
