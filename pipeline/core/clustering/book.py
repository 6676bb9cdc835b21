"""The book of incidents of one partition, with the inverted indexes that find candidates for an episode.

The cost of an episode follows the reach of what it is about, not the number of open incidents. Members are kept as
their state records, and incidents that nothing has touched lately as bytes too (`pipeline.core.clustering.case`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import nlargest, nsmallest
from itertools import islice
from typing import Final

from pipeline.core.clustering.case import Case, Folded, Folder
from pipeline.core.clustering.holders import Holders
from pipeline.core.clustering.tally import Tally
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.core.topology import Topology
from pipeline.models.alert import FeedClass
from pipeline.models.command import Target
from pipeline.models.incident import Incident
from pipeline.models.member import Member, anchors_of, member_from_wire, member_to_wire, order_of_wire

CANDIDATES_MAX: Final = 10
"""Incidents weighed for one episode, newest news first: bounds its cost."""

HOLDERS_ASKED_MAX: Final = 32
"""Of the incidents that one name finds, those that took it last are asked. Thousands may need a shared platform: which
of them its failure belongs to, only those that began lately can say."""

HOT_MS: Final = 120_000
"""An incident that took a symptom in within this time is hot: what comes now may be the next one, whatever is known of
relations. Most symptoms of a failure show within two minutes of another one."""

HOT_MAX: Final = 6
"""Where more incidents are hot, that something comes at the same time says nothing any more, and none is weighed for
that alone. Bounds the cost of an episode, too."""

HOT_LOOKED_MAX: Final = 32
"""Newest incidents of all spaces that are looked at for the hot ones of one space."""

FOLD_AFTER_MS: Final = 120_000
"""An incident without news for this long is folded: what belongs to one failure comes faster, and sporadic news pays
a tenth of a millisecond to unfold it."""

CASES_OPEN_MAX: Final = 512
"""Incidents kept unfolded whatever their age, those touched last: failures that go on at the same moment are tens, and
an unfolded incident takes some 25 KiB."""

FOLDED_MEMBERS_MAX: Final = 64
"""Incidents with more members stay unfolded: theirs is a small share of their members' memory, and to unfold them
would take milliseconds."""

FOLDS_AT_ONCE_MIN: Final = 128
"""Incidents folded after a batch, or twice as many as it opened if that is more: bounds what a leap in time costs."""


class Book:
    """Incidents and their members, by every name under which an episode could ask for them.

    Attributes:
        joined: how often a member has joined so far: the order of the next.
    """

    def __init__(self, topology: Topology, *, by_time: bool = True) -> None:
        """Args: ``by_time`` is whether any incident is `hot`."""
        self._topology = topology
        self._by_time = by_time
        self._cases: dict[str, Case | Folded] = {}
        self._open: dict[str, Case] = {}
        self._members: dict[str, list[str]] = {}
        self._records: dict[str, bytes | str] = {}  # the id of the incident where it is folded
        self._folder = Folder()
        self._opened = 0
        self._absorbed_by: dict[str, str] = {}
        self._newest_ms: dict[str, int] = {}  # when the newest member was opened, last to take one in last
        self.joined = 0
        self._by_condition = Holders()
        self._by_anchor = Holders()
        self._by_reach = Holders()
        self._by_term = Holders()
        self._by_ticket = Holders()

    # -- incidents

    def open_incident(self, incident: Incident, told: str = "") -> Case:
        """Enter an incident."""
        case = self._cases[incident.id] = self._open[incident.id] = Case(incident, told)
        self._opened += 1
        self._members.setdefault(incident.id, [])
        self.absorb(incident)
        return case

    def absorb(self, incident: Incident) -> None:
        """Let the ids of those that were merged into an incident lead to it."""
        self._absorbed_by.update(dict.fromkeys(incident.absorbed, incident.id))

    def absorber(self, incident_id: str) -> str | None:
        """The incident in the book that this one was merged into, directly or not; None where there is none."""
        return self._absorbed_by.get(incident_id)

    def case(self, incident_id: str) -> Case:
        """The case of an incident that is in the book."""
        known = self._open.pop(incident_id, None) or self._unfold(incident_id)
        self._open[incident_id] = known  # now the last to be folded
        return known

    def _unfold(self, incident_id: str) -> Case:
        folded = self._cases[incident_id]
        if isinstance(folded, Case):  # one with too many members to be folded
            return folded
        case, records = folded.unfold()
        self._records.update(zip(self._members[incident_id], records, strict=True))
        self._cases[incident_id] = case
        self._opened += 1
        return case

    def sizes(self) -> dict[str, int]:
        """How many incidents and members there are, for metrics."""
        return {"incidents": len(self._cases), "members": len(self._records)}

    def told(self, incident_id: str) -> str | None:
        """Digest of what the bridge was told of an incident; None where it is not in the book."""
        known = self._cases.get(incident_id)
        return None if known is None else known.told

    def incident(self, incident_id: str) -> Incident | None:
        """An incident, or None where it is not in the book."""
        return self.case(incident_id).incident if incident_id in self._cases else None

    def tally(self, incident_id: str) -> Tally:
        """Sums over the members of an incident."""
        case = self.case(incident_id)
        if case.tally is None:
            case.tally = Tally.of(self.members_of(incident_id), self._topology)
        return case.tally

    def count_again(self, incident_id: str) -> None:
        """Forget the sums over the members of an incident: they are counted anew when they are asked for."""
        self.case(incident_id).tally = None

    def fold(self, now_ms: int) -> None:
        """Fold what nothing has touched for a while. Nobody may hold one of the incidents meanwhile."""
        at_most, self._opened = max(FOLDS_AT_ONCE_MIN, 2 * self._opened), 0
        for incident_id in list(islice(self._open, at_most)):
            case = self._open[incident_id]
            if len(self._open) <= CASES_OPEN_MAX and now_ms - case.incident.updated_at_ms < FOLD_AFTER_MS:
                return
            del self._open[incident_id]
            members = self._members[incident_id]
            if len(members) > FOLDED_MEMBERS_MAX:
                continue
            self._cases[incident_id] = self._folder.fold(case, [self._record(each) for each in members])
            for episode_id in members:
                self._records[episode_id] = incident_id

    def forget(self, incident_id: str) -> list[str]:
        """Take an ended incident out, with its members, whose episode ids are returned."""
        members = self.members_of(incident_id)
        for absorbed in self.case(incident_id).incident.absorbed:
            if self._absorbed_by.get(absorbed) == incident_id:  # else that is in the one that took this one in
                del self._absorbed_by[absorbed]
        for member in members:
            self._leave(member)
            del self._records[member.episode_id]
        del self._members[incident_id]
        del self._cases[incident_id]
        self._open.pop(incident_id, None)
        self._newest_ms.pop(incident_id, None)
        return [member.episode_id for member in members]

    # -- members

    def load_member(self, episode_id: str, value: bytes) -> None:
        """Take a member's state record back; `restored` enters it."""
        self._records[episode_id] = value

    def restored(self) -> None:
        """All records are back: enter the members in the order in which they had joined."""
        own = {incident_id: incident_id for incident_id in self._cases}  # one string for each, however many hold it
        for order, episode_id in sorted((order_of_wire(self._record(each)), each) for each in self._records):
            member = member_from_wire(episode_id, self._record(episode_id))
            incident_id = own[member.incident_id]
            self._members[incident_id].append(episode_id)
            self._enter(member, incident_id)
            self.joined = max(self.joined, order + 1)

    def join(self, member: Member, incident_id: str) -> None:
        """Enter a new member of an incident, as its last."""
        member.incident_id, member.joined_order = incident_id, self.joined
        self.joined += 1
        members = self._members[incident_id]
        members.append(member.episode_id)
        self._records[member.episode_id] = member_to_wire(member)
        case = self.case(incident_id)
        if len(members) == 1:
            case.tally = Tally(self._topology)
        if case.tally is not None:
            case.tally.add(member)
        self._enter(member, incident_id)

    def member(self, episode_id: str) -> Member | None:
        """A member as it was kept last, or None. A change of it counts by `resolve` and `set_severity` alone."""
        record = self.record(episode_id)
        return None if record is None else member_from_wire(episode_id, record)

    def record(self, episode_id: str) -> bytes | None:
        """The state record of a member; None where it is gone."""
        return self._record(episode_id) if episode_id in self._records else None

    def _record(self, episode_id: str) -> bytes:
        record = self._records[episode_id]
        while isinstance(record, str):
            self.case(record)
            record = self._records[episode_id]
        return record

    def members_of(self, incident_id: str) -> list[Member]:
        """Members in the order in which they joined."""
        return [member_from_wire(each, self._record(each)) for each in self._members[incident_id]]

    def each_of(self, incident_id: str) -> Iterator[Member]:
        """The same, read one at a time: for who needs not all of them."""
        return (member_from_wire(each, self._record(each)) for each in self._members[incident_id])

    def newest_members(self, at_most: int) -> list[Member]:
        """Members of all incidents, those that joined last."""
        newest = nlargest(at_most, ((order_of_wire(self._record(each)), each) for each in self._records))
        return [member_from_wire(each, self._record(each)) for _, each in reversed(newest)]

    def first_incidents(self, at_most: int) -> list[str]:
        """Incidents in the book, by id."""
        return nsmallest(at_most, self._cases)

    def resolve(self, member: Member, at_ms: int) -> bool:
        """Note that a member is over; False where it was already."""
        if member.resolved_at_ms is not None:
            return False
        tally = self.tally(member.incident_id)
        member.resolved_at_ms, member.labels = at_ms, {}
        self._records[member.episode_id] = member_to_wire(member)
        tally.resolved(member)
        return True

    def set_severity(self, member: Member, severity: str) -> None:
        """Note another severity of a member."""
        before, member.severity = member.severity, severity
        self._records[member.episode_id] = member_to_wire(member)
        case = self.case(member.incident_id)
        if case.tally is not None:
            case.tally.changed_severity(member, before)

    def move(self, moving: list[Member], old_id: str, new_id: str) -> list[str]:
        """Move members to another incident, as its last. Returns the episodes whose records changed.

        Those that stay are entered anew, so that names are held in the order of their members, as after a restart.
        """
        names = {member.episode_id for member in moving}
        staying = [member for member in self.members_of(old_id) if member.episode_id not in names]
        for member in (*staying, *moving):
            self._leave(member)
        self._members[old_id] = []
        self._newest_ms.pop(old_id, None)
        self.case(old_id).tally = None  # the other one takes in what comes, as its last: that costs what moves
        for member in staying:
            self.join(member, old_id)
        for member in moving:
            self.join(member, new_id)
        return [member.episode_id for member in (*staying, *moving)]

    def describe(self, changed: dict[str, Member], incident_id: str) -> list[str]:
        """Enter members that are about something else now. Returns the episodes whose records changed: all of them.

        All are entered anew in their order, so that names are held in the order of their members, as after a restart.
        """
        members = self.members_of(incident_id)
        for member in members:
            self._leave(member)
        self._members[incident_id] = []
        self._newest_ms.pop(incident_id, None)
        self.case(incident_id).tally = None
        for member in members:
            self.join(changed.get(member.episode_id, member), incident_id)
        return [member.episode_id for member in members]

    # -- searching

    def names(self) -> list[dict[str, list[str]]]:
        """All names with the incidents that hold them, index by index: what finds candidates."""
        indexes = (self._by_condition, self._by_anchor, self._by_reach, self._by_term, self._by_ticket)
        return [index.all() for index in indexes]

    def has_condition(self, incident_id: str, alert_key: str) -> bool:
        """Whether a run of the condition is a member."""
        return self._by_condition.holds(alert_key, incident_id)

    def is_about(self, incident_id: str, ref: str) -> bool:
        """Whether a member is about an entity, or names it."""
        return self._by_anchor.holds(ref, incident_id)

    def find(self, target: Target, resolve: Callable[[str], str | None]) -> Incident | None:
        """The incident that a command's target means; ``resolve`` finds the reference of a service's name."""
        found = target.incident_id
        if found is None and target.episode_id is not None:
            member = self.member(target.episode_id)
            found = member.incident_id if member else None
        if found is None and target.ticket is not None:
            found = self.with_ticket(target.ticket)
        if found is None and target.service is not None:
            ref = resolve(target.service)
            found = self.with_entity(ref) if ref else None
        return self.incident(found) if found else None

    def with_ticket(self, ticket: str) -> str | None:
        """The incident that holds a ticket; an open one, then the newest, where several do."""
        return self._newest(self._by_ticket.newest(ticket, HOLDERS_ASKED_MAX))

    def with_entity(self, ref: str) -> str | None:
        """The incident that is about an entity; an open one, then the newest, where several are."""
        return self._newest(self._by_anchor.newest(ref, HOLDERS_ASKED_MAX))

    def hot(self, space: str, now_ms: int) -> list[str]:
        """Incidents of a space that took a symptom in within `HOT_MS`, newest first, at most one over `HOT_MAX`."""
        found: list[str] = []
        if not self._by_time:
            return found
        for incident_id in islice(reversed(self._newest_ms), HOT_LOOKED_MAX):
            if len(found) > HOT_MAX:
                break
            # What waited, and what was regrouped, is entered last and is none of the newest.
            if now_ms - self._newest_ms[incident_id] <= HOT_MS and self._space(incident_id) == space:
                found.append(incident_id)
        return found

    def _space(self, incident_id: str) -> str:
        case = self._cases[incident_id]
        return case.space if isinstance(case, Folded) else case.incident.space

    def candidates(self, episode: Member, space: str, hot: Sequence[str] = ()) -> list[Incident]:
        """Incidents of a space that some evidence speaks for, newest news first, at most `CANDIDATES_MAX`.

        Args:
            episode: the newcomer.
            space: incidents of others are none.
            hot: from `hot`.
        """
        found: dict[str, None] = dict.fromkeys(hot) if len(hot) <= HOT_MAX else {}
        self._by_condition.gather((episode.alert_key,), HOLDERS_ASKED_MAX, found)
        for anchor in anchors_of(episode):
            self._by_reach.gather((anchor,), HOLDERS_ASKED_MAX, found)
            self._by_anchor.gather(self._topology.reach(anchor), HOLDERS_ASKED_MAX, found)
            self._by_reach.gather(self._topology.shared_fate(anchor), HOLDERS_ASKED_MAX, found)
        if episode.feed_class == FeedClass.DESK:
            self._by_term.gather(episode.terms, HOLDERS_ASKED_MAX, found)
        ranked: list[tuple[int, str]] = []
        for incident_id in found:
            case = self._cases[incident_id]
            known = case if isinstance(case, Folded) else case.incident
            if known.space == space:
                ranked.append((-known.updated_at_ms, incident_id))
        ranked.sort()
        return [self.case(incident_id).incident for _, incident_id in ranked[:CANDIDATES_MAX]]

    def _newest(self, ids: Iterable[str]) -> str | None:
        """The incident that people mean: an open one, else one that is resolved but not closed."""
        ranked = sorted(
            (self.case(each).incident for each in ids),
            key=lambda each: (each.state not in OPEN_STATES, -each.updated_at_ms, each.id),
        )
        return ranked[0].id if ranked else None

    def _enter(self, member: Member, incident_id: str) -> None:
        """Enter an incident under the names of a member, its last."""
        newest_ms = max(self._newest_ms.pop(incident_id, 0), member.opened_at_ms)
        self._newest_ms[incident_id] = newest_ms
        for holders, names in self._names(member):
            holders.enter(names, incident_id)

    def _leave(self, member: Member) -> None:
        """Forget a member's incident under the member's names."""
        for holders, names in self._names(member):
            for name in names:
                holders.drop(name, member.incident_id)

    def _names(self, member: Member) -> list[tuple[Holders, Iterable[str]]]:
        """Every name under which an episode could ask for a member's incident, by index."""
        names: list[tuple[Holders, Iterable[str]]] = [(self._by_condition, (member.alert_key,))]
        reach_of = self._topology.reach
        if member.ticket is not None:
            names.append((self._by_ticket, (member.ticket,)))
        for anchor in anchors_of(member):
            reach = reach_of(anchor)
            names.append((self._by_anchor, (next(iter(reach)),)))
            names.append((self._by_reach, reach))
        if member.feed_class == FeedClass.DESK:
            names.append((self._by_term, member.terms))
        return names
