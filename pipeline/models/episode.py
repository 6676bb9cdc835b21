"""Episodes: one firing-to-resolved run of one alert key, as dedupe tells it to correlate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pipeline.models.alert import Alert, alert_from_wire

EPISODE_SCHEMA: Final = 1


class EpisodeChange(StrEnum):
    """What happened to an episode."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    ACKNOWLEDGED = "acknowledged"


@dataclass(slots=True, kw_only=True)
class EpisodeEvent:
    """One change of one episode; the record value on ``episodes``, keyed by space.

    Attributes:
        episode_id: hash of alert key and opening time.
        change: an `EpisodeChange`.
        reason: a `Reason` of dedupe.
        at_ms: stream time of the change.
        repeats: alerts folded into this episode so far.
        alert: the alert behind the change; for an expiry or a release, the newest one known.
        counted: the alert's disposition is still open and correlate decides it. False for timers,
            whose alerts were counted when they came.
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
    schema: int = EPISODE_SCHEMA


def episode_from_wire(document: dict[str, Any]) -> EpisodeEvent:
    """Build an episode event from our own topic's JSON. Trusted: only schema versions are checked.

    Raises:
        ValueError: a schema version is not one that this release reads.
        TypeError: not an object, or not with an episode event's fields.
    """
    if not isinstance(document, dict) or "alert" not in document:
        raise TypeError("an episode event is a JSON object with an alert")
    if document.get("schema") != EPISODE_SCHEMA:
        raise ValueError(f"episode schema {document.get('schema')!r}, this release reads {EPISODE_SCHEMA}")
    document["alert"] = alert_from_wire(document["alert"])
    return EpisodeEvent(**document)
