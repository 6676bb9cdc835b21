"""The incident: one record of one failure, with its lifecycle, owner, clocks, evidence and timeline.

Incidents travel on our own topics only, so they are plain slotted dataclasses, as alerts are. Times are epoch
milliseconds, UTC. The field names are the wire's: the snapshot in each event is the dataclass as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

import orjson

from pipeline.models.wire import to_json

INCIDENT_SCHEMA: Final = 1
MEMBER_SCHEMA: Final = 3


NAMED_MAX: Final = 200
"""Services and entities named on the record of an incident. A zone that goes down takes thousands along; each of them
would make every revision longer, which the next thousands have as well."""


ABSORBED_MAX: Final = 100
"""Incidents merged into one whose ids still find it: a page or a link of yesterday's does not matter any more."""


class IncidentKind(StrEnum):
    """An incident, or the bridge incident that links the members of a Major Incident."""

    INCIDENT = "incident"
    BRIDGE = "bridge"


class IncidentState(StrEnum):
    """Where an incident is in its life. The transitions are in `pipeline.core.lifecycle`."""

    DETECTED = "detected"
    LOGGED = "logged"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"


class IncidentChange(StrEnum):
    """What a revision was about; ends the CloudEvents type. Where one record did several, the first listed wins."""

    OPENED = "opened"
    MERGED = "merged"
    SPLIT = "split"
    CLOSED = "closed"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    BRIDGED = "bridged"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    IDENTIFIED = "identified"
    SLA_BREACHED = "sla_breached"
    SLA_WARNING = "sla_warning"
    ESCALATED = "escalated"
    NOTED = "noted"
    UPDATED = "updated"


CHANGE_RANK: Final[dict[str, int]] = {change: rank for rank, change in enumerate(IncidentChange)}


@dataclass(slots=True, kw_only=True)
class TimelineEntry:
    """One action on the record: when, what, by whom, in words; ``facts`` holds the same for machines."""

    at_ms: int
    action: str
    actor: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Suspect:
    """A probable cause, with the reasons in words.

    Attributes:
        ref: catalogue reference.
        score: relative weight; comparable within one incident only.
        change_id: the change on it that is suspected, if one is.
    """

    ref: str
    score: float
    because: list[str] = field(default_factory=list)
    change_id: str | None = None


@dataclass(slots=True, kw_only=True)
class TicketLink:
    """A service-desk ticket of the incident and the state that we want it to be in."""

    id: str
    feed: str
    state: str
    summary: str
    episode_id: str


@dataclass(slots=True, kw_only=True)
class Clock:
    """One service level clock: when it is due, when it was met, when it was breached.

    Attributes:
        warn_at_ms: when a warning goes out; None once it has, or when the clock has stopped.
    """

    due_at_ms: int
    warn_at_ms: int | None = None
    met_at_ms: int | None = None
    breached_at_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class Page:
    """Somebody was called: who, for which service, why, and with which runbook.

    Attributes:
        target: the escalation target that led to the person: ``oncall``, ``dependency``, ``owner``...
    """

    at_ms: int
    person: str
    rotation: str | None
    service: str | None
    target: str
    runbook: str | None
    because: str


@dataclass(slots=True, kw_only=True)
class Escalation:
    """Where the incident is on its escalation path.

    Attributes:
        level: index of the next level to fire.
        next_at_ms: when it fires; None when stopped.
        started_at_ms: what ``after_minutes`` counts from.
        since_ms: when the incident was opened or last reopened: who was called before may be called again.
    """

    level: int = 0
    started_at_ms: int = 0
    since_ms: int = 0
    next_at_ms: int | None = None
    paged: list[Page] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Communication:
    """One update for a status page. ``state``: investigating, identified, resolved."""

    at_ms: int
    page: str
    state: str
    text: str


@dataclass(slots=True, kw_only=True)
class ProblemReview:
    """A review of the underlying problem, owed on a date (local to the domain)."""

    due_date: str
    because: str


