"""Mutations: each rule, and each part of one, taken out or changed. What no case notices, no case tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.core.alerts.enrich import Enricher
from pipeline.models.correlation_rules import WINDOW_SECONDS_MAX, CorrelationRule, Selector, Window
from pipeline.models.policy import Config
from pipeline.rule_tests.cases import NamedCase
from pipeline.rule_tests.play import Played, play

Rules = dict[str, CorrelationRule]


class Mutant(NamedTuple):
    """Rules with one thing changed.

    Attributes:
        rule: the rule that was changed.
        part: what was done to it, in words.
        rules: all rules, this one as it is now, or without it.
    """

    rule: str
    part: str
    rules: Rules


def mutants(rules: Mapping[str, CorrelationRule]) -> Iterator[Mutant]:
    """Every mutation, rule by rule in their order."""
    for name, rule in rules.items():
        yield Mutant(name, "the rule taken out", {each: known for each, known in rules.items() if each != name})
        for part, changed in _changed(rule):
            yield Mutant(name, part, {**rules, name: changed})


def _changed(rule: CorrelationRule) -> Iterator[tuple[str, CorrelationRule]]:
    for part, changes in _loosened(rule):
        yield part, rule.model_copy(update=changes)
    if rule.with_ is not None:
        for part, changes in _loosened(rule.with_):
            yield f"with: {part}", rule.model_copy(update={"with_": rule.with_.model_copy(update=changes)})
        yield "with taken out: never with any other", rule.model_copy(update={"with_": None})
    if len(rule.group_by) > 1:
        for fact in rule.group_by:
            left = tuple(each for each in rule.group_by if each != fact)
            yield f"group_by without {fact}", rule.model_copy(update={"group_by": left})
    if rule.min_count is not None:
        yield "min_count one higher", rule.model_copy(update={"min_count": rule.min_count + 1})
        yield "min_count one lower", rule.model_copy(update={"min_count": rule.min_count - 1})
    if rule.action != "never":
        endless = Window(kind="rolling", seconds=WINDOW_SECONDS_MAX)
        yield "the window without an end", rule.model_copy(update={"window": endless})
    if rule.title is not None:
        yield "the title taken out", rule.model_copy(update={"title": None})


def _loosened(selector: Selector) -> Iterator[tuple[str, dict[str, Any]]]:
    """A selector with one condition taken out; and with one value, where a fact may have several."""
    for fact, values in selector.match.items():
        others = {each: known for each, known in selector.match.items() if each != fact}
        yield f"match without {fact}", {"match": others}
        if len(values) > 1:
            for value in values:
                left = tuple(each for each in values if each != value)
                yield f"match: {fact} without {value}", {"match": {**others, fact: left}}
    if selector.when is not None:
        yield "when taken out", {"when": None}


def unnoticed(
    cases: list[NamedCase],
    before: Mapping[str, Played],
    config: Config,
    enricher: Enricher,
    tell: Callable[[int], None],
) -> tuple[int, list[Mutant]]:
    """Play every mutation until a case comes to something else. Answers how many there are, and those none notices.

    Args:
        cases: all of them.
        before: what each came to, by place.
        config: the configuration.
        enricher: of its catalogue.
        tell: told how many mutations are done.
    """
    number, survivors = 0, []
    for number, mutant in enumerate(mutants(config.correlation.rules), 1):
        correlation = config.correlation.model_copy(update={"rules": mutant.rules})
        changed = config.model_copy(update={"correlation": correlation})
        # Cases in which the rule did something notice first.
        order = sorted(cases, key=lambda case: -before[str(case.place)].acted[mutant.rule])
        if not any(_notices(case, before[str(case.place)], changed, enricher) for case in order):
            survivors.append(mutant)
        tell(number)
    return number, survivors


def _notices(case: NamedCase, before: Played, config: Config, enricher: Enricher) -> bool:
    return play(case.case, config, enricher).signature() != before.signature()
