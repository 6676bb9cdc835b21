"""``rules`` of ``correlation.yaml``: every fact, value and condition is one, and the index bounds what they cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, suggestion
from pipeline.core.clustering.correlation_rules import WITHOUT_INDEX_MAX
from pipeline.core.clustering.rule_facts import EQUAL, SCOPE
from pipeline.core.clustering.ruling import FIELD
from pipeline.core.conjuncts import read
from pipeline.models.alert import SEVERITY_RANK, FeedClass
from pipeline.models.catalog import HostingModel
from pipeline.models.correlation_rules import (
    LABEL_FACT,
    LIST_FACTS,
    NUMBER_FACTS,
    REFERENCE_FACTS,
    RULE_NAME,
    RULES_MAX,
    TEXT_FACTS,
    CorrelationRule,
    Selector,
)

RULE: Final = "rule"
"""Kind of the rules' places in `Packs.sources`."""

EXAMPLE: Final = 'feed == "zabbix" && ...'

_SCALES: Final = {
    "severity": frozenset(map(str, SEVERITY_RANK)),
    "feed_class": frozenset(map(str, FeedClass)),
    "hosting_model": frozenset(map(str, HostingModel)),
}


def check_rules(packs: Packs, feeds: set[str] | None, find: Callable[[str], str | None], findings: Findings) -> None:
    """Check every rule.

    Args:
        packs: all files beside the catalogue.
        feeds: the feeds in force; None leaves their names unchecked.
        find: reference of the entity that a name means.
        findings: takes what is wrong.
    """
    without_index = 0
    for number, (name, rule) in enumerate(packs.correlation.rules.items(), start=1):
        source = packs.sources[RULE, name]
        if number > RULES_MAX:
            findings.problem(source.at(), f"more than {RULES_MAX:,} rules; say it by labels of the catalogue")
            return
        check_rule_name(name, source, findings)
        for selector, path in selectors(rule):
            check_selector(selector, path, source, feeds, find, findings)
            without_index += not has_equality(selector)
        if without_index > WITHOUT_INDEX_MAX:
            words = f"more than {WITHOUT_INDEX_MAX} rules without an equality, each asked about every episode"
            findings.problem(source.at(), f"{words}; give them a match, or a condition such as {EXAMPLE}")
            return
        _check_group(rule, source, findings)


def selectors(rule: CorrelationRule) -> Iterator[tuple[Selector, tuple[str, ...]]]:
    """What a rule asks for, each with its path in the file."""
    yield rule, ()
    if rule.with_ is not None:
        yield rule.with_, ("with",)


def has_equality(selector: Selector) -> bool:
    """Whether the index can find a selector."""
    return bool(selector.match) or (selector.when is not None and bool(read(selector.when, EQUAL).equalities))


def check_rule_name(name: str, source: Source, findings: Findings) -> None:
    """Report a name that cannot be a label of a metric and a word on the command line."""
    if not re.fullmatch(RULE_NAME, name):
        words = "must be at most 63 lower-case letters, digits, '-', '_' or '.', and begin with a letter or digit"
        findings.problem(source.at(), f"rule '{name[:80]}': {words}")


def check_selector(
    selector: Selector,
    path: tuple[str, ...],
    source: Source,
    feeds: set[str] | None,
    find: Callable[[str], str | None],
    findings: Findings,
) -> None:
    """Check what a rule asks for, at a path of its own."""
    for fact, values in selector.match.items():
        where = source.at(*path, "match", fact)
        if (unknown := unknown_fact(fact)) is not None:
            findings.problem(where, f"match: {unknown}")
            continue
        for value in values:
            if (wrong := _wrong_value(fact, value, feeds, find)) is not None:
                findings.problem(where, f"match: {fact}: {wrong}")
    if selector.when is not None:
        _check_condition(selector.when, (*path, "when"), source, find, findings)


def _check_condition(
    when: str, path: tuple[str, ...], source: Source, find: Callable[[str], str | None], findings: Findings
) -> None:
    from pipeline.core.expressions import ExpressionError, Scope  # CEL's engine is for those who use it

    try:
        Scope(SCOPE).compile(when)
    except ExpressionError as error:
        findings.problem(source.at(*path), f"{'.'.join(path)}: {error}")
        return
    for fact, values in read(when, EQUAL).equalities:
        if fact not in REFERENCE_FACTS:
            continue
        for value in sorted(map(str, values)):
            ref = find(value)
            if ref is None or ref != value:
                said = f"write '{ref}'" if ref is not None else "no entity of the catalogue has this reference"
                findings.problem(source.at(*path), f"{'.'.join(path)}: {fact} is never '{value[:80]}': {said}")


def unknown_fact(fact: str) -> str | None:
    """What is wrong with the name of a fact; None where it is one."""
    if (fact.startswith(LABEL_FACT) and len(fact) > len(LABEL_FACT)) or fact in EQUAL:
        return None
    near = suggestion(fact, EQUAL) or f"; a label is written {LABEL_FACT}{fact[:80]}"
    return f"there is no fact '{fact[:80]}'{near}"


def _wrong_value(fact: str, value: str | int, feeds: set[str] | None, find: Callable[[str], str | None]) -> str | None:
    """What is wrong with a value; None where a fact may have it."""
    if fact in NUMBER_FACTS:
        return None if isinstance(value, int) and 1 <= value <= 4 else f"{value!r} is no tier: 1 to 4"
    text = str(value)
    if fact in REFERENCE_FACTS and find(text) is None:
        return f"nothing is called '{text[:80]}'"
    known = _SCALES.get(fact) or (feeds if fact == "feed" else None)
    if known is not None and text not in known:
        return f"unknown value '{text[:80]}'{suggestion(text, known)}"
    return None


def _check_group(rule: CorrelationRule, source: Source, findings: Findings) -> None:
    for index, fact in enumerate(rule.group_by):
        where = source.at("group_by", index)
        if (unknown := unknown_fact(fact)) is not None:
            findings.problem(where, f"group_by: {unknown}")
        elif fact in LIST_FACTS:
            one = ", ".join((*TEXT_FACTS, *NUMBER_FACTS))
            findings.problem(where, f"group_by: {fact} has several values; group by a label or one of {one}")
        elif fact in rule.group_by[:index]:
            findings.problem(where, f"group_by: {fact} is named twice")
    for field in FIELD.findall(rule.title or ""):
        if field not in rule.group_by:
            findings.problem(source.at("title"), f"title: {{{field[:80]}}} is not in group_by")
