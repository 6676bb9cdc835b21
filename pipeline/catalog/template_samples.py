"""Incidents of each kind, on which every template is tried when it is loaded, not first at night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.core.communication.audience_facts import About
from pipeline.core.topology import Topology
from pipeline.models.catalog import Catalogue
from pipeline.models.communications import SPOKEN, STATES, UPDATE
from pipeline.models.incident import Incident, IncidentKind, IncidentState
from pipeline.models.incident_parts import Duty, Page, Suspect, TicketLink
from pipeline.models.policy import DomainPolicy

_BEGAN_MS: Final = 1_773_136_800_000
_NOW_MS: Final = _BEGAN_MS + 90 * 60_000
_TOPOLOGY: Final = Topology(Catalogue())


def samples(policy: DomainPolicy, name: str, timezone: str) -> Iterator[About]:
    """What a template may have to say, from the barest to the fullest."""
    states = [name] if name in STATES else ["investigating", "identified", "waiting", "mitigated"]
    for incident in (_bare(), _full(), _bridge(), _over()):
        for state in states:
            ended = incident.resolved_at_ms is not None
            yield About(
                incident,
                policy,
                _TOPOLOGY,
                _NOW_MS,
                state,
                number=3 if name == UPDATE else 1,
                next_update_ms=None if ended or state == "resolved" else _NOW_MS + 1_800_000,
                timezone=timezone,
                message="A sentence that somebody has written." if name == SPOKEN else "",
            )


def _bare() -> Incident:
    return Incident(id="INC-SAMPLE", space="production", state=IncidentState.LOGGED, detected_at_ms=_BEGAN_MS)


def _full() -> Incident:
    names = ["component:default/checkout", "component:default/payments-api"]
    return Incident(
        id="INC-SAMPLE",
        space="production",
        state=IncidentState.WAITING_PROVIDER,
        title="Checkout: requests fail",
        priority="P1",
        priority_because=["tier 1 service", "critical severity"],
        category="database",
        service=names[0],
        owner="payments",
        services=names,
        symptoms=["requests fail", "connections are used up"],
        who_is_affected="about 12,500 users of Checkout",
        users_affected=12_500,
        revenue_per_minute=9_000.0,
        regulatory=["pci-dss"],
        identified=names[1],
        suspects=[Suspect(ref=names[1], score=0.9, because=["it broke first", "two need it"], change_id="CHG-1")],
        detected_at_ms=_BEGAN_MS,
        acknowledged_at_ms=_BEGAN_MS + 60_000,
        assignee="payments",
        runbook="https://runbooks.example/checkout",
        tickets=[TicketLink(id="T-1", feed="desk", state="open", summary="cannot pay", episode_id="EP-1")],
        links=[{"kind": "provider_case", "id": "C-1", "url": None, "state": "open"}],
        reopened=1,
        duties=[Duty(name="gdpr", notify="the data protection officer", due_at_ms=_NOW_MS, because="regulated")],
    )


def _bridge() -> Incident:
    incident = _full()
    incident.kind, incident.members, incident.state = IncidentKind.BRIDGE, ["INC-A", "INC-B"], IncidentState.MITIGATED
    page = Page(
        at_ms=_BEGAN_MS,
        person="ann",
        rotation="payments",
        service=None,
        target="oncall",
        runbook=None,
        because="on call for payments",
    )
    incident.escalation.paged = [page]
    return incident


def _over() -> Incident:
    incident = _full()
    incident.state, incident.resolved_at_ms = IncidentState.RESOLVED, _NOW_MS
    return incident
