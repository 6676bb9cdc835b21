"""Recovery: what a cleared episode means for its incident, and what one that comes after the resolution means."""

from __future__ import annotations

from pipeline.core.desk import MACHINE, Desk
from pipeline.core.draft import Draft
from pipeline.core.lifecycle import OPEN_STATES
from pipeline.models.alert import FeedClass
from pipeline.models.incident import IncidentChange, Member


def cleared(desk: Desk, draft: Draft, member: Member, members: list[Member], *, expired: bool) -> None:
    """An episode is over. When everything is, the incident resolves after the policy's quiet time.

    Args:
        desk: the incident desk.
        draft: the incident's draft.
        member: the episode that cleared.
        members: all of the incident's episodes.
        expired: its source fell silent instead of reporting recovery; the record tells the two apart.
    """
    incident = draft.incident
    if member.resolved_at_ms is None:
        member.resolved_at_ms = draft.now_ms
        incident.episodes_open -= 1
    word = "fell silent" if expired else "cleared"
    draft.note("clear", MACHINE, f"{word}: {member.summary}", IncidentChange.UPDATED, episode_id=member.episode_id)
    for ticket in incident.tickets:
        if ticket.episode_id == member.episode_id:
            ticket.state = "resolved"
    settle(desk, draft, members)


def settle(desk: Desk, draft: Draft, members: list[Member]) -> None:
    """Decide again, after members cleared, came or went, whether the incident is on its way to be resolved."""
    incident = draft.incident
    if incident.state not in OPEN_STATES:
        return
    if not all_clear(members):
        incident.resolve_at_ms = None
        return
    quiet_ms = desk.policy(incident).closure.resolve_quiet_seconds * 1_000
    incident.resolve_at_ms = draft.now_ms + quiet_ms
    if quiet_ms == 0:
        desk.resolve(draft, MACHINE, None)


def all_clear(members: list[Member]) -> bool:
    """Monitors decide where there are any; a cluster of reports alone waits for its tickets."""
    monitors = [member for member in members if member.feed_class != FeedClass.DESK]
    return all(member.resolved_at_ms is not None for member in monitors or members)


def came_after(desk: Desk, draft: Draft, episode: Member, members: list[Member]) -> None:
    """An episode joined after the resolution.

    A monitor's means that the failure is back. A person's is a late report of what was restored, unless reports by
    people are all there is to go by.
    """
    late_report = episode.feed_class == FeedClass.DESK and any(each.feed_class != FeedClass.DESK for each in members)
    if not late_report:
        desk.reopen(draft, MACHINE, f"reopened, it fires again: {episode.summary}")
        return
    for ticket in draft.incident.tickets:
        if ticket.episode_id == episode.episode_id:
            ticket.state = "resolved"
            draft.note("ticket", MACHINE, f"ticket {ticket.id}: reported after restoration, told so")
