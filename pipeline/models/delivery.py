"""Deliveries: what became of each attempt to tell a sink about an incident; the values on ``deliveries``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from pipeline.models.remote import Remote

DELIVERY_SCHEMA: Final = 1


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
    schema: int = DELIVERY_SCHEMA

    def to_wire(self) -> dict[str, Any]:
        """The record value, before it is made JSON."""
        return asdict(self)


def delivery_id(incident_id: str, revision: int, sink: str) -> str:
    """Identity of one revision's delivery to one sink."""
    return f"{incident_id}/{revision}/{sink}"
