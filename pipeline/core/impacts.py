"""Impacts of an incident on services, summed as they change: of thousands, what one more costs is its own sum.

Services of one system serve the same people and earn the same money, so of each system the largest counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum

Impact = tuple[str, int, float]
"""System, users, revenue a minute."""


class Impacts:
    """Impact by service, and their totals.

    Attributes:
        by_service: in the order in which the services were hit.
    """

    __slots__ = ("_of_system", "_peaks", "_revenue", "_users", "by_service")

    def __init__(self) -> None:
        self.by_service: dict[str, Impact] = {}
        self._users = 0
        self._revenue: list[float] = []  # parts whose exact sum is the revenue, whatever came and went
        self._of_system: dict[str, dict[str, None]] = {}
        self._peaks: dict[str, tuple[int, float]] = {}

    def put(self, ref: str, impact: Impact) -> None:
        """Take the impact on a service, in the place of what it was."""
        before = self.by_service.get(ref)
        self.by_service[ref] = impact
        system, users, revenue = impact
        self._of_system.setdefault(system, {})[ref] = None
        most_users, most_revenue = known = self._peaks.get(system, (0, 0.0))
        if before is not None and (users < before[1] or revenue < before[2]):
            same = [self.by_service[each] for each in self._of_system[system]]
            peak = max(each[1] for each in same), max(each[2] for each in same)
        else:
            peak = max(most_users, users), max(most_revenue, revenue)
        if peak != known:
            self._peaks[system] = peak
            self._users += peak[0] - most_users
            _add(self._revenue, -most_revenue)
            _add(self._revenue, peak[1])

    def total(self) -> tuple[int, float]:
        """Users and revenue a minute over all."""
        return self._users, round(fsum(self._revenue), 2)


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
    """Users and revenue a minute over impacts: within one system the largest counts."""
    users: dict[str, int] = {}
    revenue: dict[str, float] = {}
    for system, people, money in impacts:
        users[system] = max(users.get(system, 0), people)
        revenue[system] = max(revenue.get(system, 0.0), money)
    return sum(users.values()), round(fsum(revenue.values()), 2)
