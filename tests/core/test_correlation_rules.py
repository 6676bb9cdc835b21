"""Correlation rules: the index finds what asking one rule after another finds, and asks hardly any."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.clustering.correlation_rules import CorrelationRules
from pipeline.core.clustering.rule_facts import EQUAL, SCOPE, RuleFacts
from pipeline.core.conjuncts import read
from pipeline.core.expressions import OnError, Scope
from pipeline.models.correlation_rules import CorrelationRule
from tests.core.builders import DB, PAY, SHOP, alert, entity, topology

TOPOLOGY = topology(
    entity(SHOP, tier=1, system="store", infrastructure_layer="application", depends_on=(PAY,)),
    entity(PAY, tier=2, system="store"),
    entity(DB, type="database"),
)
NAMES = {"shop": SHOP, "pay": PAY, "basket": SHOP}


def facts(key: str = "k", **fields: Any) -> RuleFacts:
    return RuleFacts(alert(key, **fields), [], TOPOLOGY)


def compiled(**rules: dict[str, Any]) -> CorrelationRules:
    made = {name.replace("_", "-"): CorrelationRule(**{"join": "never", **rule}) for name, rule in rules.items()}
    return CorrelationRules(made, NAMES.get)


def matched(rules: CorrelationRules, about: RuleFacts) -> list[str]:
    return [each.name for each in rules.matching(about, Counter())]


# -- reading equalities


@pytest.mark.parametrize(
    ("source", "equalities", "whole"),
    [
        ('feed == "x"', {"feed": {"x"}}, True),
        ("'x' == feed", {"feed": {"x"}}, True),
        ('labels.team == "x" && tier == 2', {"labels.team": {"x"}, "tier": {2}}, True),
        ('labels["a b"] in ["x", "y"]', {"labels.a b": {"x", "y"}}, True),
        ('"cart" in terms && (feed == "x" && name == "y")', {"terms": {"cart"}, "feed": {"x"}, "name": {"y"}}, True),
        ('feed == "x" && tier <= 2', {"feed": {"x"}}, False),
        ('feed == "x" && (name == "a" || name == "b")', {"feed": {"x"}}, False),
        ('feed == "x" || name == "y"', {}, False),
        ('feed == "x" ? true : false', {}, False),
        ('!(feed == "x")', {}, False),
        ('feed != "x"', {}, False),
        ('feed == ""', {}, False),
        ('feed == "a\\"b"', {}, False),
        ('feed == r"x"', {}, False),
        ('feed == "x" // && name == "y"', {}, False),
        ('feed == "x" == true', {}, False),
        ('feed in ["x", name]', {}, False),
        ('size(labels.team) == 3 && feed == "x"', {"feed": {"x"}}, False),
        ('"team" in labels && feed == "x"', {"feed": {"x"}}, False),
        ('terms == "x"', {}, False),
        ('feed == "x && y"', {"feed": {"x && y"}}, True),
    ],
)
def test_only_what_must_hold_is_read_as_an_equality(source: str, equalities: dict[str, Any], whole: bool) -> None:
    found = read(source, EQUAL)
    assert ({each.fact: set(each.values) for each in found.equalities}, found.whole) == (equalities, whole)


# -- the index

_TEXTS = st.sampled_from(("a", "b", "c"))
_EQUALITIES = st.one_of(
    st.builds('feed == "{}"'.format, _TEXTS),
    st.builds('"{}" == labels.team'.format, _TEXTS),
    st.builds('labels["team"] in ["{}", "{}"]'.format, _TEXTS, _TEXTS),
    st.builds("tier == {}".format, st.integers(1, 3)),
    st.builds('"{}" in terms'.format, _TEXTS),
    st.builds('host == "{}"'.format, _TEXTS),
    st.just("tier <= 2"),
    st.just('labels.absent == "a"'),
    st.just('has(labels.team) && labels.team != "a"'),
    st.just('feed.startsWith("b")'),
)
_EXPRESSIONS = st.recursive(
    _EQUALITIES,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("{} && {}".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=6,
)
_MATCHES = st.dictionaries(
    st.sampled_from(("feed", "labels.team", "host", "terms", "severity")), st.lists(_TEXTS, min_size=1, max_size=2)
)
_RULES = st.lists(st.tuples(_MATCHES, st.none() | _EXPRESSIONS), min_size=1, max_size=6)
_EPISODES = st.fixed_dictionaries(
    {
        "feed": _TEXTS,
        "labels": st.dictionaries(st.sampled_from(("team", "other")), _TEXTS),
        "host": st.none() | _TEXTS,
        "terms": st.lists(_TEXTS, max_size=2),
        "entity": st.sampled_from((SHOP, PAY, DB, None)),
    }
)


def plainly(rule: CorrelationRule, about: RuleFacts) -> bool:
    """What the rule says, asked with nothing read out of it and no index."""
    for fact, values in rule.match.items():
        value = about.value(fact)
        if not ({*value} if isinstance(value, list) else {value}) & {*values}:
            return False
    if rule.when is None:
        return True
    scope = Scope(SCOPE)
    return scope.compile(rule.when, OnError.IGNORE).holds(scope.facts(**about.for_conditions()))


@given(_RULES, st.lists(_EPISODES, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_index_finds_what_asking_every_rule_finds(rules: list[Any], episodes: list[Any]) -> None:
    made = {
        f"r{number}": CorrelationRule(join="always", group_by=("feed",), match=match, when=when)
        for number, (match, when) in enumerate(rules)
    }
    index = CorrelationRules(made, lambda _: None)
    for episode in episodes:
        terms = episode.pop("terms") if "terms" in episode else []
        about = RuleFacts(alert(**episode), terms, TOPOLOGY)
        assert matched(index, about) == [name for name, rule in made.items() if plainly(rule, about)]


def test_a_thousand_rules_are_asked_no_more_often_than_ten() -> None:
    asked = []
    for count in (10, 1_000):
        half = range(count // 2)
        match = {f"a{n}": {"match": {"feed": "monitor", "labels.team": f"t{n}"}} for n in half}
        when = {f"b{n}": {"when": f'feed == "monitor" && labels.app == "x{n}" && tier <= 2'} for n in half}
        rules = compiled(**match, **when)
        for number in range(100):
            assert len(matched(rules, facts(labels={"team": f"t{number % 5}", "app": f"x{number % 5}"}))) == 2
        asked.append(rules.asked)
    assert asked == [200, 200]


@pytest.mark.parametrize(
    ("rule", "said", "found"),
    [
        ({"match": {"service": "basket"}}, {}, True),
        ({"match": {"entity": ["pay", "shop"]}}, {}, True),
        ({"match": {"entity": "pay"}}, {}, False),
        ({"match": {"tier": 1, "system": "store", "owner": "shop-team", "layer": "application"}}, {}, True),
        ({"match": {"labels.port": 443}}, {"labels": {"port": "443"}}, True),
        ({"match": {"severity": ["critical", "error"]}, "when": "tier <= 2"}, {}, True),
        ({"when": "tier <= 2"}, {"entity": None, "service": None}, False),
        ({"match": {"mentions": "pay"}}, {"mentions": [PAY]}, True),
        ({"when": 'summary.contains("out of")'}, {}, True),
    ],
)
def test_a_rule_asks_for_facts_of_alert_and_catalogue(rule: dict[str, Any], said: dict[str, Any], found: bool) -> None:
    assert bool(matched(compiled(one=rule), facts(**said))) is found


def test_a_condition_that_reads_what_is_absent_is_no_match_and_is_counted() -> None:
    failed: Counter[str] = Counter()
    rules = compiled(broken={"when": 'labels.team.startsWith("x")'}, sound={"when": "tier == 1"})
    assert [each.name for each in rules.matching(facts(), failed)] == ["sound"]
    assert failed == {"broken": 1}


def test_rules_are_found_in_the_order_of_the_file_whatever_the_index_holds() -> None:
    rules = compiled(z={"when": "tier <= 3"}, a={"match": {"feed": "monitor"}}, m={"match": {"name": "Rule k"}})
    assert matched(rules, facts()) == ["z", "a", "m"]
    assert [each.name for each in rules.without_index] == ["z"]
