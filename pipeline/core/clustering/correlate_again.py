"""A second look: some minutes later, with what has come since, a doubtful decision is weighed again.

The first symptom of a failure may come after its consequences, and what links two of them later than both. An episode
that joined by a narrow margin, or opened an incident although something was near, is weighed again after
`LOOK_AFTER_MS`: against the incident that it is in, as that would be without it, and against the others. It moves where
another one is clearly likelier, and out where nothing holds it any more and it fires still: nobody is called for what
is over. Both are on both timelines. What a person or a rule has put somewhere stays there, and nobody's incident is
taken out of their hands.
"""

from __future__ import annotations

from abc import abstractmethod
from math import log
from typing import Any, Final

from pipeline.core.clustering import recovery, regroup
from pipeline.core.clustering.correlate_habits import in_hand
from pipeline.core.clustering.correlate_rules import CorrelateRules
from pipeline.core.clustering.correlate_state import LOOK, MEMBER, ORDER, Look
from pipeline.core.clustering.evidence import Verdict
from pipeline.core.clustering.matcher import Match
from pipeline.core.clustering.tally import Tally
from pipeline.core.draft import Draft
from pipeline.core.identity import short_id
from pipeline.core.practice.desk import MACHINE
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.command import Command, CommandType, Target
from pipeline.models.correlation_rules import BOUND
from pipeline.models.incident import Incident
from pipeline.models.member import Member

LOOK_AFTER_MS: Final = 420_000
"""Most of what belongs to a failure has come by then."""

DOUBTFUL_BELOW: Final = 0.9
"""Who joined with less is weighed again."""

NEAR_FROM: Final = 0.02
"""Who opened an incident although another one was that likely is weighed again."""

LOOKS_MAX: Final = 5_000
"""Episodes that wait for their second look in one partition; where more are in doubt, the first decision holds."""

APART_MEMBERS_MAX: Final = 64
"""Larger incidents are not weighed without one of their members: to count anew would take milliseconds."""

MOVES_FROM: Final = 0.8
MARGIN: Final = 1.5
"""Another incident must be that likely, and by so many log-odds likelier than its own, for an episode to move: what is
about as likely is no reason to confuse anybody."""

APART_BELOW: Final = 0.02
"""With less, nothing holds an episode where it is."""


