"""Who waits before it may become an incident, and what lets it in: the rules of the waiting room.

An episode that may be a transient is weighed first; what joins an open incident never waits. Who waits comes in as
soon as evidence speaks for it (another symptom, an incident that comes to concern it, a person's ticket or command),
when it gets worse, or when its time is up. What is over before that is dropped.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final

from pipeline.core.clustering.correlate_expected import ENDED, OVER
from pipeline.core.clustering.correlate_habits import rule_of
from pipeline.core.clustering.correlate_silences import CorrelateSilences
from pipeline.core.clustering.correlate_state import HELD
from pipeline.core.clustering.habits import Hold
from pipeline.core.clustering.holding import Held, Wakes
from pipeline.core.clustering.matcher import Forbids, Match
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import MACHINE
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.core.step import Effects
from pipeline.models.alert import SEVERITY_RANK
from pipeline.models.command import Target
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.member import Member
from pipeline.models.suppression import Ended

WHY: Final[dict[str, str]] = {
    "evidence": "other symptoms speak for it",
    "severity": "it got worse",
    "person": "a person has it in hand",
    "time": "its time was up",
    "steady": "it flaps no longer and fires",
    "count": "as many came as a rule asks for",
    "rule": "no rule lets it wait any longer",
}
"""What let an episode in -> the same in words, for the timeline."""


_DISPOSITION: Final[dict[str, Disposition]] = {
    Reason.MAINTENANCE: Disposition.SUPPRESSED,
    Reason.FLAPPING: Disposition.SUPPRESSED,
}
"""Reason to wait -> what an alert counts as; held where it says nothing."""


class CorrelateHeld(CorrelateSilences):
    """The part of correlate that lets episodes wait."""

    @abstractmethod
    def _admit(self, event: EpisodeEvent, episode: Member, match: Match, effects: Effects) -> Incident:
        """Let an episode join the incident that was found for it, or open one."""

    @abstractmethod
    def _place(self, event: EpisodeEvent, episode: Member) -> Match:
        """Find the incident that an episode belongs to, if any."""

    @abstractmethod
    def _gather(
        self, event: EpisodeEvent, episode: Member, match: Match, effects: Effects, counted: str = ""
    ) -> Match | None:
        """Count an episode that would open an incident, where a rule asks for several; None where it waits for more.

        ``counted`` is the group that has counted it already, if any.
        """

    @abstractmethod
    def _forbids(self, episode: Member) -> Forbids | None:
        """What tells the rule by which an episode must not join an incident; None where there are no rules."""

    # -- waiting

    def _hold(
        self,
        effects: Effects,
        event: EpisodeEvent,
        until_ms: int | None,
        reason: Reason,
        facts: dict[str, Any] | None = None,
        *,
        group: str = "",
        wakes: Wakes = Wakes.EVIDENCE,
    ) -> bool:
        """Let an episode wait that no open incident takes; False, with nothing done, where the room is full.

        Args:
            effects: where its alert's decision is noted.
            event: how it began.
            until_ms: when its time is up, and it is let in; None: only news ends it.
            reason: why it waits.
            facts: what that decision went by; they go on the timeline with it, under names of their own.
            group: whom a rule counts it with; `Holding.of_group` finds them.
            wakes: what may end the hold before its time.
        """
        held = Held(
            event=event,
            reason=reason,
            since_ms=self.clock_ms,
            until_ms=until_ms,
            group=group,
            wakes=wakes,
            facts=facts or {},
        )
        if not self._holding.hold(held):
            return False
        self.touch(HELD + event.episode_id)
        self.timers.set(HELD + event.episode_id, until_ms)
        self._decide(effects, event, _disposition(reason), reason, None)
        return True

    def _waits(self, event: EpisodeEvent, match: Match, effects: Effects) -> bool:
        """Let wait what may be a transient, or flaps, and belongs to no incident; False where it may come in."""
        if event.reason == Reason.FLAPPING:
            return not _is_open(match) and self._hold_flapping(event, effects)
        if match.incident is not None or event.hold_until_ms is None:
            return False
        until_ms, facts = event.hold_until_ms, event.facts or {}
        if "least_seconds" in facts:
            hold = self._learned_hold(event, facts)
            if hold is None:
                return False
            until_ms, facts = event.at_ms + hold.seconds * 1_000, hold.told()
        return until_ms > self.clock_ms and self._hold(effects, event, until_ms, Reason.TRANSIENT, facts)

    def _learned_hold(self, event: EpisodeEvent, limits: dict[str, Any]) -> Hold | None:
        """How long runs of its condition, or of its rule, usually take to end by themselves, within limits."""
        rule, least, most = rule_of(event.alert), limits["least_seconds"], limits["most_seconds"]
        return self._habits.hold(event.alert_key, rule, least_seconds=least, most_seconds=most, now_ms=self.clock_ms)

    def _hold_flapping(self, event: EpisodeEvent, effects: Effects, group: str = "") -> bool:
        """Let wait, until it is steady, what flaps; an incident that comes to concern it takes it in."""
        return self._hold(effects, event, None, Reason.FLAPPING, group=group, wakes=Wakes.INCIDENT)

    def waiting(self, episode_id: str) -> Held | None:
        """What waits under an episode's id, for those who ask why."""
        return self._holding.get(episode_id)

    # -- coming in

    def _confirm(self, episode: Member, space: str, effects: Effects) -> bool:
        """Let in the one that waits whose incident a newcomer would join; whether there is one."""
        if not len(self._holding):
            return False
        partner = self._holding.partner(episode, space, self.clock_ms, self._forbids(episode))
        if partner is not None:
            self._let_in(partner, "evidence", effects)
        return partner is not None

    def _let_in(self, held: Held, why: str, effects: Effects) -> None:
        """End a hold: what waited is decided like one that has just begun, and who belongs to it comes with it."""
        newcomer = self._come_in(held, why, effects)
        if newcomer is not None:
            self._draw_in(newcomer, held.event.space, effects)

    def _draw_in(self, newcomer: Member, space: str, effects: Effects) -> None:
        """Let in who waits and joins an open incident now that a newcomer is in one.

        What has flapped for longer than a correlation window is no symptom of what begins now.
        """
        came = [newcomer]
        window_ms = self._desk.config.correlation.window_seconds * 1_000
        while came and len(self._holding):
            for held, waiting in self._holding.related(came.pop(), space):
                if held.event.episode_id not in self._holding or self.clock_ms - held.since_ms > window_ms:
                    continue
                match = self._place(held.event, waiting)
                if match.incident is None or (held.wakes == Wakes.INCIDENT and not _is_open(match)):
                    continue
                drawn = self._come_in(held, "evidence", effects, match)
                if drawn is not None:
                    came.append(drawn)

    def _come_in(self, held: Held, why: str, effects: Effects, match: Match | None = None) -> Member | None:
        """Let one in; None where a running change has come to expect it, or a rule wants more of its kind first."""
        self._take_out(held)
        event = held.event
        event.counted, event.reason, event.hold_until_ms = False, Reason.RELEASED, None
        if self._expected(event, effects):
            return None
        episode = self._assessor.member(event)
        found: Match | None = match or self._place(event, episode)
        if held.group and found is not None and found.ruled is not None:
            found.ruled.told = True  # when it began to wait
        if why in ("time", "steady", "rule") and found is not None:
            found = self._gather(event, episode, found, effects, held.group)
        if found is None:
            return None
        incident = self._admit(event, episode, found, effects)
        waited_ms = self.clock_ms - held.since_ms
        flapped = held.facts if "hidden_by" in held.facts else {}
        self._hid(
            effects,
            held.reason,
            Ended.LET_IN,
            episode,
            event.space,
            held.since_ms,
            alerts=1 + flapped.get("alerts", 0),
            runs=1 + flapped.get("runs", 0),
            incident_id=incident.id,
            let_in_by=why,
            decided_by={} if flapped else held.facts,
        )
        self._draft(incident).note(
            "held",
            MACHINE,
            f"waited {waited_ms / 1_000:g} s ({held.reason}) and came in: {WHY[why]}: {episode.summary}",
            episode_id=episode.episode_id,
            reason=held.reason,
            waited_ms=waited_ms,
            let_in_by=why,
            held_for=held.facts,
        )
        return episode

    def _named_by_person(self, target: Target, effects: Effects) -> None:
        """Let in the episode that a command is about: a person has seen it.

        Where the command names an incident, too, it is about that. It may be refused, which must leave all as it was.
        """
        held = None if target.incident_id is not None else self._holding.get(target.episode_id or "")
        if held is not None:
            self._let_in(held, "person", effects)

    # -- news of who waits

    def _held_news(self, held: Held, event: EpisodeEvent, effects: Effects) -> bool:
        """A change of an episode that waits; False where that lets it in, and the change is still to be applied."""
        sleeps = held.wakes == Wakes.NOTHING
        if event.change == EpisodeChange.STEADY:
            held.facts = held.facts | (event.facts or {})  # what it began with stays as it was told
            self._hold_due(event.episode_id, effects, "steady")
            return True
        if event.change == EpisodeChange.FLAPPING and not sleeps:
            return self._began_to_flap(held, event, effects)
        if event.change in OVER:
            self._take_out(held)
            self._note_over(event, held.event.at_ms, None)
            self._drop(held, effects, event)
        elif event.change == EpisodeChange.CHANGED and (sleeps or not _is_worse(event, held)):
            self._holding.renew(held, event)
            self.touch(HELD + event.episode_id)
        elif not sleeps:
            self._let_in(held, "severity" if event.change == EpisodeChange.CHANGED else "person", effects)
            return False
        reason = Reason(held.reason)
        self._decide(effects, event, _disposition(reason), reason, None)
        return True

    def _tell_turns(self, draft: Draft, member: Member, event: EpisodeEvent) -> None:
        """Put on the record that a member flaps, or is steady again."""
        if event.change == EpisodeChange.STEADY:
            facts = event.facts or {}
            text = f"flaps no longer and fires, after {facts.get('alerts', 0)} alerts that were not told"
        else:
            facts, text = {}, "flaps: it counts as firing until it is steady"
        draft.note(
            "flapping",
            MACHINE,
            f"{text}: {member.summary}",
            IncidentChange.UPDATED,
            episode_id=member.episode_id,
            hidden=facts,
        )

    def _began_to_flap(self, held: Held, event: EpisodeEvent, effects: Effects) -> bool:
        """What waited as a possible transient flaps: it waits on, for that reason."""
        self._take_out(held)
        self._decide(effects, event, Disposition.SUPPRESSED, Reason.FLAPPING, None)
        held.event.counted, held.event.reason = False, Reason.FLAPPING
        return self._hold_flapping(held.event, effects, held.group)

    def _hold_due(self, episode_id: str, effects: Effects, why: str = "") -> None:
        """The time of an episode that waits is up. Where maintenance has begun meanwhile, it is expected now.

        One that waits for no time is due where the rules that it waits for are others now.
        """
        held = self._holding.get(episode_id)
        if held is None:
            return
        until_ms = self._maintenance.until_ms(held.event.alert, self.clock_ms)
        if until_ms is not None:
            self._take_out(held)
            held.event.counted = False
            self._hold(effects, held.event, until_ms, Reason.MAINTENANCE, wakes=Wakes.NOTHING)
        else:
            self._let_in(held, why or ("rule" if held.until_ms is None else "time"), effects)

    def _take_out(self, held: Held) -> None:
        name = HELD + held.event.episode_id
        self._holding.take(held.event.episode_id)
        self.touch(name)
        self.timers.set(name, None)

    def _drop(self, held: Held, effects: Effects, last: EpisodeEvent) -> None:
        """It is over: nobody hears of it, and the record says so."""
        facts = last.facts or {}
        self._hid(
            effects,
            held.reason,
            ENDED[last.change],
            self._assessor.member(held.event),
            held.event.space,
            held.since_ms,
            alerts=1 + last.repeats + facts.get("alerts", 0),
            runs=1 + facts.get("runs", 0),
            decided_by=held.facts,
        )


def _is_open(match: Match) -> bool:
    return match.incident is not None and match.incident.state in OPEN_STATES


def _disposition(reason: str) -> Disposition:
    return _DISPOSITION.get(reason, Disposition.HELD)


def _is_worse(event: EpisodeEvent, held: Held) -> bool:
    return SEVERITY_RANK.get(event.alert.severity, 0) > SEVERITY_RANK.get(held.event.alert.severity, 0)
