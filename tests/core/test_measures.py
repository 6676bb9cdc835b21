"""Measures: what a newcomer and an incident have in common, in numbers, as a table of small cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.core.clustering.measures import GOES_ON, Measures, measure
from pipeline.core.clustering.tally import Tally
from pipeline.core.terms import terms_of
from pipeline.models.alert import FeedClass
from pipeline.models.member import Member
from tests.core.builders import DB, HOST, MINUTE, PAY, SHOP, T0, WIKI, entity, member, topology

GRAPH = topology()


def about(place: str | None, key: str = "new", **fields: object) -> Member:
    return member(key, **{"entity": place, "service": place, **fields})


def measured(
    episode: Member, *members: Member, minutes: float = 0, hot: int = 1, same: bool = False
) -> Measures | None:
    late_ms = round(minutes * MINUTE)
    newcomer = replace(episode, opened_at_ms=T0 + late_ms)
    return measure(newcomer, Tally.of(members, GRAPH), late_ms, hot, same_condition=same)


def found(episode: Member, *members: Member, **how: Any) -> Measures:
    measures = measured(episode, *members, **how)
    assert measures is not None
    return measures


@pytest.mark.parametrize(
    ("newcomer", "there", "name"),
    [
        (SHOP, SHOP, "same_entity"),
        (SHOP, PAY, "needs_1"),
        (SHOP, DB, "needs_2"),
        (PAY, SHOP, "needed_1"),
        (DB, SHOP, "needed_2"),
        (HOST, SHOP, "needed_3"),
    ],
)
def test_who_needs_whom_is_told_by_direction_and_hops(newcomer: str, there: str, name: str) -> None:
    assert 0 < found(about(newcomer), about(there, "a"))[name] <= 1


@pytest.mark.parametrize(("kind", "name"), [("database", "common_1"), ("host", "host"), ("rack", "rack")])
def test_what_both_need_is_told_by_what_it_is(kind: str, name: str) -> None:
    place = "resource:default/place"
    parts = [entity(f"component:default/{each}", depends_on=(place,)) for each in "ab"]
    graph = topology(entity(place, type=kind), *parts)
    one, other = (about(each.ref, each.ref[-1]) for each in parts)
    measures = measure(one, Tally.of([other], graph), 0, 1, same_condition=False)
    assert measures is not None
    assert measures[name] > 0


@pytest.mark.parametrize("kind", ["zone", "cluster"])
def test_a_place_that_holds_half_of_everything_speaks_for_nothing_alone(kind: str) -> None:
    place = "resource:default/place"
    parts = [entity(f"component:default/{each}", depends_on=(place,)) for each in "ab"]
    graph = topology(entity(place, type=kind), *parts)
    one, other = (about(each.ref, each.ref[-1]) for each in parts)
    assert measure(one, Tally.of([other], graph), 0, 1, same_condition=False) is None


def test_where_nothing_speaks_for_an_incident_there_is_nothing_to_measure() -> None:
    assert measured(about(WIKI), about(SHOP, "a")) is None
    assert measured(about(None), about(SHOP, "a")) is None


def test_a_relation_fades_by_half_in_ten_minutes_without_news() -> None:
    values = [found(about(PAY), about(SHOP, "a"), minutes=minutes)["needed_1"] for minutes in (0, 10, 20)]
    assert values[1:] == pytest.approx([values[0] / 2, values[0] / 4])


def test_what_many_need_says_less_than_what_one_needs() -> None:
    hub = "component:default/hub"
    values = []
    for number in (1, 8, 200):
        parts = [entity(f"component:default/part-{each}", depends_on=(hub,)) for each in range(number)]
        graph = topology(entity(hub), *parts)
        measures = measure(about(parts[0].ref), Tally.of([about(hub, "a")], graph), 0, 1, same_condition=False)
        assert measures is not None
        values.append(measures["needs_1"])
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0


def test_time_size_and_spread_are_counted_in_powers_of_two() -> None:
    members = [about(SHOP, "a"), about(SHOP, "b"), about(PAY, "c"), about(WIKI, "d", resolved_at_ms=T0)]
    measures = found(about(SHOP), *members, minutes=3, hot=3)
    assert {name: measures[name] for name in ("age", "episodes", "entities", "open", "hot")} == {
        "age": 2.0, "episodes": 2.0, "entities": 2.0, "open": 2.0, "hot": 2.0,
    }  # fmt: skip
    assert measures["related"] == pytest.approx(1.585, abs=0.001), "the shop itself and what it needs"
    assert measures["strangers"] == pytest.approx(0.415, abs=0.001), "the wiki"
    assert measures["burst"] == 0, "nothing came within the last minute"


def test_the_gap_is_to_the_nearest_member_also_when_an_episode_is_weighed_again_later() -> None:
    members = [about(SHOP, "a"), about(SHOP, "b", opened_at_ms=T0 + 10 * MINUTE)]
    assert found(about(SHOP), *members, minutes=10.5)["gap"] == 1.0
    assert found(about(SHOP), *members, minutes=9.5)["gap"] == 1.0


def test_an_incident_about_one_thing_or_two_takes_its_own_condition_back() -> None:
    places = (SHOP, PAY, DB)
    for number, goes_on in ((1, True), (2, True), (3, False)):
        members = [about(place, place) for place in places[:number]]
        assert (GOES_ON in found(about(SHOP), *members, same=True)) is goes_on


def test_monitors_name_what_they_cannot_reach_and_people_what_they_use() -> None:
    assert found(about(WIKI, mentions=[SHOP]), about(SHOP, "a"))["names_it"] == 1
    assert found(about(WIKI), about(SHOP, "a", mentions=[WIKI]))["is_named"] == 1
    person = about(None, feed_class=FeedClass.DESK, mentions=[SHOP])
    assert found(person, about(DB, "a"))["business_terms"] == 1, "what is broken lies behind what people name"
    assert found(about(DB), replace(person, episode_id="EP-r"))["people_name_it"] == 1


def test_a_monitor_that_names_itself_says_nothing() -> None:
    assert "names_it" not in found(about(SHOP, mentions=[SHOP]), about(SHOP, "a"))


def test_words_count_among_people_and_where_the_text_is_all_there_is() -> None:
    words = terms_of("invoices cannot be printed in the warehouse")
    said = [about(None, key, feed_class=FeedClass.DESK, terms=words) for key in "ab"]
    assert found(*said)["similar_text"] == 1.0
    other = about(WIKI, "w", feed_class=FeedClass.DESK, terms=words)
    assert measured(about(SHOP, feed_class=FeedClass.DESK, terms=words), other) is None, "they are about other things"
    assert measured(about(None, "m", feed_class=FeedClass.DESK, terms=words), about(None, "n", terms=words)) is None
