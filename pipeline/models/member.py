"""A member of an incident: one episode, as it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Final

import orjson

from pipeline.models.wire import to_json

MEMBER_SCHEMA: Final = 4

_MEMBER_SCHEMA_UNNAMED: Final = 3
"""Members of releases that kept neither name nor labels."""

_MEMBER_SCHEMA_UNMARKED: Final = 2
"""Members of before there were rules: besides, without marks, which they have none of."""


@dataclass(slots=True)
class Member:
    """One episode as a member of an incident.

    Why it joined is told in the incident's event and not kept.

    Attributes:
        opened_at_ms: stream time.
        event_at_ms: when it happened by the source's clock, else stream time.
        resolved_at_ms: None while it is open.
        entity: catalogue reference, where one was found.
        terms: words of its text, for similarity; sorted.
        marks: what correlation rules know it by: kept apart from, put together with
            (`pipeline.core.clustering.ruling`).
        name: of its alert.
        labels: of its alert, as far as they are kept (`pipeline.core.clustering.recalled`); of one that is over none.
        joined_order: rank among the members of its partition, in the order in which they joined their incidents.
    """

    episode_id: str
    incident_id: str
    alert_key: str
    feed: str
    feed_class: str
    summary: str
    severity: str
    opened_at_ms: int
    event_at_ms: int
    resolved_at_ms: int | None = None
    entity: str | None = None
    service: str | None = None
    host: str | None = None
    domain: str | None = None
    category: str | None = None
    ticket: str | None = None
    reporter: str | None = None
    users_affected: int | None = None
    mentions: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    joined_order: int = 0


_READ: Final = frozenset({_MEMBER_SCHEMA_UNMARKED, _MEMBER_SCHEMA_UNNAMED, MEMBER_SCHEMA})
_MEMBER_VALUES: Final = attrgetter(*(each.name for each in fields(Member)[1:-1]))


def anchors_of(member: Member) -> Iterable[str]:
    """What an episode is about: its entity and what its text names."""
    if not member.mentions:
        return (member.entity,) if member.entity is not None else ()
    anchors = dict.fromkeys(member.mentions)
    if member.entity is not None:
        anchors.setdefault(member.entity)
    return anchors


def member_to_wire(member: Member) -> bytes:
    """A member as the value of its state record, whose key is the episode's id.

    The schema version, the order, then the other fields without their names: members are kept in memory so, where
    each would take three times as much as an object.
    """
    return to_json((MEMBER_SCHEMA, member.joined_order, *_MEMBER_VALUES(member)))


def member_from_wire(episode_id: str, value: bytes) -> Member:
    """Read a member back. Trusted: only the schema version is checked.

    Raises:
        ValueError: the schema version is not one that this release reads.
    """
    schema, order, *values = orjson.loads(value)
    if schema not in _READ:
        raise ValueError(f"member schema {schema!r}, this release reads {MEMBER_SCHEMA}")
    if schema == _MEMBER_SCHEMA_UNMARKED:
        values.append([])
    if schema != MEMBER_SCHEMA:
        values += "", {}
    return Member(*(episode_id, *values, order))


def order_of_wire(value: bytes) -> int:
    """The order of a member, without reading all of it."""
    return int(value[value.index(b",") + 1 : value.index(b",", 4)])
