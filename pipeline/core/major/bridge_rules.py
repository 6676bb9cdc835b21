"""Trigger rules of Major Incidents: which of a domain's rules holds for what related incidents come to together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pipeline.core.practice.impacts import total
from pipeline.models.major import MajorIncidentMode, MajorIncidentRule, MajorIncidentTrigger
from pipeline.models.summary import Summary

MORE_SHARE: Final = 0.1
"""By so much of what it was the impact must grow before what was demoted is declared again: an estimate that wavers, as
each report moves it, is no news."""

_WORDS: Final = {
    "users_at_least": "about {value:,} users affected, threshold {limit:,}",
    "revenue_per_minute_at_least": "{value:,.0f} a minute at stake, threshold {limit:,.0f}",
    "sites_at_least": "{value:,} sites affected, threshold {limit:,}",
    "tickets_at_least": "{value:,} tickets, threshold {limit:,}",
    "reporters_at_least": "{value:,} people reported, threshold {limit:,}",
    "incidents_at_least": "{value:,} related incidents, threshold {limit:,}",
}


@dataclass(slots=True)
class Reach:
    """What incidents come to together.

    Attributes:
        users: people affected, populations counted once.
        revenue_per_minute: money a minute, systems counted once.
        regulatory: tags.
        sites: where.
        tickets: service-desk tickets.
        reporters: people who reported; of different incidents different people, as nobody knows better.
        incidents: how many there are.
    """

    users: int = 0
    revenue_per_minute: float = 0.0
    regulatory: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    tickets: int = 0
    reporters: int = 0
    incidents: int = 0

    def of(self, condition: str) -> float:
        """The figure that a condition is about."""
        name = condition.removesuffix("_at_least")
        value = getattr(self, name)
        return float(len(value)) if isinstance(value, frozenset) else float(value)


@dataclass(slots=True)
class Match:
    """A trigger rule that holds.

    Attributes:
        because: the thresholds that hold, in words.
        held: keys of the thresholds, by which they are known again after a change of the pack.
        conditions: names of what was compared.
    """

    name: str
    mode: MajorIncidentMode
    because: list[str]
    held: list[str]
    conditions: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Floor:
    """What an incident came to with others when they were no Major Incident: that alone declares none again.

    Attributes:
        held: keys of the thresholds that held then.
        figures: name of a condition -> what was compared with it; ``tags`` are the regulatory tags.
    """

    held: list[str]
    figures: dict[str, float]
    tags: list[str] = field(default_factory=list)

    def blocks(self, match: Match, reach: Reach) -> bool:
        """Whether a rule holds by nothing but what was known then."""
        if not set(match.held) <= set(self.held):
            return False
        if "regulatory" in match.conditions and not reach.regulatory <= set(self.tags):
            return False
        return not any(self._grew(each, reach) for each in match.conditions if each != "regulatory")

    def _grew(self, condition: str, reach: Reach) -> bool:
        known = self.figures.get(condition, 0.0)
        return reach.of(condition) > known + max(known * MORE_SHARE, 0.0)


def floor_of(reach: Reach, held: Iterable[str], other: Floor | None = None) -> Floor:
    """What is known by now; with what was known before, where there is anything."""
    figures = {condition: reach.of(condition) for condition in _WORDS}
    return joined(Floor(held=sorted(held), figures=figures, tags=sorted(reach.regulatory)), other)


def joined(one: Floor, other: Floor | None) -> Floor:
    """What is known of both of two that are one now."""
    if other is None:
        return one
    names = sorted({*one.figures, *other.figures})
    figures = {each: max(one.figures.get(each, 0.0), other.figures.get(each, 0.0)) for each in names}
    return Floor(held=sorted({*one.held, *other.held}), figures=figures, tags=sorted({*one.tags, *other.tags}))


def reach_of(group: Iterable[Summary]) -> Reach:
    """What incidents come to together; one that is named twice counts once."""
    known = {each.incident_id: each for each in group}
    users, revenue = total(impact for each in known.values() for impact in each.impacts.values())
    return Reach(
        users=users,
        revenue_per_minute=revenue,
        regulatory=frozenset(tag for each in known.values() for tag in each.regulatory),
        sites=frozenset(site for each in known.values() for site in each.sites),
        tickets=sum(each.tickets for each in known.values()),
        reporters=sum(each.reporters for each in known.values()),
        incidents=len(known),
    )


def match_group(rule: MajorIncidentRule, group: list[Summary]) -> tuple[Match, Reach] | None:
    """The first rule that holds for those of a group whose priority counts for it, and what they come to."""
    reaches: dict[tuple[str, ...], Reach] = {}
    for trigger in rule.triggers:
        priorities = rule.priorities if trigger.priorities is None else trigger.priorities
        reach = reaches.get(priorities)
        if reach is None:
            reach = reaches[priorities] = reach_of(each for each in group if each.priority in priorities)
        match = _held(trigger, reach, any_is_enough=not rule.rules)
        if match is not None:
            return match, reach
    return None


def match_reach(rule: MajorIncidentRule, reach: Reach) -> Match | None:
    """The first rule that holds for incidents all of which count."""
    held = (_held(trigger, reach, any_is_enough=not rule.rules) for trigger in rule.triggers)
    return next((match for match in held if match is not None), None)


def _held(trigger: MajorIncidentTrigger, reach: Reach, *, any_is_enough: bool) -> Match | None:
    stated = trigger.stated
    words = {name: told for name in stated if (told := _told(trigger, name, reach)) is not None}
    if not words or (len(words) < len(stated) and not any_is_enough):
        return None
    keys = {name: f"{name}={stated[name]}" for name in words}
    held = list(keys.values()) if any_is_enough else ["; ".join(keys.values())]
    return Match(trigger.name, trigger.mode, list(words.values()), held, list(words))


def _told(trigger: MajorIncidentTrigger, condition: str, reach: Reach) -> str | None:
    """A condition that holds, in words; None for one that does not."""
    if condition == "regulatory":
        tags = sorted(reach.regulatory.intersection(trigger.regulatory))
        return f"regulated: {', '.join(tags)}" if tags else None
    limit, value = getattr(trigger, condition), reach.of(condition)
    if value < limit:
        return None
    whole = int(value) if value.is_integer() else value
    return _WORDS[condition].format(value=whole, limit=limit)
