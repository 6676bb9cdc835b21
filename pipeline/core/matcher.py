"""The matcher: which incident an episode belongs to most, if to any, and why not to the nearest others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.core.book import Book
from pipeline.core.desk import MINUTE_MS, Desk
from pipeline.core.evidence import Verdict, weigh
from pipeline.core.lifecycle import OPEN_STATES
from pipeline.models.alert import FeedClass
from pipeline.models.decision import WhyNot
from pipeline.models.incident import Incident, Member

OTHERS_MAX: Final = 3
"""Incidents named that an episode did not join when it opened its own: whoever asks has one of the nearest in mind,
and each adds some 150 bytes to the record."""

RUNNERS_UP_MAX: Final = 1
"""The same where it joined one: the second best says what there was to choose from, and ten thousand episodes that
join one incident have an entry each."""


@dataclass(frozen=True, slots=True)
class Other:
    """An incident that was weighed and that the episode did not join.

    Attributes:
        why: what kept it out.
        verdict: how it stands to that incident.
    """

    incident_id: str
    why: WhyNot
    verdict: Verdict

    def told(self) -> dict[str, Any]:
        """The facts for the record."""
        score, evidence = self.verdict.score, self.verdict.evidence
        return {"incident_id": self.incident_id, "why": self.why, "score": score, "evidence": evidence}


@dataclass(frozen=True, slots=True)
class Match:
    """What the matcher found.

    Attributes:
        incident: the best incident that may take the episode; None: it opens one of its own.
        verdict: how the episode stands to it.
        join_at_least: score from which an episode joins.
        config_version: the configuration that says so.
        others: the nearest of those it did not join, nearest first. Incidents of other spaces, and those that nothing
            speaks for, are not looked at; those that may not take it are weighed only where they are about the same.
    """

    incident: Incident | None
    verdict: Verdict | None
    join_at_least: float
    config_version: str
    others: Sequence[Other]

    def told(self) -> dict[str, Any]:
        """The facts for the record: what it took to join, and what else was near."""
        return {
            "join_at_least": self.join_at_least,
            "config_version": self.config_version,
            "others": [other.told() for other in self.others],
        }


@dataclass(frozen=True, slots=True)
class Matcher:
    """Weighs an episode against the candidates of one partition's book."""

    desk: Desk
    book: Book

    def best(self, episode: Member, space: str, now_ms: int) -> Match:
        """The incident of a space with the highest score that reaches the threshold, if any; ties by id."""
        weighed: list[tuple[float, str, WhyNot | None, Incident, Verdict]] = []
        for incident in self.book.candidates(episode, space):
            same = self.book.has_condition(incident.id, episode.alert_key)
            barred = self._barred(incident, episode, now_ms, same=same)
            if barred is not None and not (same or self.book.is_about(incident.id, episode.entity or "")):
                continue
            tally = self.book.tally(incident.id)
            verdict = weigh(episode, tally, now_ms - incident.detected_at_ms, same_condition=same)
            weighed.append((-verdict.score, incident.id, barred, incident, verdict))
        weighed.sort()  # ids are unique: nothing behind them is compared
        return self._match(weighed)

    def _match(self, weighed: list[tuple[float, str, WhyNot | None, Incident, Verdict]]) -> Match:
        """Take the first that may be joined; the nearest others are what is left."""
        config = self.desk.config
        least = config.correlation.join_at_least
        taken: tuple[Incident, Verdict] | None = None
        others: list[Other] = []
        for _, incident_id, barred, incident, verdict in weighed:
            enough = verdict.score >= least
            if taken is None and barred is None and enough:
                taken = (incident, verdict)
            elif len(others) < OTHERS_MAX:
                others.append(Other(incident_id, barred or _LOST[enough], verdict))
        if taken is None:
            return Match(None, None, least, config.version, others)
        return Match(*taken, least, config.version, others[:RUNNERS_UP_MAX])

    def _barred(self, incident: Incident, episode: Member, now_ms: int, *, same: bool) -> WhyNot | None:
        """Why an incident may not take an episode, whatever speaks for it; None: it may.

        An open one may, as long as something still fires or was news lately; for a while after its resolution also
        one whose condition comes back, or about which people still report.
        """
        if incident.state not in OPEN_STATES:
            reopen_ms = self.desk.policy(incident).closure.reopen_minutes * MINUTE_MS
            recent = incident.resolved_at_ms is not None and now_ms - incident.resolved_at_ms <= reopen_ms
            if not (recent and (same or episode.feed_class == FeedClass.DESK)):
                return WhyNot.RESOLVED
        window_ms = self.desk.config.correlation.window_seconds * 1_000
        if now_ms - incident.news_at_ms > window_ms and not same and incident.episodes_open == 0:
            return WhyNot.QUIET_TOO_LONG  # a slow burn goes on as long as something still fires
        return None


_LOST: Final = {True: WhyNot.NOT_BEST, False: WhyNot.BELOW_THRESHOLD}
"""Whether the score was enough -> what kept an episode out of an incident that it might have joined."""
