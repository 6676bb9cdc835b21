"""Topology: reach, distance and paths in any graph, cycles and unknown references included."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.topology import REACH_ENTITIES_MAX, REACH_HOPS_MAX, Topology
from pipeline.models.catalog import Entity
from tests.core.builders import DB, HOST, PAY, SHOP, WIKI, catalogue, entity, topology


def refs(names: str) -> tuple[str, ...]:
    return tuple(f"component:default/{name}" for name in names)


@st.composite
def graphs(draw: st.DrawFn) -> list[Entity]:
    """Any graph of eight, cycles, itself and unknown references included."""
    return [
        entity(ref, depends_on=refs("".join(draw(st.lists(st.sampled_from("abcdefghx"), max_size=3)))))
        for ref in refs("abcdefgh")
    ]


def test_reach_follows_dependence_to_its_bound() -> None:
    assert topology().reach(SHOP) == {SHOP: 0, PAY: 1, DB: 2, HOST: 3}
    assert topology().reach("component:default/nobody") == {"component:default/nobody": 0}


def test_distance_is_from_the_one_in_need() -> None:
    assert (topology().distance(SHOP, DB), topology().distance(DB, SHOP), topology().distance(SHOP, WIKI)) == (
        2,
        None,
        None,
    )


def test_dependents_are_the_other_direction() -> None:
    assert topology().dependents(PAY) == [SHOP]


def test_a_place_that_others_run_on_is_told_by_its_type() -> None:
    assert (topology().hosting(HOST), topology().hosting(DB), topology().hosting("nobody")) == ("host", None, None)


def test_reach_is_bounded_in_entities_nearest_first() -> None:
    many = tuple(f"component:default/n{number:03}" for number in range(200))
    wide = Topology(catalogue(entity(SHOP, depends_on=many), *(entity(ref, depends_on=(DB,)) for ref in many)))
    reach = wide.reach(SHOP)
    assert len(reach) == REACH_ENTITIES_MAX
    assert set(reach.values()) == {0, 1}


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_a_path_leads_to_everything_in_reach_in_as_many_hops_as_its_distance(entities: list[Entity]) -> None:
    given_graph = Topology(catalogue(*entities))
    for start in refs("abcdefgh"):
        for goal, hops in given_graph.reach(start).items():
            way = given_graph.path(start, goal)
            assert (way[0], way[-1], len(way)) == (start, goal, hops + 1)
            assert hops <= REACH_HOPS_MAX
            assert all(after in given_graph.depends_on(before) for before, after in pairwise(way))


def test_there_is_no_path_to_what_is_not_needed() -> None:
    assert topology().path(SHOP, WIKI) == ()


def test_titles_are_what_people_say() -> None:
    assert [topology().title(ref) for ref in (SHOP, "component:default/x", None)] == ["Shop", "x", "unknown service"]
