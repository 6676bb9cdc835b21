"""Impacts of an incident on services, summed as they change: of thousands, what one more costs is its own sum.

Services of one system earn the same money, and services of one population serve the same people: within each the
largest counts, never the sum. A population may be part of another (``staff/berlin`` of ``staff``): then the whole
counts as the larger of what is said of it and what its parts come to.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum
from typing import Final

Impact = tuple[str, int, float, str]
"""System, users, revenue a minute, population."""

POPULATION: Final = "population:"
"""Begins the key of a population that the catalogue names; of a service without one it is its system's name, or its
own reference. Only what is named so has parts: a reference has slashes, too."""


def population_key(name: str) -> str:
    """The key of a population that the catalogue names, as it stands in an `Impact`."""
    return POPULATION + name


def _whole(population: str) -> str | None:
    """The population that one is a part of; None where it is part of none."""
    if not population.startswith(POPULATION):
        return None
    whole, part, _ = population.rpartition("/")
    return whole if part else None


class People:
    """Users over populations of which some are parts of others, nobody counted twice.

    Attributes:
        total: over all.
    """

    __slots__ = ("_counted", "_inside", "_own", "total")

    def __init__(self) -> None:
        self.total = 0
        self._own: dict[str, int] = {}
        self._inside: dict[str, int] = {}
        self._counted: dict[str, int] = {}

    def put(self, population: str, users: int) -> None:
        """Take the users of a population, in the place of what they were. Costs as many steps as it has wholes."""
        self._own[population] = users
        here: str | None = population
        while here is not None:
            before, now = self._counted.get(here, 0), max(self._own.get(here, 0), self._inside.get(here, 0))
            if now == before:
                return
            self._counted[here] = now
            whole = _whole(here)
            if whole is None:
                self.total += now - before
            else:
                self._inside[whole] = self._inside.get(whole, 0) + now - before
            here = whole


class Impacts:
    """Impact by service, and their totals.

    Attributes:
        by_service: in the order in which the services were hit.
    """

    __slots__ = ("_earns", "_earns_peak", "_people", "_revenue", "_serves", "_serves_peak", "by_service")

    def __init__(self) -> None:
        self.by_service: dict[str, Impact] = {}
        self._people = People()
        self._revenue: list[float] = []  # parts whose exact sum is the revenue, whatever came and went
        self._serves: dict[str, dict[str, None]] = {}
        self._serves_peak: dict[str, int] = {}
        self._earns: dict[str, dict[str, None]] = {}
        self._earns_peak: dict[str, float] = {}

    def put(self, ref: str, impact: Impact) -> None:
        """Take the impact on a service, in the place of what it was."""
        before = self.by_service.get(ref)
        system, users, revenue, population = impact
        if before is not None and (before[0], before[3]) != (system, population):
            self.drop(ref)  # the catalogue was put right meanwhile
            before = None
        self.by_service[ref] = impact
        self._serves.setdefault(population, {})[ref] = None
        self._earns.setdefault(system, {})[ref] = None
        fell = before is not None and users < before[1]
        self._serve(population, self._most_users(population) if fell else max(self._peak(population), users))
        fell = before is not None and revenue < before[2]
        self._earn(system, self._most_revenue(system) if fell else max(self._earns_peak.get(system, 0.0), revenue))

    def drop(self, ref: str) -> None:
        """Forget the impact on a service; one that is not there changes nothing."""
        known = self.by_service.pop(ref, None)
        if known is None:
            return
        system, _, _, population = known
        del self._serves[population][ref], self._earns[system][ref]
        self._serve(population, self._most_users(population))
        self._earn(system, self._most_revenue(system))

    def total(self) -> tuple[int, float]:
        """Users and revenue a minute over all."""
        return self._people.total, round(fsum(self._revenue), 2)

    def _peak(self, population: str) -> int:
        return self._serves_peak.get(population, 0)

    def _most_users(self, population: str) -> int:
        return max((self.by_service[each][1] for each in self._serves[population]), default=0)

    def _most_revenue(self, system: str) -> float:
        return max((self.by_service[each][2] for each in self._earns[system]), default=0.0)

    def _serve(self, population: str, users: int) -> None:
        if users != self._peak(population):
            self._serves_peak[population] = users
            self._people.put(population, users)

    def _earn(self, system: str, revenue: float) -> None:
        known = self._earns_peak.get(system, 0.0)
        if revenue != known:
            self._earns_peak[system] = revenue
            _add(self._revenue, -known)
            _add(self._revenue, revenue)


def _add(parts: list[float], number: float) -> None:
    """Add to parts that do not overlap, whose sum stays exact (Shewchuk, 1997: what `math.fsum` does)."""
    kept = 0
    for part in parts:
        big, small = (number, part) if abs(number) >= abs(part) else (part, number)
        high = big + small
        low = small - (high - big)
        if low:
            parts[kept] = low
            kept += 1
        number = high
    parts[kept:] = [number] if number else []


def total(impacts: Iterable[Impact]) -> tuple[int, float]:
    """Users and revenue a minute over impacts: within one population, and one system, the largest counts."""
    users: dict[str, int] = {}
    revenue: dict[str, float] = {}
    for system, served, money, population in impacts:
        users[population] = max(users.get(population, 0), served)
        revenue[system] = max(revenue.get(system, 0.0), money)
    return _people(users), round(fsum(revenue.values()), 2)


def _people(users: dict[str, int]) -> int:
    """Users over populations; only those that the catalogue names may be parts of others."""
    if not any(population.startswith(POPULATION) for population in users):
        return sum(users.values())
    people = People()
    for population, served in users.items():
        people.put(population, served)
    return people.total
