"""The incident: one record of one failure, with its lifecycle, owner, clocks, evidence and timeline.

Incidents travel on our own topics only, so they are plain slotted dataclasses, as alerts are. Times are epoch
milliseconds, UTC. The field names are the wire's: the snapshot in each event is the dataclass as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from functools import partial
from typing import Any, Final

from pipeline.models.incident_clock import Clock
from pipeline.models.incident_parts import (
    AudienceStream,
    CaseOwed,
    Communication,
    Correction,
    CorrectiveAction,
    Declaration,
    Duty,
    Engagement,
    Escalation,
    MajorIncident,
    Page,
    ProblemReview,
    Suspect,
    TicketLink,
    Waiting,
)

INCIDENT_SCHEMA: Final = 1


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
    """Where an incident is in its life. The transitions are in `pipeline.core.practice.lifecycle`."""

    DETECTED = "detected"
    LOGGED = "logged"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    ESCALATED = "escalated"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_VENDOR = "waiting_vendor"
    WAITING_PROVIDER = "waiting_provider"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    MERGED = "merged"
    CANCELLED = "cancelled"


class IncidentChange(StrEnum):
    """What a revision was about; ends the CloudEvents type. Where one record did several, the first listed wins."""

    OPENED = "opened"
    PROPOSED = "proposed"
    MERGED = "merged"
    SPLIT = "split"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    MITIGATED = "mitigated"
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


AUDITED: Final = (
    "state",
    "priority",
    "urgency",
    "impact",
    "severity",
    "title",
    "category",
    "domain",
    "service",
    "owner",
    "assignee",
    "users_affected",
    "revenue_per_minute",
    "identified",
    "bridge_id",
    "merged_into",
    "policy_version",
    "commander",
    "status",
)
"""Fields of which each action on the timeline says what they were before and after: those that people act upon."""


@dataclass(slots=True, kw_only=True)
class Incident:
    """One incident or bridge incident; see ``docs/events.md`` for each field in words.

    Its timeline is not on it: each event carries the entries that are new, so that the cost of a revision does not
    grow with the incident's history.

    Attributes:
        priority_rank: place of the priority in the scale of its domain, 0 the most urgent: what compares priorities of
            several domains goes by it; None on records of a release that did not say.
        priority_by: who fixed the priority; None while the policy's matrix decides it.
        categories: categories of all episodes, the incident's own first.
        services: affected services, of more than `NAMED_MAX` those that were hit first; ``entities`` likewise.
        services_total: how many there are; ``entities_total`` likewise.
        alerts_total: alerts that were decided into the incident, their repeats left out.
        absorbed: ids of the incidents that were merged into it, the newest `ABSORBED_MAX`: what people ask of those is
            meant for it.
        engaged: owners of suspects who were brought in, and whether they were let go.
        cleared: suspects that a person has cleared, by reference: they are not suspected again until it is reopened.
        cases_owed: provider's cases and vendor's tickets that somebody has to open and link.
        chronic: why it has the lowest urgency though nothing else was looked at: how often its condition has been in
            incidents, and how seldom that mattered; None: it is not ranked down.
        muted: since when nobody is called and nothing published for it, and by what: all of it that fires is expected
            or silenced; ``until_ms`` where time alone ends that; None: it is not muted.
        chain: seal of the newest revision, which the next one is sealed with (`pipeline.core.chain`).
        communications: messages to audiences, oldest first; of many the first ones and the newest.
        streams: where the messages to each audience are.
        duties: notices that are owed, and those that were given.
        domains: service domains of a bridge incident's members, whose audiences are told.
        sites: where what it is about stands, of more than `NAMED_MAX` those that were hit first.
        commander: who leads the response to a Major Incident.
        status: coordinated status of a bridge incident (`pipeline.models.major.CoordinatedStatus`).
        major: what makes a bridge incident the record of a Major Incident.
        member_states: of a bridge incident: state -> how many members are in it.
        linked: of a bridge incident: its own and its members' tickets, provider cases and vendor tickets side by side:
            ``member``, ``kind``, ``id``, ``state``, ``url``; at most `NAMED_MAX` of ``linked_total``.
        parted: incidents that were members and are none any more, the newest `ABSORBED_MAX`.
        declared: that a person declared it a Major Incident.
        corrected: that a person has put the estimates of its impact right.
        commands: ids of the newest commands applied, so that a repeated one changes nothing.
        news_at_ms: when an episode last joined or changed; what the correlation window counts from.
        resolve_at_ms: when a quiet incident will count as resolved.
        closed_at_ms: when it was closed or cancelled.
        state_since_ms: since when it is in its state; 0: since it was detected.
        time_in: state -> milliseconds spent in it before ``state_since_ms``. Of an ended incident they add up to its
            age, to the millisecond.
        last_step_at_ms: step of the life of an incident, or command that sets a value -> when it was last taken, by
            the clock of who asked for it.
        waiting: whom it waits for, the newest last; several at a time may be.
        waiting_for: of those the one that its state is about; ``waiting_since_ms``: since when it waits for anybody.
        mitigated_at_ms: when a workaround restored the service; None: none did, or it did not hold.
        workaround: what restored it.
        known_errors: known errors that fit, each with its workaround.
        corrective_actions: what is to be done, and what was, so that it does not come back.
        settle_at_ms: a person has resolved it while monitors reported it still: when it is reopened if they still do;
            None: none has.
        remind_at_ms: when its owner is next reminded that it is not documented.
    """

    id: str
    space: str
    kind: str = IncidentKind.INCIDENT
    state: str = IncidentState.DETECTED
    revision: int = 0
    title: str = ""
    priority: str = "P4"
    priority_rank: int | None = None
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
    engaged: list[Engagement] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    cases_owed: list[CaseOwed] = field(default_factory=list)
    communications: list[Communication] = field(default_factory=list)
    streams: dict[str, AudienceStream] = field(default_factory=dict)
    duties: list[Duty] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    resolution: dict[str, Any] | None = None
    problem_review: ProblemReview | None = None
    reopened: int = 0
    chronic: dict[str, Any] | None = None
    muted: dict[str, Any] | None = None
    commands: list[str] = field(default_factory=list)
    chain: str = ""
    state_since_ms: int = 0
    time_in: dict[str, int] = field(default_factory=dict)
    last_step_at_ms: dict[str, int] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    waiting_for: str | None = None
    waiting_since_ms: int | None = None
    mitigated_at_ms: int | None = None
    workaround: str | None = None
    known_errors: list[dict[str, Any]] = field(default_factory=list)
    corrective_actions: list[CorrectiveAction] = field(default_factory=list)
    settle_at_ms: int | None = None
    remind_at_ms: int | None = None
    sites: list[str] = field(default_factory=list)
    commander: str | None = None
    status: str = ""
    major: MajorIncident | None = None
    member_states: dict[str, int] = field(default_factory=dict)
    linked: list[dict[str, Any]] = field(default_factory=list)
    linked_total: int = 0
    parted: list[str] = field(default_factory=list)
    declared: Declaration | None = None
    corrected: Correction | None = None
    schema: int = INCIDENT_SCHEMA


def incident_from_wire(document: dict[str, Any]) -> Incident:
    """Build an incident from our own topic's JSON. Trusted: only the schema version is checked.

    Raises:
        ValueError: the schema version is not one that this release reads.
    """
    if document.get("schema") != INCIDENT_SCHEMA:
        raise ValueError(f"incident schema {document.get('schema')!r}, this release reads {INCIDENT_SCHEMA}")
    document.setdefault("state_since_ms", document.get("updated_at_ms", 0))  # what was before is not known
    for name, make in _SINCE.items():
        if name not in document:  # an older release knew of no such thing
            document[name] = make()
    for names in ("services", "entities"):
        document.setdefault(f"{names}_total", len(document[names]))  # and named all of them
    document["suspects"] = [Suspect(**each) for each in document["suspects"]]
    document["tickets"] = [TicketLink(**each) for each in document["tickets"]]
    document["clocks"] = {name: Clock(**each) for name, each in document["clocks"].items()}
    escalation = document["escalation"]
    escalation["paged"] = [Page(**each) for each in escalation["paged"]]
    document["escalation"] = Escalation(**escalation)
    document["engaged"] = [Engagement(**each) for each in document["engaged"]]
    document["cases_owed"] = [CaseOwed(**each) for each in document["cases_owed"]]
    document["communications"] = [Communication(**each) for each in document["communications"]]
    document["streams"] = {name: AudienceStream(**each) for name, each in document["streams"].items()}
    document["duties"] = [Duty(**each) for each in document["duties"]]
    for name, part in _PARTS.items():
        if document[name] is not None:
            document[name] = part(**document[name])
    document["waiting"] = [Waiting(**each) for each in document["waiting"]]
    document["corrective_actions"] = [CorrectiveAction(**each) for each in document["corrective_actions"]]
    incident = Incident.__new__(Incident)  # fifty arguments by name take four times as long
    for name in _INCIDENT_FIELDS:
        setattr(incident, name, document[name])
    return incident


_PARTS: Final[dict[str, Callable[..., Any]]] = {
    "problem_review": ProblemReview,
    "major": MajorIncident,
    "declared": Declaration,
    "corrected": Correction,
}
"""Parts of which an incident has one or none."""


def _same(value: Any) -> Any:
    return value


_INCIDENT_FIELDS: Final = tuple(each.name for each in fields(Incident))

_COUNTED: Final = frozenset({"id", "space", "services_total", "entities_total"})
_SINCE: Final[dict[str, Callable[[], Any]]] = {
    each.name: each.default_factory if each.default_factory is not MISSING else partial(_same, each.default)
    for each in fields(Incident)
    if each.name not in _COUNTED
}
"""What a field is on the record of a release that did not have it: its default."""