class CorrelateAgain(CorrelateRules):
    """The part of correlate that regroups: by itself at a second look, and for people."""

    @abstractmethod
    def _new_incident(self, incident_id: str, space: str) -> Incident:
        """An incident of its own."""

    @abstractmethod
    def _assess(self, draft: Draft) -> None:
        """Assess an incident anew, after members came or went."""

    # -- a second look

    def _plan_look(self, episode: Member, match: Match) -> None:
        """Note an episode for a second look, where the first one left doubts."""
        if match.by_rule or len(self._looks) >= LOOKS_MAX:
            return
        joined = match.incident is not None and match.verdict is not None
        if joined and match.verdict is not None and match.verdict.score >= DOUBTFUL_BELOW:
            return
        if not joined and max((other.verdict.score for other in match.others), default=0.0) < NEAR_FROM:
            return
        self._looks[episode.episode_id] = Look(self.clock_ms + LOOK_AFTER_MS, episode.incident_id)
        self._look_changed(episode.episode_id)

    def _look_changed(self, episode_id: str) -> None:
        look = self._looks.get(episode_id)
        self.touch(LOOK + episode_id)
        self.timers.set(LOOK + episode_id, None if look is None else look.due_ms)

    def _look_again(self, episode_id: str) -> None:
        """Weigh an episode again, and move it where it belongs now."""
        look = self._looks.pop(episode_id)
        self._look_changed(episode_id)
        member = self._book.member(episode_id)
        if member is None or member.incident_id != look.incident_id or any(BOUND in mark for mark in member.marks):
            return
        incident = self._book.case(member.incident_id).incident
        if incident.state not in OPEN_STATES or in_hand(incident):
            return
        if incident.episodes_total > APART_MEMBERS_MAX:
            return
        first, *rest = self._book.members_of(incident.id)
        if rest and first.episode_id == episode_id:
            return  # the incident has its name, service and owner from it
        others = [each for each in (first, *rest) if each.episode_id != episode_id]
        stays = self._stands(member, incident, others)
        match = self._matcher.again(member, incident, self.clock_ms, self._forbids(member))
        verdict = match.verdict
        if match.incident is not None and verdict is not None:
            clearly = verdict.score >= MOVES_FROM and match.incident.state in OPEN_STATES
            if clearly and (stays is None or _log_odds(verdict) > _log_odds(stays) + MARGIN):
                self._move(member, incident, match.incident, verdict, alone=not others)
        elif others and member.resolved_at_ms is None and (stays is None or stays.score < APART_BELOW):
            self._part(member, incident, stays)

    def _stands(self, member: Member, incident: Incident, others: list[Member]) -> Verdict | None:
        """How a member stands to the rest of its incident; None where nothing speaks for that, or there is no rest."""
        if not others:
            return None
        tally = Tally.of(others, self._topology)
        same = any(each.alert_key == member.alert_key for each in others)
        age_ms = abs(member.opened_at_ms - min(each.opened_at_ms for each in others))
        hot = len(self._book.hot(incident.space, self.clock_ms))
        return self._matcher.weigh(member, incident, tally, age_ms, hot, same_condition=same)

    def _move(self, member: Member, old: Incident, new: Incident, verdict: Verdict, *, alone: bool) -> None:
        """Move a member to where it belongs; an incident that has nothing else ends as merged."""
        giver, receiver = self._draft(old), self._draft(new)
        because: dict[str, Any] = {"reason": verdict.reason, "score": verdict.score, "evidence": verdict.evidence}
        if alone:
            text = f"looked at again, it belongs to {new.id} ({verdict.reason}, {verdict.score:.2f}): {member.summary}"
            giver.note("again", MACHINE, text, episode_id=member.episode_id, to=new.id, **because)
            self._merge(giver, _command(CommandType.MERGE, member, old, into=new.id))
            return
        self._touch_members(regroup.transfer(self._book, giver, receiver, member, because))
        for each in (giver, receiver):
            self._assess(each)
            recovery.settle(self._desk, self._book, each, anew=each is receiver)

    def _part(self, member: Member, incident: Incident, stays: Verdict | None) -> None:
        """Take a member out that nothing holds any more."""
        draft = self._draft(incident)
        score, evidence = (0.0, {}) if stays is None else (stays.score, stays.evidence)
        text = f"looked at again, nothing holds it here ({score:.2f}): {member.summary}"
        draft.note("again", MACHINE, text, episode_id=member.episode_id, score=score, evidence=evidence)
        self._split(draft, _command(CommandType.SPLIT, member, incident, episodes=[member.episode_id]))

    # -- regrouping

    def _merge(self, draft: Draft, command: Command) -> None:
        """Move all members into the surviving incident; this one ends as merged into it."""
        survivor = self._book.incident(command.into or "")
        receiver = self._draft(survivor) if survivor is not None else None
        moved = regroup.merge(self._desk, self._book, draft, receiver, command)
        self._touch_members(moved)
        if receiver is not None and moved:
            recovery.settle(self._desk, self._book, receiver)
            self._assess(receiver)
            self._regrouped(command, receiver)
        elif receiver is not None and receiver.incident is not draft.incident:
            self._forget_empty(receiver)

    def _split(self, draft: Draft, command: Command) -> None:
        """Move the named episodes out into an incident of their own."""
        moving = regroup.chosen(self._book, draft, command)
        if not moving:
            return
        incident = self._new_incident(short_id("INC", command.command_id, moving[0].episode_id), draft.incident.space)
        receiver = self._draft(incident)
        self._touch_members(regroup.split(self._book, draft, receiver, moving, command))
        self._assessor.log(receiver, moving[0], self._book.tally(incident.id), self._changes.recent())
        self._assess(draft)
        for each in (receiver, draft):  # what still fires may all be on one side now
            recovery.settle(self._desk, self._book, each)
            self._regrouped(command, each)

    def _regrouped(self, command: Command, draft: Draft) -> None:
        """Who is together in an incident now is so because a person said it: nobody there is weighed again."""
        if command.actor == MACHINE:
            return
        for member in self._book.members_of(draft.incident.id):
            if self._looks.pop(member.episode_id, None) is not None:
                self._look_changed(member.episode_id)

    def _touch_members(self, episodes: list[str]) -> None:
        for episode_id in episodes:
            self.touch(MEMBER + episode_id)
        self.touch(ORDER)


def _command(kind: CommandType, member: Member, incident: Incident, **asked: object) -> Command:
    """The command by which correlate itself regroups, as a person would."""
    return Command.model_validate(
        {
            "command_id": short_id("AGAIN", member.episode_id, incident.id),
            "type": kind,
            "actor": MACHINE,
            "target": Target(incident_id=incident.id),
            **asked,
        }
    )


def _log_odds(verdict: Verdict) -> float:
    least = 1e-6
    score = min(1 - least, max(least, verdict.score))
    return log(score / (1 - score))
