"""Weights are learned from examples: the tables say what the examples say, and the product reads them."""

from __future__ import annotations

import random

import orjson
import pytest

from benchmarks.quality.learn import BY_HAND, Examples, learn
from pipeline.core.clustering.evidence import Weights


def examples(count: int = 4_000) -> Examples:
    """Related ones belong together while the incident is young; on one host only where it is small."""
    chance, made = random.Random(7), Examples()  # noqa: S311 a repeatable sequence, not a secret
    for _ in range(count):
        age, size, host = chance.uniform(0, 8), chance.uniform(0, 6), chance.random() < 0.5
        needs = chance.choice((0.0, 0.0, 0.4, 0.9))
        likely = 0.05 + 0.6 * (needs > 0.5 and age < 3) + 0.3 * (host and size < 2)
        measures = {"age": age, "episodes": size, "needs_1": needs, "host": float(host)}
        made.add(measures, together=chance.random() < likely, weight=1.0)
    return made


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights.read(orjson.dumps(learn(examples())))


def probability(weights: Weights, **measures: float) -> float:
    return weights.probability(weights.contributions(measures))


def test_what_tells_them_apart_is_found(weights: Weights) -> None:
    young, old = (probability(weights, age=age, episodes=5, needs_1=0.9) for age in (1, 7))
    stranger = probability(weights, age=1, episodes=5)
    assert young > 0.45
    assert young > 2 * stranger
    assert young > 2 * old


def test_what_a_place_is_worth_depends_on_how_large_the_incident_is(weights: Weights) -> None:
    small, large = (weights.contributions({"age": 7, "episodes": size, "host": 1.0})["host"] for size in (1, 5))
    assert small > large + 0.3


def test_what_is_not_there_contributes_nothing(weights: Weights) -> None:
    assert weights.contributions({}) == {}
    assert all(curve.log_odds[0] == 0 for curve in weights.curves.values())


def test_more_time_never_speaks_for_an_episode(weights: Weights) -> None:
    curve = weights.curves["age"].log_odds
    assert list(curve) == sorted(curve, reverse=True)
    assert curve[-1] < -0.5


def test_what_is_set_by_hand_is_on_record(weights: Weights) -> None:
    assert weights.training["set_by_hand"] == sorted(BY_HAND)
    assert weights.curves["business_terms"].log_odds[-1] > 3


def test_the_same_examples_give_the_same_weights() -> None:
    assert learn(examples(500)) == learn(examples(500))


def test_a_measure_that_is_left_out_is_in_no_table() -> None:
    written = learn(examples(500), measures=("age", "needs_1"))
    assert set(written["measures"]) <= {"age", "needs_1"}
    assert all({plane["of"], plane["by"]} <= {"age", "needs_1"} for plane in written["planes"])
