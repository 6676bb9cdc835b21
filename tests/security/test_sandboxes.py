"""The languages of the configuration in a cage: nothing gets out of them, and what they cost is bounded.

Seconds are processor time with room for a busy machine; what was measured stands beside each. Memory is what the
process grew by at most, over everything that one test tries.
"""

from __future__ import annotations

from typing import Final

import pytest

from tests.core.test_templates import ESCAPES
from tests.security.attacks import CONDITIONS_TRIED, TEMPLATES_TRIED
from tests.security.cage import Said, caged, watched

GROWTH_MEBIBYTES_MAX: Final = 256
ATTACKS: Final = (
    "escapes", "greedy_templates", "conditions", "greedy_conditions", "paths_and_patterns", "deep_json", "bombs",
)  # fmt: skip


@pytest.fixture(scope="module")
def said() -> dict[str, Said]:
    """What came of every attack, in one cage."""
    return caged("tests.security.attacks", *ATTACKS)


def test_no_template_reaches_out_runs_on_or_fills_the_memory(said: dict[str, Said]) -> None:
    came = said["escapes"]

    assert came.touched == []
    assert sum(came.found.values()) == len(ESCAPES) + TEMPLATES_TRIED
    assert min(came.found.get(each, 0) for each in ("refused", "not rendered", "rendered")) > 20
    assert came.mebibytes < GROWTH_MEBIBYTES_MAX
    assert came.seconds < 30


def test_the_greediest_template_that_is_allowed_costs_a_moment(said: dict[str, Said]) -> None:
    came = said["greedy_templates"]

    assert max(came.found.values()) < 3, came.found
    assert came.mebibytes < GROWTH_MEBIBYTES_MAX, came
    assert came.touched == []


def test_no_condition_reaches_out_runs_on_or_fills_the_memory(said: dict[str, Said]) -> None:
    came = said["conditions"]

    assert came.touched == []
    assert sum(came.found.values()) == CONDITIONS_TRIED
    assert min(came.found.get(each, 0) for each in ("refused", "not evaluated", "evaluated")) > 50
    assert came.mebibytes < GROWTH_MEBIBYTES_MAX
    assert came.seconds < 30


def test_the_greediest_condition_that_is_allowed_ends_in_seconds(said: dict[str, Said]) -> None:
    came = said["greedy_conditions"]

    assert max(came.found.values()) < 10, came.found
    assert came.mebibytes < GROWTH_MEBIBYTES_MAX, came
    assert came.touched == []


def test_paths_and_patterns_cost_what_their_input_is_worth(said: dict[str, Said]) -> None:
    came = said["paths_and_patterns"]

    assert came.found["path refused"] >= 3
    assert came.found["pattern matched"] >= 3
    assert came.seconds < 10, came
    assert came.mebibytes < GROWTH_MEBIBYTES_MAX, came
    assert came.touched == []


def test_every_yaml_bomb_is_refused_in_seconds_and_megabytes(said: dict[str, Said]) -> None:
    came = said["bombs"]

    assert max(came.found.values()) < 10, came.found
    assert came.mebibytes < GROWTH_MEBIBYTES_MAX, came


def test_a_megabyte_of_nesting_is_refused_in_less_than_a_second_by_every_adapter(said: dict[str, Said]) -> None:
    came = said["deep_json"]

    assert max(came.found.values()) < 1, came.found
    assert came.mebibytes < GROWTH_MEBIBYTES_MAX, came


def test_the_cage_notices_what_reaches_out() -> None:
    touched: list[str] = []
    with watched(touched), open("/dev/null", "rb"):  # noqa: PTH123  # the plainest way to reach out
        pass
    with open("/dev/null", "rb"):  # noqa: PTH123  # not watched any more
        pass
    assert touched == ["open /dev/null"]


def test_the_cage_ends_what_wants_too_much_memory() -> None:
    with pytest.raises(AssertionError, match="MemoryError"):
        caged("tests.security.test_sandboxes", "wants_too_much")


def wants_too_much() -> int:
    return len(bytearray(2 << 30))
