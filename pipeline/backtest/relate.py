"""How the incidents of two sides relate: the same, merged, split off, moved alerts, gained, lost.

An incident's *home* is the incident of the other side that most of it is in, by episodes. Two that are each other's
home are counterparts. Everything else follows: an incident of the baseline whose home is another's counterpart was
merged into it, one of the new side was split off its home.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.backtest.overlap import Overlap, Shared
from pipeline.backtest.side import NONE

Homes = dict[int, int]
"""Number of an incident -> number of its home on the other side."""


@dataclass(slots=True)
class Relations:
    """How incidents relate; numbers are those of their side, bridge incidents aside.

    Attributes:
        homes_old: home of each incident of the baseline that has one.
        homes_new: home of each incident of the new side that has one.
        same: counterparts that hold the same alerts.
        changed: counterparts that do not.
        merged: incidents of the baseline that went into another's counterpart -> that.
        split: incidents of the new side that came out of one that has another counterpart -> that.
        lost: incidents of the baseline none of whose alerts is in any incident of the new side.
        gained: the same the other way round.
        moved: (baseline, new) -> alerts that are neither where their incident went nor where the new one came from.
        left: incident of the baseline -> alerts that are in no incident any more, though others of it are.
        joined: incident of the new side -> alerts that were in none.
    """

    homes_old: Homes
    homes_new: Homes
    same: list[tuple[int, int]] = field(default_factory=list)
    changed: list[tuple[int, int]] = field(default_factory=list)
    merged: Homes = field(default_factory=dict)
    split: Homes = field(default_factory=dict)
    lost: list[int] = field(default_factory=list)
    gained: list[int] = field(default_factory=list)
    moved: dict[tuple[int, int], Shared] = field(default_factory=dict)
    left: dict[int, Shared] = field(default_factory=dict)
    joined: dict[int, Shared] = field(default_factory=dict)

    def counterparts(self) -> list[tuple[int, int]]:
        """All counterparts, the same first."""
        return [*self.same, *self.changed]

    def failures(self) -> list[tuple[list[int], list[int]]]:
        """Incidents of both sides that belong to one failure: what merging and splitting ties together."""
        roots: dict[tuple[str, int], tuple[str, int]] = {}

        def root(node: tuple[str, int]) -> tuple[str, int]:
            while (above := roots.setdefault(node, node)) != node:
                roots[node] = roots.setdefault(above, above)
                node = above
            return node

        for old, new in self.homes_old.items():
            roots[root(("old", old))] = root(("new", new))
        for new, old in self.homes_new.items():
            roots[root(("new", new))] = root(("old", old))
        for number in self.lost:
            root(("old", number))
        for number in self.gained:
            root(("new", number))
        found: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
        for side, number in sorted(roots):
            found.setdefault(root((side, number)), ([], []))[side == "new"].append(number)
        return list(found.values())


def relate(laid: Overlap) -> Relations:
    """Relate the incidents of two sides; those without any alert of the recording are left out."""
    relations = Relations(_homes(laid.shared), _homes({(n, o): each for (o, n), each in laid.shared.items()}))
    alerts_old, alerts_new = _totals(laid, 0), _totals(laid, 1)
    for number in alerts_old:
        home = relations.homes_old.get(number)
        if home is None:
            relations.lost.append(number)
        elif relations.homes_new[home] != number:
            relations.merged[number] = home
        else:
            whole = laid.shared[number, home].alerts == alerts_old[number] == alerts_new[home]
            (relations.same if whole else relations.changed).append((number, home))
    for number in alerts_new:
        home = relations.homes_new.get(number)
        if home is None:
            relations.gained.append(number)
        elif relations.homes_old[home] != number:
            relations.split[number] = home
    _wanderers(relations, laid)
    return relations


def _wanderers(relations: Relations, laid: Overlap) -> None:
    """Alerts that went elsewhere than their incident did."""
    for (one, other), shared in laid.shared.items():
        if other == NONE:
            if one in relations.homes_old:
                relations.left[one] = shared
        elif one == NONE:
            if other in relations.homes_new:
                relations.joined[other] = shared
        elif relations.homes_old[one] != other and relations.homes_new[other] != one:
            relations.moved[one, other] = shared


def _homes(shared: Mapping[tuple[int, int], Shared]) -> Homes:
    """The other that each shares most with: by episodes, then alerts, then the one that came first."""
    best: dict[int, tuple[int, int, int]] = {}
    for (one, other), each in shared.items():
        if NONE in (one, other):
            continue
        rank = each.episodes, each.alerts, -other
        if one not in best or rank > best[one]:
            best[one] = rank
    return {one: -rank[2] for one, rank in best.items()}


def _totals(laid: Overlap, side: int) -> dict[int, int]:
    """Alerts of each incident, in order."""
    totals: dict[int, int] = defaultdict(int)
    for pair, shared in laid.shared.items():
        if pair[side] != NONE:
            totals[pair[side]] += shared.alerts
    return dict(sorted(totals.items()))
