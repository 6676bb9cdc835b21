"""A case: an incident with all that correlate keeps about it, open on the desk or folded away.

Nearly all open incidents are left alone at any moment. They are folded to compressed bytes, a tenth of their size,
and unfolded when something touches them. Folding loses nothing, so when it happens changes no result.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from sys import intern
from typing import Any, Final, NamedTuple, Self
from zlib import DEFLATED, compressobj, decompressobj

import orjson

from pipeline.core.clustering.tally import Tally
from pipeline.models.incident import Incident, incident_from_wire

COMPRESSION: Final = 1
"""The fastest: members of one incident are alike, so that harder work gains a tenth."""

WINDOW_BITS: Final = -15
"""The window that reaches furthest, without header and checksum: the bytes never leave the process."""

MEMORY_LEVEL: Final = 6
"""Of the compressor, whose tables are made for each case: to clear large ones takes longer than to compress a case."""

SAMPLE_BYTES_MAX: Final = 4_096
"""Of a folded case that others are compressed against: an incident and some members. More is read longer than it
saves."""

CASES_OF_A_SAMPLE: Final = 1_024
"""Cases folded against one sample: what comes in changes over the days, and a sample should be like it."""


class Counted(NamedTuple):
    """What an open incident counts as, for metrics.

    Attributes:
        priority: its priority.
        at_risk: people were warned that a clock's target is being used up, and it is neither met nor missed.
        breached: a clock has missed its target, and what it waits for has not happened.
    """

    priority: str
    at_risk: bool
    breached: bool

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """An open incident as it is now."""
        ticking = [clock for clock in incident.clocks.values() if clock.met_at_ms is None]
        breached = any(clock.breached_at_ms is not None for clock in ticking)
        at_risk = any(clock.warned and clock.breached_at_ms is None for clock in ticking)
        return cls(incident.priority, at_risk, breached)


class Case:
    """One incident.

    Attributes:
        incident: the incident.
        tally: sums over its members; None: to be counted.
        told: digest of what the bridge was told last; empty before.
        counted: what it counts as among the open ones; None: it does not.
        pack: the stamp of the policy pack that it keeps on the shelf; None: it keeps none.
    """

    __slots__ = ("counted", "incident", "pack", "tally", "told")

    def __init__(self, incident: Incident, told: str = "", tally: Tally | None = None) -> None:
        self.incident = incident
        self.told = told
        self.tally = tally
        self.counted: Counted | None = None
        self.pack: str | None = None


class Folded:
    """A case folded away with its members: its bytes, and what is asked of it without them."""

    __slots__ = ("content", "counted", "pack", "sample", "space", "told", "updated_at_ms")

    def __init__(self, case: Case, lines: bytes, sample: bytes) -> None:
        """Args: ``lines`` are the incident's values and its members' records; ``sample`` is like them, to lean on."""
        self.space = intern(case.incident.space)
        self.updated_at_ms = case.incident.updated_at_ms
        self.told = case.told
        self.counted = case.counted
        self.pack = case.pack
        self.sample = sample
        press = compressobj(COMPRESSION, DEFLATED, WINDOW_BITS, MEMORY_LEVEL, zdict=sample)
        self.content = press.compress(lines) + press.flush()

    def unfold(self) -> tuple[Case, list[bytes]]:
        """The case as it was, its tally aside, and the state records of its members."""
        lines = decompressobj(WINDOW_BITS, zdict=self.sample).decompress(self.content)
        values, *records = lines.split(b"\n")
        incident = incident_from_wire(dict(zip(_FIELDS, orjson.loads(values), strict=True)))
        case = Case(incident, self.told)
        case.counted = self.counted
        case.pack = self.pack
        return case, records


class Folder:
    """Folds cases against one that it has seen: incidents of one company are alike, and what they share is half."""

    __slots__ = ("_left", "_sample")

    def __init__(self) -> None:
        self._sample = b""
        self._left = 0

    def fold(self, case: Case, records: Iterable[bytes]) -> Folded:
        """Fold a case; ``records`` are the state records of its members, in order."""
        lines = b"\n".join((orjson.dumps(_VALUES(case.incident)), *records))  # no line break inside JSON of ours
        if not self._left:
            self._sample, self._left = lines[:SAMPLE_BYTES_MAX], CASES_OF_A_SAMPLE
        self._left -= 1
        return Folded(case, lines, self._sample)


_FIELDS: Final[tuple[str, ...]] = tuple(Incident.__slots__)
_VALUES: Final[Any] = attrgetter(*_FIELDS)
