"""The tally of an incident: running sums over its members, so that one more costs the same whatever came before.

A tally always equals ``Tally.of`` the incident's members. Joining, resolving and changes of severity are incremental;
after anything else (a member left) the book drops the tally and counts again from the members.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from pipeline.core.clustering.leaves import Kind, Leaves
from pipeline.core.practice.impacts import Impacts
from pipeline.core.topology import Topology
from pipeline.models.alert import SEVERITY_RANK, FeedClass, Severity
from pipeline.models.correlation_rules import BOUND
from pipeline.models.member import Member

if TYPE_CHECKING:
    from pipeline.core.practice.prioritise import Facts

COMPARED_MEMBERS_MAX: Final = 12
"""Newest members whose text is compared with a newcomer's: bounds its cost."""

JOINED_MAX: Final = 16
"""Newest members of which it is known when they were opened: more in one minute says no more."""

SYMPTOMS_MAX: Final = 10
"""Different symptoms told on the record; the rest is on the timeline."""

CRITICAL_RANK: Final = SEVERITY_RANK[Severity.CRITICAL]
OUTAGE_RANK: Final = SEVERITY_RANK[Severity.ERROR]
"""From this severity on, a monitor's alert stands for everybody whom the service serves."""

IMPAIRED_RANK: Final = SEVERITY_RANK[Severity.WARNING]
"""From this severity on it does so beside an outage: who calls what is down is slow, and its users wait."""

_BY_RANK: Final[tuple[str, ...]] = tuple(sorted(SEVERITY_RANK, key=SEVERITY_RANK.__getitem__))


@dataclass(slots=True)
class About:
    """What the members say about one entity.

    Attributes:
        first_ms: when the first of them happened.
        last_ms: when the newest of them was opened, in stream time.
        rank: worst severity that a monitor reports.
        by_monitor: a monitor is among them.
        summary: of the first member with that severity, which is the one of order ``told_by``.
        told: rank of severity -> the members that have it, by order, with their summaries.
        open: members that are not over.
    """

    first_ms: int
    last_ms: int
    rank: int
    by_monitor: bool
    summary: str
    category: str | None
    told_by: int
    told: dict[int, dict[int, str]]
    open: int = 0


@dataclass(slots=True)
class Served:
    """What the members say about one service.

    Attributes:
        outages: monitors' alerts that stand for everybody whom it serves.
        impaired: monitors' alerts that do where something else in the incident is out; outages among them.
        reporters: people who reported, by opaque id.
        stated: users affected as far as messages said.
    """

    outages: int = 0
    impaired: int = 0
    reporters: dict[str, None] = field(default_factory=dict)
    stated: int = 0


@dataclass(slots=True)
class Words:
    """The text of one member, for likeness."""

    entity: str | None
    by_people: bool
    terms: list[str]


