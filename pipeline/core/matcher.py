"""The matcher: which incident an episode belongs to most, if to any."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.book import Book
from pipeline.core.desk import MINUTE_MS, Desk
from pipeline.core.evidence import Verdict, weigh
from pipeline.core.lifecycle import OPEN_STATES
from pipeline.models.alert import FeedClass
from pipeline.models.incident import Incident, Member


@dataclass(frozen=True, slots=True)
class Matcher:
    """Weighs an episode against the candidates of one partition's book."""

    desk: Desk
    book: Book

    def best(self, episode: Member, space: str, now_ms: int) -> tuple[Incident | None, Verdict | None]:
        """The incident of a space with the highest score that reaches the threshold, or none; ties by id."""
        settings = self.desk.config.correlation
        window_ms = settings.window_seconds * 1_000
        best: tuple[float, str] | None = None
        found: tuple[Incident | None, Verdict | None] = (None, None)
        for incident in self.book.candidates(episode, space):
            same = self.book.has_condition(incident.id, episode.alert_key)
            gap_ms = now_ms - incident.news_at_ms
            if not self._takes(incident, episode, now_ms, same=same):
                continue
            if gap_ms > window_ms and not same and incident.episodes_open == 0:
                continue  # a slow burn goes on as long as something still fires; what is quiet takes nothing new
            tally = self.book.tally(incident.id)
            verdict = weigh(episode, tally, now_ms - incident.detected_at_ms, same_condition=same)
            rank = (-verdict.score, incident.id)
            if verdict.score >= settings.join_at_least and (best is None or rank < best):
                best, found = rank, (incident, verdict)
        return found

    def _takes(self, incident: Incident, episode: Member, now_ms: int, *, same: bool) -> bool:
        """Whether an incident may take an episode at all.

        An open one may; for a while after its resolution also one whose condition comes back, or about
        which people still report.
        """
        if incident.state in OPEN_STATES:
            return True
        reopen_ms = self.desk.policy(incident).closure.reopen_minutes * MINUTE_MS
        recent = incident.resolved_at_ms is not None and now_ms - incident.resolved_at_ms <= reopen_ms
        return recent and (same or episode.feed_class == FeedClass.DESK)
