"""Evidence: each line of the table of weights as a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.evidence import Verdict, weigh
from pipeline.core.tally import Tally
from pipeline.core.terms import TERMS_MAX, likeness, terms_of
from pipeline.models.alert import FeedClass
from pipeline.models.decision import Reason
from pipeline.models.incident import Member
from tests.core.builders import DB, HOST, MINUTE, PAY, SHOP, T0, WIKI, entity, member, topology

GRAPH = topology()


def verdict(episode: Member, *members: Member, minutes: float = 0, same: bool = False) -> Verdict:
    """Of an episode so long after the incident began, which is when its members came."""
    late_ms = round(minutes * MINUTE)
    newcomer = replace(episode, opened_at_ms=T0 + late_ms)
    return weigh(newcomer, Tally.of(members, GRAPH), late_ms, same_condition=same)


def score(episode: Member, *members: Member, minutes: float = 0, same: bool = False) -> float:
    return verdict(episode, *members, minutes=minutes, same=same).score


def stranger(key: str = "x", **fields: object) -> Member:
    return member(key, **{"entity": None, "service": None, **fields})


def over(key: str, **fields: object) -> Member:
    return member(key, resolved_at_ms=T0, **fields)


def test_time_alone_never_joins() -> None:
    assert score(stranger("a"), stranger("b")) < 0.5


@pytest.mark.parametrize(
    ("place", "reason"), [(SHOP, Reason.SAME_ENTITY), (PAY, Reason.DEPENDENCY), (DB, Reason.DEPENDENCY)]
)
def test_one_strong_fact_joins_while_the_incident_is_young(place: str, reason: Reason) -> None:
    found = verdict(member("b", entity=place, service=place), over("a"), minutes=2)
    assert (found.score >= 0.5, found.reason) == (True, reason)
    assert score(member("b", entity=place, service=place), over("a"), minutes=90) < 0.5


@pytest.mark.parametrize(("place", "minutes", "joins"), [(HOST, 0, True), (HOST, 3, False), (WIKI, 0, False)])
def test_three_hops_join_in_the_first_moment_alone_and_no_relation_never(
    place: str, minutes: float, joins: bool
) -> None:
    assert (score(member("b", entity=place, service=place), over("a"), minutes=minutes) >= 0.5) is joins


def test_the_same_condition_joins_at_any_time() -> None:
    assert score(stranger("a"), stranger("a"), minutes=1_500, same=True) > 0.8


def test_what_still_fires_and_was_heard_of_lately_goes_on() -> None:
    assert score(member("b"), member("a"), minutes=110) > 0.8
    assert score(member("b"), over("a"), minutes=110) < 0.5
    assert score(member("b"), member("a"), minutes=600) < 0.5, "what stands for days takes no outage in"
    parts = [member(str(n), entity=place, service=place) for n, place in enumerate((SHOP, PAY, DB))]
    assert score(member("b"), *parts, minutes=110) < 0.5, "of many parts each has troubles of its own in time"


def test_evidence_fades_with_time() -> None:
    scores = [score(member("b"), over("a"), minutes=minutes) for minutes in (0, 1, 5, 30, 300)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]


def test_what_many_need_says_less_than_what_one_needs() -> None:
    hub = "component:default/hub"
    for needed_by, joins in ((1, True), (200, False)):
        parts = [entity(f"component:default/part-{n}", depends_on=(hub,)) for n in range(max(2, needed_by))]
        graph = topology(entity(hub), *parts)
        there = over("a", entity=parts[0].ref, service=parts[0].ref)
        here = replace(member("b", entity=hub, service=hub), opened_at_ms=T0 + 2 * MINUTE)
        found = weigh(here, Tally.of([there], graph), 2 * MINUTE, same_condition=False)
        assert (found.score >= 0.5) is joins, found


def test_a_shared_host_joins_and_a_shared_zone_does_not() -> None:
    for kind, joins in (("host", True), ("zone", False)):
        place = "resource:default/place"
        parts = [entity(place, type=kind)]
        parts += [entity(f"component:default/{name}", depends_on=(place,)) for name in "ab"]
        here, there = (member(name, entity=f"component:default/{name}", service=name) for name in "ab")
        found = weigh(here, Tally.of([there], topology(*parts)), 0, same_condition=False)
        assert (found.score >= 0.5) is joins


def test_a_text_that_names_what_cannot_be_reached_joins() -> None:
    here = member("b", entity=WIKI, service=WIKI, mentions=[SHOP])
    assert verdict(here, over("a"), minutes=1).evidence["named"] > 0
    assert score(here, over("a"), minutes=1) > score(member("b", entity=WIKI, service=WIKI), over("a"), minutes=1)
    told = over("a", mentions=[WIKI])
    assert "named" in verdict(member("b", entity=WIKI, service=WIKI), told, minutes=1).evidence


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
    here = member("b", entity=WIKI, service=WIKI, terms=words, feed_class=FeedClass.DESK)
    there = member("a", terms=words, feed_class=FeedClass.DESK)
    assert "similar_text" not in verdict(here, there).evidence


def test_a_text_that_names_what_needs_the_broken_thing_joins() -> None:
    spoken = stranger("r", feed_class=FeedClass.DESK, mentions=[SHOP])
    found = verdict(spoken, member("a", entity=DB, service=PAY), minutes=5)
    assert (found.score >= 0.5, found.reason) == (True, Reason.BUSINESS_TERMS)


PLACES = st.sampled_from([None, SHOP, PAY, DB, HOST, WIKI])
MEMBERS = st.lists(
    st.builds(lambda key, place: member(key, entity=place, service=place), st.sampled_from("abc"), PLACES)
)


@settings(max_examples=60, deadline=None)
@given(PLACES, MEMBERS, st.integers(0, 10_000), st.booleans())
def test_a_score_is_a_probability_and_does_not_depend_on_the_order_of_members(
    place: str | None, members: list[Member], minutes: int, same: bool
) -> None:
    episode = member("x", entity=place, service=place)
    found = verdict(episode, *members, minutes=minutes, same=same)
    assert 0.0 <= found.score <= 1.0
    assert verdict(episode, *members[::-1], minutes=minutes, same=same) == found


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_words_of_any_text_are_bounded_sorted_and_alike_to_themselves(left: str, right: str) -> None:
    here, there = terms_of(left), terms_of(right)
    assert here == sorted(set(here))
    assert len(here) <= TERMS_MAX
    mine, theirs = frozenset(here), frozenset(there)
    assert likeness(mine, mine) == (1.0 if here else 0.0)
    assert 0.0 <= likeness(mine, theirs) == likeness(theirs, mine) <= 1.0
