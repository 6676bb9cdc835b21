"""Matching rules: patterns over labels and text name entities, in order, within bounds; the order of all ways."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.alerts.enrich import MATCHING, Enricher
from pipeline.core.alerts.rules import PatternError, Rules, compiled
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.catalog import Catalogue
from pipeline.models.matching import PATTERN_CHARS_MAX, MatchingRule
from pipeline.models.policy import Config
from tests.core.test_enrich import alert, entity

BASKET = "component:default/basket"
PRICES = "component:default/prices"
STORE = "resource:default/store"
HOST = "resource:default/muc-erp-01"
CART = "resource:default/cart-cache"
PLACE = "resource:default/shop-eu"
ENTITIES = (
    entity(BASKET, aliases=("trolley",), labels={"fingerprint": "7f"}),
    entity(PRICES),
    entity(STORE),
    entity(HOST),
    entity(CART),
    entity(PLACE),
)


def enricher(*rules: MatchingRule) -> Enricher:
    return Enricher(Config(catalogue=Catalogue(entities={each.ref: each for each in ENTITIES}), matching=rules))


def rule(name: str = "r", entity: str = "basket", **fields: Any) -> MatchingRule:
    return MatchingRule(name=name, entity=entity, **fields)


def found(rules: tuple[MatchingRule, ...], subject: Alert) -> tuple[str | None, str | None]:
    enricher(*rules).enrich(subject)
    return subject.entity, subject.matched_by


@pytest.mark.parametrize(
    ("rules", "labels", "entity", "matched_by"),
    [
        ([rule(labels={"queue_url": ".*/basket-.*"})], {"queue_url": "sqs/basket-in"}, BASKET, "rule:r"),
        ([rule(labels={"queue_url": "basket"})], {"queue_url": "sqs/basket-in"}, None, None),  # the whole value
        ([rule(labels={"x": ".*"})], {"y": "1"}, None, None),
        ([rule(labels={"x": "a", "y": "b"})], {"x": "a", "y": "b"}, BASKET, "rule:r"),
        ([rule(labels={"x": "a", "y": "b"})], {"x": "a", "y": "c"}, None, None),
        ([rule("g", "{app}", labels={"task": "(?P<app>[a-z]+)-[0-9]+"})], {"task": "prices-7"}, PRICES, "rule:g"),
        ([rule("g", "component:{app}", labels={"task": "(?P<app>.+)"})], {"task": "prices"}, PRICES, "rule:g"),
        ([rule("g", "{app}", labels={"task": "(?P<app>.+)"})], {"task": "nobody"}, None, None),
        ([rule("a", labels={"x": "1"}), rule("b", "prices", labels={"x": "."})], {"x": "1"}, BASKET, "rule:a"),
        ([rule("a", "gone", labels={"x": "1"}), rule("b", "prices", labels={"x": "."})], {"x": "1"}, PRICES, "rule:b"),
        ([rule(feeds=("test",), labels={"x": "1"})], {"x": "1"}, BASKET, "rule:r"),
        ([rule(feeds=("other",), labels={"x": "1"})], {"x": "1"}, None, None),
        ([rule(text="(?i)confirmation mails?")], {}, BASKET, "rule:r"),
        ([rule(text="^Confirmation")], {}, None, None),  # the name is the first line
        ([rule(labels={"x": ".*"})], {"x": "1" * 513}, None, None),
    ],
)  # fmt: skip
def test_the_first_rule_that_matches_and_names_an_entity_wins(
    rules: list[MatchingRule], labels: dict[str, str], entity: str | None, matched_by: str | None
) -> None:
    subject = alert("Confirmation mails are late", name="MailLag", labels=labels)
    assert found(tuple(rules), subject) == (entity, matched_by)


ALL: dict[str, Any] = {
    "summary": "the trolley is broken",
    "feed_class": FeedClass.DESK,
    "labels": {
        "entity_ref": "component:prices",
        "fingerprint": "7f",
        "service": "store",
        "pod": "cart-cache-7c9f6d8b5-2xk4l",
        "QueueName": "prices",
        "x": "1",
        "instance": "muc-erp-01:9100",
        "resource": "store",
        "cluster": "shop-eu",
    },
}


def test_the_ways_are_tried_in_the_order_of_the_table() -> None:
    """An alert that all ways know: each is the answer once those before it know nothing."""
    expected = [
        ("_by_people", BASKET, "alias", "feed_class"),
        ("_by_reference", PRICES, "label:entity_ref", "entity_ref"),
        ("_by_catalogue", BASKET, "catalogue:fingerprint", "fingerprint"),
        ("_by_service", STORE, "label:service", "service"),
        ("_by_pod", CART, "label:pod", "pod"),
        ("_by_dimension", PRICES, "label:QueueName", "QueueName"),
        ("_by_rule", CART, "rule:last", "x"),
        ("_by_host", HOST, "host", "instance"),
        ("_by_resource", STORE, "label:resource", "resource"),
        ("_by_words", BASKET, "alias", "summary"),
        ("_by_place", PLACE, "label:cluster", "cluster"),
    ]
    assert [each[0] for each in expected] == [way.method for way in MATCHING]
    rules = (rule("last", "cart-cache", labels={"x": "1"}),)
    known: dict[str, Any] = {**ALL, "labels": dict(ALL["labels"])}
    for _, ref, how, told_by in expected:
        subject = alert(known["summary"], feed_class=known["feed_class"], labels=dict(known["labels"]))
        assert found(rules, subject) == (ref, how)
        if told_by == "feed_class":
            known["feed_class"] = FeedClass.CLOUD
        elif told_by == "summary":
            known["summary"] = ""
        else:
            del known["labels"][told_by]
    assert found(rules, alert("", labels={})) == (None, None)


@pytest.mark.parametrize("pattern", ["(a", "(?=a)", r"\1", "(a{999}){999}", "a" * (PATTERN_CHARS_MAX + 1)])
def test_what_is_no_pattern_or_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError) as refused:
        compiled(pattern)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(.*a){12}b", "(a*)*b", "a?" * 30 + "a" * 30])
def test_patterns_that_stop_other_engines_cost_no_more_than_their_text(pattern: str) -> None:
    rules = Rules([rule(labels={"x": pattern}), rule(text=pattern)], lambda _: None)
    started = time.process_time()
    for number in range(100):
        rules.match(alert("a" * 2_000, labels={"x": "a" * (400 + number)}))
    assert time.process_time() - started < 2.0


@settings(deadline=None)  # a busy machine is no defect
@given(
    st.text(st.sampled_from("ab(|)*+?{}[]^$.\\1,:<>P="), max_size=12),
    st.text(st.sampled_from("ab\n ß"), max_size=20),
)
def test_any_text_is_a_pattern_or_refused_and_matching_raises_nothing(pattern: str, value: str) -> None:
    try:
        compiled(pattern)
    except PatternError:
        return
    Rules([rule(entity="{P}", labels={"x": pattern}), rule(text=pattern)], lambda name: name).match(
        alert(value, labels={"x": value})
    )
