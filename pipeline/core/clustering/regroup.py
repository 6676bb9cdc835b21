"""Regrouping: what people decide belongs together or apart. History stays on both incidents' timelines."""

from __future__ import annotations

from typing import Any

from pipeline.core.clustering.book import Book
from pipeline.core.communication import duties
from pipeline.core.draft import Draft
from pipeline.core.escalation.routing import carry_cases
from pipeline.core.practice.actions import CORRECTIVE_ACTIONS_MAX
from pipeline.core.practice.commands import remembered
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import OPEN_STATES, Step
from pipeline.core.practice.response import LINKS_MAX
from pipeline.core.practice.waiting import WAITS_MAX
from pipeline.models.command import Command
from pipeline.models.decision import Reason
from pipeline.models.incident import ABSORBED_MAX, Incident, IncidentChange
from pipeline.models.member import Member


def merge(desk: Desk, book: Book, draft: Draft, receiver: Draft | None, command: Command) -> list[str]:
    """Move all members of an incident into the surviving one, and end it as merged.

    Returns:
        The episodes whose records changed; none where the command was refused, which the timeline says.
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
    survivor.absorbed = [*survivor.absorbed, *loser.absorbed, loser.id][-ABSORBED_MAX:]
    book.absorb(survivor)
    receiver.note("merge", command.actor, f"took in {loser.id}: {loser.title}", IncidentChange.MERGED)
    survivor.tickets.extend(loser.tickets)
    _carry_over(loser, survivor)
    duties.carry(loser, receiver)
    survivor.opened_at_ms = min(survivor.opened_at_ms, loser.opened_at_ms)
    survivor.news_at_ms = max(survivor.news_at_ms, loser.news_at_ms)
    return _move(book, draft, receiver, book.members_of(loser.id))


def chosen(book: Book, draft: Draft, command: Command) -> list[Member]:
    """The episodes that a split names; none where it may not split, which the timeline says."""
    members = book.members_of(draft.incident.id)
    named = frozenset(command.episodes)
    moving = [member for member in members if member.episode_id in named]
    if moving and len(moving) < len(members) and draft.incident.state in OPEN_STATES:
        return moving
    text = "split needs some, not all, of the incident's episodes: nothing was changed"
    draft.note("refused_split", command.actor, text)
    return []


def split(book: Book, draft: Draft, receiver: Draft, moving: list[Member], command: Command) -> list[str]:
    """Move the chosen episodes and their tickets out into a new incident.

    Returns:
        The episodes whose records changed.
    """
    old, new = draft.incident, receiver.incident
    new.opened_at_ms = min(member.event_at_ms for member in moving)
    new.commands = list(old.commands)  # of what was asked by ticket or episode some may be repeated
    names = {member.episode_id for member in moving}
    new.tickets = [ticket for ticket in old.tickets if ticket.episode_id in names]
    old.tickets = [ticket for ticket in old.tickets if ticket.episode_id not in names]
    episodes = [member.episode_id for member in moving]
    facts: dict[str, Any] = {"episodes": episodes}
    if command.actor == MACHINE:
        facts["reason"] = Reason.LOOKED_AGAIN
    receiver.note("detect", command.actor, f"split from {old.id}", IncidentChange.OPENED, **facts)
    text = f"{len(moving)} episodes moved to {new.id}"
    draft.note("split", command.actor, text, IncidentChange.SPLIT, incident_id=new.id)
    return _move(book, draft, receiver, moving)


def transfer(book: Book, giver: Draft, receiver: Draft, member: Member, because: dict[str, Any]) -> list[str]:
    """Move a member and its ticket into another open incident, where correlate itself finds that it belongs.

    Args:
        book: holds both.
        giver: of the incident that it leaves.
        receiver: of the one that it joins.
        member: the episode.
        because: reason, score and evidence.

    Returns:
        The episodes whose records changed.
    """
    old, new = giver.incident, receiver.incident
    new.commands = remembered(old, new)
    new.tickets.extend(ticket for ticket in old.tickets if ticket.episode_id == member.episode_id)
    old.tickets = [ticket for ticket in old.tickets if ticket.episode_id != member.episode_id]
    new.opened_at_ms = min(new.opened_at_ms, member.event_at_ms)
    facts = {"episode_id": member.episode_id, "from": old.id, "to": new.id}
    giver.note(
        "split", MACHINE, f"looked at again, it belongs to {new.id}: {member.summary}", IncidentChange.SPLIT, **facts
    )
    text = f"joined from {old.id}, looked at again: {member.summary}"
    receiver.note("join", MACHINE, text, IncidentChange.UPDATED, **facts, **because)
    return _move(book, giver, receiver, [member])


def _carry_over(loser: Incident, survivor: Incident) -> None:
    """What is owed and awaited goes on in the incident that goes on, and what was asked is not done twice there."""
    survivor.commands = remembered(loser, survivor)
    linked = {(each["kind"], each["id"]) for each in survivor.links}
    survivor.links += [each for each in loser.links if (each["kind"], each["id"]) not in linked]
    survivor.waiting = [*loser.waiting, *survivor.waiting][-WAITS_MAX:]
    known = {each.id for each in survivor.corrective_actions}
    survivor.corrective_actions += [each for each in loser.corrective_actions if each.id not in known]
    del survivor.links[LINKS_MAX:], survivor.corrective_actions[CORRECTIVE_ACTIONS_MAX:]
    loser.waiting = []
    carry_cases(loser, survivor)


def _move(book: Book, giver: Draft, receiver: Draft, moving: list[Member]) -> list[str]:
    old, new = giver.incident, receiver.incident
    firing = sum(member.resolved_at_ms is None for member in moving)
    old.episodes_open -= firing
    old.episodes_total -= len(moving)
    new.episodes_open += firing
    new.episodes_total += len(moving)
    moved = [member.episode_id for member in moving]
    giver.left += moved
    receiver.joined += moved
    return book.move(moving, old.id, new.id)
