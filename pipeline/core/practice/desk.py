"""The incident desk: what every action on an incident goes by, and the one place where its state moves.

Shared by incidents and bridge incidents. The actions are functions of a desk and a draft:
`pipeline.core.practice.response` (acknowledge, start, assign, link), `pipeline.core.escalation.calling`,
`pipeline.core.clocks.sla`, `pipeline.core.communication.communicate`, `pipeline.core.practice.ending`;
`pipeline.core.practice.deadlines` runs them when their time has come. Nothing here decides what belongs together; that
is correlate's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from pipeline.core.clocks import sla
from pipeline.core.draft import MACHINE, Draft
from pipeline.core.escalation.escalate import Escalator
from pipeline.core.practice import lifecycle
from pipeline.core.practice.lifecycle import ENDED_STATES, Step
from pipeline.core.practice.shelf import Shelf, stamp_of
from pipeline.core.topology import Topology
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.policy import Config, DomainPolicy

__all__ = ["MACHINE", "MINUTE_MS", "Desk"]

MINUTE_MS: Final = 60_000

POLICIES_REMEMBERED_MAX: Final = 256
"""Domains whose pack is remembered: more than any company has, and bounds memory where alerts name their own."""

_STEP_CHANGE: Final[dict[Step, IncidentChange]] = {
    Step.ACKNOWLEDGE: IncidentChange.ACKNOWLEDGED,
    Step.UNACKNOWLEDGE: IncidentChange.UPDATED,
    Step.START: IncidentChange.UPDATED,
    Step.ESCALATE: IncidentChange.ESCALATED,
    Step.WAIT_FOR_CUSTOMER: IncidentChange.UPDATED,
    Step.WAIT_FOR_VENDOR: IncidentChange.UPDATED,
    Step.WAIT_FOR_PROVIDER: IncidentChange.UPDATED,
    Step.RESUME: IncidentChange.UPDATED,
    Step.MITIGATE: IncidentChange.MITIGATED,
    Step.RESOLVE: IncidentChange.RESOLVED,
    Step.REOPEN: IncidentChange.REOPENED,
    Step.CLOSE: IncidentChange.CLOSED,
    Step.CANCEL: IncidentChange.CANCELLED,
    Step.MERGE: IncidentChange.MERGED,
    Step.LOG: IncidentChange.OPENED,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What the actions on incidents go by: the configuration, the topology, who is called, and packs of before."""

    config: Config
    topology: Topology
    escalator: Escalator
    shelf: Shelf = field(default_factory=Shelf, compare=False)
    _policies: dict[str | None, DomainPolicy] = field(default_factory=dict, repr=False, compare=False)
    _stamps: dict[str | None, str] = field(default_factory=dict, repr=False, compare=False)

    def of_partition(self) -> Desk:
        """The desk of one partition: the same configuration, a shelf of its own, which is that partition's state."""
        return replace(self, shelf=Shelf())

    def policy(self, incident: Incident) -> DomainPolicy:
        """The policy pack that the incident was opened under.

        Where nobody has it any more, as of incidents that a release without a shelf opened, it is the pack in force.
        """
        return self.shelf.pack(incident.policy_version) or self.policy_of(incident.domain)

    def stamp(self, domain: str | None) -> str:
        """Version and digest of the pack of a domain in force."""
        known = self._stamps.get(domain)
        if known is None:
            known = stamp_of(self.policy_of(domain))
            if len(self._stamps) < POLICIES_REMEMBERED_MAX:
                self._stamps[domain] = known
        return known

    def adopt(self, incident: Incident) -> None:
        """Let an incident go by the pack in force from now on: when it is opened, or when somebody decides so."""
        incident.policy_version = self.stamp(incident.domain)

    def keep(self, before: str | None, incident: Incident) -> tuple[str | None, list[str]]:
        """Keep the pack of an incident as long as it is open.

        Args:
            before: the stamp that it counted under; None: it did not.
            incident: as it is now.

        Returns:
            The stamp that it counts under now, and the stamps whose state records changed.
        """
        now = None if incident.state in ENDED_STATES else incident.policy_version
        if now == before:
            return now, []
        in_force = self.policy_of(incident.domain) if now == self.stamp(incident.domain) else None
        return now, self.shelf.count(before, now, in_force)

    def policy_of(self, domain: str | None) -> DomainPolicy:
        """The policy pack of a domain in force. Building the defaults of one without takes long, so it is kept."""
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
        before = incident.state
        asked_ms = draft.now_ms if actor == MACHINE else draft.asked_at_ms
        lifecycle.move(incident, step, after, draft.now_ms, asked_ms)
        draft.note(step, actor, text, _STEP_CHANGE[step])
        sla.on_state(self, draft, before)
        return True