@dataclass(slots=True, kw_only=True)
class Incident:
    """One incident or bridge incident; see ``docs/events.md`` for each field in words.

    Its timeline is not on it: each event carries the entries that are new, so that the cost of a revision does not
    grow with the incident's history.

    Attributes:
        priority_by: who fixed the priority; None while the policy's matrix decides it.
        categories: categories of all episodes, the incident's own first.
        services: affected services, of more than `NAMED_MAX` those that were hit first; ``entities`` likewise.
        services_total: how many there are; ``entities_total`` likewise.
        alerts_total: alerts that were decided into the incident, their repeats left out.
        absorbed: ids of the incidents that were merged into it, the newest `ABSORBED_MAX`: what people ask of those is
            meant for it.
        chronic: why it has the lowest urgency though nothing else was looked at: how often its condition has been in
            incidents, and how seldom that mattered; None: it is not ranked down.
        commands: ids of the newest commands applied, so that a repeated one changes nothing.
        news_at_ms: when an episode last joined or changed; what the correlation window counts from.
        resolve_at_ms: when a quiet incident will count as resolved.
    """

    id: str
    space: str
    kind: str = IncidentKind.INCIDENT
    state: str = IncidentState.DETECTED
    revision: int = 0
    title: str = ""
    priority: str = "P4"
    priority_by: str | None = None
    priority_because: list[str] = field(default_factory=list)
    urgency: str = ""
    impact: str = ""
    category: str | None = None
    categories: list[str] = field(default_factory=list)
    domain: str = ""
    policy_version: str = ""
    config_version: str = ""
    service: str | None = None
    owner: str | None = None
    infrastructure_layer: str | None = None
    hosting_model: str | None = None
    runbook: str | None = None
    severity: str = "unknown"
    services: list[str] = field(default_factory=list)
    services_total: int = 0
    entities: list[str] = field(default_factory=list)
    entities_total: int = 0
    symptoms: list[str] = field(default_factory=list)
    who_is_affected: str = ""
    users_affected: int = 0
    reporters: int = 0
    revenue_per_minute: float = 0.0
    regulatory: list[str] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    identified: str | None = None
    opened_at_ms: int = 0
    detected_at_ms: int = 0
    logged_at_ms: int | None = None
    acknowledged_at_ms: int | None = None
    resolve_at_ms: int | None = None
    resolved_at_ms: int | None = None
    closed_at_ms: int | None = None
    updated_at_ms: int = 0
    news_at_ms: int = 0
    assignee: str | None = None
    tickets: list[TicketLink] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    episodes_open: int = 0
    episodes_total: int = 0
    alerts_total: int = 0
    bridge_id: str | None = None
    members: list[str] = field(default_factory=list)
    merged_into: str | None = None
    absorbed: list[str] = field(default_factory=list)
    clocks: dict[str, Clock] = field(default_factory=dict)
    escalation: Escalation = field(default_factory=Escalation)
    communications: list[Communication] = field(default_factory=list)
    resolution: dict[str, Any] | None = None
    problem_review: ProblemReview | None = None
    reopened: int = 0
    chronic: dict[str, Any] | None = None
    commands: list[str] = field(default_factory=list)
    schema: int = INCIDENT_SCHEMA


def incident_from_wire(document: dict[str, Any]) -> Incident:
    """Build an incident from our own topic's JSON. Trusted: only the schema version is checked.

    Raises:
        ValueError: the schema version is not one that this release reads.
    """
    if document.get("schema") != INCIDENT_SCHEMA:
        raise ValueError(f"incident schema {document.get('schema')!r}, this release reads {INCIDENT_SCHEMA}")
    document.setdefault("chronic", None)  # older releases knew of no such thing
    document.setdefault("absorbed", [])  # nor of this
    for names in ("services", "entities"):
        document.setdefault(f"{names}_total", len(document[names]))  # and named all of them
    document["suspects"] = [Suspect(**each) for each in document["suspects"]]
    document["tickets"] = [TicketLink(**each) for each in document["tickets"]]
    document["clocks"] = {name: Clock(**each) for name, each in document["clocks"].items()}
    escalation = document["escalation"]
    escalation["paged"] = [Page(**each) for each in escalation["paged"]]
    document["escalation"] = Escalation(**escalation)
    document["communications"] = [Communication(**each) for each in document["communications"]]
    if document["problem_review"] is not None:
        document["problem_review"] = ProblemReview(**document["problem_review"])
    incident = Incident.__new__(Incident)  # fifty arguments by name take four times as long
    for name in _INCIDENT_FIELDS:
        setattr(incident, name, document[name])
    return incident


_INCIDENT_FIELDS: Final = tuple(each.name for each in fields(Incident))


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
        marks: what correlation rules know it by: kept apart from, put together with (`pipeline.core.ruling`).
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
    joined_order: int = 0


_MEMBER_SCHEMA_UNMARKED: Final = 2
"""Members of before there were rules: the same without marks, which they have none of."""

_MEMBER_VALUES: Final = attrgetter(*(each.name for each in fields(Member)[1:-1]))


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
    if schema == _MEMBER_SCHEMA_UNMARKED:
        values.append([])
    elif schema != MEMBER_SCHEMA:
        raise ValueError(f"member schema {schema!r}, this release reads {MEMBER_SCHEMA}")
    return Member(*(episode_id, *values, order))


def order_of_wire(value: bytes) -> int:
    """The order of a member, without reading all of it."""
    return int(value[value.index(b",") + 1 : value.index(b",", 4)])
