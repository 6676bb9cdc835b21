"""What is suppressed is kept, with its reason, and let in when its reason is over and it fires still.

The reasons: a running change expects it, somebody has silenced it, or what it needs is known to be down. As long as
any of them holds, it opens no incident and calls nobody. It is counted and recorded all the same, and its recovery ends
it whatever holds.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final

from pipeline.core.alerts.own_alerts import OWN_FEED
from pipeline.core.clustering.assessor import unlisted
from pipeline.core.clustering.correlate_hidden import CorrelateHidden, pages_told
from pipeline.core.clustering.correlate_state import SILENCE, SOURCE, SUPPRESSED
from pipeline.core.clustering.recalled import event_of
from pipeline.core.clustering.rule_facts import RuleFacts
from pipeline.core.clustering.suppressed import Cause, Suppressed
from pipeline.core.practice.desk import MACHINE
from pipeline.core.step import Effects
from pipeline.core.terms import terms_of
from pipeline.models.alert import Alert
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.incident import Incident
from pipeline.models.member import Member
from pipeline.models.suppression import Ended

SOURCES_SOUGHT_MAX: Final = 20_000
"""Members of incidents among which a new configuration looks for what inhibits by its rules, the newest, at some 30
microseconds each."""

OVER: Final = frozenset({EpisodeChange.RESOLVED.value, EpisodeChange.EXPIRED.value})
"""Changes that end an episode."""

ENDED: Final[dict[str, Ended]] = {EpisodeChange.RESOLVED: Ended.OVER, EpisodeChange.EXPIRED: Ended.SILENT}
"""The same -> how what was hidden of it ended."""

_TURNS: Final = frozenset({EpisodeChange.FLAPPING.value, EpisodeChange.STEADY.value})

_WHY: Final[dict[str, str]] = {
    Reason.MAINTENANCE: "maintenance that expected it is over",
    Reason.SILENCED: "no silence mutes it any longer",
    Reason.INHIBITED: "what it needs is well again",
}
"""Reason that is over -> the same in words, for the timeline."""


class CorrelateExpected(CorrelateHidden):
    """The part of correlate that suppresses."""

    @abstractmethod
    def _opened(self, event: EpisodeEvent, effects: Effects) -> None:
        """Decide an episode that has begun."""

    @abstractmethod
    def _decide(
        self, effects: Effects, event: EpisodeEvent, disposition: Disposition, reason: Reason, incident: Incident | None
    ) -> None:
        """Note the disposition of the alert behind an event."""

    def restored(self) -> None:
        """Besides, look again at who is suppressed, where another configuration decides now."""
        super().restored()
        if self.decided_by in (None, self._desk.config.version):
            return
        for episode_id in self._suppressed.names():
            self.timers.set(SUPPRESSED + episode_id, self.clock_ms)
        if self._inhibitor:
            for member in self._book.newest_members(SOURCES_SOUGHT_MAX):
                if member.resolved_at_ms is None:
                    self._note_source(event_of(member, self._book.case(member.incident_id).incident.space))

    # -- why

    def _expected(self, event: EpisodeEvent, effects: Effects) -> bool:
        """Suppress what is expected, silenced or inhibited; whether it was."""
        cause = self._cause(event)
        if cause is None:
            return False
        self._suppress(Suppressed(event=event, since_ms=self.clock_ms), cause)
        self._decide(effects, event, Disposition.SUPPRESSED, cause.reason, None)
        return True

    def _cause(self, event: EpisodeEvent, *, again: bool = False) -> Cause | None:
        """Why an episode is to be suppressed; None: it is not.

        ``again``: it was until now. What comes from dedupe has been looked at there for windows of the configuration.
        """
        change = self._change_expecting(event.alert)
        if change is not None:
            return Cause(Reason.MAINTENANCE, change, None, {"change_id": change})
        until_ms = self._maintenance.until_ms(event.alert, self.clock_ms) if again else None
        if until_ms is not None:
            windows = self._maintenance.names_until(event.alert, until_ms, self.clock_ms)
            return Cause(Reason.MAINTENANCE, "", until_ms, {"windows": windows})
        return self._silencing(event) or self._inhibiting(event)

    def suppressed_by(self, episode_id: str) -> dict[str, Any] | None:
        """What an episode is suppressed by, for those who ask why; None where it is not."""
        kept = self._suppressed.get(episode_id)
        return None if kept is None else kept.facts

    def _change_expecting(self, alert: Alert) -> str | None:
        if not self._changes.suppress_any():
            return None
        return self._changes.suppressing(self._places(alert), self.clock_ms, alert.labels)

    def _places(self, alert: Alert) -> set[str]:
        """What an alert is about and runs on, by every name; where no catalogue lists it, by its own."""
        places = self._topology.runs_on(alert.entity) if alert.entity else {unlisted(alert) or ""}
        return (places | {(alert.host or "").lower()}) - {""}

    def _silencing(self, event: EpisodeEvent) -> Cause | None:
        if not self._silences:
            return None
        alert = event.alert
        facts = RuleFacts(alert, terms_of(alert.summary, alert.description), self._topology)
        silence = self._silences.muting(event.space, event.alert_key, facts.values, alert.labels)
        if silence is None:
            return None
        would_be = self._would_be(self._assessor.member(event), event.space)
        if would_be.priority in self._desk.policy(would_be).silence_never:
            return None
        told: dict[str, Any] = {"silence": silence.id, "owner": silence.owner, "because": silence.reason}
        told |= {"priority": would_be.priority, "pages": len(pages_told(would_be.escalation.paged))}
        return Cause(Reason.SILENCED, silence.id, None, told)

    def _inhibiting(self, event: EpisodeEvent) -> Cause | None:
        if event.alert.feed == OWN_FEED:  # what is broken elsewhere, or by it, must not hide that Spillway is
            return None
        by = self._inhibitor.by(event) if self._inhibitor else None
        if by is None:
            return None
        member = self._book.member(by.source)
        told = {"rule": by.rule, "source": by.source, "incident_id": None if member is None else member.incident_id}
        return Cause(Reason.INHIBITED, by.source, None, told)

    # -- keeping

    def _suppress(self, kept: Suppressed, cause: Cause) -> None:
        """Keep an episode for a reason."""
        kept.reason, kept.by, kept.due_ms, kept.facts = cause
        self._suppressed.put(kept)
        self._plan_suppressed(kept)
        silence = self._silences.get(cause.by) if cause.reason == Reason.SILENCED else None
        if silence is not None:
            priority = cause.facts["priority"]
            silence.hidden += 1
            silence.would_page += cause.facts["pages"]
            silence.priorities[priority] = silence.priorities.get(priority, 0) + 1
            self.touch(SILENCE + silence.id)

    def _plan_suppressed(self, kept: Suppressed) -> None:
        name = SUPPRESSED + kept.event.episode_id
        self.touch(name)
        self.timers.set(name, kept.due_ms)

    def _take_suppressed(self, episode_id: str) -> Suppressed:
        self.touch(SUPPRESSED + episode_id)
        self.timers.set(SUPPRESSED + episode_id, None)
        return self._suppressed.take(episode_id)

    # -- letting in

    def _release(self, effects: Effects) -> None:
        """Let in what fires still and no maintenance expects any longer."""
        for episode_id in self._suppressed.of(Reason.MAINTENANCE):
            self._reconsider(episode_id, effects)

    def _reconsider(self, episode_id: str, effects: Effects) -> None:
        """Look again why an episode is suppressed: let it in where nothing holds any more."""
        kept = self._suppressed.get(episode_id)
        if kept is None:
            return
        if kept.reason == Reason.INHIBITED and (kept.due_ms or 0) > self.clock_ms:
            self._plan_suppressed(kept)  # its source is over, and it waits a little
            return
        cause = self._cause(kept.event, again=True)
        if cause is not None and (cause.reason, cause.by) == (kept.reason, kept.by):
            kept.due_ms = cause.due_ms
            self._plan_suppressed(kept)
            return
        self._take_suppressed(episode_id)
        if cause is not None:
            self._suppress(kept, cause)
        else:
            self._let_in_suppressed(kept, effects)

    def _let_in_suppressed(self, kept: Suppressed, effects: Effects) -> None:
        event = kept.event
        event.counted = False
        self._opened(event, effects)
        member = self._book.member(event.episode_id)
        if member is None:  # it waits for another reason
            self._hid_suppressed(effects, kept, self._assessor.member(event), Ended.LET_IN)
            return
        self._hid_suppressed(effects, kept, member, Ended.LET_IN, incident_id=member.incident_id)
        self._draft(self._book.case(member.incident_id).incident).note(
            "suppressed",
            MACHINE,
            f"was suppressed until now; {_WHY[kept.reason]}, and it fires still: {member.summary}",
            episode_id=event.episode_id,
            reason=kept.reason,
            suppressed_ms=self.clock_ms - kept.since_ms,
            decided_by=kept.facts,
        )

    def _suppressed_news(self, event: EpisodeEvent, effects: Effects) -> None:
        """A change of an episode that is suppressed. Its end is one whatever the reason."""
        kept = self._suppressed.get(event.episode_id)
        if kept is None:
            return
        self._decide(effects, event, Disposition.SUPPRESSED, Reason(kept.reason), None)
        if event.change in OVER:
            self._take_suppressed(event.episode_id)
            kept.event.repeats = event.repeats
            self._hid_suppressed(effects, kept, self._assessor.member(kept.event), ENDED[event.change])
            return
        worse = event.alert.severity != kept.event.alert.severity
        kept.event.alert.severity = event.alert.severity
        if event.change in _TURNS:
            kept.event.reason = event.reason
        self.touch(SUPPRESSED + event.episode_id)
        if worse:
            self._reconsider(event.episode_id, effects)

    def _hid_suppressed(
        self, effects: Effects, kept: Suppressed, episode: Member, ended: Ended, *, incident_id: str | None = None
    ) -> None:
        """Write down that it was suppressed until now."""
        reason, space, alerts = kept.reason, kept.event.space, 1 + kept.event.repeats
        silence = self._silences.get(kept.by) if reason == Reason.SILENCED else None
        if silence is not None:
            silence.alerts += alerts
            self.touch(SILENCE + silence.id)
        args = (effects, reason, ended, episode, space, kept.since_ms)
        self._hid(*args, alerts=alerts, incident_id=incident_id, decided_by=kept.facts)

    # -- what inhibits

    def _note_source(self, event: EpisodeEvent) -> None:
        """An episode has become part of an incident: it may inhibit others."""
        if self._inhibitor and self._inhibitor.add(event):
            self.touch(SOURCE + event.episode_id)

    def _source_changed(self, event: EpisodeEvent) -> None:
        """A member has perhaps another severity: what it inhibits is as it is now."""
        if not self._inhibitor:
            return
        was = self._inhibitor.drop(event.episode_id)
        if self._inhibitor.add(event) or was:
            self.touch(SOURCE + event.episode_id)
        if was and self._inhibitor.dump(event.episode_id) is None:
            self._source_gone(event.episode_id)

    def _source_over(self, episode_id: str) -> None:
        """A member is over, or in no incident any more: what it inhibits waits a little, and comes in."""
        if self._inhibitor and self._inhibitor.drop(episode_id):
            self.touch(SOURCE + episode_id)
            self._source_gone(episode_id)

    def _source_gone(self, episode_id: str) -> None:
        for name in self._suppressed.of(Reason.INHIBITED, episode_id):
            kept = self._suppressed.get(name)
            if kept is not None:
                kept.due_ms = self.clock_ms + self._inhibitor.grace_ms(kept.facts.get("rule", ""))
                self._plan_suppressed(kept)

    def _ended(self, incident: Incident) -> None:
        """An incident is over, and its members inhibit nothing any more."""
        super()._ended(incident)
        if self._inhibitor.sources():
            for member in self._book.members_of(incident.id):
                self._source_over(member.episode_id)
