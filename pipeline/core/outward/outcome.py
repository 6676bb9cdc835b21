"""Reads the outcome of an attempt, as a record on ``deliveries`` tells it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.core.outward.incident_event import ID_CHARACTERS_MAX, need
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.delivery import TURN_UNKNOWN, DeliveryOutcome
from pipeline.models.remote import Remote, RemoteState

# Details are read by people in lists; what a sink answers at length is in the sink's own log.
DETAIL_CHARACTERS_MAX: Final = 300


class Outcome(NamedTuple):
    """What an outcome record says about the attempt; fields as those of `pipeline.models.delivery.Delivery`."""

    delivery_id: str
    revision: int
    outcome: DeliveryOutcome
    attempt: int
    status: int | None
    detail: str
    retry_after_seconds: int | None
    unknown: bool
    remote: Remote | None
    at_ms: int
    turn: int
    wanted: dict[str, str] | None = None

    @property
    def in_short(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "outcome": str(self.outcome),
            "at_ms": self.at_ms,
            "attempt": self.attempt,
            "status": self.status,
            "detail": self.detail,
        }


def read_outcome(document: dict[str, Any]) -> Outcome:
    """The outcome of an attempt.

    Raises:
        BadRecord: a field is missing, of another type, or the outcome is unknown.
    """
    word: str = need(document, "outcome", str)
    if word not in set(DeliveryOutcome):
        raise BadRecord(Reason.WRONG_TYPE, f"outcome: expected one of {', '.join(DeliveryOutcome)}")
    attempt: int = need(document, "attempt", int)
    return Outcome(
        delivery_id=need(document, "delivery_id", str),
        revision=need(document, "revision", int),
        outcome=DeliveryOutcome(word),
        attempt=attempt,
        status=need(document, "status", int, type(None)),
        detail=need(document, "detail", str)[:DETAIL_CHARACTERS_MAX],
        retry_after_seconds=need(document, "retry_after_seconds", int, type(None)),
        unknown=document.get("unknown") is True,  # the release before did not say
        remote=_remote(document.get("remote")),
        at_ms=need(document, "at_ms", int),
        turn=document["turn"] if isinstance(document.get("turn"), int) else TURN_UNKNOWN,
        wanted=_wanted(document.get("wanted")),
    )


def _wanted(said: Any) -> dict[str, str] | None:
    """What the attempt was to write; None: it is not said, as by the release before."""
    if said is None:
        return None
    if not isinstance(said, dict) or not all(isinstance(each, str) for each in said.values()):
        raise BadRecord(Reason.WRONG_TYPE, "wanted: expected an object of texts")
    if "state" in said and said["state"] not in set(RemoteState):
        raise BadRecord(Reason.WRONG_TYPE, "wanted: expected a known state")
    return said


def _remote(said: Any) -> Remote | None:
    if said is None:
        return None
    if not isinstance(said, dict):
        raise BadRecord(Reason.WRONG_TYPE, "remote: expected an object")
    own_id: str = need(said, "id", str)
    state: str = need(said, "state", str)
    fields, extra = need(said, "fields", dict), need(said, "extra", dict)
    if not 0 < len(own_id) <= ID_CHARACTERS_MAX or state not in set(RemoteState):
        raise BadRecord(Reason.WRONG_TYPE, f"remote: an id of 1 to {ID_CHARACTERS_MAX} characters, and a known state")
    if not all(isinstance(each, str) for each in fields.values()):
        raise BadRecord(Reason.WRONG_TYPE, "remote.fields: expected texts")
    return Remote(
        id=own_id,
        key=need(said, "key", str),
        url=need(said, "url", str),
        state=state,
        fields=fields,
        extra=extra,
    )
