"""The incident desk: every action on an incident, each on its timeline. Shared by incidents and bridge incidents.

Nothing here decides what belongs together; that is correlate's. Here: logging, acknowledgement, assignment, paging,
clocks, status-page updates, resolution, closure, reopening. State moves by `pipeline.core.lifecycle` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipeline.core import lifecycle
from pipeline.core.calendars import next_business_day
from pipeline.core.draft import Draft
from pipeline.core.escalate import Escalator
from pipeline.core.lifecycle import Step
from pipeline.core.prioritise import clocks
from pipeline.core.topology import Topology
from pipeline.models.command import Link, Resolution
from pipeline.models.incident import (
    Communication,
    Incident,
    IncidentChange,
    IncidentKind,
    IncidentState,
    Page,
    ProblemReview,
)
from pipeline.models.policy import Config, DomainPolicy

MACHINE: Final = "spillway"
"""Actor of what nobody asked for."""

MINUTE_MS: Final = 60_000

LINKS_MAX: Final = 50
"""Records elsewhere that one incident names: more than any has, and bounds the record."""

POLICIES_REMEMBERED_MAX: Final = 256
"""Domains whose pack is remembered: more than any company has, and bounds memory where alerts name their own."""

_STEP_CHANGE: Final[dict[Step, IncidentChange]] = {
    Step.ACKNOWLEDGE: IncidentChange.ACKNOWLEDGED,
    Step.UNACKNOWLEDGE: IncidentChange.UPDATED,
    Step.START: IncidentChange.UPDATED,
    Step.RESOLVE: IncidentChange.RESOLVED,
    Step.REOPEN: IncidentChange.REOPENED,
    Step.CLOSE: IncidentChange.CLOSED,
    Step.MERGE: IncidentChange.MERGED,
    Step.LOG: IncidentChange.OPENED,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Actions on incidents under a configuration."""

    config: Config
    topology: Topology
    escalator: Escalator
    _policies: dict[str | None, DomainPolicy] = field(default_factory=dict, repr=False, compare=False)

    def policy(self, incident: Incident) -> DomainPolicy:
        """The policy pack of the incident's domain."""
        return self.policy_of(incident.domain)

    def policy_of(self, domain: str | None) -> DomainPolicy:
        """The policy pack of a domain. Building the defaults of one that has none costs more than a decision."""
        known = self._policies.get(domain)
        if known is None:
            known = self.config.policy(domain)
            if len(self._policies) < POLICIES_REMEMBERED_MAX:
                self._policies[domain] = known
        return known

    def step(self, draft: Draft, step: Step, actor: str, text: str) -> bool:
        """Move the incident's state, or say on the record that the step means nothing here."""
        incident = draft.incident
        after = lifecycle.advance(incident.state, step)
        if after is None:
            draft.note(f"refused_{step}", actor, f"{step} changes nothing: the incident is {incident.state}")
            return False
        incident.state = after
        draft.note(step, actor, text, _STEP_CHANGE[step])
        return True

    # -- the response

    def acknowledge(self, draft: Draft, actor: str, note: str | None = None) -> None:
        """Somebody has it: the response clock is met and escalation stops."""
        text = f"{actor} acknowledged" + (f": {note}" if note else "")
        if self.step(draft, Step.ACKNOWLEDGE, actor, text):
            incident = draft.incident
            incident.acknowledged_at_ms = incident.acknowledged_at_ms or draft.now_ms
            self._meet(draft, "response")
            incident.escalation.next_at_ms = None

    def start(self, draft: Draft, actor: str, note: str | None = None) -> None:
        """Work has begun; that acknowledges as well."""
        if self.step(draft, Step.START, actor, f"{actor} works on it" + (f": {note}" if note else "")):
            incident = draft.incident
            incident.acknowledged_at_ms = incident.acknowledged_at_ms or draft.now_ms
            self._meet(draft, "response")
            incident.escalation.next_at_ms = None

    def assign(self, draft: Draft, actor: str, assignee: str) -> None:
        """Give it to somebody."""
        draft.incident.assignee = assignee
        draft.note("assign", actor, f"assigned to {assignee}", IncidentChange.ASSIGNED)

    def link(self, draft: Draft, actor: str, link: Link) -> None:
        """Attach a record elsewhere, or bring its state up to date."""
        links = draft.incident.links
        known = next((each for each in links if (each["kind"], each["id"]) == (link.kind, link.id)), None)
        if known is None and len(links) >= LINKS_MAX:
            draft.note("refused_link", actor, f"link changes nothing: the incident has {LINKS_MAX} links already")
            return
        if known is None:
            links.append(link.model_dump())
        else:
            known.update(link.model_dump(exclude_none=True))
        state = f" ({link.state})" if link.state else ""
        draft.note("link", actor, f"linked {link.kind} {link.id}{state}", IncidentChange.UPDATED)

    # -- calling people

    def begin_escalation(self, draft: Draft) -> None:
        """Start the escalation path of the incident's priority from its first level, now."""
        escalation = draft.incident.escalation
        escalation.level, escalation.started_at_ms = 0, draft.now_ms
        self._reschedule_escalation(draft.incident)
        self.escalate(draft)

    def escalate(self, draft: Draft) -> None:
        """Fire every level that is due, unless somebody has acknowledged."""
        incident = draft.incident
        path = self.escalator.path(self.policy(incident), incident.priority)
        escalation = incident.escalation
        if escalation.next_at_ms is not None:
            # The path may be another one since the deadline was set (priority, configuration). Where it is gone or
            # shorter, the old deadline would be due for ever.
            self._reschedule_escalation(incident)
        while path and escalation.next_at_ms is not None and escalation.next_at_ms <= draft.now_ms:
            level = path.levels[escalation.level]
            for page in self.escalator.pages(incident, path, level, draft.now_ms):
                self.page(draft, page)
            if not escalation.paged:
                who = f"nobody is on call for {self.topology.title(incident.service)}"
                draft.note("page_failed", MACHINE, f"{who}: level {escalation.level + 1} called nobody")
            escalation.level += 1
            self._reschedule_escalation(incident)

    def page(self, draft: Draft, page: Page) -> None:
        """Call somebody, with the runbook."""
        draft.incident.escalation.paged.append(page)
        service = f" for {self.topology.title(page.service)}" if page.service else ""
        runbook = f"; runbook {page.runbook}" if page.runbook else ""
        rotation = f" ({page.rotation})" if page.rotation else ""
        draft.note(
            "page",
            MACHINE,
            f"paged {page.person}{rotation}{service}: {page.because}{runbook}",
            IncidentChange.ESCALATED,
            person=page.person,
            target=page.target,
            service=page.service,
            runbook=page.runbook,
        )

    def _reschedule_escalation(self, incident: Incident) -> None:
        waits = incident.state in (IncidentState.DETECTED, IncidentState.LOGGED)
        path = self.escalator.path(self.policy(incident), incident.priority) if waits else None
        incident.escalation.next_at_ms = self.escalator.due_ms(incident, path)

    # -- clocks

    def set_clocks(self, draft: Draft) -> None:
        """Set the clocks of the incident's priority, counted from detection; what was met or missed stays so."""
        incident = draft.incident
        before = incident.clocks
        incident.clocks = clocks(self.policy(incident), incident.priority, incident.detected_at_ms)
        for name, clock in incident.clocks.items():
            known = before.get(name)
            if known is not None and (known.met_at_ms is not None or known.breached_at_ms is not None):
                clock.met_at_ms, clock.breached_at_ms, clock.warn_at_ms = known.met_at_ms, known.breached_at_ms, None

    def run_clocks(self, draft: Draft) -> None:
        """Warn and record breaches that are due."""
        for name, clock in draft.incident.clocks.items():
            if clock.met_at_ms is not None:
                continue
            if clock.warn_at_ms is not None and clock.warn_at_ms <= draft.now_ms:
                clock.warn_at_ms = None
                left_ms = clock.due_at_ms - draft.now_ms
                if left_ms > 0:  # a priority that rose late may find its target missed already
                    left = max(1, round(left_ms / MINUTE_MS))
                    text = f"{name} target is due in {left} minute{'s' if left > 1 else ''}"
                    draft.note("sla_warning", MACHINE, text, IncidentChange.SLA_WARNING, clock=name)
            if clock.breached_at_ms is None and clock.due_at_ms <= draft.now_ms:
                clock.breached_at_ms, clock.warn_at_ms = clock.due_at_ms, None
                text = f"{name} target of {draft.incident.priority} was missed"
                draft.note("sla_breached", MACHINE, text, IncidentChange.SLA_BREACHED, clock=name)

    def _meet(self, draft: Draft, name: str) -> None:
        clock = draft.incident.clocks.get(name)
        if clock is not None and clock.met_at_ms is None:
            clock.met_at_ms, clock.warn_at_ms = draft.now_ms, None

    # -- telling people

    def communicate(self, draft: Draft, state: str, text: str) -> None:
        """Add a status-page update where the policy shows this priority, once for each state in a row.

        Once there is a bridge incident, it alone speaks for its members.
        """
        incident = draft.incident
        told = incident.communications
        policy = self.policy(incident).communication
        shown = told or (incident.priority in policy.status_page and state != "resolved")
        if incident.bridge_id is not None or not shown or (told and told[-1].state == state):
            return
        told.append(Communication(at_ms=draft.now_ms, page=policy.page_name, state=state, text=text))
        draft.note("status_page", MACHINE, f"status page, {state}: {text}", state=state, page=policy.page_name)

    # -- the end

    def resolve(self, draft: Draft, actor: str, resolution: Resolution | None) -> bool:
        """Service is restored: clocks stop, every linked ticket is told, a problem review is owed where policy says."""
        incident = draft.incident
        if incident.state == IncidentState.RESOLVED and actor != MACHINE and resolution is not None:
            return self._complete(draft, actor, resolution)
        missing = self._missing(incident, actor, resolution)
        if missing:
            text = f"not resolved: the {incident.domain} policy asks for {', '.join(missing)}"
            draft.note("refused_resolve", actor, text, missing=missing)
            return False
        said = resolution.summary if resolution else "all alerts are clear"
        if not self.step(draft, Step.RESOLVE, actor, f"resolved by {actor}: {said}"):
            return False
        incident.resolved_at_ms, incident.resolve_at_ms = draft.now_ms, None
        self._document(draft, actor, resolution or Resolution(code="cleared", summary=said))
        self._meet(draft, "response")
        self._meet(draft, "resolution")
        incident.escalation.next_at_ms = None
        for ticket in incident.tickets:
            if ticket.state != "resolved":
                ticket.state = "resolved"
                draft.note("ticket", MACHINE, f"ticket {ticket.id}: told that it is resolved", ticket=ticket.id)
        self.communicate(draft, "resolved", f"Service is restored: {said}")
        self._owe_review(draft)
        return True

    def _complete(self, draft: Draft, actor: str, resolution: Resolution) -> bool:
        """A person documents what the alerts had resolved by themselves."""
        by = (draft.incident.resolution or {}).get("by")
        if by != MACHINE:
            draft.note("refused_resolve", actor, f"resolve changes nothing: it was resolved by {by}")
            return False
        draft.note("resolution", actor, f"resolution recorded by {actor}: {resolution.summary}", IncidentChange.UPDATED)
        self._document(draft, actor, resolution)
        return True

    def _document(self, draft: Draft, actor: str, resolution: Resolution) -> None:
        draft.incident.resolution = {
            "code": resolution.code,
            "summary": resolution.summary,
            "by": actor,
            "cause": resolution.cause,
            "corrective_action": resolution.corrective_action,
        }
        if resolution.corrective_action:
            draft.note("corrective_action", actor, f"corrective action: {resolution.corrective_action}")

    def _missing(self, incident: Incident, actor: str, resolution: Resolution | None) -> list[str]:
        """Fields that a person's resolve must bring and does not."""
        required = self.policy(incident).closure.require if actor != MACHINE else ()
        given = resolution.model_dump() if resolution else {}
        return [name for name in required if not given.get(name)]

    def _owe_review(self, draft: Draft) -> None:
        incident = draft.incident
        policy = self.policy(incident)
        if incident.priority not in policy.closure.problem_review or incident.problem_review is not None:
            return
        due = next_business_day(policy.business_hours, draft.now_ms).isoformat()
        because = f"{incident.priority} incidents get a review on the next business day"
        incident.problem_review = ProblemReview(due_date=due, because=because)
        draft.note("problem_review", MACHINE, f"problem review on {due}: {because}", due_date=due)

    def reopen(self, draft: Draft, actor: str, text: str) -> bool:
        """It is back: the incident waits for acknowledgement again and its clocks run on."""
        if not self.step(draft, Step.REOPEN, actor, text):
            return False
        incident = draft.incident
        incident.reopened += 1
        incident.resolved_at_ms = incident.resolution = incident.acknowledged_at_ms = None
        incident.escalation.since_ms = draft.now_ms
        for ticket in incident.tickets:
            ticket.state = "open"
        resolution = incident.clocks.get("resolution")
        if resolution is not None:
            resolution.met_at_ms = None
        self.communicate(draft, "investigating", f"{incident.title}: the problem has come back")
        if incident.kind == IncidentKind.INCIDENT:
            self.begin_escalation(draft)
        return True

    def close(self, draft: Draft, actor: str, text: str) -> bool:
        """The record is complete."""
        if not self.step(draft, Step.CLOSE, actor, text):
            return False
        draft.incident.closed_at_ms = draft.now_ms
        return True

    # -- time

    def deadline_ms(self, incident: Incident) -> int | None:
        """When the incident next needs attention by itself; None once it has ended."""
        if incident.state in lifecycle.ENDED_STATES:
            return None
        if incident.resolved_at_ms is not None:
            return incident.resolved_at_ms + self.policy(incident).closure.close_after_minutes * MINUTE_MS
        dues = [incident.escalation.next_at_ms, incident.resolve_at_ms]
        for clock in incident.clocks.values():
            if clock.met_at_ms is None and clock.breached_at_ms is None:
                dues += (clock.warn_at_ms, clock.due_at_ms)
        return min([due for due in dues if due is not None], default=None)

    def on_deadline(self, draft: Draft) -> None:
        """Do what is due."""
        incident = draft.incident
        if incident.resolved_at_ms is not None:
            self.close(draft, MACHINE, "closed: nobody objected to the resolution")
            return
        self.escalate(draft)
        self.run_clocks(draft)
        if incident.resolve_at_ms is not None and incident.resolve_at_ms <= draft.now_ms:
            self.resolve(draft, MACHINE, None)
