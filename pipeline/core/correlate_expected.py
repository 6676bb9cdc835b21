"""What a running change expects is suppressed, kept, and let in when the change is over and it fires still."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from pipeline.core.correlate_hidden import CorrelateHidden
from pipeline.core.correlate_state import SUPPRESSED
from pipeline.core.step import Effects
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.incident import Incident
from pipeline.models.member import Member
from pipeline.models.suppression import Ended

OVER: Final = frozenset({EpisodeChange.RESOLVED.value, EpisodeChange.EXPIRED.value})
"""Changes that end an episode."""

ENDED: Final[dict[str, Ended]] = {EpisodeChange.RESOLVED: Ended.OVER, EpisodeChange.EXPIRED: Ended.SILENT}
"""The same -> how what was hidden of it ended."""

_TURNS: Final = frozenset({EpisodeChange.FLAPPING.value, EpisodeChange.STEADY.value})


class CorrelateExpected(CorrelateHidden):
    """The part of correlate that obeys changes which expect alerts."""

    @abstractmethod
    def _opened(self, event: EpisodeEvent, effects: Effects) -> None:
        """Decide an episode that has begun."""

    @abstractmethod
    def _decide(
        self, effects: Effects, event: EpisodeEvent, disposition: Disposition, reason: Reason, incident: Incident | None
    ) -> None:
        """Note the disposition of the alert behind an event."""

    def _expected(self, event: EpisodeEvent, effects: Effects) -> bool:
        """Suppress what a running change expects; whether it did."""
        if not self._is_expected(event):
            return False
        self._suppressed[event.episode_id] = event
        self.touch(SUPPRESSED + event.episode_id)
        self._decide(effects, event, Disposition.SUPPRESSED, Reason.MAINTENANCE, None)
        return True

    def expected_by(self, entity: str | None) -> str | None:
        """The running change that expects alerts on an entity, or on what that runs on; None where none does."""
        if entity is None or not self._changes.suppress_any():
            return None
        return self._changes.suppressing(self._topology.runs_on(entity), self.clock_ms)

    def _is_expected(self, event: EpisodeEvent) -> bool:
        return self.expected_by(event.alert.entity) is not None

    def _release(self, effects: Effects) -> None:
        """Let in what fires still and no maintenance expects any longer."""
        for episode_id in sorted(self._suppressed):
            event = self._suppressed[episode_id]
            if not self._is_expected(event):
                del self._suppressed[episode_id]
                self.touch(SUPPRESSED + episode_id)
                event.counted = False
                self._opened(event, effects)
                member = self._book.member(episode_id)
                if member is not None:
                    self._hid_expected(effects, event, member, Ended.LET_IN, incident_id=member.incident_id)

    def _suppressed_news(self, event: EpisodeEvent, effects: Effects) -> None:
        if event.change in OVER:
            began = self._suppressed.pop(event.episode_id)
            began.repeats = event.repeats
            self._hid_expected(effects, began, self._assessor.member(began), ENDED[event.change])
        else:
            suppressed = self._suppressed[event.episode_id]
            suppressed.alert.severity = event.alert.severity
            if event.change in _TURNS:
                suppressed.reason = event.reason
        self.touch(SUPPRESSED + event.episode_id)
        self._decide(effects, event, Disposition.SUPPRESSED, Reason.MAINTENANCE, None)

    def _hid_expected(
        self, effects: Effects, event: EpisodeEvent, episode: Member, ended: Ended, *, incident_id: str | None = None
    ) -> None:
        """Write down that a change had expected it until now."""
        reason, space, alerts = Reason.MAINTENANCE, event.space, 1 + event.repeats
        self._hid(effects, reason, ended, episode, space, event.at_ms, alerts=alerts, incident_id=incident_id)
