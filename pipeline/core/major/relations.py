"""Relations of incidents as the bridge knows them: which are about, need or suspect the same.

Everything goes by summaries. Where everything needs everything, that two incidents are related says little, so what
is added up is less than what is related.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipeline.core.clustering.holders import Holders
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.summary import Summary

RELATED_MAX: Final = 50
"""Related incidents weighed together: bounds the cost of one summary in a storm."""

HOLDERS_ASKED_MAX: Final = 50
"""Of the incidents that are about or need one thing, those that came to it last are related: thousands may need a
shared platform."""

FRESH_MS: Final = 900_000
"""An incident without news for so long belongs to none that is new: some stay open for days for one last alert."""


@dataclass(slots=True)
class Relations:
    """The newest summary of each incident, and the indexes over what they name.

    Attributes:
        known: by incident.
        places: incident -> its place in the order of entering names.
        next_place: the next.
    """

    known: dict[str, Summary] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    next_place: int = 0
    _about: Holders = field(default_factory=Holders)
    _needs: Holders = field(default_factory=Holders)

    def load(self, place: int, summary: Summary) -> None:
        """Take one back; its names are entered by `restored`, when all are there."""
        self.known[summary.incident_id], self.places[summary.incident_id] = summary, place

    def restored(self) -> None:
        """Enter the names in the order in which they had come."""
        for incident_id in sorted(self.places, key=self.places.__getitem__):
            self._enter_names(self.known[incident_id])

    def take(self, summary: Summary) -> bool:
        """Take news of an incident in; whether it came to another place in the order."""
        known = self.known.get(summary.incident_id)
        if known is not None and _names(known) == _names(summary):
            self.known[summary.incident_id] = summary
            return False
        if known is not None:
            self.drop(known)
        self.load(self.next_place, summary)
        self.next_place += 1
        self._enter_names(summary)
        return True

    def drop(self, summary: Summary) -> None:
        """Forget an incident."""
        del self.known[summary.incident_id], self.places[summary.incident_id]
        for holders, names in zip((self._about, self._needs), _names(summary), strict=True):
            for ref in names:
                holders.drop(ref, summary.incident_id)

    def related(self, summary: Summary, now_ms: int) -> list[Summary]:
        """Other open incidents of late about the same, or where one needs what the other is about; by id."""
        found: dict[str, None] = {}
        about, needs = _names(summary)
        self._about.gather(about, HOLDERS_ASKED_MAX, found)
        self._needs.gather(about, HOLDERS_ASKED_MAX, found)
        self._about.gather(needs, HOLDERS_ASKED_MAX, found)
        found.pop(summary.incident_id, None)
        related = [self.known[each] for each in sorted(found)]
        fresh_ms = now_ms - FRESH_MS
        return [each for each in related if each.state in OPEN_STATES and each.at_ms >= fresh_ms][:RELATED_MAX]

    def _enter_names(self, summary: Summary) -> None:
        for holders, names in zip((self._about, self._needs), _names(summary), strict=True):
            for ref in names:
                holders.add(ref, summary.incident_id)


def add_up(one: Summary, other: Summary) -> bool:
    """Whether the impacts of two related incidents are one impact, not just two at once where all is connected.

    Within a space correlation has weighed everything that speaks for it and kept them apart: there they must suspect
    the same. Across spaces nobody has: there it is enough that they are related.
    """
    return one.space != other.space or (bool(one.suspects) and one.suspects == other.suspects)


def _names(summary: Summary) -> tuple[list[str], list[str]]:
    """What an incident is about, and what that needs."""
    return [*summary.entities, *summary.suspects[:1]], summary.depends
