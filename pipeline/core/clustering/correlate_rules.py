"""Where correlation rules come into correlate: before the scoring, as a filter of it, and before an incident opens.

What rules say is in `pipeline.core.clustering.ruling`; here it is applied to the book, the waiting room and the
counters.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from pipeline.core.clustering.correlate_held import CorrelateHeld
from pipeline.core.clustering.correlate_state import GROUP
from pipeline.core.clustering.correlate_state import HELD as HELD_STATE
from pipeline.core.clustering.holding import Held, Wakes
from pipeline.core.clustering.matcher import Forbids, Match
from pipeline.core.clustering.ruling import Group, Ruled, bound_by
from pipeline.core.clustering.tally import Tally
from pipeline.core.step import Effects
from pipeline.models.decision import Reason
from pipeline.models.episode import EpisodeEvent
from pipeline.models.incident import Incident
from pipeline.models.member import Member

MATCHED: Final = "matched"
JOINED: Final = "joined"
KEPT_APART: Final = "kept_apart"
HELD: Final = "held"
OPENED: Final = "opened"
FAILED: Final = "failed"
FULL: Final = "full"
OUTCOMES: Final = (MATCHED, JOINED, KEPT_APART, HELD, OPENED, FAILED, FULL)
"""What a rule did of an episode: it matched; it put it into the group's incident; it kept it out of what it would have
joined; it held it; it let an incident open; its condition could not be evaluated; there was no room."""

ACTED: Final = frozenset((JOINED, KEPT_APART, HELD, OPENED))
"""What changes where an episode goes."""


class CorrelateRules(CorrelateHeld):
    """The part of correlate that obeys rules."""

    def restored(self) -> None:
        """Besides, let in what waits for a rule that the configuration has no longer, or that has enough now."""
        super().restored()
        if self.decided_by in (None, self._desk.config.version):
            return
        for held in self._holding.because(Reason.RULE_MIN_COUNT):
            if not self._waits_on(held):
                self.timers.set(HELD_STATE + held.event.episode_id, self.clock_ms)

    def _waits_on(self, held: Held) -> bool:
        ruled = self._ruling.ask(held.event, self._assessor.member(held.event))
        group = None if ruled is None else ruled.waits
        return group is not None and group.key == held.group and not self._ruling.is_enough(group)

    def _place(self, event: EpisodeEvent, episode: Member) -> Match:
        """Where an episode goes: into its group's incident, else where evidence says and no rule forbids."""
        ruled = self._ruling.ask(event, episode)
        if ruled is None:
            return self._matcher.best(episode, event.space, self.clock_ms)
        episode.marks = ruled.marks
        for group in filter(None, (ruled.always, ruled.waits)):
            match = self._into_group(group, ruled, episode)
            if match is not None:
                ruled.marks.append(bound_by(group, anew=False, now_ms=self.clock_ms))
                return match._replace(ruled=ruled)
        match = self._matcher.best(episode, event.space, self.clock_ms, self._forbids(episode))
        match = match._replace(rule=ruled.kept_out or match.rule, title=self._ruling.title(ruled), ruled=ruled)
        if ruled.always is not None and not ruled.stays:
            ruled.marks.append(bound_by(ruled.always, anew=True, now_ms=self.clock_ms))
        waits = ruled.waits
        if waits is None or match.incident is not None or match.rule is not None:
            return match
        if self._ruling.goes_on(waits, self.clock_ms) and self._ruling.is_enough(waits):
            ruled.marks.append(bound_by(waits, anew=False, now_ms=self.clock_ms))
            match = match._replace(rule=waits.rule, enough=True)
        return match

    def _into_group(self, group: Group, ruled: Ruled, episode: Member) -> Match | None:
        """The incident of a group; None where the group has ended or has none, or it may not be joined."""
        if not self._ruling.goes_on(group, self.clock_ms):
            return None
        last = self._book.member(group.episode_id or "")  # people may have moved it
        incident = None if last is None else self._book.incident(last.incident_id)
        if incident is None or not self._matcher.takes(incident, episode, self.clock_ms):
            return None
        kept_out = self._forbidden(episode.marks, incident, self._book.tally(incident.id))
        if kept_out is None:
            return self._matcher.ruled(incident, group.rule)
        ruled.kept_out = ruled.kept_out or kept_out
        if group is ruled.always:
            ruled.stays = True
        return None

    def _forbids(self, episode: Member) -> Forbids | None:
        return partial(self._forbidden, episode.marks) if self._ruling.keeps_apart else None

    def _forbidden(self, marks: list[str], incident: Incident, tally: Tally) -> str | None:
        return self._ruling.forbids(marks, tally, incident.episodes_total)

    # -- counting before an incident opens

    def _gather(
        self, event: EpisodeEvent, episode: Member, match: Match, effects: Effects, counted: str = ""
    ) -> Match | None:
        group = match.ruled.waits if match.ruled is not None else None
        if group is None or match.enough or match.incident is not None:
            return match
        again = group.key == counted and self._ruling.goes_on(group, self.clock_ms)
        count = group.count if again else self._ruling.count(group, self.clock_ms)
        if count == 0:
            self._tell(effects, group.rule, FULL)
            return match
        self._plan_group(group.key, self._ruling.end_ms(group) + 1)
        if self._ruling.is_enough(group):
            return self._let_open(event, episode, group, effects)
        facts = {"rule": group.rule, "count": count, "config_version": match.config_version}
        if not self._hold(effects, event, None, Reason.RULE_MIN_COUNT, facts, group=group.key, wakes=Wakes.INCIDENT):
            self._tell(effects, group.rule, FULL)
            return match
        self._tell_said(match, effects)
        self._tell(effects, group.rule, HELD)
        return None

    def _let_open(self, event: EpisodeEvent, episode: Member, group: Group, effects: Effects) -> Match:
        """As many have come as the rule asks for: who waits comes in first, and the newest joins them."""
        for held in self._holding.of_group(group.key):
            self._come_in(held, "count", effects)
        self._tell(effects, group.rule, OPENED)
        return self._place(event, episode)

    # -- afterwards

    def _settle(self, match: Match, episode: Member, effects: Effects) -> None:
        """An episode is where it was placed: bring its groups up to date, and count what rules did."""
        ruled = match.ruled
        if ruled is None:
            return
        self._tell_said(match, effects)
        if match.rule is not None and not match.enough:
            self._tell(effects, match.rule, JOINED if match.by_rule else KEPT_APART)
        joined = match.rule if match.by_rule else None
        always, waits = ruled.always, ruled.waits
        if always is not None and (joined == always.rule or not ruled.stays):
            self._enter(always, episode, effects, anew=joined != always.rule)
        if waits is not None and (joined == waits.rule or match.enough):
            self._enter(waits, episode, effects, anew=False)

    def _enter(self, group: Group, episode: Member, effects: Effects, *, anew: bool) -> None:
        if self._ruling.enter(group, episode.episode_id, self.clock_ms, anew=anew):
            self._plan_group(group.key, self._ruling.end_ms(group) + 1)
        else:
            self._tell(effects, group.rule, FULL)

    def _plan_group(self, key: str, due_ms: int | None) -> None:
        """A group changed: look at it again at this moment; None: it is gone."""
        self.touch(GROUP + key)
        self.timers.set(GROUP + key, due_ms)

    def _tell_said(self, match: Match, effects: Effects) -> None:
        """Count which rules an episode matched, and which could not be asked about it."""
        if match.ruled is None or match.ruled.told:
            return
        for rule in match.ruled.matched():
            self._tell(effects, rule, MATCHED)
        for rule in match.ruled.failed:
            self._tell(effects, rule, FAILED)

    def _tell(self, effects: Effects, rule: str, outcome: str) -> None:
        effects.rules[rule, outcome] = effects.rules.get((rule, outcome), 0) + 1
