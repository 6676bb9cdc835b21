"""The dependency graph of the catalogue: who needs what, how far, and what shares the same fate.

Distances follow ``dependsOn`` from the one in need to what it needs. Both directions of a question are answered
from the needing side, whose reach is small, so that a shared platform with thousands of dependents costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import islice
from math import log2
from typing import Final

from pipeline.models.catalog import Catalogue, Entity

REACH_HOPS_MAX: Final = 3
"""How far dependence is followed: beyond three hops published call graphs reach nearly everything."""

REACH_ENTITIES_MAX: Final = 64
"""Entities in one reach, nearest first: bounds the cost of an episode."""

SPECIFICITY_LOSS: Final = 0.5
"""Share that each doubling of the dependents takes away, in relation to what is left."""

HOSTING_TYPES: Final[dict[str, str]] = {
    "host": "host",
    "node": "host",
    "server": "host",
    "virtual-machine": "host",
    "hypervisor": "host",
    "rack": "rack",
    "cluster": "cluster",
    "kubernetes-cluster": "cluster",
    "zone": "zone",
    "availability-zone": "zone",
    "region": "zone",
    "datacenter": "zone",
    "site": "zone",
    "provider-account": "zone",
}
"""Catalogue type -> kind of shared fate. What sits on the same host fails together far more often than what
only shares a zone."""


SITE_TYPES: Final = frozenset({"site", "datacenter"})
"""Catalogue types of what is a site."""


SHARED_FATE: Final = frozenset({"host", "rack"})
"""Places small enough to find candidates by. A cluster or zone holds too much; it only adds to other evidence."""


TITLES_MAX: Final = 20
"""Names in one sentence: nobody reads more, and a failure of a rack has hundreds."""

Tie = tuple[str, int, float, str | None]


class Topology:
    """Reach and paths in the dependency graph. Built once for a catalogue; answers are remembered."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.entities: dict[str, Entity] = catalogue.entities
        self._dependents: dict[str, list[str]] = {}
        for ref in sorted(catalogue.entities):
            for needed in catalogue.entities[ref].depends_on:
                self._dependents.setdefault(needed, []).append(ref)
        self._names = {ref: ref for ref in catalogue.entities}  # one string for each, however many hold it
        self._hosting = {
            ref: HOSTING_TYPES[entity.type]
            for ref, entity in catalogue.entities.items()
            if entity.type in HOSTING_TYPES
        }
        self._reach: dict[str, dict[str, int]] = {}
        self._sites: dict[str, tuple[str, ...]] = {}
        self._shared_fate: dict[str, tuple[str, ...]] = {}
        self._ties: dict[str, tuple[Tie, ...]] = {}

    def name(self, ref: str | None) -> str | None:
        """The reference as the one string that all share, where the catalogue lists it."""
        return self._names.get(ref, ref) if ref is not None else None

    def depends_on(self, ref: str) -> tuple[str, ...]:
        """What an entity needs directly."""
        entity = self.entities.get(ref)
        return entity.depends_on if entity else ()

    def dependents(self, ref: str) -> list[str]:
        """Who needs it directly."""
        return self._dependents.get(ref, [])

    def specificity(self, ref: str) -> float:
        """How much it says that two things meet at a place, from 1 where only one needs it down to nothing.

        What a hundred services need is needed by whatever fails at the moment.
        """
        return 1.0 / (1.0 + SPECIFICITY_LOSS * log2(max(1, len(self._dependents.get(ref, ())))))

    def reach(self, ref: str) -> dict[str, int]:
        """What an entity needs, directly or not, with the distance in hops; itself at 0."""
        known = self._reach.get(ref)
        if known is None:
            if ref not in self.entities:  # not remembered: what no catalogue lists is without bound
                return {ref: 0}
            known = self._reach[ref] = self._search(self._names[ref])
        return known

    def ties(self, ref: str) -> tuple[Tie, ...]:
        """What an entity needs, without itself: reference, hops, specificity, and the kind of place where it is one."""
        known = self._ties.get(ref)
        if known is None:
            reach = self.reach(ref)
            known = tuple(
                (each, hops, self.specificity(each), self._hosting.get(each)) for each, hops in reach.items() if hops
            )
            if ref in self.entities:
                self._ties[ref] = known
        return known

    def shared_fate(self, ref: str) -> tuple[str, ...]:
        """The hosts and racks within an entity's reach, nearest first."""
        known = self._shared_fate.get(ref)
        if known is None:
            if ref not in self.entities:
                return ()
            known = tuple(each for each in self.reach(ref) if self._hosting.get(each) in SHARED_FATE)
            self._shared_fate[ref] = known
        return known

    def _search(self, start: str) -> dict[str, int]:
        found = {start: 0}
        queue = deque([start])
        while queue and len(found) < REACH_ENTITIES_MAX:
            ref = queue.popleft()
            distance = found[ref] + 1
            if distance > REACH_HOPS_MAX:
                break
            for needed in sorted(self.depends_on(ref)):
                if needed not in found and len(found) < REACH_ENTITIES_MAX:
                    found[self._names.get(needed, needed)] = distance
                    queue.append(needed)
        return found

    def distance(self, ref: str, needed: str) -> int | None:
        """Hops from an entity to what it needs; None where it does not need it."""
        return self.reach(ref).get(needed)

    def hosting(self, ref: str) -> str | None:
        """``host``, ``rack``, ``cluster`` or ``zone`` where the entity is a place that others run on."""
        return self._hosting.get(ref)

    def runs_on(self, ref: str) -> set[str]:
        """The entity and the places that it runs on: hosts, their racks and clusters. No zone: what matters spans them.

        What it merely needs as a service is not among them.
        """
        found, queue = {ref}, [ref]
        while queue:
            for needed in self.depends_on(queue.pop()):
                if needed not in found and self.hosting(needed) in ("host", "rack", "cluster"):
                    found.add(needed)
                    queue.append(needed)
        return found

    def sites(self, ref: str) -> tuple[str, ...]:
        """The sites of an entity: those that it names, else those of what it runs on, directly or not; sorted.

        What it merely needs as a service is elsewhere. A place of type `SITE_TYPES` that says nothing is a site itself.
        """
        known = self._sites.get(ref)
        if known is None:
            if ref not in self.entities:
                return ()
            known = self._sites[ref] = tuple(sorted(self._stands(ref)))
        return known

    def _stands(self, start: str) -> set[str]:
        found, seen, queue = set[str](), {start}, [start]
        while queue:
            entity = self.entities.get(queue.pop())
            if entity is None:
                continue
            own = entity.sites or ((entity.name,) if entity.type in SITE_TYPES else ())
            found.update(own)
            if own:
                continue
            places = [each for each in entity.depends_on if each not in seen and self.hosting(each) is not None]
            seen.update(places)
            queue += places
        return found

    def path(self, start: str, goal: str) -> tuple[str, ...]:
        """The shortest way from one in need to what it needs, both ends included; empty where there is none."""
        if goal not in self.reach(start):
            return ()
        way = [start]
        while way[-1] != goal:
            here = way[-1]
            nearer = [ref for ref in sorted(self.depends_on(here)) if goal in self.reach(ref)]
            if not nearer:
                return ()
            way.append(min(nearer, key=lambda ref: (self.reach(ref)[goal], ref)))
        return tuple(way)

    def title(self, ref: str | None) -> str:
        """What people call it."""
        if ref is None:
            return "unknown service"
        entity = self.entities.get(ref)
        return entity.title if entity else ref.rsplit("/", 1)[-1]

    def titles(self, refs: Collection[str]) -> str:
        """What people call several, in the order of their names; of many the first ones given, and how many more."""
        if len(refs) <= TITLES_MAX:
            return ", ".join(map(self.title, sorted(refs)))
        shown = ", ".join(map(self.title, islice(refs, TITLES_MAX)))
        return f"{shown} and {len(refs) - TITLES_MAX:,} more"
