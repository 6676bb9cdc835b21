"""What it means for incidents that the catalogue has come to know what their alerts are about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from pipeline.core.clocks import sla
from pipeline.core.clustering.assessor import Assessor
from pipeline.core.clustering.correlate_again import CorrelateAgain
from pipeline.core.clustering.correlate_state import LATE
from pipeline.core.clustering.late import EXAMINED_AT_ONCE, PAUSE_MS, UNEXAMINED
from pipeline.core.clustering.recalled import UNLISTED
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import UNANSWERED_STATES
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.decision import Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.incident import IncidentChange
from pipeline.models.member import Member
from pipeline.models.policy import DEFAULT_DOMAIN


def described(member: Member, alert: Alert, assessor: Assessor) -> Member:
    """The member as it would be had the catalogue known its entity from the start; its history stays.

    Args:
        member: as it is kept.
        alert: what opened it, enriched now.
        assessor: of the configuration in force.
    """
    event = EpisodeEvent(
        episode_id=member.episode_id,
        alert_key=member.alert_key,
        space="",
        change=EpisodeChange.OPENED,
        reason="",
        at_ms=member.opened_at_ms,
        repeats=0,
        alert=alert,
        counted=False,
    )
    known = assessor.member(event)
    member.entity, member.service, member.domain = known.entity, known.service, known.domain
    member.category, member.mentions = known.category, known.mentions
    return member


def tell(draft: Draft, members: Sequence[Member], alerts: Sequence[Alert], topology: Topology, version: str) -> None:
    """Put on the timeline what is known now."""
    for member, alert in zip(members, alerts, strict=True):
        draft.note(
            "enrich",
            MACHINE,
            f"the catalogue knows it now, {topology.title(member.entity)}: {member.summary}",
            IncidentChange.UPDATED,
            episode_id=member.episode_id,
            entity=member.entity,
            service=member.service,
            matched_by=alert.matched_by,
            config_version=version,
        )


def take_over(draft: Draft, first: Member, desk: Desk, topology: Topology) -> bool:
    """Give an incident that was about nothing known its service, owner, title and domain; whether it changed.

    Args:
        draft: of the incident.
        first: the first of its members that is about something known now.
        desk: of the configuration in force.
        topology: of the configuration in force.
    """
    incident = draft.incident
    if incident.service is not None and not incident.service.startswith(UNLISTED):
        return False
    about = first.service or first.entity
    entity = topology.entities.get(about) if about else None
    before = topology.title(incident.service) if incident.service else first.host or first.feed
    if incident.title.startswith(f"{before}: "):
        incident.title = f"{topology.title(about)}: {incident.title.removeprefix(f'{before}: ')}"
    incident.service = about
    incident.owner = entity.owner if entity else incident.owner
    if incident.domain == DEFAULT_DOMAIN and first.domain:
        sla.count(desk, draft)  # by the pack of before; the time until now was worked by its calendars
        incident.domain = first.domain
        desk.adopt(incident)
    return True


def call(draft: Draft, desk: Desk, paged_before: int) -> None:
    """Clocks of the domain, and somebody to call where nobody could be."""
    incident = draft.incident
    sla.set_clocks(desk, draft)
    if incident.state in UNANSWERED_STATES and not paged_before and not incident.escalation.paged:
        calling.begin(desk, draft)


class CorrelateLate(CorrelateAgain):
    """The part of correlate that learns late what alerts are about."""

    _enrich: Callable[[Alert], None] | None

    def _keep_late(self, event: EpisodeEvent, order: int) -> None:
        """Keep an alert that nobody knew an entity for; which configuration that was, only ingest knows for sure."""
        version = self._desk.config.version
        if self.clock_ms < self._fresh_until_ms:
            version, due_ms = UNEXAMINED, self._fresh_until_ms
        elif event.reason == Reason.RELEASED:  # dedupe has held it, for how long is not known here
            version, due_ms = UNEXAMINED, self.clock_ms
        for episode_id in self._late.keep(event.episode_id, event.alert, version, order):
            self.touch(LATE + episode_id)
        if version == UNEXAMINED:
            self._plan_late(due_ms)

    def _enrich_again(self, due_ms: int) -> None:
        """Enrich kept alerts that this configuration has not examined, oldest first, some at a time."""
        version = self._desk.config.version
        self._plan_late(None)
        found: dict[str, list[tuple[Member, Alert]]] = {}
        waiting = list(islice(self._late.unexamined(version), EXAMINED_AT_ONCE + 1))
        for episode_id in waiting[:EXAMINED_AT_ONCE]:
            self.touch(LATE + episode_id)
            member = self._book.member(episode_id)
            if member is None or self._enrich is None:
                self._late.forget(episode_id)
                continue
            alert = self._late.alert(member)
            self._enrich(alert)
            if alert.entity is None:
                self._late.examined(episode_id, version)
                continue
            self._late.forget(episode_id)
            found.setdefault(member.incident_id, []).append((member, alert))
        for incident_id, of_incident in found.items():
            self._known_now(incident_id, of_incident, version)
        if len(waiting) > EXAMINED_AT_ONCE:
            self._plan_late(due_ms + PAUSE_MS)

    def _known_now(self, incident_id: str, found: list[tuple[Member, Alert]], version: str) -> None:
        """Bring an incident up to date some of whose members are about something known now."""
        draft = self._draft(self._book.case(incident_id).incident)
        members = [described(member, alert, self._assessor) for member, alert in found]
        self._touch_members(self._book.describe({each.episode_id: each for each in members}, incident_id))
        tell(draft, members, [alert for _, alert in found], self._topology, version)
        paged_before = len(draft.incident.escalation.paged)
        changed = take_over(draft, members[0], self._desk, self._topology)
        self._assess(draft)
        if changed:
            call(draft, self._desk, paged_before)
