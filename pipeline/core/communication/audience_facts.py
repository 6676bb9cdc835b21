"""Facts: what a message to an audience may say of an incident. A list for each audience, and nothing beside it.

A template never gets the incident. It gets the facts of its audience: numbers, words of ours and names from the
catalogue for those outside; impact and progress for executives; everything for those who work on it. What people and
monitors wrote (titles, notes, tickets, symptoms, reasons) is among the facts of responders alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from pipeline.core.communication.templates import FACT_CHARACTERS_MAX, LIST_ITEMS_MAX, MESSAGE_CHARACTERS_MAX
from pipeline.core.practice.lifecycle import OPEN_STATES, UNANSWERED_STATES
from pipeline.core.topology import Topology
from pipeline.models.incident import Incident, IncidentKind, IncidentState
from pipeline.models.policy import DomainPolicy

OUTWARD_KINDS: Final = frozenset({"component", "system"})
"""What is named outside: a service by its title. A database, a host, a rack is nobody's business there."""

UNNAMED: Final = "one of our services"

_MINUTE_MS: Final = 60_000
_WAITS_FOR: Final = {
    IncidentState.WAITING_CUSTOMER: "a customer",
    IncidentState.WAITING_VENDOR: "a supplier",
    IncidentState.WAITING_PROVIDER: "a provider",
}


@dataclass(frozen=True, slots=True)
class About:
    """What facts are taken from.

    Attributes:
        state: of the stream of messages; a name of `pipeline.models.communications.STATES`.
        number: which message of the stream it is.
        next_update_ms: when the next message is promised; None: none is.
        timezone: of the audience.
        message: what a person says to this audience; it was written for it.
    """

    incident: Incident
    policy: DomainPolicy
    topology: Topology
    now_ms: int
    state: str
    number: int = 1
    next_update_ms: int | None = None
    timezone: str = "UTC"
    message: str = ""


Fact = Callable[[About], Any]


def outward(about: About, ref: str | None) -> str | None:
    """What a service is called outside; None: it is not named there."""
    entity = about.topology.entities.get(ref or "")
    if entity is None:
        return None
    names = about.policy.communication.names
    for key in (entity.ref, entity.name):
        if key in names:
            return names[key] or None
    return entity.title if entity.kind in OUTWARD_KINDS else None


def _services(about: About) -> list[str]:
    incident = about.incident
    found = (outward(about, ref) for ref in (incident.service, *incident.services))
    return sorted({name for name in found if name is not None})


def _service(about: About) -> str:
    return outward(about, about.incident.service) or next(iter(_services(about)), UNNAMED)


def _ended_ms(about: About) -> int | None:
    incident = about.incident
    return incident.resolved_at_ms or (about.now_ms if incident.state not in OPEN_STATES else None)


def _lasted(about: About) -> int:
    return max(0, (_ended_ms(about) or about.now_ms) - about.incident.detected_at_ms)


def _cause(about: About) -> str:
    """The probable cause by its title in the catalogue; a machine has its host name as title and is not named."""
    ref = about.incident.identified or ""
    entity = about.topology.entities.get(ref)
    return entity.title if entity is not None and about.topology.hosting(ref) != "host" else ""


def _team(about: About) -> str:
    """The team that owns the service by the catalogue: never a person, never what somebody typed."""
    entity = about.topology.entities.get(about.incident.service or "")
    return (entity.owner or "") if entity is not None else ""


def _answered(about: About) -> bool:
    return about.incident.state not in UNANSWERED_STATES


def _duties(about: About) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "notify": each.notify, "due": each.due_at_ms, "done": each.done_at_ms is not None}
        for each in about.incident.duties
    ]


def _revenue_so_far(about: About) -> int:
    return round(about.incident.revenue_per_minute * _lasted(about) / _MINUTE_MS)


def _suspects(about: About) -> list[dict[str, Any]]:
    return [
        {"title": about.topology.title(each.ref), "because": each.because, "change": each.change_id or ""}
        for each in about.incident.suspects
    ]


def _links(about: About) -> list[dict[str, Any]]:
    return [
        {name: str(each.get(name) or "") for name in ("kind", "id", "url", "state")} for each in about.incident.links
    ]


