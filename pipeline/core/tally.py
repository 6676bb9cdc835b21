"""The tally of an incident: running sums over its members, so that one more costs the same whatever came before.

Only adding is incremental. After anything else (a member left, its severity changed) the book drops the tally and
counts again from the members, so a tally always equals ``Tally.of`` its members.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from pipeline.core.topology import Topology
from pipeline.models.alert import SEVERITY_RANK, FeedClass, Severity
from pipeline.models.incident import Member

if TYPE_CHECKING:
    from pipeline.core.prioritise import Facts

COMPARED_MEMBERS_MAX: Final = 12
"""Newest members whose text is compared with a newcomer's: bounds its cost."""

SYMPTOMS_MAX: Final = 10
"""Different symptoms told on the record; the rest is on the timeline."""

OUTAGE_RANK: Final = SEVERITY_RANK[Severity.ERROR]
"""From this severity on, a monitor's alert stands for everybody whom the service serves."""


@dataclass(slots=True)
class About:
    """What the members say about one entity."""

    first_ms: int
    rank: int
    by_monitor: bool
    summary: str
    category: str | None


@dataclass(slots=True)
class Served:
    """What the members say about one service.

    Attributes:
        outage: a monitor's alert stands for everybody whom it serves.
        reporters: people who reported, by opaque id.
        stated: users affected as far as messages said.
    """

    outage: bool = False
    reporters: set[str] = field(default_factory=set)
    stated: int = 0


@dataclass(slots=True)
class Words:
    """The text of one member, for likeness."""

    entity: str | None
    by_people: bool
    terms: frozenset[str]


@dataclass(slots=True)
class Tally:
    """Sums over the members of one incident. Dictionaries keep the order in which members joined.

    Attributes:
        about: what is said of each entity.
        needs: everything within reach of the entities -> least distance in hops.
        named: everything within reach of what texts name in business terms.
        served: what is said of each service, or entity without one.
        services: catalogue references of services.
        tier: most critical tier of entities and services.
        regulatory: tags of entities and services.
        severity: worst severity.
        newest: texts of the newest members.
        monitors: members that monitors reported; ``monitors_open`` and ``reports_open`` of both kinds are not over.
        about_version: changes whenever suspects may.
        ranked_for: what the incident's suspects were ranked for; None: not yet.
        facts: facts as gathered last; None: to be gathered.
    """

    topology: Topology
    about: dict[str, About] = field(default_factory=dict)
    needs: dict[str, int] = field(default_factory=dict)
    named: dict[str, None] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    services: dict[str, None] = field(default_factory=dict)
    categories: dict[str, None] = field(default_factory=dict)
    symptoms: dict[str, None] = field(default_factory=dict)
    reporters: set[str] = field(default_factory=set)
    tier: int | None = None
    regulatory: set[str] = field(default_factory=set)
    severity: str = Severity.UNKNOWN
    newest: deque[Words] = field(default_factory=lambda: deque(maxlen=COMPARED_MEMBERS_MAX))
    monitors: int = 0
    monitors_open: int = 0
    reports_open: int = 0
    about_version: int = 0
    ranked_for: tuple[int, int] | None = None
    facts: Facts | None = None

    @classmethod
    def of(cls, members: Iterable[Member], topology: Topology) -> Self:
        """Count members in the order in which they joined."""
        tally = cls(topology)
        for member in members:
            tally.add(member)
        return tally

    def add(self, member: Member) -> None:
        """Count one more."""
        by_people = member.feed_class == FeedClass.DESK
        self.facts = None
        if SEVERITY_RANK.get(member.severity, 0) > SEVERITY_RANK.get(self.severity, 0):
            self.severity = member.severity
        if member.category is not None:
            self.categories.setdefault(member.category)
        if len(self.symptoms) < SYMPTOMS_MAX and member.summary:
            self.symptoms.setdefault(member.summary)
        self.newest.append(Words(member.entity, by_people, frozenset(member.terms)))
        self._count_open(member, by_people, +1)
        self.monitors += not by_people
        for named in member.mentions:
            self.named.update(dict.fromkeys(self.topology.reach(named)))
        self._serve(member, by_people)
        if member.entity is not None:
            self._tell_about(member.entity, member, by_people)

    def resolved(self, member: Member) -> None:
        """A counted member that was open is over."""
        self._count_open(member, member.feed_class == FeedClass.DESK, -1)

    def all_clear(self) -> bool:
        """Monitors decide where there are any; a cluster of reports alone waits for its tickets."""
        return not (self.monitors_open if self.monitors else self.reports_open)

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
        if about is None:
            return
        served = self.served.get(about)
        if served is None:
            served = self.served[about] = Served()
            self._weigh_in(about)
        served.outage |= not by_people and SEVERITY_RANK.get(member.severity, 0) >= OUTAGE_RANK
        served.stated += member.users_affected or 0
        if member.ticket is not None:
            served.reporters.add(member.reporter or member.ticket)

    def _tell_about(self, entity: str, member: Member, by_people: bool) -> None:
        rank = 0 if by_people else SEVERITY_RANK.get(member.severity, 0)
        known = self.about.get(entity)
        if known is None:
            self.about[entity] = About(member.event_at_ms, rank, not by_people, member.summary, member.category)
            for ref, distance in self.topology.reach(entity).items():
                self.needs[ref] = min(distance, self.needs.get(ref, distance))
            self._weigh_in(entity)
            self.about_version += 1
            return
        known.category = known.category or member.category
        if member.event_at_ms < known.first_ms or rank > known.rank or not (known.by_monitor or by_people):
            self.about_version += 1
        known.first_ms = min(known.first_ms, member.event_at_ms)
        known.by_monitor = known.by_monitor or not by_people
        if rank > known.rank:
            known.rank, known.summary = rank, member.summary

    def _weigh_in(self, ref: str) -> None:
        entity = self.topology.entities.get(ref)
        if entity is None:
            return
        if entity.tier is not None:
            self.tier = entity.tier if self.tier is None else min(self.tier, entity.tier)
        self.regulatory.update(entity.regulatory)
