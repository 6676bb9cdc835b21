"""Leaves of an incident: entities that alert and that nothing else in it needs, by what they are suspected for.

Of thousands that fell over together, those of one kind are suspected alike, so the first few of a kind in the order
of their names stand for all: ranking suspects costs the same however many there are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple


class Kind(NamedTuple):
    """What a leaf is suspected for: a monitor reports it, its severity is critical, it showed the first symptom."""

    by_monitor: bool
    critical: bool
    first: bool


class Leaves:
    """Leaves by kind, each kind in the order of its names."""

    __slots__ = ("_kinds", "_names")

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}
        self._names: dict[Kind, list[str]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaves) and self._kinds == other._kinds

    __hash__ = None  # type: ignore[assignment]  # it changes

    def put(self, ref: str, kind: Kind) -> bool:
        """Enter a leaf, or note another kind of it; whether that is news."""
        known = self._kinds.get(ref)
        if known == kind:
            return False
        if known is not None:
            self._take(ref, known)
        self._kinds[ref] = kind
        insort(self._names.setdefault(kind, []), ref)
        return True

    def drop(self, ref: str) -> None:
        """It is no leaf any longer: something in the incident needs it. Nothing happens where it was none."""
        known = self._kinds.pop(ref, None)
        if known is not None:
            self._take(ref, known)

    def none_is_first(self) -> None:
        """An earlier symptom has come: what showed the first one so far did not."""
        for kind in [kind for kind in self._names if kind.first]:
            for ref in self._names.pop(kind):
                self.put(ref, kind._replace(first=False))

    def foremost(self, most: int) -> Iterator[str]:
        """The first leaves of each kind by name, so many of each at most."""
        for names in self._names.values():
            yield from islice(names, most)

    def _take(self, ref: str, kind: Kind) -> None:
        names = self._names.get(kind)
        if names is None:  # its kind is being given up as a whole
            return
        del names[bisect_left(names, ref)]
        if not names:
            del self._names[kind]
