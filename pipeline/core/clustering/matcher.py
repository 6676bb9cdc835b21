"""The matcher: which incident an episode belongs to most, if to any, and why not to the nearest others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pipeline.core.clustering.book import Book
from pipeline.core.clustering.evidence import Verdict, weigh
from pipeline.core.clustering.ruling import Ruled
from pipeline.core.clustering.tally import Tally
from pipeline.core.practice.desk import MINUTE_MS, Desk
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.alert import FeedClass
from pipeline.models.decision import Reason, WhyNot
from pipeline.models.incident import Incident
from pipeline.models.member import Member

OTHERS_MAX: Final = 3
"""Incidents named that an episode did not join when it opened its own: whoever asks has one of the nearest in mind,
and each adds some 150 bytes to the record."""

RUNNERS_UP_MAX: Final = 1
"""The same where it joined one: the second best says what there was to choose from, and ten thousand episodes that
join one incident have an entry each."""


class Other(NamedTuple):
    """An incident that was weighed and that the episode did not join.

    Attributes:
        why: what kept it out.
        verdict: how it stands to that incident.
        rule: the rule that kept it out, if one did.
    """

    incident_id: str
    why: WhyNot
    verdict: Verdict
    rule: str | None = None

    def told(self) -> dict[str, Any]:
        """The facts for the record."""
        score, evidence = self.verdict.score, self.verdict.evidence
        told = {"incident_id": self.incident_id, "why": self.why, "score": score, "evidence": evidence}
        return told if self.rule is None else told | {"rule": self.rule}


class Match(NamedTuple):
    """What the matcher found.

    Attributes:
        incident: the best incident that may take the episode; None: it opens one of its own.
        verdict: how the episode stands to it.
        join_at_least: score from which an episode joins.
        config_version: the configuration that says so.
        others: the nearest of those it did not join, nearest first. Incidents of other spaces, and those that nothing
            speaks for, are not looked at; those that may not take it are weighed only where they are about the same.
        rule: the rule that decided, if one did: it joined by that, was kept out by that of what it would have joined,
            or opens an incident because as many came as that asks for, which ``enough`` says.
        title: what the incident is called if it opens one; None: as the episode says.
        ruled: what rules said of the episode; None where there are none.
    """

    incident: Incident | None
    verdict: Verdict | None
    join_at_least: float
    config_version: str
    others: Sequence[Other]
    rule: str | None = None
    enough: bool = False
    title: str | None = None
    ruled: Ruled | None = None

    @property
    def by_rule(self) -> bool:
        """Whether a rule put it there."""
        return self.verdict is not None and self.verdict.ruled is Reason.RULE_JOIN

    @property
    def opens_because(self) -> Reason:
        """Why it opens an incident, if it does."""
        if self.enough:
            return Reason.RULE_MIN_COUNT
        return Reason.FIRST_SYMPTOM if self.rule is None else Reason.RULE_NEVER

    def opening(self) -> str:
        """The same in words."""
        if self.enough:
            return f"first of as many as rule {self.rule} asks for"
        return "first symptom" if self.rule is None else f"first symptom (kept apart by rule {self.rule})"

    def weighed(self) -> dict[str, Any]:
        """The facts for the record: how it stands to the incident that it joins."""
        verdict = self.verdict
        if verdict is None:
            return {}
        return {"reason": verdict.reason, "score": verdict.score, "evidence": verdict.evidence}

    def joined_by(self) -> str:
        """What it joined by, in words: the rule, else the strongest evidence and the score."""
        if self.verdict is None or self.by_rule:
            return f"rule {self.rule}"
        return f"{self.verdict.reason}, {self.verdict.score:.2f}"

    def told(self) -> dict[str, Any]:
        """The facts for the record: what it took to join, and what else was near."""
        told = {
            "join_at_least": self.join_at_least,
            "config_version": self.config_version,
            "others": [other.told() for other in self.others],
        }
        return told if self.rule is None else told | {"rule": self.rule}


Forbids = Callable[[Incident, Tally], str | None]
"""The rule by which an episode must not join an incident with this tally; None where it may."""

_Weighed = tuple[float, str, WhyNot | None, Incident, Verdict, str | None]
"""Score below zero, incident id, what bars it, incident, verdict, the rule that bars it."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """Weighs an episode against the candidates of one partition's book."""

    desk: Desk
    book: Book

    def best(self, episode: Member, space: str, now_ms: int, forbids: Forbids | None = None) -> Match:
        """The incident of a space with the highest score that reaches the threshold, if any; ties by id.

        Args:
            episode: the newcomer.
            space: its correlation space.
            now_ms: stream time.
            forbids: tells the rule by which the episode must not join an incident; None: there are no such rules.
        """
        return self._match(self._weighed(episode, space, now_ms, forbids))

    def again(self, member: Member, home: Incident, now_ms: int, forbids: Forbids | None = None) -> Match:
        """The same of a member, with what is known by now: whether another incident than its own is likely."""
        weighed = self._weighed(member, home.space, now_ms, forbids)
        return self._match([each for each in weighed if each[1] != home.id])

    def _weighed(self, episode: Member, space: str, now_ms: int, forbids: Forbids | None) -> list[_Weighed]:
        """The candidates, likeliest first."""
        weighed: list[_Weighed] = []
        hot = self.book.hot(space, now_ms)
        for incident in self.book.candidates(episode, space, hot):
            same = self.book.has_condition(incident.id, episode.alert_key)
            barred = self._barred(incident, episode, now_ms, same=same)
            if barred is not None and not (same or self.book.is_about(incident.id, episode.entity or "")):
                continue
            tally = self.book.tally(incident.id)
            age_ms = abs(episode.opened_at_ms - incident.detected_at_ms)
            verdict = self.weigh(episode, incident, tally, age_ms, len(hot), same_condition=same)
            if verdict is None:
                continue
            rule = forbids(incident, tally) if forbids is not None and barred is None else None
            barred = barred if rule is None else WhyNot.RULE_NEVER
            weighed.append((-verdict.score, incident.id, barred, incident, verdict, rule))
        weighed.sort()  # ids are unique: nothing behind them is compared
        return weighed

    def weigh(
        self, episode: Member, incident: Incident, tally: Tally, age_ms: int, hot: int, *, same_condition: bool
    ) -> Verdict | None:
        """How an episode stands to an incident with this tally; trainers look at both and weigh by other weights."""
        return weigh(episode, tally, age_ms, hot, same_condition=same_condition)

    def ruled(self, incident: Incident, rule: str) -> Match:
        """A match that a rule has made."""
        config = self.desk.config
        verdict = Verdict(1.0, {}, Reason.RULE_JOIN)
        return Match(incident, verdict, config.correlation.join_at_least, config.version, (), rule)

    def would_join(self, episode: Member, tally: Tally, *, same_condition: bool) -> bool:
        """Whether an episode would join an incident with such a tally that begins now."""
        verdict = weigh(episode, tally, 0, 1, same_condition=same_condition)
        return verdict is not None and verdict.score >= self.desk.config.correlation.join_at_least

    def takes(self, incident: Incident, episode: Member, now_ms: int) -> bool:
        """Whether an incident may take an episode that a rule puts there: it is open, or may still be reopened."""
        return self._barred(incident, episode, now_ms, same=True) is None

    def _match(self, weighed: list[_Weighed]) -> Match:
        """Take the first that may be joined; the nearest others are what is left."""
        config = self.desk.config
        least = config.correlation.join_at_least
        taken: tuple[Incident, Verdict] | None = None
        others: list[Other] = []
        kept_out: str | None = None
        for _, incident_id, barred, incident, verdict, rule in weighed:
            enough = verdict.score >= least
            if taken is None and enough and kept_out is None:
                kept_out = rule
            if taken is None and barred is None and enough:
                taken = (incident, verdict)
            elif len(others) < OTHERS_MAX:
                others.append(Other(incident_id, barred or _LOST[enough], verdict, rule))
        if taken is None:
            return Match(None, None, least, config.version, others, kept_out)
        return Match(*taken, least, config.version, others[:RUNNERS_UP_MAX], kept_out)

    def _barred(self, incident: Incident, episode: Member, now_ms: int, *, same: bool) -> WhyNot | None:
        """Why an incident may not take an episode, whatever speaks for it; None: it may.

        An open one may, as long as something still fires or was news lately; for a while after its resolution also
        one whose condition comes back, or about which people still report.
        """
        if incident.state not in OPEN_STATES:
            reopen_ms = self.desk.policy(incident).closure.of("reopen_minutes", incident.priority) * MINUTE_MS
            recent = incident.resolved_at_ms is not None and now_ms - incident.resolved_at_ms <= reopen_ms
            if not (recent and (same or episode.feed_class == FeedClass.DESK)):
                return WhyNot.RESOLVED
        window_ms = self.desk.config.correlation.window_seconds * 1_000
        if now_ms - incident.news_at_ms > window_ms and not same and incident.episodes_open == 0:
            return WhyNot.QUIET_TOO_LONG  # a slow burn goes on as long as something still fires
        return None


_LOST: Final = {True: WhyNot.NOT_BEST, False: WhyNot.BELOW_THRESHOLD}
"""Whether the score was enough -> what kept an episode out of an incident that it might have joined."""
