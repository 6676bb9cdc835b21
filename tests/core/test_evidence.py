"""Evidence: each line of the table of weights as a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.evidence import weigh
from pipeline.core.tally import Tally
from pipeline.core.terms import TERMS_MAX, likeness, terms_of
from pipeline.models.alert import FeedClass
from pipeline.models.decision import Reason
from pipeline.models.incident import Member
from tests.core.builders import DB, HOST, MINUTE, PAY, SHOP, WIKI, entity, member, topology

WINDOW = 15 * MINUTE
GRAPH = topology()


def score(episode: Member, *members: Member, gap_ms: int = 0, same: bool = False) -> float:
    return weigh(episode, Tally.of(members, GRAPH), gap_ms, WINDOW, same_condition=same).score


def stranger(key: str = "x", **fields: object) -> Member:
    return member(key, **{"entity": None, "service": None, **fields})


def test_time_alone_never_joins() -> None:
    assert score(stranger("a"), stranger("b")) < 0.5


@pytest.mark.parametrize(
    ("place", "reason"), [(SHOP, Reason.SAME_ENTITY), (PAY, Reason.DEPENDENCY), (DB, Reason.DEPENDENCY)]
)
def test_one_strong_fact_joins_while_the_incident_is_fresh(place: str, reason: Reason) -> None:
    verdict = weigh(
        member("b", entity=place, service=place), Tally.of([member("a")], GRAPH), 0, WINDOW, same_condition=False
    )
    assert (verdict.score >= 0.5, verdict.reason) == (True, reason)


@pytest.mark.parametrize("place", [HOST, WIKI])
def test_three_hops_or_no_relation_do_not(place: str) -> None:
    assert score(member("b", entity=place, service=place), member("a")) < 0.5


def test_the_same_condition_joins_at_any_time() -> None:
    assert score(stranger("a"), stranger("a"), gap_ms=100 * WINDOW, same=True) > 0.8


def test_evidence_fades_with_time() -> None:
    scores = [score(member("b"), member("a"), gap_ms=gap) for gap in (0, WINDOW // 2, WINDOW, 9 * WINDOW)]
    assert scores == sorted(scores, reverse=True)
    assert scores[2] == scores[3]


def test_a_shared_host_joins_and_a_shared_zone_does_not() -> None:
    for kind, joins in (("host", True), ("zone", False)):
        place = "resource:default/place"
        parts = [entity(place, type=kind)]
        parts += [entity(f"component:default/{name}", depends_on=(place,)) for name in "ab"]
        here, there = (member(name, entity=f"component:default/{name}", service=name) for name in "ab")
        verdict = weigh(here, Tally.of([there], topology(*parts)), 0, WINDOW, same_condition=False)
        assert (verdict.score >= 0.5) is joins


def test_words_of_people_join_where_the_text_is_all_there_is() -> None:
    words = terms_of("invoices cannot be printed in the warehouse")
    said = [stranger(key, feed_class=FeedClass.DESK, terms=words) for key in "ab"]
    assert score(*said) >= 0.5
    assert score(stranger("c", terms=words), said[0]) < 0.5, "a monitor's template is alike for unrelated things"


@given(st.lists(st.text("abeEdgs -'_.1\n\t", max_size=60), max_size=3))
def test_a_text_has_the_same_words_alone_and_beside_another_script(texts: list[str]) -> None:
    assert terms_of(*texts) == terms_of(*(f"{text} \u00e9" for text in texts))


def test_the_same_words_about_different_things_say_nothing() -> None:
    words = terms_of("very slow since this morning")
    verdict = weigh(
        member("b", entity=WIKI, service=WIKI, terms=words, feed_class=FeedClass.DESK),
        Tally.of([member("a", terms=words, feed_class=FeedClass.DESK)], GRAPH),
        0,
        WINDOW,
        same_condition=False,
    )
    assert "similar_text" not in verdict.evidence


def test_a_text_that_names_what_needs_the_broken_thing_joins() -> None:
    spoken = stranger("r", feed_class=FeedClass.DESK, mentions=[SHOP])
    verdict = weigh(spoken, Tally.of([member("a", entity=DB, service=PAY)], GRAPH), 0, WINDOW, same_condition=False)
    assert (verdict.score >= 0.5, verdict.reason) == (True, Reason.BUSINESS_TERMS)


PLACES = st.sampled_from([None, SHOP, PAY, DB, HOST, WIKI])
MEMBERS = st.lists(
    st.builds(lambda key, place: member(key, entity=place, service=place), st.sampled_from("abc"), PLACES)
)


@settings(max_examples=60, deadline=None)
@given(PLACES, MEMBERS, st.integers(0, 10 * WINDOW), st.booleans())
def test_a_score_is_a_probability_and_does_not_depend_on_the_order_of_members(
    place: str | None, members: list[Member], gap_ms: int, same: bool
) -> None:
    episode = member("x", entity=place, service=place)
    verdict = weigh(episode, Tally.of(members, GRAPH), gap_ms, WINDOW, same_condition=same)
    assert 0.0 <= verdict.score <= 1.0
    assert weigh(episode, Tally.of(members[::-1], GRAPH), gap_ms, WINDOW, same_condition=same) == verdict


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_words_of_any_text_are_bounded_sorted_and_alike_to_themselves(left: str, right: str) -> None:
    here, there = terms_of(left), terms_of(right)
    assert here == sorted(set(here))
    assert len(here) <= TERMS_MAX
    mine, theirs = frozenset(here), frozenset(there)
    assert likeness(mine, mine) == (1.0 if here else 0.0)
    assert 0.0 <= likeness(mine, theirs) == likeness(theirs, mine) <= 1.0
