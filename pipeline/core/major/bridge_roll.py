"""The roll of a bridge incident: running sums over its members, so that news of one costs that one.

A roll always equals one of the same members called anew, in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, TypeVar

from pipeline.core.major.bridge_rules import Reach
from pipeline.core.practice.impacts import Impacts
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.incident import IncidentState
from pipeline.models.summary import Summary

Name = TypeVar("Name")

_NO_PART: Final = frozenset({IncidentState.MERGED, IncidentState.CANCELLED})
"""Of a merged incident all is in the one that took it in, and a cancelled one was none."""


class Roll:
    """Sums over members.

    Attributes:
        members: the newest summary of each.
        states: how many are in each state.
        entities: what they are about -> how many are; ``services``, ``domains``, ``regulatory`` and ``sites`` likewise.
        links: those that have records elsewhere.
    """

    __slots__ = (
        "_causes", "_impacts", "_part", "_spaces", "_survivors", "domains", "entities", "links", "members",
        "regulatory", "reporters", "services", "sites", "states", "tickets",
    )  # fmt: skip

    def __init__(self) -> None:
        self.members: dict[str, Summary] = {}
        self.states: Counter[str] = Counter()
        self.entities: Counter[str] = Counter()
        self.services: Counter[str] = Counter()
        self.domains: Counter[str] = Counter()
        self.regulatory: Counter[str] = Counter()
        self.sites: Counter[str] = Counter()
        self.links: set[str] = set()
        self.tickets = 0
        self.reporters = 0
        self._part = 0
        self._impacts = Impacts()
        self._spaces: Counter[str] = Counter()
        self._causes: Counter[tuple[str, ...]] = Counter()
        self._survivors: Counter[str] = Counter()

    def put(self, summary: Summary) -> None:
        """Take news of a member, in the place of what was known of it."""
        known = self.members.get(summary.incident_id)
        if known is not None:
            self._count(known, -1)
        self.members[summary.incident_id] = summary
        self._count(summary, +1)
        before = {} if known is None or known.state in _NO_PART else known.impacts
        now = {} if summary.state in _NO_PART else summary.impacts
        for ref in before.keys() - now.keys():
            self._impacts.drop(f"{summary.incident_id} {ref}")
        for ref, impact in now.items():
            if before.get(ref) != impact:
                self._impacts.put(f"{summary.incident_id} {ref}", impact)

    def drop(self, incident_id: str) -> None:
        """A member is none any more."""
        known = self.members.pop(incident_id, None)
        if known is None:
            return
        self._count(known, -1)
        for ref in known.impacts:
            self._impacts.drop(f"{incident_id} {ref}")

    def reach(self) -> Reach:
        """What the members come to together."""
        users, revenue = self._impacts.total()
        return Reach(
            users=users,
            revenue_per_minute=revenue,
            regulatory=frozenset(self.regulatory),
            sites=frozenset(self.sites),
            tickets=self.tickets,
            reporters=self.reporters,
            incidents=self._part,
        )

    def any_open(self) -> bool:
        """Whether a member is open."""
        return any(state in OPEN_STATES for state in self.states)

    def has_cause_of(self, summary: Summary) -> bool:
        """Whether the impact of another member adds up with this one's, or it goes on as this one."""
        mine = tuple(summary.suspects)
        if len(self.members) - self._spaces[summary.space] > 0 or self._survivors[summary.incident_id]:
            return True
        return bool(mine) and self._causes[(summary.space, *mine)] > 1

    def _count(self, summary: Summary, by: int) -> None:
        _add(self.states, (summary.state,), by)
        _add(self._spaces, (summary.space,), by)
        _add(self.domains, (summary.domain,), by)
        if summary.suspects:
            _add(self._causes, ((summary.space, *summary.suspects),), by)
        if summary.merged_into is not None:
            _add(self._survivors, (summary.merged_into,), by)
        if summary.links and by > 0:
            self.links.add(summary.incident_id)
        else:
            self.links.discard(summary.incident_id)
        _add(self.entities, summary.entities, by)
        _add(self.services, summary.services, by)
        if summary.state in _NO_PART:
            return
        _add(self.regulatory, summary.regulatory, by)
        _add(self.sites, summary.sites, by)
        self.tickets += by * summary.tickets
        self.reporters += by * summary.reporters
        self._part += by


def _add(counts: Counter[Name], names: Iterable[Name], by: int) -> None:
    """Count names; one that nobody has any more is gone."""
    for name in names:
        counts[name] += by
        if not counts[name]:
            del counts[name]


def kept_in_order(shown: list[str], counts: Counter[str], news: list[str], at_most: int) -> list[str]:
    """Names on a record: those that stood there, then those of the newest news, then others; at most so many.

    What stood there goes on standing there, so that a restart, which counts in another order, changes nothing.
    """
    kept = [name for name in shown if name in counts]
    if len(kept) < at_most:
        known = set(kept)
        kept += [name for name in dict.fromkeys(news) if name in counts and name not in known][: at_most - len(kept)]
    if len(kept) < min(at_most, len(counts)):
        known = set(kept)
        kept += sorted(name for name in counts if name not in known)[: at_most - len(kept)]
    return kept
