"""Major Incidents: the truth by business impact, and what a declaration is worth, each by the smallest case."""

from __future__ import annotations

from math import inf

import pytest

from benchmarks.quality.faults import Fault, FaultKind, Reached
from benchmarks.quality.history import Declared
from benchmarks.quality.major import GRACE_MS, Crossed, Majors, by_rule, crossings, judge, over
from benchmarks.quality.world import Service, World
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.policy import Config
from tests.quality.test_baselines import episode

MINUTE = 60_000
HOUR = 60 * MINUTE


def service(name: str, application: str, users: int) -> Service:
    return Service(name=name, application=application, tier=1, users=users)


SERVICES = (service("web", "shop", 4_000), service("cart", "shop", 3_000), service("mail", "post", 2_500))
WORLD = World({each.name: each for each in SERVICES}, {}, {}, {}, Config())


def fault(*reached: tuple[str, int], expected: bool = False) -> Fault:
    parts = tuple(Reached(name, at_ms, 0, None) for name, at_ms in reached)
    return Fault("f", FaultKind.SERVICE, "component:default/web", 0, HOUR, None, parts, is_expected=expected)


def crossed(reached: Fault, users: int = 6_000) -> int | None:
    found = crossings(WORLD, [reached], users).get("f")
    return found.at_ms if found else None


def test_impact_crosses_the_threshold_with_the_service_that_brings_it_over() -> None:
    assert crossed(fault(("web", 10), ("mail", 30))) == 30


def test_the_people_of_one_application_are_counted_once() -> None:
    assert crossed(fault(("web", 10), ("cart", 20))) is None
    assert crossed(fault(("cart", 10), ("web", 20), ("mail", 30))) == 30


def test_services_are_counted_in_the_order_in_which_they_fail() -> None:
    assert crossed(fault(("mail", 30), ("web", 10)), users=4_000) == 10


def test_announced_work_is_no_major_incident() -> None:
    assert crossed(fault(("web", 10), ("mail", 30), expected=True)) is None


def test_one_that_comes_back_lasts_until_its_second_end() -> None:
    back = Fault("f", FaultKind.SERVICE, "r", 0, HOUR, None, (Reached("web", 5, 0, None),), (), 3 * HOUR)
    assert crossings(WORLD, [back], 1_000) == {"f": Crossed(5, 3 * HOUR)}


TRUTH = {"f": Crossed(MINUTE, HOUR), "g": Crossed(MINUTE, HOUR)}
CLASSES = {"a": "f", "b": "f", "c": "g", "d": "noise"}


def declared(at_ms: int, *episodes: str) -> Declared:
    return Declared(at_ms, frozenset(episodes))


def test_a_declaration_is_for_the_fault_that_most_of_its_episodes_belong_to() -> None:
    majors = judge([declared(3 * MINUTE, "a", "b", "c")], TRUTH, CLASSES)

    assert (majors.first, majors.missed, majors.delays_ms) == (1, 1, [2 * MINUTE])


def test_a_second_declaration_for_the_same_is_a_duplicate() -> None:
    majors = judge([declared(4 * MINUTE, "b"), declared(3 * MINUTE, "a")], TRUTH, CLASSES)

    assert (majors.first, majors.duplicates, majors.false, majors.delays_ms) == (1, 1, 0, [2 * MINUTE])


@pytest.mark.parametrize("wrong", [declared(3 * MINUTE, "d"), declared(3 * MINUTE), declared(HOUR + GRACE_MS + 1, "a")])
def test_a_declaration_for_noise_for_nothing_or_long_after_the_end_is_false(wrong: Declared) -> None:
    majors = judge([wrong], TRUTH, CLASSES)

    assert (majors.first, majors.false, majors.missed) == (0, 1, 2)


def test_one_that_comes_before_the_crossing_is_on_time() -> None:
    assert judge([declared(0, "a")], TRUTH, CLASSES).delays_ms == [0]


def test_figures_over_days_count_each_miss_as_infinitely_late() -> None:
    days = [
        Majors(first=2, duplicates=1, false=1, missed=1, delays_ms=[10_000, 30_000]),
        Majors(first=1, false=2, missed=0, delays_ms=[20_000], days=0.5),
    ]
    found = over(days)

    assert found.true == 4
    assert found.recall == 3 / 4
    assert found.precision == 3 / 7
    assert found.false_a_day == 3 / 1.5
    assert (found.delay_p50_s, found.delay_p90_s) == (20, inf)


def test_a_day_without_any_is_perfect_and_on_time() -> None:
    found = over([Majors()])
    assert (found.recall, found.precision, found.delay_p50_s) == (1, 1, 0)


def entity(name: str, system: str, users: int) -> Entity:
    return Entity(ref=f"component:default/{name}", kind="component", name=name, title=name, system=system, users=users)


def test_another_method_declares_a_group_once_when_the_products_own_rule_holds_for_it() -> None:
    parts = [entity("web", "shop", 4_000), entity("cart", "shop", 3_000), entity("mail", "post", 2_500)]
    catalogue = Catalogue(entities={each.ref: each for each in parts})
    stream = [
        episode("a", 0, "web")._replace(severity="warning"),
        episode("b", 1, "cart")._replace(severity="error"),
        episode("c", 2, "mail")._replace(severity="critical"),
        episode("d", 3, "web")._replace(severity="critical"),
        episode("e", 4, "web")._replace(severity="critical"),
    ]
    labels = dict.fromkeys("abcde", "one")

    assert by_rule(stream, labels, catalogue, 6_000) == [Declared(2_000, frozenset("abc"))]
    assert by_rule(stream[:1], labels, catalogue, 4_000) == [], "a warning alone stands for nobody"
    assert by_rule([stream[3]._replace(by_people=True)], labels, catalogue, 4_000) == []
    assert by_rule(stream, labels | {"c": "two"}, catalogue, 6_000) == []
