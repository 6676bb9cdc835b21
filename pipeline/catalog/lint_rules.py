"""Lint rules about correlation rules: what never wins, and what every episode pays for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.catalog.check_rules import EXAMPLE, RULE, has_equality, selectors
from pipeline.catalog.lint_context import Context, Finding
from pipeline.core.clustering.rule_facts import EQUAL
from pipeline.core.conjuncts import Equality, read
from pipeline.models.correlation_rules import REFERENCE_FACTS, CorrelationRule, Selector

COMPARED_MAX: Final = 200
"""Rules compared with each other, the first of the file: there may be thousands, and pairs grow with the square."""


class _Asks(NamedTuple):
    """What a selector asks for: equalities by fact, and its condition where that says more."""

    equalities: dict[str, frozenset[str | int]]
    condition: str | None


def check_rules(context: Context) -> Iterator[Finding]:
    """Every rule about correlation rules."""
    yield from _shadowed(context)
    yield from _without_index(context)


def _without_index(context: Context) -> Iterator[Finding]:
    for name, rule in context.config.correlation.rules.items():
        for selector, path in selectors(rule):
            if not has_equality(selector):
                place = context.opened.packs.sources[RULE, name].at(*path)
                message = f"rule '{name}' is asked about every episode: give it a match, or begin with {EXAMPLE}"
                yield Finding("rule-without-index", place, message)


def _shadowed(context: Context) -> Iterator[Finding]:
    """A rule whose episodes an earlier one of the same action takes. Rules that keep apart add up; none shadows."""
    earlier: list[tuple[str, CorrelationRule, _Asks]] = []
    for name, rule in list(context.config.correlation.rules.items())[:COMPARED_MAX]:
        if rule.action == "never":
            continue
        asks = _asks(rule, context)
        for other, known, wider in earlier:
            if known.action == rule.action and _takes(known, wider, rule, asks):
                place = context.opened.packs.sources[RULE, name].at()
                yield Finding("shadowed-rule", place, f"rule '{name}' never wins: '{other}' takes all that it matches")
                break
        earlier.append((name, rule, asks))


def _takes(known: CorrelationRule, wider: _Asks, rule: CorrelationRule, asks: _Asks) -> bool:
    """Whether whatever a rule matches, an earlier one matches as well."""
    if wider.condition is not None and wider.condition != asks.condition:
        return False
    present = {*rule.group_by, *asks.equalities}  # an earlier rule needs the values that it groups by
    return present.issuperset(known.group_by) and all(
        fact in asks.equalities and asks.equalities[fact] <= values for fact, values in wider.equalities.items()
    )


def _asks(selector: Selector, context: Context) -> _Asks:
    found = [Equality(fact, _values(fact, values, context)) for fact, values in selector.match.items()]
    condition = None
    if selector.when is not None:
        written = read(selector.when, EQUAL)
        found += written.equalities
        condition = None if written.whole else selector.when
    equalities: dict[str, frozenset[str | int]] = {}
    for fact, values in found:
        equalities[fact] = values & equalities.get(fact, values)
    return _Asks(equalities, condition)


def _values(fact: str, values: tuple[str | int, ...], context: Context) -> frozenset[str | int]:
    if fact not in REFERENCE_FACTS:
        return frozenset(values)
    return frozenset(context.enricher.resolve(str(value)) or value for value in values)
