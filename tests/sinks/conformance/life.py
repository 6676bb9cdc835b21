"""Lives of incidents, step by step: the very records that correlate and bridge would write on ``incidents``."""

from __future__ import annotations

from itertools import count
from typing import Final, NamedTuple

from pipeline.core.draft import MACHINE, Draft
from pipeline.core.press import Press
from pipeline.core.step import Effects, Output
from pipeline.models.incident import Incident, IncidentChange, IncidentKind, IncidentState
from pipeline.models.incident_parts import Communication, Page, Suspect

TITLE: Final = "Checkout: requests fail"
PUBLIC_PAGE: Final = "status"
HOSTILE_TITLE: Final = (
    'Zahlung "Käse" <script>alert(1)</script> <!channel> @everyone [~admin] {{7*7}} \\ ^ORDERBYDESC\n'
    "' OR project = SECRET -- \u202e\u0000 🔥 " + "lang " * 100
)
"""What somebody may name a service to do harm where its name is shown."""


class Told(NamedTuple):
    """What a sink has to have made known of an incident in the end.

    Attributes:
        state: of the incident, in its last revision.
        calls: keys of the calls since the beginning, in order.
        published: texts that an audience was told, in order.
        reopened: how often it was reopened.
    """

    incident_id: str
    revision: int
    state: str
    calls: tuple[str, ...]
    published: tuple[str, ...]
    reopened: int


