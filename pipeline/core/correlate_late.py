"""What it means for incidents that the catalogue has come to know what their alerts are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.core.assessor import Assessor
from pipeline.core.desk import MACHINE, Desk
from pipeline.core.draft import Draft
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.incident import IncidentChange, IncidentState, Member
from pipeline.models.policy import DEFAULT_DOMAIN

UNLISTED: Final = "unlisted:"
"""Beginning of the name of what no catalogue lists; see `pipeline.core.assessor.unlisted`."""


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
        incident.domain = first.domain
        incident.policy_version = desk.policy(incident).version
    return True


def call(draft: Draft, desk: Desk, paged_before: int) -> None:
    """Clocks of the domain, and somebody to call where nobody could be."""
    incident = draft.incident
    desk.set_clocks(draft)
    if incident.state == IncidentState.LOGGED and not paged_before and not incident.escalation.paged:
        desk.begin_escalation(draft)
