"""Deliveries: what became of each attempt to tell a sink about an incident; the values on ``deliveries``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from pipeline.models.remote import Remote

DELIVERY_SCHEMA: Final = 1
TURN_UNKNOWN: Final = -1
"""Of an outcome that the release before wrote, and of notes that are of no attempt."""
DELIVERIES_TOPIC: Final = "deliveries"


class DeliveryOutcome(StrEnum):
    """What became of one attempt; ``parked`` is the outbox's own note that it gave a delivery up."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"
    PARKED = "parked"


class ParkReason(StrEnum):
    """Why a delivery was given up. It never disappears without one of these on ``deliveries``."""

    REJECTED_BY_SINK = "rejected_by_sink"
    ATTEMPTS_USED_UP = "attempts_used_up"
    HOURS_USED_UP = "hours_used_up"
    QUEUE_FULL = "queue_full"
    SINK_REMOVED = "sink_removed"
    CONTESTED = "contested"
    RECORD_GONE = "record_gone"


DIRECTION_IN: Final = "in"
"""``direction`` of a record about what came back from a sink; of all others it is ``out``."""


class UpdateReason(StrEnum):
    """What became of one thing that an update says: a field, a note, a link, or the update as a whole.

    Attributes:
        TAKEN: it became a command.
        SAME: it is known, or what was written by us.
        OWN: our own account did it.
        AGREES: the incident is like that already.
        OURS: it is not theirs to change: ours is written back.
        OURS_IS_NEWER: both may write it, and ours is the later, or a person's against a machine's.
        NO_COMMAND: nothing of the kind can be asked here; it stays so there until ours changes.
        CONTESTED: it was written back too often within an hour: it stays as it is there until ours changes.
        DUPLICATE: the same update came before.
        LATE: more recent things are known.
        UNKNOWN_SINK: no sink of that name is configured, or none that updates come from.
        UNKNOWN_INCIDENT: nothing of the incident was ever told there, or both have ended.
        OTHER_RECORD: it is about another record there than ours.
        INCIDENT_ENDED: the incident has ended, and nothing can be asked of it.
        STAYS_THERE: words of people there are not wanted here.
        MADE_AGAIN: the record is gone there, and is made again.
        GONE: the record is gone there, and that is the end of it.
        RETRIED: what was given up is sent again.
        NOTHING_TO_RETRY: nothing was given up.
    """

    TAKEN = "taken"
    SAME = "same"
    OWN = "own"
    AGREES = "agrees"
    OURS = "ours"
    OURS_IS_NEWER = "ours_is_newer"
    NO_COMMAND = "no_command"
    CONTESTED = "contested"
    DUPLICATE = "duplicate"
    LATE = "late"
    UNKNOWN_SINK = "unknown_sink"
    UNKNOWN_INCIDENT = "unknown_incident"
    OTHER_RECORD = "other_record"
    INCIDENT_ENDED = "incident_ended"
    STAYS_THERE = "stays_there"
    MADE_AGAIN = "made_again"
    GONE = "gone"
    RETRIED = "retried"
    NOTHING_TO_RETRY = "nothing_to_retry"


@dataclass(slots=True, kw_only=True)
class Received:
    """What became of one update from a sink; a value on ``deliveries`` whose ``direction`` is ``in``.

    Attributes:
        update_id: as the update says.
        kind: an `UpdateKind`.
        author: who did it there.
        outcome: ``taken`` where it became commands, else `UpdateReason` of the whole.
        reasons: what it says, such as ``state``, ``note`` or ``update`` -> its `UpdateReason`.
        commands: types of the commands that it became.
        at_ms: when it was decided, stream time.
    """

    sink: str
    incident_id: str
    update_id: str
    kind: str
    author: str
    outcome: str
    reasons: dict[str, str]
    commands: list[str]
    at_ms: int
    direction: str = DIRECTION_IN
    schema: int = DELIVERY_SCHEMA

    def to_wire(self) -> dict[str, Any]:
        """The record value, before it is made JSON."""
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One outcome.

    Attributes:
        delivery_id: ``<incident>/<revision>/<sink>``; the ``webhook-id``, constant over retries.
        attempt: which try this was, from 1.
        outcome: a `DeliveryOutcome`.
        status: HTTP status; None where no answer came.
        detail: what happened, for a person. Holds no secret.
        retry_after_seconds: how long the sink asked us to wait, if it did.
        unknown: it may have taken effect though we do not know so.
        remote: what is known of the record there now; None: nothing new.
        turn: the outbox's turn that the attempt was made in; the head may have grown since.
        wanted: what it was to write of the fields that both sides write, in our words; None: it is not said.
        at_ms: when it was known, epoch milliseconds.
    """

    delivery_id: str
    sink: str
    incident_id: str
    revision: int
    attempt: int
    outcome: str
    at_ms: int
    status: int | None = None
    detail: str = ""
    retry_after_seconds: int | None = None
    unknown: bool = False
    remote: Remote | None = None
    turn: int = TURN_UNKNOWN
    wanted: dict[str, str] | None = None
    schema: int = DELIVERY_SCHEMA

    def to_wire(self) -> dict[str, Any]:
        """The record value, before it is made JSON."""
        return asdict(self)


def delivery_id(incident_id: str, revision: int, sink: str) -> str:
    """Identity of one revision's delivery to one sink."""
    return f"{incident_id}/{revision}/{sink}"
