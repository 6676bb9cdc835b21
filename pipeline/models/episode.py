"""Episodes: one firing-to-resolved run of one alert key, as dedupe tells it to correlate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from pipeline.models.alert import Alert, Kind, alert_from_wire, alert_to_wire
from pipeline.models.wire import to_json

EPISODE_SCHEMA: Final = 3
"""Says how long an episode may wait, and when it flaps. One of schema 2 is read as one that never does either: dedupe
of an older release has let it wait, or suppressed it, itself."""

READ_SCHEMAS: Final = frozenset({2, EPISODE_SCHEMA})


class EpisodeChange(StrEnum):
    """What happened to an episode.

    ``flapping``: from now on its turns are not told; one that begins so is ``opened`` with that reason. ``steady``: it
    flaps no longer and fires; one that is steady and over is ``resolved``. ``hidden``: a run that was not told because
    of maintenance is over; told for the record alone. ``maintenance_started`` and ``maintenance_ended`` are no
    episode's: a source announces work on what the alert is about.
    """

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    ACKNOWLEDGED = "acknowledged"
    FLAPPING = "flapping"
    STEADY = "steady"
    HIDDEN = "hidden"
    MAINTENANCE_STARTED = "maintenance_started"
    MAINTENANCE_ENDED = "maintenance_ended"


ANNOUNCED: Final = frozenset({EpisodeChange.MAINTENANCE_STARTED.value, EpisodeChange.MAINTENANCE_ENDED.value})
"""Changes that are no episode's."""


@dataclass(slots=True, kw_only=True)
class EpisodeEvent:
    """One change of one episode; the record value on ``episodes``, keyed by space.

    Attributes:
        episode_id: hash of alert key and opening time.
        change: an `EpisodeChange`.
        reason: a `Reason` of dedupe.
        at_ms: stream time of the change.
        repeats: alerts folded into this episode so far.
        alert: for ``opened`` and ``changed`` the whole alert behind it; for a release, the newest one known. Later
            only what is news (see `brief`): what the episode is about has been told, and dedupe has forgotten it.
        counted: the alert's disposition is still open and correlate decides it. False for timers,
            whose alerts were counted when they came.
        hold_until_ms: until when it may be a transient, in stream time; None: it is none.
        facts: what the change was decided by, and what was suppressed before it, for people and for the record.
    """

    episode_id: str
    alert_key: str
    space: str
    change: str
    reason: str
    at_ms: int
    repeats: int
    alert: Alert
    counted: bool
    hold_until_ms: int | None = None
    facts: dict[str, Any] | None = None
    schema: int = EPISODE_SCHEMA

    def trace(self) -> dict[str, Any]:
        """Facts for the record by which the alert behind it is found again: raw record, condition, the source's id."""
        facts = {"origin": self.alert.origin, "alert_key": self.alert_key}
        source = self.alert.source_episode_id
        return facts if source is None else facts | {"source_episode_id": source}


def brief(alert_key: str, severity: str, space: str, alert: Alert | None = None) -> bytes:
    """The alert of a resolved, expired or acknowledged episode: no labels and no words.

    Args:
        alert_key: the condition.
        severity: as the episode has it.
        space: where the episode is known.
        alert: the message that says so; None for an expiry, which no message says.
    """
    said = Alert(feed="", feed_class="", kind=Kind.FIRING, alert_key=alert_key, name="", summary="")
    if alert is not None:
        said.feed, said.feed_class, said.kind = alert.feed, alert.feed_class, alert.kind
        said.event_at_ms, said.ended_at_ms = alert.event_at_ms, alert.ended_at_ms
        said.origin, said.received_at_ms, said.clock_skew_ms = alert.origin, alert.received_at_ms, alert.clock_skew_ms
    said.severity, said.space = severity, space
    return alert_to_wire(said)


def episode_to_wire(
    *,
    episode_id: str,
    alert_key: str,
    space: str,
    change: str,
    reason: str,
    at_ms: int,
    repeats: int,
    alert: bytes,
    counted: bool,
    hold_until_ms: int | None = None,
    facts: dict[str, Any] | None = None,
) -> bytes:
    """JSON of an `EpisodeEvent`, around the alert's own JSON: dedupe hands bodies on without building them anew."""
    document = {
        "schema": EPISODE_SCHEMA,
        "episode_id": episode_id,
        "alert_key": alert_key,
        "space": space,
        "change": change,
        "reason": reason,
        "at_ms": at_ms,
        "repeats": repeats,
        "counted": counted,
        "alert": orjson.Fragment(alert),
    }
    if hold_until_ms is not None:
        document["hold_until_ms"] = hold_until_ms
    if facts is not None:
        document["facts"] = facts
    return to_json(document)


def episode_from_wire(document: dict[str, Any]) -> EpisodeEvent:
    """Build an episode event from our own topic's JSON. Trusted: only schema versions are checked.

    Raises:
        ValueError: a schema version is not one that this release reads.
        TypeError: not an object, or not with an episode event's fields.
    """
    if not isinstance(document, dict) or "alert" not in document:
        raise TypeError("an episode event is a JSON object with an alert")
    if document.get("schema") not in READ_SCHEMAS:
        raise ValueError(f"episode schema {document.get('schema')!r}, this release reads {sorted(READ_SCHEMAS)}")
    document["alert"] = alert_from_wire(document["alert"])
    return EpisodeEvent(**document)
