"""What a kind of evidence is worth, on a trainer and worlds small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.quality.worth import ALL, Score, scores, sheet, worths

KINDS = {"graph": frozenset({"near", "far"}), "text": frozenset({"words"})}


def test_weights_are_trained_anew_without_each_kind_and_tried_on_every_world() -> None:
    trained: list[tuple[Sequence[int], frozenset[str]]] = []

    def fit(worlds: Sequence[int], features: frozenset[str]) -> int:
        trained.append((worlds, features))
        return len(features)

    found = list(scores(KINDS, [[1, 2], [3]], {"a": 10, "b": 20}, fit, lambda world, weights: world * weights))

    assert trained == [
        (worlds, features)
        for worlds in ([1, 2], [3])
        for features in (frozenset({"near", "far", "words"}), frozenset({"words"}), frozenset({"near", "far"}))
    ]
    assert found[:4] == [
        Score(ALL, 0, "a", 30),
        Score(ALL, 0, "b", 60),
        Score("graph", 0, "a", 10),
        Score("graph", 0, "b", 20),
    ]
    assert len(found) == 2 * 3 * 2


def test_worth_is_the_fall_on_the_same_world_and_draw_and_lies_where_worlds_put_it() -> None:
    found = worths(
        [
            *(Score(ALL, draw, world, 0.9 + draw / 100) for draw in (0, 1) for world in "abc"),
            *(Score("graph", draw, world, 0.7 + draw / 100) for draw in (0, 1) for world in "abc"),
            *(
                Score("text", draw, world, 0.9 + change)
                for draw in (0, 1)
                for world, change in zip("abc", (-0.1, 0.1, 0), strict=True)
            ),
            *(Score("noise", draw, world, 0.95 + draw / 100) for draw in (0, 1) for world in "abc"),
        ]
    )

    assert [each.kind for each in found] == ["graph", "text", "noise"]
    assert found[0].fall.mean == pytest.approx(0.2)
    assert [each.verdict for each in found] == ["worth it", "not shown", "does harm"]


def test_the_table_names_the_features_of_each_kind() -> None:
    found = worths([Score(ALL, 0, "a", 0.9), Score("graph", 0, "a", 0.8), Score("text", 0, "a", 0.9)])

    assert [line[:3] for line in sheet(found, KINDS).lines] == [
        ["graph", "far, near", "+0.1000"],
        ["text", "words", "+0.0000"],
    ]