class Life:
    """One incident as it lives. Each step gives the record of its revision.

    Attributes:
        incident: as of the last step.
        outputs: the records so far, in order.
    """

    def __init__(self, incident_id: str, now_ms: int, *, title: str = TITLE, kind: str = IncidentKind.INCIDENT) -> None:
        self.incident = Incident(
            id=incident_id,
            space="production",
            kind=kind,
            title=title,
            priority="P1",
            priority_rank=0,
            priority_because=["tier 1 service", "critical severity"],
            urgency="high",
            impact="high",
            severity="critical",
            category="application",
            domain="retail",
            service="component:default/checkout",
            services=["component:default/checkout"],
            owner="storefront-sre",
            who_is_affected="about 18,000 users of Checkout",
            users_affected=18_000,
            runbook="https://runbooks.northwind-market.example/checkout",
            symptoms=["requests fail"],
            suspects=[Suspect(ref="component:default/payments-db", score=0.9, because=["it broke first"])],
            opened_at_ms=now_ms,
            detected_at_ms=now_ms,
            logged_at_ms=now_ms,
        )
        self.outputs: list[Output] = []
        self._press = Press()
        self._now_ms = now_ms
        self._calls: list[str] = []
        self._published: list[str] = []
        self._numbers = count(1)

    @property
    def told(self) -> Told:
        """What has to be known of it by now."""
        incident = self.incident
        calls, published = tuple(self._calls), tuple(self._published)
        return Told(incident.id, incident.revision, incident.state, calls, published, incident.reopened)

    # -- steps

    def opened(self) -> Life:
        return self._move(IncidentState.LOGGED, "log", IncidentChange.OPENED, f"logged as P1: {self.incident.title}")

    def called(self, person: str, what: str = "1") -> Life:
        """Somebody is called by a step of the escalation path."""
        incident, draft = self.incident, self._draft()
        step = f"{incident.id}/{incident.reopened}/1/1/{what}"
        page = Page(
            at_ms=self._now_ms, person=person, rotation="storefront", service=incident.service, target="oncall",
            runbook=incident.runbook, because="on call for Checkout", step=step,
        )  # fmt: skip
        incident.escalation.paged.append(page)
        facts = {"person": person, "target": "oncall", "service": incident.service, "runbook": incident.runbook}
        draft.note("page", MACHINE, f"paged {person}", IncidentChange.ESCALATED, step=step, **facts)
        self._calls.append(f"{step}/{person}")
        return self._publish(draft)

    def acknowledged(self, by: str = "amara.okafor") -> Life:
        self.incident.acknowledged_at_ms = self._now_ms
        self.incident.assignee = by
        change = IncidentChange.ACKNOWLEDGED
        return self._move(IncidentState.ACKNOWLEDGED, "acknowledge", change, f"acknowledged by {by}", by)

    def assigned(self, to: str) -> Life:
        draft = self._draft()
        self.incident.assignee = to
        draft.note("assign", "amara.okafor", f"assigned to {to}", IncidentChange.ASSIGNED)
        return self._publish(draft)

    def noted(self, text: str) -> Life:
        draft = self._draft()
        draft.note("note", "amara.okafor", text, IncidentChange.NOTED)
        return self._publish(draft)

    def prioritised(self, priority: str) -> Life:
        draft = self._draft()
        self.incident.priority, self.incident.priority_rank = priority, int(priority[1:]) - 1
        draft.note("priority", MACHINE, f"priority {priority}", IncidentChange.UPDATED)
        return self._publish(draft)

    def published(self, state: str, text: str, audience: str = "public", page: str = PUBLIC_PAGE) -> Life:
        """A message to an audience goes out, approved by somebody."""
        draft = self._draft()
        message = Communication(
            at_ms=self._now_ms, page=page, state=state, text=text, audience=audience, subject=f"Checkout: {state}",
            number=next(self._numbers), approved_by="noor.haddad",
        )  # fmt: skip
        self.incident.communications.append(message)
        facts = {"audience": audience, "page": page, "number": message.number, "state": state, "message": text}
        facts |= {"status": message.status, "subject": message.subject, "next_update_ms": None}
        draft.note("communication", "noor.haddad", f"approved: {text}", IncidentChange.NOTED, **facts)
        self._published.append(text)
        return self._publish(draft)

    def mitigated(self) -> Life:
        self.incident.mitigated_at_ms = self._now_ms
        self.incident.workaround = "traffic moved away"
        return self._move(IncidentState.MITIGATED, "mitigate", IncidentChange.MITIGATED, "mitigated", "amara.okafor")

    def resolved(self) -> Life:
        self.incident.resolved_at_ms = self._now_ms
        self.incident.resolution = {"code": "fixed", "summary": "Restarted.", "by": "amara.okafor"}
        return self._move(IncidentState.RESOLVED, "resolve", IncidentChange.RESOLVED, "resolved", "amara.okafor")

    def reopened(self) -> Life:
        self.incident.resolved_at_ms = None
        self.incident.reopened += 1
        return self._move(IncidentState.REOPENED, "reopen", IncidentChange.REOPENED, "reopened: it fires again")

    def closed(self) -> Life:
        self.incident.closed_at_ms = self._now_ms
        return self._move(IncidentState.CLOSED, "close", IncidentChange.CLOSED, "closed")

    def cancelled(self) -> Life:
        change = IncidentChange.CANCELLED
        return self._move(IncidentState.CANCELLED, "cancel", change, "cancelled: it was no failure", "amara.okafor")

    def merged_into(self, other: Life) -> Life:
        """It ends as a part of another, which takes it in."""
        self.incident.merged_into = other.incident.id
        text = f"merged into {other.incident.id}"
        self._move(IncidentState.MERGED, "merge", IncidentChange.MERGED, text, "amara.okafor")
        draft = other._draft()
        other.incident.absorbed.append(self.incident.id)
        draft.note("merge", "amara.okafor", f"took in {self.incident.id}: {TITLE}", IncidentChange.MERGED)
        other._publish(draft)
        return self

    def joined(self, bridge: Life) -> Life:
        """It is a member of a bridge incident from now on."""
        draft = self._draft()
        self.incident.bridge_id = bridge.incident.id
        draft.note("bridge", MACHINE, f"linked to bridge incident {bridge.incident.id}", IncidentChange.BRIDGED)
        self._publish(draft)
        draft = bridge._draft()
        bridge.incident.members.append(self.incident.id)
        draft.note("member", MACHINE, f"linked {self.incident.id}", IncidentChange.BRIDGED)
        bridge._publish(draft)
        return self

    # -- records

    def take(self) -> list[Output]:
        """The records since the last call."""
        taken, self.outputs = self.outputs, []
        return taken

    def _draft(self) -> Draft:
        self._now_ms += 1_000
        return Draft(self.incident, self._now_ms)

    def _move(self, state: str, action: str, change: IncidentChange, text: str, actor: str = MACHINE) -> Life:
        draft = self._draft()
        self.incident.state, self.incident.state_since_ms = state, self._now_ms
        draft.note(action, actor, text, change)
        return self._publish(draft)

    def _publish(self, draft: Draft) -> Life:
        effects = Effects()
        self._press.publish(draft, effects)
        self.outputs += effects.outputs
        return self
