"""Episodes that are suppressed: each kept with its reason, so that the end of the reason can let it in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from pipeline.models.decision import Reason
from pipeline.models.episode import EpisodeEvent, episode_from_wire
from pipeline.models.wire import to_json

SUPPRESSED_SCHEMA: Final = 1


class Cause(NamedTuple):
    """Why an episode is suppressed.

    Attributes:
        reason: ``maintenance``, ``silenced`` or ``inhibited``.
        by: the change, the silence, or the episode that is the source; "" for a window of the configuration.
        due_ms: when that is over by itself, where nothing else says so.
        facts: for the record.
    """

    reason: Reason
    by: str
    due_ms: int | None
    facts: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Suppressed:
    """One episode.

    Attributes:
        event: how it began; its alert is the newest one known.
        since_ms: stream time from which it is suppressed.
        due_ms: when its reason is looked at again.
        reason, by, facts: as in `Cause`.
    """

    event: EpisodeEvent
    since_ms: int
    reason: str = Reason.MAINTENANCE
    by: str = ""
    due_ms: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    schema: int = SUPPRESSED_SCHEMA


class SuppressedBook:
    """Who is suppressed in one partition, by episode and by reason."""

    def __init__(self) -> None:
        self._known: dict[str, Suppressed] = {}
        self._by_reason: dict[str, dict[str, None]] = {}
        self._by: dict[tuple[str, str], dict[str, None]] = {}

    def __contains__(self, episode_id: str) -> bool:
        return episode_id in self._known

    def __len__(self) -> int:
        return len(self._known)

    def get(self, episode_id: str) -> Suppressed | None:
        """Who is suppressed under an episode's id."""
        return self._known.get(episode_id)

    def put(self, kept: Suppressed) -> None:
        """Keep one, or take over another reason of one that is kept."""
        name = kept.event.episode_id
        self._known[name] = kept
        self._by_reason.setdefault(kept.reason, {})[name] = None
        if kept.by:
            self._by.setdefault((kept.reason, kept.by), {})[name] = None

    def take(self, episode_id: str) -> Suppressed:
        """Take one out: it is over, or let in."""
        kept = self._known.pop(episode_id)
        of_reason = self._by_reason[kept.reason]
        del of_reason[episode_id]
        if kept.by:
            of = self._by[kept.reason, kept.by]
            del of[episode_id]
            if not of:
                del self._by[kept.reason, kept.by]
        return kept

    def of(self, reason: str, by: str | None = None) -> list[str]:
        """Episodes suppressed for a reason, by something; in the order in which they began."""
        found: Iterable[str] = self._by_reason.get(reason, ()) if by is None else self._by.get((reason, by), ())
        return sorted(found, key=lambda name: (self._known[name].event.at_ms, name))

    def counts(self) -> dict[str, int]:
        """How many are suppressed, by reason."""
        return {reason: len(found) for reason, found in self._by_reason.items() if found}

    # -- state

    def load(self, value: bytes) -> Suppressed:
        """Take one back. Releases before this one knew no reason but changes, and kept the event alone."""
        document = orjson.loads(value)
        if "event" in document:
            if document["schema"] != SUPPRESSED_SCHEMA:
                read = SUPPRESSED_SCHEMA
                raise ValueError(f"suppressed episode of schema {document['schema']!r}, this release reads {read}")
            kept = Suppressed(**{**document, "event": episode_from_wire(document["event"])})
        else:
            event = episode_from_wire(document)
            kept = Suppressed(event=event, since_ms=event.at_ms)
        self.put(kept)
        return kept

    def dump(self, episode_id: str) -> bytes | None:
        """The record of one; None where it is gone."""
        kept = self._known.get(episode_id)
        return None if kept is None else to_json(kept)

    def names(self) -> list[str]:
        """All of them, in the order of their ids."""
        return sorted(self._known)
