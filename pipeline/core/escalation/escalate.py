"""Escalation: whom a level, a route, a suspect or a fall-back leads to, along the service dependency chain.

Answers who; that they are called, and what goes on record of it, is `pipeline.core.escalation.calling` and its
neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pipeline.core.escalation.oncall import OncallIndex, why_nobody
from pipeline.core.topology import Topology
from pipeline.models.escalation import HOPS_DEFAULT, EscalationLevel, EscalationPath, EscalationRoute
from pipeline.models.incident import Incident
from pipeline.models.incident_parts import Page
from pipeline.models.oncall import Rotation
from pipeline.models.policy import DomainPolicy

MINUTE_MS: Final = 60_000

SERVICES_ASKED_MAX: Final = 20
"""Services of an incident from which the way to a suspect is looked for; more of them are no nearer to it."""


@dataclass(slots=True)
class Found:
    """Whom targets lead to.

    Attributes:
        new: to be called.
        anybody: they lead to somebody, though perhaps to somebody who was called already.
    """

    new: list[Page] = field(default_factory=list)
    anybody: bool = False


@dataclass(frozen=True, slots=True)
class Escalator:
    """Resolves targets to people. In one round nobody is called twice; the record tells who was called."""

    topology: Topology
    oncall: OncallIndex

    def path(self, policy: DomainPolicy, priority: str) -> EscalationPath | None:
        """The path of a priority, or None where the policy does not escalate it."""
        return next((path for path in policy.escalation if priority in path.priorities and path.levels), None)

    def due_ms(self, incident: Incident, path: EscalationPath | None) -> int | None:
        """When the incident's next level fires, its next round begins or its path ends; None after that."""
        escalation = incident.escalation
        if path is None:
            return None
        if escalation.exhausted_at_ms is not None and escalation.level >= len(path.levels):
            return None
        if escalation.level < len(path.levels):
            return escalation.started_at_ms + round(path.levels[escalation.level].after_minutes * MINUTE_MS)
        fired_ms = escalation.fired_at_ms if escalation.fired_at_ms is not None else escalation.started_at_ms
        return fired_ms + round(path.answer_minutes * MINUTE_MS)

    def route(self, incident: Incident, path: EscalationPath) -> EscalationRoute | None:
        """The first route that fits what is suspected."""
        return next((route for route in path.routes if _fits(route, incident)), None)

    def pages(
        self, incident: Incident, path: EscalationPath, level: EscalationLevel, at_ms: int, because: str | None = None
    ) -> list[Page]:
        """Whom a level calls. ``because``: why, where it is not the time that has passed."""
        return self.level(incident, path, level, at_ms, because).new

    def level(
        self, incident: Incident, path: EscalationPath, level: EscalationLevel, at_ms: int, because: str | None = None
    ) -> Found:
        """Whom a level leads to; the first one by the route that was taken."""
        notify = level.notify
        if level is path.levels[0] and incident.escalation.route is not None:
            route = next((each for each in path.routes if each.title == incident.escalation.route), None)
            notify = notify if route is None else (*(route.notify or notify), *route.also)
        return self.find(incident, path.hops_max, notify, at_ms, because or waited(level))

    def find(
        self, incident: Incident, hops_max: int, targets: Iterable[str], at_ms: int, because: str, as_what: str = ""
    ) -> Found:
        """Whom targets lead to. ``as_what`` is what the pages call the target, where it is not itself."""
        found = Found()
        for target in targets:
            for page in self._lead(incident, hops_max, target, at_ms, because, found.new):
                found.anybody = True
                if not known(page.person, incident, found.new):
                    found.new.append(replace(page, target=as_what) if as_what else page)
        return found

    def owners(self, incident: Incident, ref: str, at_ms: int, because: str) -> list[Page]:
        """Pages for the on-call of a service that is suspected."""
        return self._oncall_pages(incident, ref, "suspect", at_ms, because, ahead=0)

    def within(self, incident: Incident, ref: str, hops_max: int) -> int | None:
        """Hops to a suspect beyond the budget, or None where it is within.

        Counted from the incident's service; where that does not need it, from the nearest other one that is affected.
        What none of them needs, as something that was changed beside them, is as far as can be.
        """
        hops = self.topology.distance(incident.service, ref) if incident.service else None
        if hops is None:
            others = [self.topology.distance(each, ref) for each in incident.services[:SERVICES_ASKED_MAX]]
            hops = min((each for each in others if each is not None), default=HOPS_DEFAULT)
        return hops if hops > hops_max else None

    def chain(self, incident: Incident, hops_max: int) -> list[str]:
        """The dependency chain: from the incident's service to the suspect, then on to what the suspect needs."""
        start = incident.service
        if start is None:
            return []
        suspect = incident.identified or (incident.suspects[0].ref if incident.suspects else None)
        way = list(self.topology.path(start, suspect)) if suspect else []
        way = way or [start]
        budget = hops_max + 1
        queue = [way[-1]]
        while queue and len(way) < budget:
            for needed in sorted(self.topology.depends_on(queue.pop(0))):
                if needed not in way and len(way) < budget:
                    way.append(needed)
                    queue.append(needed)
        return way[1:budget]

    def runbook(self, incident: Incident, ref: str | None) -> str | None:
        """The runbook for this kind of incident on this service: by category, else the service's default."""
        entity = self.topology.entities.get(ref) if ref else None
        if entity is None or not entity.runbooks:
            return None
        for category in [incident.category, *incident.categories]:
            if category and category in entity.runbooks:
                return entity.runbooks[category]
        return entity.runbooks.get("default")

    def why_nobody(self, incident: Incident, at_ms: int) -> str:
        """Why nobody is on call for the incident's service, in words."""
        title = self.topology.title(incident.service)
        rotation = self.oncall.rotation_of(incident.service)
        if rotation is None:
            return f"no rotation covers {title}"
        return f"nobody is on call for {title}: {why_nobody(rotation, at_ms)}"

    def by_hand(self, incident: Incident, path: EscalationPath, at_ms: int) -> list[str]:
        """Whom a person may still call where the path has ended: the owner with an address, the on-call, the rest."""
        group = self.oncall.groups.get(incident.owner) if incident.owner else None
        owner = incident.owner if group is None else f"{group.title} ({group.email or group.name})"
        people = [page.person for page in self._oncall_pages(incident, incident.service, "", at_ms, "", ahead=0)]
        return list(dict.fromkeys(each for each in (owner, *people, *path.fallback) if each))

    def _lead(
        self, incident: Incident, hops_max: int, target: str, at_ms: int, because: str, pending: Sequence[Page]
    ) -> list[Page]:
        if target in ("oncall", "oncall-secondary"):
            ahead = 0 if target == "oncall" else 1
            return self._oncall_pages(incident, incident.service, target, at_ms, because, ahead=ahead)
        if target == "dependency":
            for ref in self.chain(incident, hops_max):
                pages = self._oncall_pages(incident, ref, target, at_ms, because, ahead=0)
                if any(not known(page.person, incident, pending) for page in pages):
                    return pages
            return []
        if target == "owner":
            return [self._page(incident, incident.owner, target, at_ms, because)] if incident.owner else []
        group = self.oncall.groups.get(target)
        rotation = self.oncall.rotations.get(target)
        if rotation is None and group is not None and group.oncall:
            rotation = self.oncall.rotations.get(group.oncall)
        if rotation is None:
            return [self._page(incident, target, target, at_ms, because)]
        return self._turn(incident, rotation, target, at_ms, because)

    def _oncall_pages(
        self, incident: Incident, ref: str | None, target: str, at_ms: int, because: str, *, ahead: int
    ) -> list[Page]:
        rotation = self.oncall.rotation_of(ref)
        return [] if rotation is None else self._turn(incident, rotation, target, at_ms, because, ref, ahead=ahead)

    def _turn(
        self,
        incident: Incident,
        rotation: Rotation,
        target: str,
        at_ms: int,
        because: str,
        ref: str | None = None,
        *,
        ahead: int = 0,
    ) -> list[Page]:
        """Pages for whoever is called of a rotation, or of those that stand in for it."""
        called = self.oncall.answering(rotation, at_ms, ahead=ahead)
        return [self._page(incident, each.person, target, at_ms, because, each.rotation, ref) for each in called]

    def _page(
        self,
        incident: Incident,
        person: str,
        target: str,
        at_ms: int,
        because: str,
        rotation: str | None = None,
        ref: str | None = None,
    ) -> Page:
        about = ref or incident.service
        return Page(
            at_ms=at_ms,
            person=person,
            rotation=rotation,
            service=about,
            target=target,
            runbook=self.runbook(incident, about) or self.runbook(incident, incident.service),
            because=because,
        )


def known(person: str, incident: Incident, pending: Iterable[Page] = ()) -> bool:
    """Whether a person was called already in this round."""
    escalation = incident.escalation
    recent = escalation.paged[escalation.called_from :]
    return any(person == each.person for each in recent) or any(person == each.person for each in pending)


def waited(level: EscalationLevel) -> str:
    """Why a level fires, where it is the time that has passed."""
    return "opened" if level.after_minutes == 0 else f"not acknowledged after {level.after_minutes:g} minutes"


def _fits(route: EscalationRoute, incident: Incident) -> bool:
    return (
        (not route.hosting_model or incident.hosting_model in route.hosting_model)
        and (not route.layers or incident.infrastructure_layer in route.layers)
        and (not route.categories or incident.category in route.categories)
    )
