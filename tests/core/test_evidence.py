"""Evidence: what the shipped weights promise, whatever they were trained on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.clustering.evidence import BIAS, REST, TOLD_FROM, WEIGHTS, Verdict, Weights, weigh
from pipeline.core.clustering.measures import SPEAKS_FOR
from pipeline.core.clustering.tally import Tally
from pipeline.core.terms import TERMS_MAX, likeness, terms_of
from pipeline.models.alert import FeedClass
from pipeline.models.decision import Reason
from pipeline.models.member import Member
from tests.core.builders import DB, HOST, MINUTE, PAY, SHOP, T0, WIKI, member, topology

GRAPH = topology()


def verdict(episode: Member, *members: Member, minutes: float = 0, same: bool = False) -> Verdict | None:
    """Of an episode so long after the incident began, which is when its members came; nothing else is going on."""
    late_ms = round(minutes * MINUTE)
    newcomer = replace(episode, opened_at_ms=T0 + late_ms)
    return weigh(newcomer, Tally.of(members, GRAPH), late_ms, 1, same_condition=same)


def score(episode: Member, *members: Member, minutes: float = 0, same: bool = False) -> float:
    found = verdict(episode, *members, minutes=minutes, same=same)
    return 0.0 if found is None else found.score


def about(place: str | None, key: str = "new", **fields: object) -> Member:
    return member(key, **{"entity": place, "service": place, **fields})


# -- the table itself


def test_what_speaks_for_an_incident_never_speaks_against_it() -> None:
    for name in SPEAKS_FOR & WEIGHTS.curves.keys():
        curve = WEIGHTS.curves[name].log_odds
        assert all(less <= more for less, more in pairwise(curve)), name


def test_what_is_not_there_contributes_nothing() -> None:
    assert all(curve.log_odds[0] == 0 for curve in WEIGHTS.curves.values())
    for plane in WEIGHTS.planes:
        assert not any(plane.log_odds[0]), plane.of
        assert not any(row[0] for row in plane.log_odds), plane.of


def test_every_table_covers_every_value() -> None:
    for curve in WEIGHTS.curves.values():
        assert len(curve.log_odds) == len(curve.above) + 1
        assert list(curve.above) == sorted(set(curve.above))
    for of, by, log_odds in WEIGHTS.planes:
        assert len(log_odds) == len(WEIGHTS.curves[of].log_odds)
        assert {len(row) for row in log_odds} == {len(WEIGHTS.curves[by].log_odds)}


def test_the_weights_say_what_they_were_trained_on_and_how_good_they_were_there() -> None:
    training = WEIGHTS.training
    assert training["by"] == "python -m benchmarks.quality.train"
    assert {each.split()[0] for each in training["training_days"]} == {"calm", "busy", "storm"}
    assert not set(training["training_days"]) & set(training["development_days"])
    assert all(0.7 < figure < 1 for figure in training["development_bcubed_f1"].values())


def test_weights_of_another_format_are_refused() -> None:
    with pytest.raises(ValueError, match="weights of format 99, this release reads 1"):
        Weights.read(b'{"format": 99}')


# -- what follows for people


@pytest.mark.parametrize(
    ("place", "reason"), [(SHOP, Reason.SAME_ENTITY), (PAY, Reason.DEPENDENCY), (DB, Reason.DEPENDENCY)]
)
def test_what_is_related_joins_a_young_incident_and_not_an_old_one(place: str, reason: Reason) -> None:
    found = verdict(about(place), about(SHOP, "a"), minutes=0.5)
    assert found is not None
    assert (found.score >= 0.5, found.reason) == (True, reason)
    assert score(about(place), about(SHOP, "a", resolved_at_ms=T0), minutes=300) < 0.5


def test_time_alone_never_joins() -> None:
    assert verdict(about(WIKI), about(SHOP, "a")) is None
    assert verdict(about(None), about(None, "a")) is None


def test_evidence_fades_with_time() -> None:
    scores = [score(about(PAY), about(SHOP, "a"), minutes=minutes) for minutes in (0, 2, 15, 90, 600)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.5 > scores[-1]


def test_a_condition_that_comes_back_into_its_own_incident_joins_at_any_time() -> None:
    found = verdict(about(SHOP), about(SHOP, "a"), minutes=1_500, same=True)
    assert found is not None
    assert (found.score > 0.8, found.reason) == (True, Reason.SAME_CONDITION)


def test_people_find_what_is_broken_behind_what_they_name() -> None:
    person = about(None, feed_class=FeedClass.DESK, mentions=[SHOP])
    found = verdict(person, about(DB, "a", service=PAY), minutes=3)
    assert found is not None
    assert (found.score >= 0.5, found.reason) == (True, Reason.BUSINESS_TERMS)


def test_words_of_people_join_where_the_text_is_all_there_is() -> None:
    words = terms_of("invoices cannot be printed in the warehouse")
    said = [about(None, key, feed_class=FeedClass.DESK, terms=words) for key in "ab"]
    assert score(*said) >= 0.5


# -- what is told


PLACES = st.sampled_from([None, SHOP, PAY, DB, HOST, WIKI])
MEMBERS = st.lists(
    st.builds(lambda key, place: member(key, entity=place, service=place), st.sampled_from("abc"), PLACES), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(PLACES, MEMBERS, st.integers(0, 10_000), st.booleans())
def test_a_score_is_a_probability_and_does_not_depend_on_the_order_of_members(
    place: str | None, members: list[Member], minutes: int, same: bool
) -> None:
    episode = member("x", entity=place, service=place)
    found = verdict(episode, *members, minutes=minutes, same=same)
    turned = verdict(episode, *members[::-1], minutes=minutes, same=same)
    assert (found is None) is (turned is None)
    if found is not None and turned is not None:
        assert 0.0 <= found.score <= 1.0
        assert turned.score == pytest.approx(found.score)


@settings(max_examples=60, deadline=None)
@given(PLACES, MEMBERS, st.integers(0, 600))
def test_what_is_told_adds_up_to_the_score_and_names_the_largest_first(
    place: str | None, members: list[Member], minutes: int
) -> None:
    found = verdict(member("x", entity=place, service=place), *members, minutes=minutes)
    if found is None:
        return
    told = found.evidence
    assert BIAS + sum(told.values()) == pytest.approx(BIAS + sum(found.contributions.values()), abs=0.01)
    sizes = [abs(value) for name, value in told.items() if name != REST]
    assert sizes == sorted(sizes, reverse=True)
    assert all(size >= TOLD_FROM - 0.005 for size in sizes)


@given(st.lists(st.text("abeEdgs -'_.1\n\t", max_size=60), max_size=3))
def test_a_text_has_the_same_words_alone_and_beside_another_script(texts: list[str]) -> None:
    assert terms_of(*texts) == terms_of(*(f"{text} é" for text in texts))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_words_of_any_text_are_bounded_sorted_and_alike_to_themselves(left: str, right: str) -> None:
    here, there = terms_of(left), terms_of(right)
    assert here == sorted(set(here))
    assert len(here) <= TERMS_MAX
    mine, theirs = frozenset(here), frozenset(there)
    assert likeness(mine, mine) == (1.0 if here else 0.0)
    assert 0.0 <= likeness(mine, theirs) == likeness(theirs, mine) <= 1.0
