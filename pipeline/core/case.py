"""A case: an incident with all that correlate keeps about it, open on the desk or folded away.

Nearly all open incidents are left alone at any moment. They are folded to compressed bytes, a tenth of their size,
and unfolded when something touches them. Folding loses nothing, so when it happens changes no result.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from sys import intern
from typing import Any, Final
from zlib import compress, decompress

import orjson

from pipeline.core.tally import Tally
from pipeline.models.incident import Incident, incident_from_wire

COMPRESSION: Final = 1
"""The fastest: members of one incident are alike, so that harder work gains a tenth."""


class Case:
    """One incident.

    Attributes:
        incident: the incident.
        tally: sums over its members; None: to be counted.
        told: digest of what the bridge was told last; empty before.
        counted: the priority that it counts as among the open ones; None: it does not.
    """

    __slots__ = ("counted", "incident", "tally", "told")

    def __init__(self, incident: Incident, told: str = "", tally: Tally | None = None) -> None:
        self.incident = incident
        self.told = told
        self.tally = tally
        self.counted: str | None = None


class Folded:
    """A case folded away with its members: its bytes, and what is asked of it without them."""

    __slots__ = ("content", "counted", "space", "told", "updated_at_ms")

    def __init__(self, case: Case, records: Iterable[bytes]) -> None:
        """Args: ``records`` are the state records of its members, in order."""
        self.space = intern(case.incident.space)
        self.updated_at_ms = case.incident.updated_at_ms
        self.told = case.told
        self.counted = case.counted
        lines = b"\n".join((orjson.dumps(_VALUES(case.incident)), *records))  # no line break inside JSON of ours
        self.content = compress(lines, COMPRESSION)

    def unfold(self) -> tuple[Case, list[bytes]]:
        """The case as it was, its tally aside, and the state records of its members."""
        values, *records = decompress(self.content).split(b"\n")
        incident = incident_from_wire(dict(zip(_FIELDS, orjson.loads(values), strict=True)))
        case = Case(incident, self.told)
        case.counted = self.counted
        return case, records


_FIELDS: Final[tuple[str, ...]] = tuple(Incident.__slots__)
_VALUES: Final[Any] = attrgetter(*_FIELDS)