@dataclass(slots=True)
class Tally:
    """Sums over the members of one incident. Dictionaries keep the order in which members joined.

    Attributes:
        about: what is said of each entity; ``first_ms`` is when the first of all happened.
        leaves: entities that nothing else here needs; ``upstream`` are the others.
        needs: everything within reach of the entities -> least distance in hops.
        needed_ms: the same -> when the newest member that needs it was opened, in stream time.
        systems: systems of the entities.
        depends: what of it is no place that things run on.
        needed_by: what the entities need -> the first entity that needs it; ``shared``: what several need -> all.
        mentions: what texts name; ``named`` is everything within reach of what people name where
            that is all there is to know what they are about.
        served: what is said of each service, or entity without one.
        outages: monitors' alerts that stand for everybody whom any of them serves.
        impacts: what follows from that, but for those that are ``stale``; `pipeline.core.practice.prioritise` keeps it.
        services: catalogue references of services.
        tier: most critical tier of entities and services.
        regulatory: tags of entities and services; ``sites``, ``layers`` and ``hosting_models`` are theirs, too.
        severities: members by rank of severity.
        marks: what `join: never` rules know the members by -> how many are known so.
        newest: texts of the newest members; ``newest_ms`` is when the last was opened, in stream time.
        joined_ms: when the newest members were opened, in stream time.
        count: members.
        monitors: members that monitors reported; ``monitors_open`` and ``reports_open`` of both kinds are not over.
        about_version: changes whenever suspects may.
        ranked_for: what the incident's suspects were ranked for; None: not yet.
        facts: facts as gathered last; None: to be gathered.
        applied: the facts that the incident was brought up to date with last.
    """

    topology: Topology
    about: dict[str, About] = field(default_factory=dict)
    first_ms: int = 0
    leaves: Leaves = field(default_factory=Leaves)
    upstream: dict[str, None] = field(default_factory=dict)
    needs: dict[str, int] = field(default_factory=dict)
    needed_ms: dict[str, int] = field(default_factory=dict)
    systems: dict[str, None] = field(default_factory=dict)
    depends: list[str] = field(default_factory=list)
    needed_by: dict[str, str] = field(default_factory=dict)
    shared: dict[str, list[str]] = field(default_factory=dict)
    mentions: dict[str, None] = field(default_factory=dict)
    named: dict[str, None] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    outages: int = 0
    impacts: Impacts = field(default_factory=Impacts)
    stale: dict[str, None] = field(default_factory=dict)
    services: dict[str, None] = field(default_factory=dict)
    categories: dict[str, None] = field(default_factory=dict)
    symptoms: dict[str, None] = field(default_factory=dict)
    reporters: set[str] = field(default_factory=set)
    tier: int | None = None
    regulatory: set[str] = field(default_factory=set)
    sites: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)
    hosting_models: set[str] = field(default_factory=set)
    severities: list[int] = field(default_factory=lambda: [0] * len(_BY_RANK))
    marks: dict[str, int] = field(default_factory=dict)
    newest: deque[Words] = field(default_factory=lambda: deque(maxlen=COMPARED_MEMBERS_MAX))
    newest_ms: int = 0
    joined_ms: deque[int] = field(default_factory=lambda: deque(maxlen=JOINED_MAX))
    count: int = 0
    monitors: int = 0
    monitors_open: int = 0
    reports_open: int = 0
    about_version: int = 0
    ranked_for: tuple[int, int] | None = None
    facts: Facts | None = None
    applied: Facts | None = None

    @classmethod
    def of(cls, members: Iterable[Member], topology: Topology) -> Self:
        """Count members in the order in which they joined."""
        tally = cls(topology)
        for member in members:
            tally.add(member)
        return tally

    @property
    def severity(self) -> str:
        """Worst severity."""
        return _BY_RANK[_worst(self.severities)]

    def add(self, member: Member) -> None:
        """Count one more."""
        by_people = member.feed_class == FeedClass.DESK
        rank = SEVERITY_RANK.get(member.severity, 0)
        if not self.severities[rank]:
            self.facts = None  # it may be the worst now
        self.severities[rank] += 1
        if member.category is not None and member.category not in self.categories:
            self.categories[member.category] = None
            self.facts = None
        if len(self.symptoms) < SYMPTOMS_MAX and member.summary:
            self.symptoms.setdefault(member.summary)
        self.newest.append(Words(member.entity, by_people, member.terms))
        self.newest_ms = max(self.newest_ms, member.opened_at_ms)
        self.joined_ms.append(member.opened_at_ms)
        self.count += 1
        self._count_open(member, by_people, +1)
        self.monitors += not by_people
        for named in member.mentions:
            self.mentions.setdefault(named)
            if by_people and member.entity is None:
                self.named.update(dict.fromkeys(self.topology.reach(named)))
        for mark in member.marks:
            if BOUND not in mark:  # groups of an incident may be thousands
                self.marks[mark] = self.marks.get(mark, 0) + 1
        self._serve(member, by_people)
        if member.entity is not None:
            self._tell_about(member.entity, member, by_people)
            self.about[member.entity].open += member.resolved_at_ms is None

    def resolved(self, member: Member) -> None:
        """A counted member that was open is over."""
        self._count_open(member, member.feed_class == FeedClass.DESK, -1)
        if member.entity is not None:
            self.about[member.entity].open -= 1

    def changed_severity(self, member: Member, before: str) -> None:
        """A counted member has another severity than before."""
        by_people = member.feed_class == FeedClass.DESK
        old, new = SEVERITY_RANK.get(before, 0), SEVERITY_RANK.get(member.severity, 0)
        if member.entity is not None and not by_people:
            self._rank_anew(self.about[member.entity], member, old, new)
            self._suspect_for(member.entity)
        self.severities[old] -= 1
        self.severities[new] += 1
        place = member.service or member.entity
        if place is not None and not by_people:
            served = self.served[place]
            served.impaired += (new >= IMPAIRED_RANK) - (old >= IMPAIRED_RANK)
            self._count_outage(served, (new >= OUTAGE_RANK) - (old >= OUTAGE_RANK))
            self.stale[place] = None
        self.facts = None

    def all_clear(self) -> bool:
        """Monitors decide where there are any; a cluster of reports alone waits for its tickets."""
        return not (self.monitors_open if self.monitors else self.reports_open)

    def _rank_anew(self, about: About, member: Member, old: int, new: int) -> None:
        """Keep the worst severity of an entity and who told it first, after a member went from a rank to another."""
        order = member.joined_order
        had = about.told[old]
        del had[order]
        if not had:
            del about.told[old]
        about.told.setdefault(new, {})[order] = member.summary
        if about.told_by != order and (new < about.rank or (new == about.rank and order > about.told_by)):
            return
        about.rank = max(about.told)
        worst = about.told[about.rank]
        about.told_by = min(worst)
        about.summary = worst[about.told_by]
        self.about_version += 1

    def _count_open(self, member: Member, by_people: bool, by: int) -> None:
        if by > 0 and member.resolved_at_ms is not None:
            return
        if by_people:
            self.reports_open += by
        else:
            self.monitors_open += by

    def _serve(self, member: Member, by_people: bool) -> None:
        about = member.service or member.entity
        if member.service is not None:
            self.services.setdefault(member.service)
        if member.ticket is not None:
            self.reporters.add(member.reporter or member.ticket)
            self.facts = None
        if about is None:
            return
        served = self.served.get(about)
        if served is None:
            served = self.served[about] = Served()
            self.stale[about] = None
            self._weigh_in(about)
        if member.entity is None:
            self.sites.update(self.topology.sites(about))
        rank = 0 if by_people else SEVERITY_RANK.get(member.severity, 0)
        if rank >= IMPAIRED_RANK:
            if not served.outages:
                self.facts, self.stale[about] = None, None
            served.impaired += 1
            self._count_outage(served, int(rank >= OUTAGE_RANK))
        if member.users_affected:
            served.stated += member.users_affected
            self.facts, self.stale[about] = None, None
        if member.ticket is not None:
            served.reporters[member.reporter or member.ticket] = self.stale[about] = None

    def _count_outage(self, served: Served, by: int) -> None:
        """With the first outage of all, and without the last, everything that is impaired counts otherwise."""
        before = self.outages
        served.outages += by
        self.outages += by
        if bool(before) != bool(self.outages):
            self.stale.update(dict.fromkeys(self.served))

    def _tell_about(self, entity: str, member: Member, by_people: bool) -> None:
        rank = 0 if by_people else SEVERITY_RANK.get(member.severity, 0)
        known = self.about.get(entity)
        if known is None:
            self.about[entity] = About(
                member.event_at_ms,
                member.opened_at_ms,
                rank,
                not by_people,
                member.summary,
                member.category,
                member.joined_order,
                {rank: {member.joined_order: member.summary}},
            )
            self._reach_out(entity)
            self._need(entity, member.opened_at_ms)
            self._weigh_in(entity)
            self.sites.update(self.topology.sites(entity))
            if entity in self.needed_by:
                self.upstream[entity] = None
            self._suspect_for(entity)
            self.about_version += 1
            return
        known.told.setdefault(rank, {})[member.joined_order] = member.summary
        if member.opened_at_ms > known.last_ms:
            known.last_ms = member.opened_at_ms
            self._need(entity, member.opened_at_ms)
        known.category = known.category or member.category
        news = member.event_at_ms < known.first_ms or rank > known.rank or not (known.by_monitor or by_people)
        known.first_ms = min(known.first_ms, member.event_at_ms)
        known.by_monitor = known.by_monitor or not by_people
        if rank > known.rank:
            known.rank, known.summary, known.told_by = rank, member.summary, member.joined_order
        if news:
            self.about_version += 1
            self._suspect_for(entity)

    def _suspect_for(self, entity: str) -> None:
        """Keep what an entity is suspected for, after what is said of it may have changed."""
        about = self.about[entity]
        if about.first_ms < self.first_ms or len(self.about) == 1:
            self.first_ms = about.first_ms
            self.leaves.none_is_first()
        if entity not in self.upstream:
            kind = Kind(about.by_monitor, about.rank >= CRITICAL_RANK, about.first_ms == self.first_ms)
            self.leaves.put(entity, kind)

    def _reach_out(self, entity: str) -> None:
        """Take in what an entity needs."""
        needs, needed_by, shared, hosting = self.needs, self.needed_by, self.shared, self.topology.hosting
        for ref, distance in self.topology.reach(entity).items():
            nearest = needs.get(ref)
            if nearest is None:
                needs[ref] = distance
                if hosting(ref) is None:
                    self.depends.append(ref)
            elif distance < nearest:
                needs[ref] = distance
            if not distance:
                continue
            first = needed_by.setdefault(ref, entity)
            if ref in self.about and ref not in self.upstream:
                self.upstream[ref] = None
                self.leaves.drop(ref)
            if first != entity:
                shared.setdefault(ref, [first]).append(entity)

    def _need(self, entity: str, at_ms: int) -> None:
        needed_ms = self.needed_ms
        for ref in self.topology.reach(entity):
            if needed_ms.get(ref, 0) < at_ms:
                needed_ms[ref] = at_ms

    def explained(self, ref: str) -> Sequence[str]:
        """The entities that need a place, directly or not."""
        several = self.shared.get(ref)
        if several is not None:
            return several
        first = self.needed_by.get(ref)
        return () if first is None else (first,)

    def _weigh_in(self, ref: str) -> None:
        self.facts = None
        entity = self.topology.entities.get(ref)
        if entity is None:
            return
        if entity.system is not None:
            self.systems.setdefault(entity.system)
        if entity.tier is not None:
            self.tier = entity.tier if self.tier is None else min(self.tier, entity.tier)
        self.regulatory.update(entity.regulatory)
        self.sites.update(entity.sites)
        if entity.infrastructure_layer is not None:
            self.layers.add(entity.infrastructure_layer)
        if entity.hosting_model is not None:
            self.hosting_models.add(entity.hosting_model)


def _worst(counts: list[int]) -> int:
    """The highest rank that somebody has; 0 where nobody has any."""
    return next((rank for rank in range(len(counts) - 1, 0, -1) if counts[rank]), 0)
