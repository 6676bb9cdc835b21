"""The rank of the true root, and failures that nobody was told of because another one's incident took them in."""

from __future__ import annotations

import pytest

from benchmarks.quality.faults import Fault, FaultKind
from benchmarks.quality.history import History, Said
from benchmarks.quality.roots import EARLY_MS, NONE, incident_of, rank_figures, ranks, swallowed
from benchmarks.quality.world import Service, World
from pipeline.models.catalog import Catalogue
from pipeline.models.policy import Config
from tests.quality.test_baselines import episode

DATABASE, HOST = "component:default/db", "resource:default/node-1"


def fault(name: str, root: str = DATABASE, *, expected: bool = False) -> Fault:
    return Fault(name, FaultKind.SERVICE, root, 0, 1, is_expected=expected)


def test_the_incident_of_a_fault_holds_most_of_its_episodes() -> None:
    labels = {"a": "one", "b": "two", "c": "two", "d": "one"}

    assert incident_of(labels, {"a": "f", "b": "f", "c": "f", "d": "g", "e": "g"}) == {"f": "two", "g": "one"}


def test_the_rank_is_taken_at_the_end_and_after_five_minutes() -> None:
    said = History(
        {"one": [Said(0, ("x", DATABASE)), Said(EARLY_MS, (DATABASE,)), Said(EARLY_MS + 1, ("x", "y", DATABASE))]},
        {"one": 0},
    )
    found = ranks([fault("f")], {"a": "one"}, {"a": "f"}, said)

    assert (found.final, found.early) == ([3], [1])


def test_a_root_that_is_not_suspected_or_whose_fault_has_no_incident_has_no_rank() -> None:
    said = History({"one": [Said(0, ("x",))]}, {"one": 0})

    assert ranks([fault("f"), fault("g")], {"a": "one"}, {"a": "f", "b": "g"}, said).final == [NONE, NONE]


def test_faults_that_nobody_heard_of_and_announced_work_are_not_ranked() -> None:
    assert ranks([fault("f"), fault("w", expected=True)], {"a": "one"}, {"a": "w"}, History()).final == []


def test_figures_of_ranks_by_hand() -> None:
    assert rank_figures([1, 3, 4, NONE]) == (1 / 4, 2 / 4, (1 + 1 / 3 + 1 / 4) / 4)
    with pytest.raises(ValueError, match="no ranks"):
        rank_figures([])


def world(tier: int) -> World:
    return World(
        {"db": Service(name="db", application="shop", tier=tier, users=1)}, {}, {}, {}, Config(catalogue=Catalogue())
    )


CRITICAL = [episode("p", 0, "db")._replace(severity="critical", entity=DATABASE), episode("q", 1), episode("r", 2)]
CLASSES = {"p": "f", "q": "g", "r": "g"}
FAULTS = [fault("f"), fault("g", HOST)]
ONE_INCIDENT = dict.fromkeys("pqr", "one")


def test_a_failure_of_tier_1_inside_the_incident_of_another_is_swallowed() -> None:
    assert swallowed(world(1), FAULTS, CRITICAL, CLASSES, ONE_INCIDENT) == ["f"]


def test_a_failure_of_lower_tier_or_severity_or_elsewhere_than_the_root_is_not_counted() -> None:
    warning = [CRITICAL[0]._replace(severity="error"), *CRITICAL[1:]]
    elsewhere = [CRITICAL[0]._replace(entity="component:default/web"), *CRITICAL[1:]]

    assert swallowed(world(2), FAULTS, CRITICAL, CLASSES, ONE_INCIDENT) == []
    assert swallowed(world(1), FAULTS, warning, CLASSES, ONE_INCIDENT) == []
    assert swallowed(world(1), FAULTS, elsewhere, CLASSES, ONE_INCIDENT) == []


def test_one_that_had_an_incident_of_its_own_at_first_is_not_swallowed() -> None:
    assert swallowed(world(1), FAULTS, CRITICAL, CLASSES, {"p": "own", "q": "one", "r": "one"}, ONE_INCIDENT) == []


def test_one_that_is_alone_or_among_noise_is_not_swallowed() -> None:
    alone = {"p": "own", "q": "one", "r": "one"}
    noise = {"p": "f", "q": "noise-1", "r": "noise-1"}

    assert swallowed(world(1), FAULTS, CRITICAL, CLASSES, alone) == []
    assert swallowed(world(1), FAULTS[:1], CRITICAL, noise, ONE_INCIDENT) == []
