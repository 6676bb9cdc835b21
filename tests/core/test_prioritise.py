"""Priority: reach from members, populations counted once, the matrix, and why."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.clustering.tally import Tally
from pipeline.core.practice.impacts import total
from pipeline.core.practice.prioritise import affected_words, assess, categorise, gather, plain
from pipeline.models.alert import FeedClass, Severity
from pipeline.models.member import Member
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import Category, ImpactRule, UrgencyRule
from tests.core.builders import DB, HOUR, PAY, SHOP, T0, WIKI, member, policy, topology

GRAPH = topology()


def said(key: str, **fields: Any) -> Member:
    given = {"feed_class": FeedClass.DESK, "severity": Severity.UNKNOWN, "ticket": f"T-{key}", "reporter": key}
    return member(key, **(given | fields))


def test_people_and_money_of_one_system_are_counted_once() -> None:
    facts = gather(Tally.of([member("a"), member("b", entity=PAY, service=PAY)], GRAPH), policy())
    assert (facts.users, facts.revenue_per_minute, facts.tier) == (8_000, 900.0, 1)
    assert total([("x", 5, 1.0, "x"), ("x", 7, 0.5, "x"), ("y", 3, 2.0, "y")]) == (10, 3.0)


def test_a_warning_of_a_monitor_stands_for_nobody_and_an_error_for_everybody() -> None:
    users = [
        gather(Tally.of([member("a", severity=each)], GRAPH), policy()).users
        for each in (Severity.WARNING, Severity.ERROR)
    ]
    assert users == [0, 8_000]


def test_beside_an_outage_a_warning_stands_for_everybody_too_until_the_outage_is_none() -> None:
    outage = member("a", entity=WIKI, service=WIKI, severity=Severity.ERROR)
    tally = Tally.of([member("b", severity=Severity.WARNING), outage], GRAPH)
    info = Tally.of([member("b", severity=Severity.INFO), outage], GRAPH)
    assert (gather(tally, policy()).users, gather(info, policy()).users) == (8_040, 40)

    outage.severity = Severity.WARNING
    tally.changed_severity(outage, Severity.ERROR)
    assert gather(tally, policy()).users == 0


def test_reporters_stand_for_others_once_each_up_to_the_population() -> None:
    rule = policy(users_per_report=25)
    assert gather(Tally.of([said("a"), said("b"), said("c", reporter="a")], GRAPH), rule).users == 50
    assert (
        gather(
            Tally.of([said("a", service=WIKI, entity=WIKI), said("b", service=WIKI, entity=WIKI)], GRAPH), rule
        ).users
        == 40
    )
    assert gather(Tally.of([said("a", users_affected=700)], GRAPH), rule).users == 700


def test_money_of_a_service_follows_the_share_of_its_people() -> None:
    assert gather(Tally.of([said("a", users_affected=4_000)], GRAPH), policy()).revenue_per_minute == 450.0


def test_what_nobody_knows_has_no_users() -> None:
    facts = gather(Tally.of([member("a", entity=None, service=None)], GRAPH), policy())
    assert (facts.users, facts.impacts, facts.tier) == (0, {}, None)
    assert affected_words(facts, GRAPH) == "an unknown service"


RULES = policy(
    impact=(ImpactRule(level="high", users_at_least=8_000, because="many"), ImpactRule(level="low")),
    urgency=(
        UrgencyRule(level="high", severity_at_least="critical", business_hours=True, because="by day"),
        UrgencyRule(level="low"),
    ),
)


@pytest.mark.parametrize(
    ("place", "now_ms", "priority"),
    [(SHOP, T0, "P1"), (SHOP, T0 + 12 * HOUR, "P3"), (WIKI, T0, "P3"), (DB, T0 + 12 * HOUR, "P4")],
)
def test_the_first_rule_that_holds_gives_the_level_and_the_matrix_the_priority(
    place: str, now_ms: int, priority: str
) -> None:
    facts = gather(Tally.of([member("a", entity=place, service=place)], GRAPH), RULES)
    assessment = assess(facts, RULES, now_ms)
    assert assessment.priority == priority
    assert assessment.because[-1] == f"shop matrix: {priority}"


def test_the_first_category_that_matches_wins() -> None:
    rule = policy(
        categories=(
            Category(name="mail", words=("outlook",)),
            Category(name="team", labels={"team": ("db", "sql")}),
            Category(name="disk", layers=("storage",)),
        )
    )
    cases: list[tuple[str, dict[str, str], str | None, str | None]] = [
        ("outlook is slow", {"team": "db"}, None, "mail"),
        ("slow", {"team": "sql"}, "storage", "team"),
        ("slow", {}, "storage", "disk"),
        ("slow", {}, None, None),
        ("Re: OUTLOOK-sync", {}, None, "mail"),
        ("the chartoutlook is flagged", {}, None, None),
    ]
    for text, labels, layer, name in cases:
        assert categorise(rule, plain(text), labels, layer) == name


@given(st.text("abeE -'_.1\n\t", max_size=30))
def test_a_text_is_the_same_in_plain_words_alone_and_beside_another_script(text: str) -> None:
    assert plain(f"{text} ") + "\u00e9" == plain(f"{text} \u00e9")


def plainly(policy: DomainPolicy, text: str) -> str | None:
    """The category by words alone, one word after the other."""
    for category in policy.categories:
        if any(plain(word).rstrip() in text for word in category.words):
            return category.name
    return None


SOME_WORDS: Final = st.text(alphabet="abc é-", min_size=1, max_size=7)


@given(words=st.lists(st.lists(SOME_WORDS, max_size=4), max_size=5), text=st.text(alphabet="abc é-", max_size=30))
def test_words_that_are_looked_for_by_how_they_begin_are_found_as_one_after_the_other(
    words: list[list[str]], text: str
) -> None:
    made = tuple(Category(name=str(place), words=tuple(each)) for place, each in enumerate(words))
    policy = DomainPolicy(domain="x").model_copy(update={"categories": made})
    assert categorise(policy, plain(text), {}, None) == plainly(policy, plain(text))
