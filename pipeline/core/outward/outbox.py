"""The outbox of one sink and one incident: what the sink has yet to hear, in order, one at a time; and what it has.

The head is the delivery that is being sent or waits for its next attempt. What stands behind it may grow into one
newer update, and so may a head, where the record there exists already, so that the newest is told first. But what
opens, resolves, reopens, closes or merges an incident is always told by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final

import orjson

from pipeline.core.outward.carried import NONE, Carried
from pipeline.core.outward.delivery_body import SMALL, Room, as_newest, delivery_body, with_news_of, without
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.core.outward.retries import used_up, wait_ms
from pipeline.core.outward.sides import FINAL_STATES, Ours, Sides, Yield, desired_of, facts_of
from pipeline.models.delivery import ParkReason, delivery_id
from pipeline.models.remote import STATES, Remote, RemoteState

OUTBOX_SCHEMA: Final = 2
FORMER_SCHEMA: Final = 1
"""Written by the release before: it knew of no record there."""

MILESTONES: Final = frozenset({"opened", "resolved", "reopened", "closed", "merged", "cancelled"})
"""Changes that a sink must hear of one by one: downstream tickets open and close on them."""

# An incident gets here only by turning between resolved and reopened 40 times while its sink is away.
QUEUE_DELIVERIES_MAX: Final = 80
# Bodies are doubled at worst by JSON escapes: with what was given up and the newest one, each of at most 128 kB, a
# state record stays under its 4 MiB.
QUEUE_BYTES_MAX: Final = 1_500_000
# Given-up deliveries are listed on `deliveries`; the newest are kept here too, for who looks at the state.
PARKED_KEPT_MAX: Final = 10


@dataclass(slots=True)
class Pending:
    """One delivery that waits: the revision it tells, and the bytes to send.

    Attributes:
        at_ms: when the oldest of what it tells happened.
        state: the `RemoteState` that the record should have by it.
        again: which telling again of the revision this is; 0: the first.
        doubt: some of it may have been told before it was given up.
    """

    revision: int
    change: str
    body: str
    at_ms: int = 0
    state: str = ""
    again: int = 0
    doubt: bool = False


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
    """What one sink has yet to hear about one incident, and what is known of the record there.

    Attributes:
        queue: in order; the first is the head.
        attempt: the attempt that the head is on, from 1.
        turn: how many attempts have their outcome, of this head and those before it.
        due_ms: when the head may be sent again; None: now.
        failing_since_ms: when the head's first attempt failed; None: it has not.
        unsure: an attempt of the head may have taken effect.
        final: the incident has said its last word.
        parked: the newest deliveries that were given up.
        parked_total: all that were given up.
        parked_waiting: those of them that were not sent again.
        parked_body: what they would tell, in one body.
        parked_doubt: some of it may have been told.
        stuck: the newest was given up: nothing is tried unasked.
        remote: the record there.
        may_exist: it may have been made, though we do not know so.
        abandoned: it is gone there again and again, and is made no more.
        newest: the newest snapshot as a body, where it may have to be told again.
        revision: of that.
        told_again: how often something was told again.
        last: the last outcome.
        shown: hash of what the ledger says of it.
    """

    sink: str
    incident_id: str
    queue: list[Pending] = field(default_factory=list)
    attempt: int = 1
    turn: int = 0
    due_ms: int | None = None
    failing_since_ms: int | None = None
    unsure: bool = False
    final: bool = False
    parked: list[Parked] = field(default_factory=list)
    parked_total: int = 0
    parked_waiting: int = 0
    parked_body: str | None = None
    parked_doubt: bool = False
    stuck: bool = False
    remote: Remote | None = None
    may_exist: bool = False
    abandoned: bool = False
    newest: str | None = None
    revision: int = 0
    told_again: int = 0
    last: dict[str, Any] = field(default_factory=dict)
    shown: str = ""
    sides: Sides = field(default_factory=Sides)

    @property
    def head_id(self) -> str | None:
        """Delivery id of the head, or None where nothing waits."""
        return self.id_of(self.queue[0]) if self.queue else None

    @property
    def done(self) -> bool:
        """Nothing waits, nothing will come, and nothing is open there."""
        ended = self.remote.ended if self.remote is not None else not self.may_exist
        return self.final and not self.queue and ended

    @property
    def head_state(self) -> str | None:
        """The state that the record there should have once the head is told; None: it is for a later one to say."""
        head = self.queue[0]
        if not any(each.change in MILESTONES for each in self.queue[1:]):
            return self.sides.desired.get("state")
        return head.state if head.change in MILESTONES or self.remote is None else None

    @property
    def wakes_ms(self) -> int | None:
        """When something is to be done unasked; None: never, or it is to be sent now."""
        return self.due_ms if self.queue else self.sides.expires_ms

    def id_of(self, pending: Pending) -> str:
        """Delivery id of something in the queue."""
        identity = delivery_id(self.incident_id, pending.revision, self.sink)
        return f"{identity}/{pending.again}" if pending.again else identity

    def add(
        self, event: IncidentEvent, news: Carried = NONE, room: Room = SMALL, *, replaces_head: bool = False
    ) -> None:
        """Queue an event; where the last one in the queue may be replaced, take both together."""
        self.final = event.incident.get("state") in FINAL_STATES
        state = str(STATES.get(str(event.incident.get("state")), RemoteState.OPEN))
        last = self.queue[-1] if self.queue else None
        at_head = len(self.queue) == 1
        grows = last is not None and last.change not in MILESTONES and event.change not in MILESTONES
        if at_head and not (replaces_head and self.remote is not None):
            grows = False
        body = delivery_body(event, last.body, news, room) if last is not None and grows else None
        if last is not None and body is not None:
            self.queue[-1] = Pending(event.revision, event.change, body, last.at_ms, state, doubt=last.doubt)
            return
        alone = delivery_body(event, None, news, room)
        if alone is not None:
            self.queue.append(Pending(event.revision, event.change, alone, event.at_ms, state))

    def add_again(self, body: str, at_ms: int, change: str = "updated", revision: int | None = None) -> None:
        """Queue the newest snapshot once more, or an older one where nothing newer is known."""
        self.told_again += 1
        state = self.sides.desired.get("state", RemoteState.OPEN)
        revision = self.revision if revision is None else revision
        self.queue.append(Pending(revision, change, body, at_ms, state, self.told_again))

    def overflows(self, room: Room) -> bool:
        """Whether more waits than the state record has room for."""
        if len(self.queue) > QUEUE_DELIVERIES_MAX:
            return True
        if len(self.queue) < 3 or len(self.queue) * room.body_bytes <= QUEUE_BYTES_MAX:
            return False
        return sum(len(each.body.encode()) for each in self.queue) > QUEUE_BYTES_MAX

    def next(self) -> None:
        """Take the head off; the one behind it starts afresh."""
        del self.queue[0]
        self.attempt, self.due_ms, self.failing_since_ms, self.unsure = 1, None, None, False
        self.turn += 1

    def overtake(self, revision: int) -> None:
        """What the head took the place of has arrived: only what is newer is still to be told."""
        head = self.queue[0]
        head.body = without(head.body, revision)
        self.attempt, self.due_ms, self.failing_since_ms, self.unsure = 1, None, None, False
        self.turn += 1

    def park(
        self, index: int, reason: ParkReason, now_ms: int, status: int | None, detail: str, room: Room = SMALL
    ) -> Parked:
        """Give up the delivery at an index and go on with the one behind it."""
        pending = self.queue[index]
        attempts = self.attempt if index == 0 else 0
        given_up = Parked(pending.revision, pending.change, reason, attempts, status, detail, now_ms)
        if index == 0:
            doubt = self.unsure or pending.doubt
            self.parked_doubt = self.parked_doubt or doubt
            self.may_exist = self.may_exist or (doubt and self.remote is None)
            self.stuck = True
            self.next()
        else:
            del self.queue[index]
        if self.newest is None and self.queue:  # what waits behind it is newer: a retry must not tell how it was before
            self.newest = as_newest(self.queue[-1].body)
        self.parked_body = with_news_of(pending.body, self.parked_body, room) if self.parked_body else pending.body
        self.parked = [*self.parked, given_up][-PARKED_KEPT_MAX:]
        self.parked_total += 1
        self.parked_waiting += 1
        return given_up

    def unpark(self, room: Room, now_ms: int) -> bool:
        """Send again what was given up, as part of the newest; False: nothing was."""
        if self.parked_body is None:
            return False
        given_up, last, doubt = self.parked_body, self.parked[-1], self.parked_doubt
        self.parked_body, self.parked_doubt, self.parked_waiting, self.stuck = None, False, 0, False
        if self.newest is not None:
            self.add_again(with_news_of(self.newest, given_up, room), now_ms)
        else:
            self.add_again(given_up, now_ms, last.change, last.revision)
        self.queue[-1].doubt = doubt
        return True

    def postpone(self, now_ms: int, retry_after_seconds: int | None) -> ParkReason | None:
        """Plan the head's next attempt, or say which budget is used up."""
        self.failing_since_ms = now_ms if self.failing_since_ms is None else self.failing_since_ms
        exhausted = used_up(self.attempt, self.failing_since_ms, now_ms)
        if exhausted is not None:
            return exhausted
        self.due_ms = now_ms + wait_ms(str(self.head_id), self.attempt, retry_after_seconds)
        self.attempt += 1
        self.turn += 1
        return None

    def to_bytes(self) -> bytes:
        """The state record."""
        return orjson.dumps({"schema": OUTBOX_SCHEMA} | {name: getattr(self, name) for name in _NAMES})

    @classmethod
    def from_bytes(cls, value: bytes) -> Outbox:
        """Read a state record back, also of the release before.

        Raises:
            ValueError: of a schema that this release does not read.
        """
        document: dict[str, Any] = orjson.loads(value)
        schema = document.pop("schema")
        if schema not in (OUTBOX_SCHEMA, FORMER_SCHEMA):
            raise ValueError(f"deliver: outbox of schema {schema}, this release reads 1 and {OUTBOX_SCHEMA}")
        document["queue"] = [Pending(**pending) for pending in document["queue"]]
        document["parked"] = [Parked(**parked) for parked in document["parked"]]
        if document.get("remote") is not None:
            document["remote"] = Remote(**document["remote"])
        if "sides" in document:
            sides = document["sides"]
            sides["ours"] = {name: Ours(**each) for name, each in sides["ours"].items()}
            sides["yields"] = {name: Yield(**each) for name, each in sides["yields"].items()}
            document["sides"] = Sides(**sides)
        found = cls(**document)
        if schema == FORMER_SCHEMA and found.queue:
            incident = orjson.loads(found.queue[-1].body).get("data", {}).get("incident", {})
            found.sides.facts, found.sides.desired = facts_of(incident), desired_of(incident)
            found.revision = found.queue[-1].revision
        return found


_NAMES: Final = tuple(each.name for each in fields(Outbox))
