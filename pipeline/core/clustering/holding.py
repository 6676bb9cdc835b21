"""The waiting room: episodes that are not an incident yet, each with its reason, and what may let it in.

An episode waits because it may pass by itself, or because a rule wants more of its kind first. It leaves by `take`:
let in, or dropped because it was over. Who waits is found by evidence as incidents are: each is entered in a book of
its own as the incident that it would be, so that the same index and the same matcher find it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from pipeline.core.clustering.assessor import Assessor
from pipeline.core.clustering.book import Book
from pipeline.core.clustering.matcher import Forbids, Matcher
from pipeline.core.clustering.tally import Tally
from pipeline.core.practice.desk import Desk
from pipeline.core.topology import Topology
from pipeline.models.episode import EpisodeEvent, episode_from_wire
from pipeline.models.incident import Incident
from pipeline.models.member import Member
from pipeline.models.wire import to_json

HELD_SCHEMA: Final = 1

HELD_MAX: Final = 5_000
"""Episodes that wait in one partition, some 24 MiB. Where more come, they come in at once: that is no lull."""


class Wakes(StrEnum):
    """What may end a hold before its time.

    ``evidence``: another episode, held or new, whose incident it would join, or an open incident that comes to concern
    it; ``incident``: the latter alone; ``nothing``: neither, and no rise in severity either.
    """

    EVIDENCE = "evidence"
    INCIDENT = "incident"
    NOTHING = "nothing"


@dataclass(slots=True, kw_only=True)
class Held:
    """One episode that waits.

    Attributes:
        event: how it began; its alert is the newest one known.
        reason: why it waits, a `Reason`.
        since_ms: stream time from which it waits.
        until_ms: when its time is up, and it is let in; None: only news ends it.
        order: rank among all that wait, in the order in which they came or were described anew.
        group: whom a rule counts it with; "" for nobody.
        wakes: what may end the hold before its time.
        facts: why and how long, for people: what the decision went by.
    """

    event: EpisodeEvent
    reason: str
    since_ms: int
    until_ms: int | None = None
    order: int = 0
    group: str = ""
    wakes: str = Wakes.EVIDENCE
    facts: dict[str, Any] = field(default_factory=dict)
    schema: int = HELD_SCHEMA


class Holding:
    """Who waits in one partition, by every name under which an episode or an incident could ask for it."""

    def __init__(self, desk: Desk, topology: Topology, marks: Callable[[EpisodeEvent, Member], list[str]]) -> None:
        """Args: ``marks`` tells what rules know an episode by that they keep apart from others."""
        self._marks = marks
        self._held: dict[str, Held] = {}
        self._members: dict[str, Member] = {}
        self._groups: dict[str, dict[str, None]] = {}
        self._assessor = Assessor(desk, topology)
        self._books = {kind: Book(topology, by_time=False) for kind in (Wakes.EVIDENCE.value, Wakes.INCIDENT.value)}
        self._partners = Matcher(desk, self._books[Wakes.EVIDENCE])

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, episode_id: str) -> bool:
        return episode_id in self._held

    def get(self, episode_id: str) -> Held | None:
        """Who waits under an episode's id."""
        return self._held.get(episode_id)

    def hold(self, held: Held) -> bool:
        """Let an episode wait; False, with nothing done, where the room is full."""
        if len(self._held) >= HELD_MAX:
            return False
        held.order = self._next()
        self._enter(held)
        return True

    def take(self, episode_id: str) -> Held:
        """Take an episode out: it is let in, or dropped."""
        held = self._held.pop(episode_id)
        self._members.pop(episode_id, None)
        if held.wakes in self._books:
            self._books[held.wakes].forget(episode_id)
        if held.group:
            of_group = self._groups[held.group]
            del of_group[episode_id]
            if not of_group:
                del self._groups[held.group]
        return held

    def renew(self, held: Held, event: EpisodeEvent) -> None:
        """Take over what a newer alert says of an episode that goes on waiting."""
        began = self.take(held.event.episode_id)
        event.at_ms, event.hold_until_ms = began.event.at_ms, began.event.hold_until_ms
        began.event, began.order = event, self._next()
        self._enter(began)

    def because(self, reason: str) -> list[Held]:
        """Who waits for a reason, in the order of coming."""
        return [held for held in self._held.values() if held.reason == reason]

    def of_group(self, group: str) -> list[Held]:
        """Who waits for a rule's count, in the order of coming."""
        return [self._held[each] for each in self._groups.get(group, ())]

    def partner(self, episode: Member, space: str, now_ms: int, forbids: Forbids | None = None) -> Held | None:
        """The one that waits whose incident an episode would join, had it been let in: the two confirm each other."""
        found = self._partners.best(episode, space, now_ms, forbids).incident
        return None if found is None else self._held[found.id]

    def related(self, episode: Member, space: str) -> list[tuple[Held, Member]]:
        """Who waits and might join where an episode has just come in, those that came last first.

        Those that would join that episode, were it alone in its incident: it is all that is new for them.
        """
        alone = Tally.of((episode,), self._assessor.topology)
        found: list[tuple[Held, Member]] = []
        for book in self._books.values():
            for candidate in book.candidates(episode, space):
                waiting = self._members[candidate.id]
                if self._partners.would_join(waiting, alone, same_condition=waiting.alert_key == episode.alert_key):
                    found.append((self._held[candidate.id], waiting))
        return found

    def fold(self, now_ms: int) -> None:
        """Fold what has waited for a while. Nobody may hold one of its incidents meanwhile."""
        for book in self._books.values():
            book.fold(now_ms)

    def _next(self) -> int:
        """The order of the next: after the last that waits, which a restart knows, too."""
        last = next(reversed(self._held.values()), None)  # entered in their order
        return 0 if last is None else last.order + 1

    def _enter(self, held: Held) -> None:
        event = held.event
        name = event.episode_id
        self._held[name] = held
        if held.group:
            self._groups.setdefault(held.group, {})[name] = None
        book = self._books.get(held.wakes)
        if book is None:
            return
        at_ms = event.at_ms
        would_be = Incident(id=name, space=event.space, detected_at_ms=at_ms, opened_at_ms=at_ms)
        would_be.updated_at_ms = would_be.news_at_ms = at_ms
        would_be.domain, would_be.episodes_open, would_be.episodes_total = event.alert.domain or "", 1, 1
        member = self._members[name] = self._assessor.member(event)
        member.marks = self._marks(event, member)
        book.open_incident(would_be)
        book.join(member, name)

    # -- state

    def load(self, value: bytes) -> None:
        """Take one record back; `restored` enters it.

        Raises:
            ValueError: it is of a schema that this release does not read.
        """
        document = orjson.loads(value)
        if document.get("schema") != HELD_SCHEMA:
            raise ValueError(f"held episode of schema {document.get('schema')!r}, this release reads {HELD_SCHEMA}")
        document["event"] = episode_from_wire(document["event"])
        held = Held(**document)
        self._held[held.event.episode_id] = held

    def dump(self, episode_id: str) -> bytes | None:
        """The record of an episode; None where it does not wait."""
        held = self._held.get(episode_id)
        return None if held is None else to_json(held)

    def restored(self) -> dict[str, int | None]:
        """All records are back: enter them in the order in which they had come. Answers when each one's time is up."""
        came = sorted(self._held.values(), key=lambda held: held.order)
        self._held = {}
        for held in came:
            self._enter(held)
        return {held.event.episode_id: held.until_ms for held in came}
