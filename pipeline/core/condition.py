"""What dedupe remembers of one alert key: the run that is on, and enough of the past to see flapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from pipeline.core.identity import short_id
from pipeline.models.alert import Alert, alert_from_wire

CONDITION_SCHEMA: Final = 1


class Phase(StrEnum):
    """Where a condition is.

    ``held`` waits whether it is a transient, ``maintenance`` and ``flapping`` fire but are suppressed,
    ``open`` is an episode that correlate knows of, ``resolved`` is over and remembered for a while.
    """

    RESOLVED = "resolved"
    HELD = "held"
    OPEN = "open"
    MAINTENANCE = "maintenance"
    FLAPPING = "flapping"


@dataclass(slots=True)
class Condition:
    """State of one alert key.

    The alert's body is kept as the bytes that came in and goes to the changelog only when it changes; the
    counters, which change with each repeat, are a small record of their own.

    Attributes:
        until_ms: when a hold or a maintenance window ends.
        runs: earlier runs that began in the same millisecond of stream time, to tell their episodes apart.
        turns: stream times of the newest turns between firing and resolved, oldest first.
        event_at_ms: source's time of the newest firing.
        ended_event_at_ms: source's time of the last recovery.
        ttl_seconds: silence after which an open episode expires; 0: never; None: not yet looked up.
    """

    phase: str = Phase.RESOLVED
    episode_id: str = ""
    severity: str = ""
    repeats: int = 0
    opened_at_ms: int = 0
    last_at_ms: int = 0
    resolved_at_ms: int | None = None
    until_ms: int | None = None
    event_at_ms: int | None = None
    ended_event_at_ms: int | None = None
    source_episode_id: str | None = None
    delivery_id: str | None = None
    ttl_seconds: int | None = None
    runs: int = 0
    turns: list[int] = field(default_factory=list)
    body: bytes = b""

    def counters(self) -> dict[str, Any]:
        """All but the body, for the changelog."""
        return {
            "schema": CONDITION_SCHEMA,
            "phase": self.phase,
            "episode_id": self.episode_id,
            "severity": self.severity,
            "repeats": self.repeats,
            "opened_at_ms": self.opened_at_ms,
            "last_at_ms": self.last_at_ms,
            "resolved_at_ms": self.resolved_at_ms,
            "until_ms": self.until_ms,
            "event_at_ms": self.event_at_ms,
            "ended_event_at_ms": self.ended_event_at_ms,
            "source_episode_id": self.source_episode_id,
            "delivery_id": self.delivery_id,
            "ttl_seconds": self.ttl_seconds,
            "runs": self.runs,
            "turns": self.turns,
        }

    def alert(self) -> Alert:
        """The newest full alert, as an object of its own."""
        return alert_from_wire(orjson.loads(self.body))

    def begin(self, alert: Alert, body: bytes, now_ms: int) -> None:
        """Start a new run, with an episode id of its own; turns of earlier runs stay."""
        self.runs = self.runs + 1 if self.episode_id and self.opened_at_ms == now_ms else 0
        run = (str(self.runs),) if self.runs else ()
        self.episode_id = short_id("EP", alert.alert_key, str(now_ms), *run)
        self.severity = alert.severity
        self.repeats = 0
        self.opened_at_ms = self.last_at_ms = now_ms
        self.resolved_at_ms = None
        self.event_at_ms = alert.event_at_ms
        self.source_episode_id = alert.source_episode_id
        self.delivery_id = alert.delivery_id
        self.ttl_seconds = None
        self.body = body

    def heard(self, alert: Alert, now_ms: int) -> bool:
        """Count one more alert of the run; answers whether it is late: older than the newest, by the source's clock."""
        self.repeats += 1
        self.last_at_ms = now_ms
        self.delivery_id = alert.delivery_id
        if alert.event_at_ms is None:
            return False
        if self.event_at_ms is not None and alert.event_at_ms < self.event_at_ms:
            return True
        self.event_at_ms = alert.event_at_ms
        self.source_episode_id = alert.source_episode_id
        return False

    def worded(self, alert: Alert, body: bytes) -> None:
        """The newest alert speaks for the run from now on; its space stays, as correlate knows the run there."""
        space = self.alert().space
        if alert.space != space:
            alert.space, body = space, b""
        self.severity, self.body = alert.severity, body or orjson.dumps(alert)

    def settle(self, alert: Alert, now_ms: int) -> None:
        """End the run, or remember a recovery whose firing has not come."""
        self.resolved_at_ms = self.last_at_ms = now_ms
        self.ended_event_at_ms = alert.ended_at_ms if alert.ended_at_ms is not None else alert.event_at_ms
        if alert.source_episode_id is not None:
            self.source_episode_id = alert.source_episode_id
        if not self.body:
            self.body = orjson.dumps(alert)

    def is_late(self, alert: Alert) -> bool:
        """Whether a firing alert belongs to the run that is already over: its recovery came first."""
        ended = self.ended_event_at_ms
        if ended is None or alert.event_at_ms is None:
            return False
        if alert.source_episode_id is None or alert.source_episode_id != self.source_episode_id:
            return alert.event_at_ms < ended  # a new run may begin in the very second in which the last one ended
        return alert.event_at_ms <= ended

    def is_overtaken(self, alert: Alert) -> bool:
        """Whether a recovery is about an earlier run than the one that is on: a newer firing came first."""
        if alert.source_episode_id is not None and alert.source_episode_id == self.source_episode_id:
            return False
        ended = alert.ended_at_ms if alert.ended_at_ms is not None else alert.event_at_ms
        return ended is not None and self.event_at_ms is not None and ended < self.event_at_ms
