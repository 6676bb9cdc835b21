"""Recovery: what a cleared episode means for its incident, and what one that comes after the resolution means."""

from __future__ import annotations

from typing import Any

from pipeline.core.clustering.book import Book
from pipeline.core.clustering.tally import Tally
from pipeline.core.draft import Draft
from pipeline.core.escalation import engaging
from pipeline.core.practice import deadlines, ending
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.alert import FeedClass
from pipeline.models.incident import IncidentChange, IncidentState
from pipeline.models.member import Member


def cleared(desk: Desk, book: Book, draft: Draft, member: Member, origin: tuple[str, int, int, int] | None) -> None:
    """An episode is over. When everything is, the incident resolves after the policy's quiet time.

    Args:
        desk: the incident desk.
        book: holds the incident's episodes.
        draft: the incident's draft.
        member: the episode that cleared.
        origin: raw record and index of the recovery; None where the source fell silent instead of reporting one. The
            record tells the two apart.
    """
    incident = draft.incident
    incident.episodes_open -= book.resolve(member, draft.now_ms)
    word = "fell silent"
    facts: dict[str, Any] = {"episode_id": member.episode_id}
    if origin is not None:
        word = "cleared"
        if origin[0]:  # what flapped is over when it has been quiet, which no message says
            facts["origin"] = origin
    draft.note("clear", MACHINE, f"{word}: {member.summary}", IncidentChange.UPDATED, **facts)
    for ticket in incident.tickets:
        if ticket.episode_id == member.episode_id:
            ticket.state = "resolved"
    engaging.watch_quiet(draft, book.tally(incident.id))
    settle(desk, book, draft)


def settle(desk: Desk, book: Book, draft: Draft, *, anew: bool = True) -> None:
    """Decide again, after members cleared, came or went, whether the incident is on its way to be resolved.

    ``anew`` is whether its quiet time begins again where it is under way; it does not for what only went.
    """
    incident = draft.incident
    if incident.state not in OPEN_STATES:
        return
    if not book.tally(incident.id).all_clear():
        incident.resolve_at_ms = None
        return
    if incident.resolve_at_ms is not None and not anew:
        return
    quiet_ms = desk.policy(incident).closure.resolve_quiet_seconds * 1_000
    incident.resolve_at_ms = draft.now_ms + quiet_ms
    if quiet_ms == 0:
        ending.resolve(desk, draft, MACHINE, None)


def due(desk: Desk, book: Book, draft: Draft) -> None:
    """A deadline of the incident has come. Nothing closes silently over what a monitor still reports."""
    incident = draft.incident
    firing = book.tally(incident.id).monitors_open
    if incident.state == IncidentState.RESOLVED and settled(draft) and firing:
        by = (incident.resolution or {}).get("by")
        ending.reopen(desk, draft, MACHINE, f"reopened: {by} had resolved it, and {firing} still fire")
    elif draft.incident.state == IncidentState.RESOLVED and firing and deadlines.closes(desk, draft):
        ending.reopen(desk, draft, MACHINE, f"reopened instead of closed: {firing} still fire")
    else:
        deadlines.on_deadline(desk, draft)


def settled(draft: Draft) -> bool:
    """Whether the time that what still fires had to clear after a person's resolution is over."""
    incident = draft.incident
    if incident.settle_at_ms is None or draft.now_ms < incident.settle_at_ms:
        return False
    incident.settle_at_ms = None
    return True


def got_worse(desk: Desk, draft: Draft, member: Member) -> None:
    """An episode got worse. Where a person had resolved over it, the resolution did not hold."""
    if draft.incident.state == IncidentState.RESOLVED and member.resolved_at_ms is None:
        ending.reopen(desk, draft, MACHINE, f"reopened, it got worse: {member.summary}")


def came_after(desk: Desk, draft: Draft, episode: Member, tally: Tally) -> None:
    """An episode joined after the resolution.

    A monitor's means that the failure is back. A person's is a late report of what was restored, unless reports by
    people are all there is to go by. Where a person has resolved over what still fires, more of it is no news until
    that had its time to clear.
    """
    if draft.incident.settle_at_ms is not None and episode.feed_class != FeedClass.DESK:
        _fires_on(draft, episode)
        return
    late_report = episode.feed_class == FeedClass.DESK and tally.monitors > 0
    if not late_report:
        ending.reopen(desk, draft, MACHINE, f"reopened, it fires again: {episode.summary}")
        return
    for ticket in draft.incident.tickets:
        if ticket.episode_id == episode.episode_id:
            ticket.state = "resolved"
            draft.note("ticket", MACHINE, f"ticket {ticket.id}: reported after restoration, told so")


def _fires_on(draft: Draft, episode: Member) -> None:
    incident = draft.incident
    minutes = -(-((incident.settle_at_ms or 0) - draft.now_ms) // MINUTE_MS)
    by = (incident.resolution or {}).get("by")
    text = f"fires after {by} resolved it, and reopens it unless it clears within {minutes} min: {episode.summary}"
    draft.note("fires_on", MACHINE, text, IncidentChange.UPDATED, episode_id=episode.episode_id)
