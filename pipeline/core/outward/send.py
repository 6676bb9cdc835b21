"""One attempt to make: what the outbox asks a sink for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pipeline.models.remote import Remote

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Send(NamedTuple):
    """The bytes of one revision, for one sink. A sink makes the other side look like it; it never only adds to it.

    Attributes:
        revision: of the incident.
        delivery_id: ``<incident>/<revision>/<sink>``, constant over attempts.
        attempt: from 1.
        body: JSON text of `pipeline.core.outward.delivery_body`; a webhook sends it as it is.
        remote: the record there as last known; None: there is none yet, as far as is known.
        unsure: an attempt before this one may have taken effect: look for it before something is created or appended.
        rank: of what waits, the lowest goes first: place of the priority in its scale.
        wanted: of the fields that both sides write those that are ours to write and are not so there: field -> value
            in our words. A sink writes these and no others of them. ``assignee`` may be "": nobody has it.
        propose: all is clear while a person works on it there: say so by a note.
        turn: how many attempts of this outbox have their outcome. No attempt is begun twice in one turn, and none
            before the outcome of the one before it has been taken: what it changed there is known by then.
        since_ms: when the oldest of what it tells happened; of equal rank the oldest goes first.
    """

    sink: str
    incident_id: str
    revision: int
    delivery_id: str
    attempt: int
    body: str
    remote: Remote | None = None
    unsure: bool = False
    rank: int = 0
    wanted: Mapping[str, str] = NOTHING
    propose: bool = False
    turn: int = 0
    since_ms: int = 0
