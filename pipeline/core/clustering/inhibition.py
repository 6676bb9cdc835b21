"""Inhibition of one partition: which firing episode mutes another, found by rule and place.

Only what is part of an incident inhibits. Somebody knows of that; what nobody was told of must hide nothing else. What
a target asks is an index by rule, equal values and entity, so that the answer costs the same with one open incident as
with ten thousand.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import orjson

from pipeline.core.clustering.correlation_rules import CorrelationRules
from pipeline.core.clustering.rule_facts import RuleFacts
from pipeline.core.terms import terms_of
from pipeline.core.topology import Topology
from pipeline.models.alert import FeedClass, Severity
from pipeline.models.correlation_rules import CorrelationRule, Selector
from pipeline.models.episode import EpisodeEvent, episode_from_wire
from pipeline.models.inhibition import InhibitRule
from pipeline.models.wire import to_json

SOURCES_MAX: Final = 5_000
"""Firing episodes that inhibit, in one partition, some 2 KiB each. More of them inhibit nothing: with so many sources
down, what else fails is no consequence that anybody could name."""

_Equal = tuple[str, ...]
_Sources = tuple[list[str], list[str]]
"""Episodes that inhibit, sorted: those that are sources alone, and those that match the rule's target as well."""

_By_entity = dict[str, _Sources]
"""Entity -> who inhibits from there; under "" for a rule that goes by equal values alone."""


class By(NamedTuple):
    """What inhibits: the rule, and the episode that is its source."""

    rule: str
    source: str


class Inhibitor:
    """Rules of inhibition, and the episodes that are their sources at the moment."""

    def __init__(
        self, rules: Mapping[str, InhibitRule], resolve: Callable[[str], str | None], topology: Topology
    ) -> None:
        """Compile.

        Raises:
            ExpressionError: a condition is not one.
        """
        self._rules = dict(rules)
        self._topology = topology
        self._sources = CorrelationRules({name: _rule(critical(rule.source)) for name, rule in rules.items()}, resolve)
        self._targets = CorrelationRules({name: _rule(rule.target) for name, rule in rules.items()}, resolve)
        self._events: dict[str, EpisodeEvent] = {}
        self._entered: dict[str, list[tuple[str, _Equal, str]]] = {}
        self._index: dict[str, dict[_Equal, _By_entity]] = {}
        self._failed: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether there are rules."""
        return bool(self._rules)

    def grace_ms(self, rule: str) -> int:
        """How long a target waits after its source is over; 0 for a rule that is gone."""
        known = self._rules.get(rule)
        return 0 if known is None else known.grace_seconds * 1_000

    # -- sources

    def add(self, event: EpisodeEvent) -> bool:
        """Note an episode that has become part of an incident; whether it inhibits anything."""
        if event.alert.feed_class == FeedClass.DESK or len(self._events) >= SOURCES_MAX:
            return False
        facts = self._facts(event)
        entries = []
        for asked in self._sources.matching(facts, self._failed):
            rule = self._rules[asked.name]
            equal = facts.of_group(rule.equal)
            entity = str(facts.values["entity"]) if rule.along else ""
            if equal is not None and (entity or not rule.along):
                entries.append((asked.name, tuple(equal), entity))
        if not entries:
            return False
        own = {asked.name for asked in self._targets.matching(facts, self._failed)}
        self._events[event.episode_id] = event
        self._entered[event.episode_id] = entries
        for name, values, entity in entries:
            by_entity = self._index.setdefault(name, {}).setdefault(values, {})
            insort(by_entity.setdefault(entity, ([], []))[name in own], event.episode_id)
        return True

    def drop(self, episode_id: str) -> bool:
        """It is over, or no longer in an incident; whether it had inhibited."""
        if self._events.pop(episode_id, None) is None:
            return False
        for name, values, entity in self._entered.pop(episode_id):
            by_value = self._index[name]
            for each in by_value[values][entity]:
                at = bisect_left(each, episode_id)
                if each[at : at + 1] == [episode_id]:
                    del each[at]
            if not any(by_value[values][entity]):
                del by_value[values][entity]
            if not by_value[values]:
                del by_value[values]
        return True

    # -- targets

    def by(self, event: EpisodeEvent) -> By | None:
        """What inhibits an episode; None where nothing does, and of what people report always."""
        if not self._index or event.alert.feed_class == FeedClass.DESK:
            return None
        facts = self._facts(event)
        for asked in self._targets.matching(facts, self._failed):
            rule = self._rules[asked.name]
            equal = facts.of_group(rule.equal)
            by_entity = self._index.get(asked.name, {}).get(tuple(equal)) if equal is not None else None
            if not by_entity:
                continue
            source = self._along(rule, event, by_entity) if rule.along else self._beside(asked.name, event, by_entity)
            if source is not None:
                return By(asked.name, source)
        return None

    def _along(self, rule: InhibitRule, event: EpisodeEvent, by_entity: _By_entity) -> str | None:
        """A source on what the episode's entity needs, the nearest first."""
        entity = event.alert.entity
        if entity is None:
            return None
        for ref, hops in self._topology.reach(entity).items():
            if 0 < hops <= rule.hops and ref in by_entity:
                return _first(by_entity[ref])
        return None

    def _beside(self, name: str, event: EpisodeEvent, by_entity: _By_entity) -> str | None:
        """A source with equal values; what is both does not inhibit its like, so that one of them is told."""
        both = any(asked.name == name for asked in self._sources.matching(self._facts(event), self._failed))
        alone, as_well = by_entity.get("", ([], []))
        return _first((alone, [] if both else as_well))

    def _facts(self, event: EpisodeEvent) -> RuleFacts:
        alert = event.alert
        return RuleFacts(alert, terms_of(alert.summary, alert.description), self._topology)

    # -- state

    def load(self, value: bytes) -> None:
        """Take a source back, by the rules of this configuration: one that they no longer ask for inhibits nothing."""
        self.add(episode_from_wire(orjson.loads(value)))

    def dump(self, episode_id: str) -> bytes | None:
        """The record of a source; None where it is none."""
        event = self._events.get(episode_id)
        return None if event is None else to_json(event)

    def sources(self) -> Iterable[str]:
        """Episodes that inhibit."""
        return self._events.keys()


def _first(sources: _Sources) -> str | None:
    return min((each[0] for each in sources if each), default=None)


def _rule(selector: Selector) -> CorrelationRule:
    return CorrelationRule(match=selector.match, when=selector.when, join="never")


def critical(selector: Selector) -> Selector:
    """A source is critical unless the rule states a severity."""
    if "severity" in selector.match:
        return selector
    return selector.model_copy(update={"match": {"severity": (Severity.CRITICAL.value,), **selector.match}})
