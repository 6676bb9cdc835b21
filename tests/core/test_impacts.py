"""Nobody is counted twice: populations within populations, in any order, however often."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.practice.impacts import Impact, Impacts, population_key, total

NAMES = ["staff", "staff/berlin", "staff/berlin/lab", "staff/paris", "customers"]
POPULATIONS = st.sampled_from([*map(population_key, NAMES), "store", "component:default/wiki"])
IMPACTS = st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 99), st.integers(0, 9).map(float), POPULATIONS))


def staff(part: str, users: int, system: str = "mail") -> Impact:
    return (system, users, 0.0, population_key(part))


@pytest.mark.parametrize(
    ("impacts", "users"),
    [
        ([staff("staff", 6_200), staff("staff/berlin", 900)], 6_200),
        ([staff("staff/berlin", 900), staff("staff/paris", 400)], 1_300),
        ([staff("staff", 1_000), staff("staff/berlin", 900), staff("staff/paris", 400)], 1_300),
        ([staff("staff/berlin", 900, "mail"), staff("staff/berlin", 700, "erp")], 900),
        ([staff("staff/berlin", 900), staff("staff/berlin/lab", 50)], 900),
        ([("a", 5, 0.0, "component:default/a/b"), ("b", 6, 0.0, "component:default/a")], 11),
    ],
)
def test_a_population_counts_once_and_within_its_whole(impacts: list[Impact], users: int) -> None:
    assert total(impacts)[0] == users


@settings(max_examples=100, deadline=None)
@given(IMPACTS, st.randoms(use_true_random=False))
def test_the_total_is_between_the_largest_and_the_sum_whatever_the_order(impacts: list[Impact], by: Random) -> None:
    users, revenue = total(impacts)
    assert max((each[1] for each in impacts), default=0) <= users <= sum(each[1] for each in impacts)
    assert max((each[2] for each in impacts), default=0) <= revenue <= sum(each[2] for each in impacts)
    mixed = [*impacts, *impacts]
    by.shuffle(mixed)
    assert total(mixed) == (users, revenue)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), IMPACTS.map(lambda each: each[:1])), max_size=30))
def test_running_sums_are_the_total_whatever_came_went_or_was_moved(puts: list[tuple[int, list[Impact]]]) -> None:
    impacts = Impacts()
    for service, what in puts:
        if what:
            impacts.put(f"s{service}", what[0])
        else:
            impacts.drop(f"s{service}")
        assert impacts.total() == total(impacts.by_service.values())