def _called(about: About) -> list[dict[str, Any]]:
    return [{"person": each.person, "because": each.because} for each in about.incident.escalation.paged]


_OUTSIDE: Final[dict[str, Fact]] = {
    "state": lambda about: about.state,
    "company": lambda about: about.policy.title,
    "service": _service,
    "services": _services,
    "since": lambda about: about.incident.detected_at_ms,
    "now": lambda about: about.now_ms,
    "ended": _ended_ms,
    "lasted": _lasted,
    "reopened": lambda about: about.incident.reopened > 0,
    "major": lambda about: about.incident.kind == IncidentKind.BRIDGE,
    "waiting_for": lambda about: _WAITS_FOR.get(IncidentState(about.incident.state), ""),
    "number": lambda about: about.number,
    "next_update": lambda about: about.next_update_ms,
    "timezone": lambda about: about.timezone,
    "currency": lambda about: about.policy.communication.currency,
    "message": lambda about: about.message,
}
"""What anybody may see."""

_AFFECTED: Final[dict[str, Fact]] = {
    **_OUTSIDE,
    "reference": lambda about: about.incident.id,
}
"""What those who are affected may see: what anybody may, and what to quote when they write."""

_EXECUTIVE: Final[dict[str, Fact]] = {
    **_AFFECTED,
    "priority": lambda about: about.incident.priority,
    "users": lambda about: about.incident.users_affected,
    "revenue_per_minute": lambda about: about.incident.revenue_per_minute,
    "revenue_so_far": _revenue_so_far,
    "regulatory": lambda about: about.incident.regulatory,
    "tickets": lambda about: len(about.incident.tickets),
    "members": lambda about: len(about.incident.members),
    "cause": _cause,
    "team": _team,
    "answered": _answered,
    "workaround": lambda about: about.incident.state == IncidentState.MITIGATED,
    "duties": _duties,
}
"""What executives may see: impact, what it costs, what is being done, what is owed. No person, no machine."""

_INSIDE: Final[dict[str, Fact]] = {
    **_EXECUTIVE,
    "title": lambda about: about.incident.title,
    "domain": lambda about: about.incident.domain,
    "affected": lambda about: about.incident.who_is_affected,
    "because": lambda about: about.incident.priority_because,
    "category": lambda about: about.incident.category or "",
    "cause": lambda about: about.topology.title(about.incident.identified) if about.incident.identified else "",
    "suspects": _suspects,
    "symptoms": lambda about: about.incident.symptoms,
    "assignee": lambda about: about.incident.assignee or "",
    "runbook": lambda about: about.incident.runbook or "",
    "links": _links,
    "called": _called,
    "bridge": lambda about: about.incident.bridge_id or "",
    "layer": lambda about: about.incident.infrastructure_layer or "",
    "hosting": lambda about: about.incident.hosting_model or "",
}
"""What responders may see: everything."""

FACTS: Final[dict[str, dict[str, Fact]]] = {
    "public": _OUTSIDE,
    "affected_users": _AFFECTED,
    "executives": _EXECUTIVE,
    "responders": _INSIDE,
}
"""View -> its facts by name."""

LISTS: Final = frozenset({"services", "regulatory", "duties", "because", "suspects", "symptoms", "links", "called"})
"""Facts that are lists: what a template may loop over."""


_FOR_FILTERS: Final = frozenset({"timezone", "now", "currency"})
"""Facts that filters ask for, whatever the template names."""


def facts_of(view: str, about: About, only: Collection[str] | None = None) -> dict[str, Any]:
    """The facts of a view, each of them plain and bounded; of ``only`` these names where they are given."""
    facts = FACTS[view]
    names = facts if only is None else [name for name in facts if name in only or name in _FOR_FILTERS]
    return {name: _plain(name, facts[name](about)) for name in names}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return value[: MESSAGE_CHARACTERS_MAX if name == "message" else FACT_CHARACTERS_MAX]
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, dict):
        return {key: _plain(key, each) for key, each in value.items()}
    return _listed(value)


def _listed(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(_plain("", each) for each in list(values)[:LIST_ITEMS_MAX])
