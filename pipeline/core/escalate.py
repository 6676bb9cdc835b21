"""Escalation: who is called next, without a person pushing, along the service dependency chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.core.oncall import OncallIndex
from pipeline.core.topology import Topology
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.incident import Incident
from pipeline.models.incident_parts import Page
from pipeline.models.policy import DomainPolicy

MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Escalator:
    """Resolves an escalation level to people. Nobody is called twice while an incident lasts; its record tells more."""

    topology: Topology
    oncall: OncallIndex

    def path(self, policy: DomainPolicy, priority: str) -> EscalationPath | None:
        """The path of a priority, or None where the policy does not escalate it."""
        return next((path for path in policy.escalation if priority in path.priorities), None)

    def due_ms(self, incident: Incident, path: EscalationPath | None) -> int | None:
        """When the incident's next level fires; None after the last."""
        escalation = incident.escalation
        if path is None or escalation.level >= len(path.levels):
            return None
        return escalation.started_at_ms + round(path.levels[escalation.level].after_minutes * MINUTE_MS)

    def pages(self, incident: Incident, path: EscalationPath, level: EscalationLevel, at_ms: int) -> list[Page]:
        """Whom a level calls."""
        because = "opened" if level.after_minutes == 0 else f"not acknowledged after {level.after_minutes:g} minutes"
        pages: list[Page] = []
        for target in level.notify:
            page = self._page(incident, path, target, at_ms, because, pages)
            if page is not None and not _known(page, incident, pages):
                pages.append(page)
        return pages

    def engage(self, incident: Incident, ref: str, at_ms: int, because: str) -> tuple[Page | None, bool]:
        """The page for the on-call of a service that became suspect, and whether that person was called already."""
        page = self._oncall_page(incident, ref, "suspect", at_ms, because, ahead=0)
        return page, page is not None and _known(page, incident, [])

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

    def _page(
        self, incident: Incident, path: EscalationPath, target: str, at_ms: int, because: str, pending: list[Page]
    ) -> Page | None:
        if target in ("oncall", "oncall-secondary"):
            ahead = 0 if target == "oncall" else 1
            return self._oncall_page(incident, incident.service, target, at_ms, because, ahead=ahead)
        if target == "dependency":
            for ref in self.chain(incident, path.hops_max):
                page = self._oncall_page(incident, ref, target, at_ms, because, ahead=0)
                if page is not None and not _known(page, incident, pending):
                    return page
            return None
        runbook = self.runbook(incident, incident.service)
        rotation = self.oncall.rotations.get(target)
        person = incident.owner if target == "owner" else target
        if rotation is not None:
            person = next((each.person for each in self.oncall.answering(rotation, at_ms)), None)
        if person is None:
            return None
        return Page(
            at_ms=at_ms,
            person=person,
            rotation=rotation.name if rotation else None,
            service=incident.service,
            target=target,
            runbook=runbook,
            because=because,
        )

    def _oncall_page(
        self, incident: Incident, ref: str | None, target: str, at_ms: int, because: str, *, ahead: int
    ) -> Page | None:
        rotation = self.oncall.rotation_of(ref)
        called = self.oncall.answering(rotation, at_ms, ahead=ahead) if rotation is not None else ()
        if not called:
            return None
        return Page(
            at_ms=at_ms,
            person=called[0].person,
            rotation=called[0].rotation,
            service=ref,
            target=target,
            runbook=self.runbook(incident, ref) or self.runbook(incident, incident.service),
            because=because,
        )


def _known(page: Page, incident: Incident, pending: list[Page]) -> bool:
    """Whether the person was called already since the incident was opened or reopened."""
    escalation = incident.escalation
    recent = [each for each in escalation.paged if each.at_ms >= escalation.since_ms]
    return any(page.person == each.person for each in [*recent, *pending])
