"""Correlation rules, compiled: which of them an episode matches, found by index and not by asking one after another.

Each rule is entered under one of its equalities, the one that fewest rules share. An episode's facts lead to the
rules entered under them, and only these are asked for the rest. A rule without an equality is asked every time, which
the configuration bounds. What follows from a match is for `pipeline.core.clustering.ruling`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pipeline.core.clustering.rule_facts import EQUAL, SCOPE, RuleFacts
from pipeline.core.conjuncts import Equality, read
from pipeline.models.correlation_rules import (
    LABEL_FACT,
    LIST_FACTS,
    REFERENCE_FACTS,
    CorrelationRule,
    Selector,
)
from pipeline.models.decision import BadRecord

WITHOUT_INDEX_MAX: Final = 50
"""Conditions without an equality, which every episode pays for: each is some microseconds of CEL."""


class Asked:
    """One selector of a rule, ready to be asked.

    Attributes:
        name: the rule's.
        rule: as configured.
        other: it is the rule's ``with``.
        equalities: all that can be asked without CEL.
        condition: the rest, in CEL; None where there is none.
    """

    __slots__ = ("condition", "equalities", "name", "other", "rule")

    def __init__(self, name: str, rule: CorrelationRule, equalities: tuple[Equality, ...], condition: Any) -> None:
        self.name = name
        self.rule = rule
        self.other = False
        self.equalities = equalities
        self.condition = condition

    def equal(self, facts: RuleFacts) -> bool:
        """Whether all equalities hold."""
        for fact, values in self.equalities:
            value = facts.value(fact)
            if fact in LIST_FACTS:
                if values.isdisjoint(value):
                    return False
            elif value not in values:
                return False
        return True


class CorrelationRules:
    """The rules of one configuration, by what they ask for.

    Attributes:
        rules: by name, in the order of the file.
        ranks: name -> place in that order.
        asked: selectors asked beyond the index so far: what rules cost, counted.
    """

    def __init__(self, rules: Mapping[str, CorrelationRule], resolve: Callable[[str], str | None]) -> None:
        """Compile.

        Args:
            rules: by name, in order.
            resolve: reference of the entity that a name means.

        Raises:
            ExpressionError: a condition is not one.
        """
        self.rules = dict(rules)
        self.ranks = {name: rank for rank, name in enumerate(self.rules)}
        self.asked = 0
        self._scope = _scope_of(rules.values())
        self._selectors: list[Asked] = []
        for name, rule in rules.items():
            self._selectors.append(self._compile(name, rule, rule, resolve))
            if rule.with_ is not None:
                other = self._compile(name, rule, rule.with_, resolve)
                other.other = True
                self._selectors.append(other)
        self._facts: dict[str, dict[str | int, list[int]]] = {}
        self._labels: dict[str, dict[str | int, list[int]]] = {}
        self._always: list[int] = []
        self._enter()

    def matching(self, facts: RuleFacts, failed: Counter[str]) -> Iterator[Asked]:
        """The selectors that an episode matches, in the order of the file.

        Args:
            facts: of the episode.
            failed: counts, by rule, conditions that could not be evaluated, which are no match.
        """
        activation = None
        for number in self._candidates(facts):
            selector = self._selectors[number]
            self.asked += 1
            if not selector.equal(facts):
                continue
            if selector.condition is not None:
                if activation is None:
                    activation = self._scope.facts(**facts.for_conditions())
                try:
                    if not selector.condition.holds(activation):
                        continue
                except BadRecord:
                    failed[selector.name] += 1
                    continue
            yield selector

    @property
    def without_index(self) -> list[Asked]:
        """Selectors that every episode is asked for."""
        return [self._selectors[number] for number in self._always]

    def _compile(
        self, name: str, rule: CorrelationRule, selector: Selector, resolve: Callable[[str], str | None]
    ) -> Asked:
        equalities = [Equality(fact, _values(fact, values, resolve)) for fact, values in selector.match.items()]
        condition = None
        if selector.when is not None:
            found = read(selector.when, EQUAL)
            equalities += found.equalities
            condition = None if found.whole else self._scope.compile(selector.when)
        return Asked(name, rule, tuple(equalities), condition)

    def _enter(self) -> None:
        """Enter each selector under the equality whose most common value the fewest selectors share."""
        shared = Counter(
            (fact, value) for each in self._selectors for fact, values in set(each.equalities) for value in values
        )
        for number, selector in enumerate(self._selectors):
            if not selector.equalities:
                self._always.append(number)
                continue
            fact, values = min(
                selector.equalities,
                key=lambda each: (max(shared[each.fact, value] for value in each.values), each.fact),
            )
            place = self._facts
            if fact.startswith(LABEL_FACT):
                place, fact = self._labels, fact[len(LABEL_FACT) :]
            for value in values:
                place.setdefault(fact, {}).setdefault(value, []).append(number)

    def _candidates(self, facts: RuleFacts) -> list[int]:
        """The selectors whose entry in the index an episode meets, in order."""
        found: list[int] = []
        for fact, by_value in self._facts.items():
            value = facts.values[fact]
            for each in value if fact in LIST_FACTS else (value,):
                found += by_value.get(each, ())
        if self._labels:
            for label, text in facts.labels.items():
                known = self._labels.get(label)
                if known is not None:
                    found += known.get(text, ())
        if not found:
            return self._always
        return sorted({*found, *self._always})


def _scope_of(rules: Iterable[CorrelationRule]) -> Any:
    """The scope of conditions; None where no rule has one: CEL's engine is for those who use it."""
    if not any(each is not None and each.when is not None for rule in rules for each in (rule, rule.with_)):
        return None
    from pipeline.core.expressions import Scope

    return Scope(SCOPE)


def _values(fact: str, values: tuple[str | int, ...], resolve: Callable[[str], str | None]) -> frozenset[str | int]:
    """Values as the facts of episodes have them: references in full, numbers of labels as texts."""
    if fact in REFERENCE_FACTS:
        return frozenset(resolve(str(value)) or str(value) for value in values)
    return frozenset(values) if fact == "tier" else frozenset(map(str, values))
