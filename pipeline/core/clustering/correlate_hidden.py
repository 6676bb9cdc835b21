"""What was hidden goes on record: one suppression for each run or spell, never one for each alert.

What was over before anybody was told is assessed as the incident that it would have been, by the policy in force, so
that the record says who was not called.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.core.clustering.correlate_habits import CHRONIC, CorrelateHabits
from pipeline.core.clustering.tally import Tally
from pipeline.core.draft import Draft
from pipeline.core.step import Effects, Output
from pipeline.models.decision import Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.incident import Incident
from pipeline.models.incident_parts import Page
from pipeline.models.member import Member
from pipeline.models.suppression import SUPPRESSIONS_TOPIC, Ended, Suppression, What
from pipeline.models.wire import to_json

WHAT: Final[dict[str, What]] = {
    Reason.TRANSIENT: What.TRANSIENT,
    Reason.FLAPPING: What.FLAPPING,
    Reason.MAINTENANCE: What.MAINTENANCE,
    Reason.RULE_MIN_COUNT: What.MIN_COUNT,
    Reason.SILENCED: What.SILENCED,
    Reason.INHIBITED: What.INHIBITED,
}
"""Reason to wait or to be suppressed -> what it is called on the record."""

_UNTOLD: Final = frozenset({Ended.OVER.value, Ended.SILENT.value})

_TELLS_HIDDEN: Final = frozenset(
    {EpisodeChange.RESOLVED.value, EpisodeChange.EXPIRED.value, EpisodeChange.STEADY.value}
)


class CorrelateHidden(CorrelateHabits):
    """The part of correlate that records what was hidden."""

    def _hid(
        self,
        effects: Effects,
        reason: str,
        ended: Ended,
        episode: Member,
        space: str,
        since_ms: int,
        *,
        alerts: int = 1,
        runs: int = 1,
        incident_id: str | None = None,
        let_in_by: str | None = None,
        decided_by: dict[str, Any] | None = None,
    ) -> None:
        """Write down what was hidden until now.

        Args:
            effects: where to.
            reason: why, a `Reason`.
            ended: how that ended.
            episode: what it was about.
            space: of the episode.
            since_ms: from when on.
            alerts: how many alerts.
            runs: how many runs of the condition.
            incident_id: the incident that it is part of, if any.
            let_in_by: what let it in, where something did.
            decided_by: what the decision to hide it went by.
        """
        hidden = self._suppression(WHAT[reason], ended, episode, space, since_ms, alerts, runs)
        hidden.incident_id, hidden.let_in_by, hidden.decided_by = incident_id, let_in_by, decided_by or {}
        if ended in _UNTOLD:
            would_be = self._would_be(episode, space)
            hidden.priority, hidden.pages = would_be.priority, pages_told(would_be.escalation.paged)
        self._write_hidden(effects, hidden)

    def _hid_facts(
        self,
        effects: Effects,
        facts: dict[str, Any],
        ended: Ended,
        episode: Member,
        space: str,
        incident_id: str | None,
    ) -> None:
        """Write down what dedupe says that it hid."""
        self._hid(
            effects,
            facts["hidden_by"],
            ended,
            episode,
            space,
            facts["since_ms"],
            alerts=facts["alerts"],
            runs=facts["runs"],
            incident_id=incident_id,
            decided_by={"windows": facts["windows"]} if "windows" in facts else None,
        )

    def _hid_before(self, effects: Effects, event: EpisodeEvent, episode: Member) -> None:
        """An episode has become a member of which dedupe had hidden something until now."""
        if event.facts is not None and "hidden_by" in event.facts:
            self._hid_facts(effects, event.facts, Ended.LET_IN, episode, event.space, episode.incident_id)

    def _hid_from_members(self, effects: Effects, event: EpisodeEvent, member: Member) -> None:
        """A member of an incident is over, or steady: write down its repeats, and what flapped."""
        if event.change not in _TELLS_HIDDEN:
            return
        incident = self._book.case(member.incident_id).incident
        facts = event.facts or {}
        if "hidden_by" in facts:
            self._hid_facts(effects, facts, Ended.IN_INCIDENT, member, incident.space, incident.id)
        if event.change != EpisodeChange.STEADY and event.repeats:
            since_ms = member.opened_at_ms
            args = (What.REPEATS, Ended.IN_INCIDENT, member, incident.space, since_ms, event.repeats, 1)
            hidden = self._suppression(*args)
            hidden.incident_id = incident.id
            self._write_hidden(effects, hidden)

    def _hid_run(self, effects: Effects, event: EpisodeEvent) -> None:
        """A run that dedupe told nobody of is over."""
        facts = event.facts or {}
        self._hid_facts(effects, facts, Ended.OVER, self._assessor.member(event), event.space, None)

    def _published(self, draft: Draft, effects: Effects) -> None:
        """Write down that an incident was ranked down as chronic, or is no longer."""
        for entry in draft.entries:
            first = self._book.member(entry.facts["episode_id"]) if entry.action == CHRONIC else None
            if first is not None:
                ended = Ended.TOLD if draft.incident.chronic is not None else Ended.LET_IN
                self._hid_urgency(effects, draft.incident, first, ended)

    def _hid_urgency(self, effects: Effects, incident: Incident, first: Member, ended: Ended) -> None:
        since_ms = incident.detected_at_ms
        hidden = self._suppression(What.CHRONIC, ended, first, incident.space, since_ms, 0, 0)
        hidden.incident_id, hidden.decided_by = incident.id, incident.chronic or {}
        if ended == Ended.TOLD:
            would_be = self._would_be(first, incident.space)
            hidden.priority, hidden.pages = would_be.priority, pages_told(would_be.escalation.paged)
            hidden.runs = 1
        self._write_hidden(effects, hidden)

    def _would_be(self, episode: Member, space: str) -> Incident:
        """The incident that an episode would have opened, logged and called for, of which nothing is published."""
        now_ms = self.clock_ms
        incident = Incident(id="", space=space, detected_at_ms=now_ms, opened_at_ms=now_ms)
        draft = Draft(incident, now_ms)
        self._assessor.log(draft, episode, Tally.of((episode,), self._assessor.topology), self._changes.recent())
        return incident

    def _suppression(
        self, what: What, ended: Ended, episode: Member, space: str, since_ms: int, alerts: int, runs: int
    ) -> Suppression:
        return Suppression(
            what=what,
            ended=ended,
            episode_id=episode.episode_id,
            alert_key=episode.alert_key,
            space=space,
            feed=episode.feed,
            summary=episode.summary,
            severity=episode.severity,
            since_ms=since_ms,
            until_ms=self.clock_ms,
            alerts=alerts,
            runs=runs,
            entity=episode.entity,
            service=episode.service,
            domain=episode.domain,
        )

    def _write_hidden(self, effects: Effects, hidden: Suppression) -> None:
        key = hidden.what, hidden.ended
        effects.hidden[key] = effects.hidden.get(key, 0) + hidden.alerts
        if hidden.pages:
            effects.pages_saved[hidden.what] = effects.pages_saved.get(hidden.what, 0) + len(hidden.pages) * hidden.runs
        value = to_json(hidden)
        effects.outputs.append(Output(SUPPRESSIONS_TOPIC, hidden.alert_key.encode(), value, self.clock_ms))


def pages_told(pages: list[Page]) -> list[dict[str, Any]]:
    """Who would have been called, for the record."""
    return [{"person": page.person, "service": page.service, "rotation": page.rotation} for page in pages]
