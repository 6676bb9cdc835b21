"""The book of incidents of one partition, with the inverted indexes that find candidates for an episode.

The cost of an episode follows the reach of what it is about, not the number of open incidents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pipeline.core.lifecycle import OPEN_STATES
from pipeline.core.tally import Tally
from pipeline.core.topology import Topology
from pipeline.models.alert import FeedClass
from pipeline.models.command import Target
from pipeline.models.incident import Incident, Member

CANDIDATES_MAX: Final = 10
"""Incidents weighed for one episode, newest news first: bounds its cost."""

SHARED_FATE: Final = frozenset({"host", "rack"})
"""Places small enough to find candidates by. A cluster or zone holds too much; it only adds to other evidence."""

Index = dict[str, dict[str, int]]
"""Something found on episodes -> incident id -> how many of its members have it."""


class Book:
    """Incidents and their members, by every name under which an episode could ask for them."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.incidents: dict[str, Incident] = {}
        self.members: dict[str, dict[str, Member]] = {}
        self.by_episode: dict[str, Member] = {}
        self._tallies: dict[str, Tally] = {}
        self._by_condition: Index = {}
        self._by_anchor: Index = {}
        self._by_reach: Index = {}
        self._by_term: Index = {}
        self._by_ticket: Index = {}

    def open_incident(self, incident: Incident) -> None:
        """Enter a new incident."""
        self.incidents[incident.id] = incident
        self.members.setdefault(incident.id, {})

    def attach(self, member: Member) -> None:
        """Enter a member of the incident that it names."""
        self.members.setdefault(member.incident_id, {})[member.episode_id] = member
        self.by_episode[member.episode_id] = member
        if (tally := self._tallies.get(member.incident_id)) is not None:
            tally.add(member)
        self._count(member, +1)

    def detach(self, member: Member) -> None:
        """Take a member out."""
        del self.members[member.incident_id][member.episode_id]
        del self.by_episode[member.episode_id]
        self._tallies.pop(member.incident_id, None)
        self._count(member, -1)

    def tally(self, incident_id: str) -> Tally:
        """Sums over the members of an incident."""
        tally = self._tallies.get(incident_id)
        if tally is None:
            members = self.members[incident_id].values()
            tally = self._tallies[incident_id] = Tally.of(members, self._topology)
        return tally

    def resolve(self, member: Member, at_ms: int) -> bool:
        """Note that a member is over; False where it was already."""
        if member.resolved_at_ms is not None:
            return False
        tally = self.tally(member.incident_id)
        member.resolved_at_ms = at_ms
        tally.resolved(member)
        return True

    def set_severity(self, member: Member, severity: str) -> None:
        """Note another severity of a member."""
        member.severity = severity
        self._tallies.pop(member.incident_id, None)

    def forget(self, incident_id: str) -> list[Member]:
        """Take an ended incident out, with its members, which are returned."""
        members = list(self.members[incident_id].values())
        for member in members:
            self.detach(member)
        del self.members[incident_id]
        del self.incidents[incident_id]
        return members

    def members_of(self, incident_id: str) -> list[Member]:
        """Members in the order in which they joined."""
        return list(self.members[incident_id].values())

    def next_order(self, incident_id: str) -> int:
        """The `joined_order` of the incident's next member. Members that left leave gaps, so this is no count."""
        last = next(reversed(self.members[incident_id].values()), None)
        return 0 if last is None else last.joined_order + 1

    def has_condition(self, incident_id: str, alert_key: str) -> bool:
        """Whether a run of the condition is a member."""
        return incident_id in self._by_condition.get(alert_key, {})

    def find(self, target: Target, resolve: Callable[[str], str | None]) -> Incident | None:
        """The incident that a command's target means; ``resolve`` finds the reference of a service's name."""
        found = target.incident_id
        if found is None and target.episode_id is not None:
            member = self.by_episode.get(target.episode_id)
            found = member.incident_id if member else None
        if found is None and target.ticket is not None:
            found = self.with_ticket(target.ticket)
        if found is None and target.service is not None:
            ref = resolve(target.service)
            found = self.with_entity(ref) if ref else None
        return self.incidents.get(found) if found else None

    def with_ticket(self, ticket: str) -> str | None:
        """The incident that holds a ticket; an open one, then the newest, where several do."""
        return self._newest(self._by_ticket.get(ticket, {}))

    def with_entity(self, ref: str) -> str | None:
        """The incident that is about an entity; an open one, then the newest, where several are."""
        return self._newest(self._by_anchor.get(ref, {}))

    def candidates(self, episode: Member) -> list[Incident]:
        """Incidents of its space that some evidence speaks for, newest news first, at most `CANDIDATES_MAX`."""
        found: dict[str, None] = dict.fromkeys(self._by_condition.get(episode.alert_key, ()))
        for anchor in _anchors(episode):
            found.update(dict.fromkeys(self._by_reach.get(anchor, ())))
            for ref in self._topology.reach(anchor):
                found.update(dict.fromkeys(self._by_anchor.get(ref, ())))
                if self._topology.hosting(ref) in SHARED_FATE:
                    found.update(dict.fromkeys(self._by_reach.get(ref, ())))
        if episode.feed_class == FeedClass.DESK:
            for term in episode.terms:
                found.update(dict.fromkeys(self._by_term.get(term, ())))
        here = [each for name in found if (each := self.incidents[name]).space == episode.space]
        here.sort(key=lambda each: (-each.updated_at_ms, each.id))
        return here[:CANDIDATES_MAX]

    def _newest(self, ids: Iterable[str]) -> str | None:
        """The incident that people mean: an open one, else one that is resolved but not closed."""
        ranked = sorted(
            (self.incidents[each] for each in ids),
            key=lambda each: (each.state not in OPEN_STATES, -each.updated_at_ms, each.id),
        )
        return ranked[0].id if ranked else None

    def _count(self, member: Member, by: int) -> None:
        incident = member.incident_id
        _add(self._by_condition, member.alert_key, incident, by)
        if member.ticket is not None:
            _add(self._by_ticket, member.ticket, incident, by)
        anchors = _anchors(member)
        reach = dict.fromkeys(ref for anchor in anchors for ref in self._topology.reach(anchor))
        for anchor in anchors:
            _add(self._by_anchor, anchor, incident, by)
        for ref in reach:
            _add(self._by_reach, ref, incident, by)
        if member.feed_class == FeedClass.DESK:
            for term in member.terms:
                _add(self._by_term, term, incident, by)


def _anchors(member: Member) -> dict[str, None]:
    """What the episode is about: its entity and what its text names."""
    anchors = dict.fromkeys(member.mentions)
    if member.entity is not None:
        anchors.setdefault(member.entity)
    return anchors


def _add(index: Index, key: str, incident: str, by: int) -> None:
    counts = index.setdefault(key, {})
    left = counts.get(incident, 0) + by
    if left > 0:
        counts[incident] = left
        return
    counts.pop(incident, None)
    if not counts:
        del index[key]
