"""Layout of a directed graph in rows: what needs stands above what it needs, with few crossings and no overlap.

Four steps, as Sugiyama has them: circles are cut, rows are given by the longest path, each edge that crosses a row gets
a place in it, and the order in the rows goes by where the neighbours stand (barycenter). Then positions: as near to the
neighbours as the order allows. All of it goes by names and numbers alone, so that the same graph looks the same always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

SWEEPS: Final = 8
"""Times that the order is improved, down and up: the later ones change next to nothing."""

ROW_MAX: Final = 6
"""Nodes in a row: more is wider than a screen. What is over stands in a row below."""

LANE: Final = 0.16
"""Width of the place of an edge that passes through a row, in widths of a node."""

Pair = tuple[str, str]
"""An edge: who needs, and what is needed."""


@dataclass(slots=True)
class Layout:
    """Where everything stands.

    Attributes:
        places: node -> column (in widths of a node, its middle) and row.
        ways: edge -> the points that it goes through, from who needs to what is needed.
        columns: how wide it is, in widths of a node.
        rows: how many rows.
    """

    places: dict[str, tuple[float, int]] = field(default_factory=dict)
    ways: dict[Pair, list[tuple[float, int]]] = field(default_factory=dict)
    columns: float = 0
    rows: int = 0


@dataclass(slots=True)
class _Rows:
    """Rows in the making: their members in order (nodes, and lanes of edges), and who is tied to whom."""

    rows: list[list[str]]
    up: dict[str, list[str]] = field(default_factory=dict)
    down: dict[str, list[str]] = field(default_factory=dict)
    lanes: set[str] = field(default_factory=set)
    chains: dict[Pair, list[str]] = field(default_factory=dict)

    def tie(self, upper: str, lower: str) -> None:
        self.down.setdefault(upper, []).append(lower)
        self.up.setdefault(lower, []).append(upper)

    def width(self, name: str) -> float:
        return LANE if name in self.lanes else 1.0


def layout(nodes: Sequence[str], edges: Iterable[Pair]) -> Layout:
    """Place nodes; edges to what is no node, to itself and repeated ones are left out.

    Args:
        nodes: names, in the order that decides where nothing else does.
        edges: who needs what.
    """
    names = list(dict.fromkeys(nodes))
    known = set(names)
    pairs = sorted({(one, other) for one, other in edges if one != other and one in known and other in known})
    if not names:
        return Layout()
    down = {pair if pair not in turned else pair[::-1] for turned in [_circles(names, pairs)] for pair in pairs}
    rows = _wrapped(_ranked(names, down), down)
    made = _with_lanes(rows, sorted(down))
    for sweep in range(SWEEPS):
        _order(made, downwards=sweep % 2 == 0)
    across = _across(made)
    level = {name: index for index, row in enumerate(made.rows) for name in row}
    found = Layout(rows=len(made.rows))
    found.places = {name: (across[name], level[name]) for name in names}
    for pair in pairs:
        chain = made.chains.get(pair) or list(reversed(made.chains[pair[::-1]]))
        found.ways[pair] = [(across[name], level[name]) for name in chain]
    found.columns = max(across[name] + made.width(name) / 2 for name in across)
    return found


def _circles(names: Sequence[str], pairs: Sequence[Pair]) -> set[Pair]:
    """Edges that close a circle, to be drawn upwards: those that lead back to where a walk has come from."""
    needs: dict[str, list[str]] = {}
    for needing, needed in pairs:
        needs.setdefault(needing, []).append(needed)
    done: set[str] = set()
    turned: set[Pair] = set()
    for start in names:
        way, walk = {start}, [(start, iter(needs.get(start, ())))]
        while walk and start not in done:
            here, following = walk[-1]
            other = next(following, None)
            if other is None:
                done.add(here)
                way.discard(here)
                walk.pop()
            elif other in way:
                turned.add((here, other))
            elif other not in done:
                way.add(other)
                walk.append((other, iter(needs.get(other, ()))))
    return turned


def _ranked(names: Sequence[str], down: set[Pair]) -> list[list[str]]:
    """Rows by the longest path from above."""
    needs: dict[str, list[str]] = {}
    waits = dict.fromkeys(names, 0)
    for one, other in sorted(down):
        needs.setdefault(one, []).append(other)
        waits[other] += 1
    rank = dict.fromkeys(names, 0)
    ready = [name for name in names if not waits[name]]
    for name in ready:  # grows while it is walked
        for other in needs.get(name, ()):
            rank[other] = max(rank[other], rank[name] + 1)
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    for name in reversed(ready):  # as near to what it needs as it goes: short edges
        below = [rank[each] for each in needs.get(name, ())]
        if below:
            rank[name] = min(below) - 1
    rows: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for name in names:
        rows[rank[name]].append(name)
    return [row for row in rows if row]


def _wrapped(rows: list[list[str]], down: set[Pair]) -> list[list[str]]:
    """Rows of `ROW_MAX` at most; neighbours stay together."""
    if all(len(row) <= ROW_MAX for row in rows):
        return rows
    made = _Rows([list(row) for row in rows])
    for one, other in sorted(down):
        made.tie(one, other)
    for sweep in range(SWEEPS):
        _order(made, downwards=sweep % 2 == 0)
    found = []
    for row in made.rows:
        parts = -(-len(row) // ROW_MAX)
        size = -(-len(row) // parts)
        found += [row[start : start + size] for start in range(0, len(row), size)]
    return found


def _with_lanes(rows: list[list[str]], down: Sequence[Pair]) -> _Rows:
    """Give each edge a place in the rows that it passes."""
    made = _Rows([list(row) for row in rows])
    level = {name: index for index, row in enumerate(rows) for name in row}
    for number, (one, other) in enumerate(down):
        chain = [one]
        for row in range(level[one] + 1, level[other]):
            lane = f"\0{number}/{row}"
            made.lanes.add(lane)
            made.rows[row].append(lane)
            chain.append(lane)
        chain.append(other)
        made.chains[one, other] = chain
        for upper, lower in pairwise(chain):
            made.tie(upper, lower)
    return made


def _order(made: _Rows, *, downwards: bool) -> None:
    """Sort each row by the mean place of the neighbours in the rows that were sorted before."""
    indexes = range(len(made.rows)) if downwards else reversed(range(len(made.rows)))
    neighbours = made.up if downwards else made.down
    place = {name: index / max(1, len(row) - 1) for row in made.rows for index, name in enumerate(row)}
    for index in indexes:
        row = made.rows[index]
        mean = {
            name: sum(place[each] for each in near) / len(near) if (near := neighbours.get(name)) else place[name]
            for name in row
        }
        row.sort(key=lambda name: (round(mean[name], 9), place[name]))
        for at, name in enumerate(row):
            place[name] = at / max(1, len(row) - 1)


def _across(made: _Rows) -> dict[str, float]:
    """Columns: each node as near to the mean of its neighbours as the order of its row allows."""
    across: dict[str, float] = {}
    for row in made.rows:
        at = 0.0
        for name in row:
            across[name] = at + made.width(name) / 2
            at += made.width(name)
    for sweep in range(SWEEPS * 2):
        indexes = range(len(made.rows)) if sweep % 2 == 0 else reversed(range(len(made.rows)))
        for index in indexes:
            row = made.rows[index]
            wanted = [_wanted(made, across, name, both=sweep >= SWEEPS, above=sweep % 2 == 0) for name in row]
            widths = [made.width(name) for name in row]
            across.update(zip(row, spread(wanted, widths), strict=True))
    left = min(across[name] - made.width(name) / 2 for name in across)
    return {name: value - left for name, value in across.items()}


def _wanted(made: _Rows, across: Mapping[str, float], name: str, *, both: bool, above: bool) -> float:
    near = [*(made.up.get(name, ()) if above or both else ()), *(made.down.get(name, ()) if not above or both else ())]
    return sum(across[each] for each in near) / len(near) if near else across[name]


def spread(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Middles in this order that do not overlap, with the least sum of squared distances from where each would be.

    With the room before each taken off it is a regression to values that never fall, which pooling neighbours solves.
    """
    room, total = [], 0.0
    for index, width in enumerate(widths):
        total += (widths[index - 1] + width) / 2 if index else 0.0
        room.append(total)
    pools: list[tuple[float, int]] = []
    for want, before in zip(wanted, room, strict=True):
        value, count = want - before, 1
        while pools and pools[-1][0] > value:
            last, many = pools.pop()
            value, count = (value * count + last * many) / (count + many), count + many
        pools.append((value, count))
    flat = [value for value, count in pools for _ in range(count)]
    return [value + before for value, before in zip(flat, room, strict=True)]
