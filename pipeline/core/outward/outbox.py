"""The outbox of one sink and one incident: what the sink has yet to hear, in order, one at a time.

The head is the delivery that is being sent or waits for its next attempt; it is never changed, because the
sink may have got it already. What stands behind it may grow into one newer update, but what opens, resolves,
reopens, closes or merges an incident is always told by itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from pipeline.core.identity import content_hash
from pipeline.core.outward.delivery_body import delivery_body
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.models.delivery import ParkReason, delivery_id

OUTBOX_SCHEMA: Final = 1

MILESTONES: Final = frozenset({"opened", "resolved", "reopened", "closed", "merged", "cancelled"})
"""Changes that a sink must hear of one by one: downstream tickets open and close on them."""

FINAL_STATES: Final = ("closed", "merged", "cancelled")
"""States after which an incident says nothing more, so its outbox ends once it is empty."""

# 80 bodies of at most 20 kB, doubled at worst by JSON escapes, stay under a state record's 4 MiB. An incident
# gets here only by turning between resolved and reopened 40 times while its sink is away.
QUEUE_DELIVERIES_MAX: Final = 80
# Given-up deliveries are listed on `deliveries`; the newest are kept here too, for who looks at the state.
PARKED_KEPT_MAX: Final = 10

BACKOFF_FIRST_SECONDS: Final = 2  # a restart of the sink's process is over by the second or third attempt
BACKOFF_SECONDS_MAX: Final = 900  # once an outage is long, four attempts an hour are enough to notice its end
# A sink may ask for patience, but not for ever: rate limits are of minutes, daily quotas of hours.
RETRY_AFTER_SECONDS_MAX: Final = 6 * 3_600
# A sink that is down for a night is repaired in the morning; after a day its news is history.
RETRY_HOURS_MAX: Final = 24
# A day of backing off takes 105 attempts; more than that means the sink names tiny waits.
RETRY_ATTEMPTS_MAX: Final = 120

_HOUR_MS: Final = 3_600_000


@dataclass(slots=True)
class Pending:
    """One delivery that waits: the revision it tells, and the bytes to send."""

    revision: int
    change: str
    body: str
    at_ms: int = 0


@dataclass(slots=True)
class Parked:
    """One delivery that was given up, and why."""

    revision: int
    change: str
    reason: str
    attempts: int
    status: int | None
    detail: str
    at_ms: int


@dataclass(slots=True, kw_only=True)
class Outbox:
    """What one sink has yet to hear about one incident.

    Attributes:
        queue: in order; the first is the head.
        attempt: the attempt that the head is on, from 1.
        turn: how many attempts have their outcome, of this head and those before it.
        due_ms: when the head may be sent again; None: now.
        failing_since_ms: when the head's first attempt failed; None: it has not.
        final: the incident has said its last word.
        parked: the newest deliveries that were given up.
        parked_total: all that were given up.
    """

    sink: str
    incident_id: str
    queue: list[Pending] = field(default_factory=list)
    attempt: int = 1
    turn: int = 0
    due_ms: int | None = None
    failing_since_ms: int | None = None
    final: bool = False
    parked: list[Parked] = field(default_factory=list)
    parked_total: int = 0

    @property
    def head_id(self) -> str | None:
        """Delivery id of the head, or None where nothing waits."""
        return delivery_id(self.incident_id, self.queue[0].revision, self.sink) if self.queue else None

    @property
    def done(self) -> bool:
        """Nothing waits and nothing will come."""
        return self.final and not self.queue

    def add(self, event: IncidentEvent) -> None:
        """Queue an event; where the last one in the queue may be replaced, take both together."""
        self.final = event.incident.get("state") in FINAL_STATES
        last = self.queue[-1] if len(self.queue) > 1 else None
        if last is not None and last.change not in MILESTONES and event.change not in MILESTONES:
            self.queue[-1] = Pending(event.revision, event.change, delivery_body(event, last.body), last.at_ms)
        else:
            self.queue.append(Pending(event.revision, event.change, delivery_body(event), event.at_ms))

    def next(self) -> None:
        """Take the head off; the one behind it starts afresh."""
        del self.queue[0]
        self.attempt, self.due_ms, self.failing_since_ms = 1, None, None
        self.turn += 1

    def park(self, index: int, reason: ParkReason, now_ms: int, status: int | None, detail: str) -> Parked:
        """Give up the delivery at an index and go on with the one behind it."""
        pending = self.queue[index]
        attempts = self.attempt if index == 0 else 0
        given_up = Parked(pending.revision, pending.change, reason, attempts, status, detail, now_ms)
        if index == 0:
            self.next()
        else:
            del self.queue[index]
        self.parked = [*self.parked, given_up][-PARKED_KEPT_MAX:]
        self.parked_total += 1
        return given_up

    def postpone(self, now_ms: int, retry_after_seconds: int | None) -> ParkReason | None:
        """Plan the head's next attempt, or say which budget is used up."""
        self.failing_since_ms = now_ms if self.failing_since_ms is None else self.failing_since_ms
        if self.attempt >= RETRY_ATTEMPTS_MAX:
            return ParkReason.ATTEMPTS_USED_UP
        if now_ms - self.failing_since_ms >= RETRY_HOURS_MAX * _HOUR_MS:
            return ParkReason.HOURS_USED_UP
        asked_ms = min(retry_after_seconds or 0, RETRY_AFTER_SECONDS_MAX) * 1_000
        self.due_ms = now_ms + max(asked_ms, backoff_ms(str(self.head_id), self.attempt))
        self.attempt += 1
        self.turn += 1
        return None

    def to_bytes(self) -> bytes:
        """The state record."""
        return orjson.dumps({"schema": OUTBOX_SCHEMA, **asdict(self)})

    @classmethod
    def from_bytes(cls, value: bytes) -> Outbox:
        """Read a state record back.

        Raises:
            ValueError: of a schema that this release does not read.
        """
        document: dict[str, Any] = orjson.loads(value)
        schema = document.pop("schema")
        if schema != OUTBOX_SCHEMA:
            raise ValueError(f"deliver: outbox of schema {schema}, this release reads {OUTBOX_SCHEMA}")
        document["queue"] = [Pending(**pending) for pending in document["queue"]]
        document["parked"] = [Parked(**parked) for parked in document["parked"]]
        return cls(**document)


def backoff_ms(delivery: str, attempt: int) -> int:
    """Wait after a failed attempt: doubling, then shortened by up to a half, by a hash instead of by chance.

    So that outboxes which failed together do not come back together, and replay still gives the same.
    """
    doublings = min(attempt - 1, 16)
    whole_ms = min(BACKOFF_FIRST_SECONDS << doublings, BACKOFF_SECONDS_MAX) * 1_000
    spread = int(content_hash(delivery, str(attempt))[:8], 16)
    return whole_ms // 2 + whole_ms // 2 * spread // 0xFFFF_FFFF
