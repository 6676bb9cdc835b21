"""The incident desk: what every action on an incident goes by, and the one place where its state moves.

Shared by incidents and bridge incidents. The actions are functions of a desk and a draft: `pipeline.core.response`
(acknowledge, start, assign, link), `pipeline.core.calling`, `pipeline.core.sla`, `pipeline.core.communicate`,
`pipeline.core.ending`; `pipeline.core.deadlines` runs them when their time has come. Nothing here decides what belongs
together; that is correlate's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipeline.core import lifecycle
from pipeline.core.draft import Draft
from pipeline.core.escalate import Escalator
from pipeline.core.lifecycle import Step
from pipeline.core.topology import Topology
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.policy import Config, DomainPolicy

MACHINE: Final = "spillway"
"""Actor of what nobody asked for."""

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
    """What the actions on incidents go by: the configuration, the topology and who is called."""

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
