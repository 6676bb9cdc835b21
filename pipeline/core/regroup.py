"""Regrouping: what people decide belongs together or apart. History stays on both incidents' timelines."""

from __future__ import annotations

from pipeline.core.book import Book
from pipeline.core.desk import Desk
from pipeline.core.draft import Draft
from pipeline.core.lifecycle import OPEN_STATES, Step
from pipeline.models.command import Command
from pipeline.models.incident import IncidentChange, Member


def merge(desk: Desk, book: Book, draft: Draft, receiver: Draft | None, command: Command) -> list[Member]:
    """Move all members of an incident into the surviving one, and end it as merged.

    Returns:
        The members that moved; none where the command was refused, which the timeline says.
    """
    loser, survivor = draft.incident, receiver.incident if receiver is not None else None
    if (
        receiver is None
        or survivor is None
        or survivor is loser
        or survivor.state not in OPEN_STATES
        or survivor.space != loser.space
    ):
        text = "merge needs another open incident of the same space in 'into': nothing was changed"
        draft.note("refused_merge", command.actor, text)
        return []
    if not desk.step(draft, Step.MERGE, command.actor, f"merged into {survivor.id} by {command.actor}"):
        return []
    loser.merged_into = survivor.id
    receiver.note("merge", command.actor, f"took in {loser.id}: {loser.title}", IncidentChange.MERGED)
    survivor.tickets.extend(loser.tickets)
    survivor.opened_at_ms = min(survivor.opened_at_ms, loser.opened_at_ms)
    survivor.news_at_ms = max(survivor.news_at_ms, loser.news_at_ms)
    return _move(book, draft, receiver, book.members_of(loser.id))


def chosen(book: Book, draft: Draft, command: Command) -> list[Member]:
    """The episodes that a split names; none where it may not split, which the timeline says."""
    members = book.members[draft.incident.id]
    named = frozenset(command.episodes)
    moving = [member for episode_id, member in members.items() if episode_id in named]
    if moving and len(moving) < len(members) and draft.incident.state in OPEN_STATES:
        return moving
    text = "split needs some, not all, of the incident's episodes: nothing was changed"
    draft.note("refused_split", command.actor, text)
    return []


def split(book: Book, draft: Draft, receiver: Draft, moving: list[Member], command: Command) -> list[Member]:
    """Move the chosen episodes and their tickets out into a new incident. Returns the members that moved."""
    old, new = draft.incident, receiver.incident
    new.opened_at_ms = min(member.event_at_ms for member in moving)
    names = {member.episode_id for member in moving}
    new.tickets = [ticket for ticket in old.tickets if ticket.episode_id in names]
    old.tickets = [ticket for ticket in old.tickets if ticket.episode_id not in names]
    episodes = [member.episode_id for member in moving]
    receiver.note("detect", command.actor, f"split from {old.id}", IncidentChange.OPENED, episodes=episodes)
    text = f"{len(moving)} episodes moved to {new.id}"
    draft.note("split", command.actor, text, IncidentChange.SPLIT, incident_id=new.id)
    return _move(book, draft, receiver, moving)


def _move(book: Book, giver: Draft, receiver: Draft, moving: list[Member]) -> list[Member]:
    old, new = giver.incident, receiver.incident
    for member in moving:
        book.detach(member)
        old.episodes_open -= member.resolved_at_ms is None
        old.episodes_total -= 1
        giver.left.append(member.episode_id)
        member.incident_id, member.joined_order = new.id, book.next_order(new.id)
        book.attach(member)
        new.episodes_open += member.resolved_at_ms is None
        new.episodes_total += 1
        receiver.joined.append(member.episode_id)
    return moving
