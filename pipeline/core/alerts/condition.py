"""What dedupe remembers of one alert key: the run that is on, and enough of the past to see flapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import orjson

from pipeline.core.identity import short_id
from pipeline.models.alert import Alert, Kind
from pipeline.models.wire import to_json

CONDITION_SCHEMA: Final = 3


class Phase(StrEnum):
    """Where a condition is.

    ``open`` is an episode that correlate knows of; ``flapping`` too, and its turns are suppressed until it is steady,
    whether it fires at the moment or not; ``maintenance`` fires but is suppressed; ``resolved`` is over and remembered
    for a while. ``held`` waits whether it is a transient, begun under a release before this one: its hold ends as set.
    """

    RESOLVED = "resolved"
    HELD = "held"
    OPEN = "open"
    MAINTENANCE = "maintenance"
    FLAPPING = "flapping"


# As plain strings, which is what a condition holds: comparing with an enum's member takes longer than the decision.
RESOLVED: Final = Phase.RESOLVED.value
HELD: Final = Phase.HELD.value
OPEN: Final = Phase.OPEN.value
MAINTENANCE: Final = Phase.MAINTENANCE.value
FLAPPING: Final = Phase.FLAPPING.value


@dataclass(slots=True)
class Condition:
    """State of one alert key.

    At rest it is `packed`: one small JSON array, which is the state record in the changelog and what memory holds.
    There are hundreds of thousands of conditions and a batch touches a few, so an object lives while it is decided on.

    Attributes:
        space: where correlate knows the run; stays for the whole run.
        until_ms: when a hold or a maintenance window ends.
        event_at_ms: source's time of the newest firing.
        ended_event_at_ms: source's time of the last recovery.
        ttl_seconds: silence after which an open episode expires; 0: never, or it has not opened.
        runs: earlier runs that began in the same millisecond of stream time, to tell their episodes apart.
        turns: stream times of the newest turns between firing and resolved, oldest first.
        hidden_since_ms: since when its alerts are suppressed; None: they are not.
        hidden: alerts suppressed since then.
        hidden_runs: runs that began among them.
        told: while it flaps, the worst severity that correlate has been told.
    """

    phase: str = RESOLVED
    episode_id: str = ""
    severity: str = ""
    space: str = ""
    repeats: int = 0
    opened_at_ms: int = 0
    last_at_ms: int = 0
    resolved_at_ms: int | None = None
    until_ms: int | None = None
    event_at_ms: int | None = None
    ended_event_at_ms: int | None = None
    source_episode_id: str | None = None
    delivery_id: str | None = None
    ttl_seconds: int = 0
    runs: int = 0
    turns: list[int] = field(default_factory=list)
    hidden_since_ms: int | None = None
    hidden: int = 0
    hidden_runs: int = 0
    told: str = ""

    @property
    def fires(self) -> bool:
        """Whether its source says that it fires at the moment."""
        return self.resolved_at_ms is None

    def packed(self) -> bytes:
        """The condition at rest, for memory and changelog: its schema, then its fields in their order."""
        return to_json(
            (
                CONDITION_SCHEMA,
                self.phase,
                self.episode_id,
                self.severity,
                self.space,
                self.repeats,
                self.opened_at_ms,
                self.last_at_ms,
                self.resolved_at_ms,
                self.until_ms,
                self.event_at_ms,
                self.ended_event_at_ms,
                self.source_episode_id,
                self.delivery_id,
                self.ttl_seconds,
                self.runs,
                self.turns,
                self.hidden_since_ms,
                self.hidden,
                self.hidden_runs,
                self.told,
            )
        )

    @classmethod
    def unpacked(cls, packed: bytes) -> Condition:
        """The condition of its packed form.

        Raises:
            ValueError: of another schema.
        """
        condition = cls.__new__(cls)  # and no constructor, which costs as much as the rest
        (
            schema,
            condition.phase,
            condition.episode_id,
            condition.severity,
            condition.space,
            condition.repeats,
            condition.opened_at_ms,
            condition.last_at_ms,
            condition.resolved_at_ms,
            condition.until_ms,
            condition.event_at_ms,
            condition.ended_event_at_ms,
            condition.source_episode_id,
            condition.delivery_id,
            condition.ttl_seconds,
            condition.runs,
            condition.turns,
            condition.hidden_since_ms,
            condition.hidden,
            condition.hidden_runs,
            condition.told,
        ) = orjson.loads(packed)
        if schema != CONDITION_SCHEMA:
            raise ValueError(f"a condition of schema {schema!r}, this release reads {CONDITION_SCHEMA}")
        return condition

    def begin(self, alert: Alert, now_ms: int) -> None:
        """Start a new run, with an episode id of its own; turns of earlier runs stay."""
        self.runs = self.runs + 1 if self.episode_id and self.opened_at_ms == now_ms else 0
        run = (str(self.runs),) if self.runs else ()
        self.episode_id = short_id("EP", alert.alert_key, str(now_ms), *run)
        self.severity, self.space = alert.severity, alert.space
        self.repeats = 0
        self.opened_at_ms = self.last_at_ms = now_ms
        self.resolved_at_ms = None
        self.event_at_ms = alert.event_at_ms
        self.source_episode_id = alert.source_episode_id
        self.delivery_id = alert.delivery_id
        self.ttl_seconds = 0

    def hide(self, now_ms: int) -> None:
        """Begin to suppress its alerts."""
        self.hidden_since_ms, self.hidden, self.hidden_runs = now_ms, 0, 0

    def take_hidden(self, now_ms: int) -> dict[str, int]:
        """What was suppressed until now, for the record; nothing is from here on."""
        since_ms = self.opened_at_ms if self.hidden_since_ms is None else self.hidden_since_ms
        hidden = {"since_ms": since_ms, "until_ms": now_ms, "alerts": self.hidden, "runs": self.hidden_runs}
        self.hidden_since_ms, self.hidden, self.hidden_runs, self.told = None, 0, 0, ""
        return hidden

    def is_older(self, event_at_ms: int | None) -> bool:
        """Whether a firing alert of the run is late: older than the newest, by the source's clock."""
        return event_at_ms is not None and self.event_at_ms is not None and event_at_ms < self.event_at_ms

    def heard(
        self, event_at_ms: int | None, source_episode_id: str | None, delivery_id: str | None, now_ms: int
    ) -> None:
        """Count one more alert of the run. One that is late, or says no time, takes no time and no id away."""
        if self.hidden_since_ms is None:  # what is suppressed is counted apart
            self.repeats += 1
        self.last_at_ms = now_ms
        self.delivery_id = delivery_id
        if event_at_ms is not None and not self.is_older(event_at_ms):
            self.event_at_ms = event_at_ms
            self.source_episode_id = source_episode_id

    def settle(self, alert: Alert, now_ms: int) -> None:
        """End the run, or remember a recovery whose firing has not come."""
        self.resolved_at_ms = self.last_at_ms = now_ms
        self.ended_event_at_ms = alert.ended_at_ms if alert.ended_at_ms is not None else alert.event_at_ms
        if alert.source_episode_id is not None:
            self.source_episode_id = alert.source_episode_id

    def is_late(self, alert: Alert) -> bool:
        """Whether a firing alert belongs to the run that is already over: its recovery came first."""
        ended = self.ended_event_at_ms
        if ended is None or alert.event_at_ms is None:
            return False
        if alert.source_episode_id is None or alert.source_episode_id != self.source_episode_id:
            return alert.event_at_ms < ended  # a new run may begin in the very second in which the last one ended
        return alert.event_at_ms <= ended

    def is_told_by(self, alert: Alert) -> bool:
        """Whether an acknowledgement is about the run that is on, and not one that a newer firing has begun since."""
        if alert.kind != Kind.ACKNOWLEDGED:
            return False
        return not alert.overtaken or self.opened_at_ms <= alert.received_at_ms

    def is_overtaken(self, alert: Alert) -> bool:
        """Whether a recovery is about an earlier run than the one that is on: a newer firing came first."""
        if alert.source_episode_id is not None and alert.source_episode_id == self.source_episode_id:
            return False
        ended = alert.ended_at_ms if alert.ended_at_ms is not None else alert.event_at_ms
        return ended is not None and self.event_at_ms is not None and ended < self.event_at_ms
