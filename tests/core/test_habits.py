"""Habits: what is learned of a condition from its runs and incidents, how it fades, and what a restart keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from pipeline.core.clustering import habits as module
from pipeline.core.clustering.habits import DAY_MS, HALF_LIFE_MS, Habits, Hold
from tests.core.builders import HOUR, MINUTE, SECOND, T0


def runs_of(lengths_seconds: list[int], key: str = "a", rule: str = "cpu", habits: Habits | None = None) -> Habits:
    habits = habits or Habits()
    habits.began(key, rule, T0)
    for seconds in lengths_seconds:
        habits.run_ended(key, seconds * SECOND, by_itself=seconds > 0, now_ms=T0)
    return habits


def hold(habits: Habits, key: str = "a", rule: str = "cpu", least: int = 60, most: int = 900) -> Hold | None:
    return habits.hold(key, rule, least_seconds=least, most_seconds=most, now_ms=T0)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([30] * 4, None),
        ([30] * 5, 60),
        ([30, 30, 30, 30, 119], 60),
        ([30, 30, 30, 119, 119], 120),
        ([100, 100, 170, 170, 170], 180),
        ([200] * 5, 300),
        ([550] * 9 + [5_000], 600),
        ([901] * 50, None),
        ([30, 30, 30, 5_000, 5_000], None),
        ([60] * 8 + [61] * 2, 60),
    ],
)
def test_a_hold_is_the_shortest_time_within_which_four_of_five_runs_end_by_themselves(
    lengths: list[int], expected: int | None
) -> None:
    found = hold(runs_of(lengths))
    assert (found.seconds if found else None) == expected


def test_a_run_that_somebody_had_in_hand_has_not_ended_by_itself() -> None:
    habits = runs_of([30] * 6)
    for _ in range(6):
        habits.run_ended("a", 30 * SECOND, by_itself=False, now_ms=T0)
    assert hold(habits) is None


def test_a_hold_says_what_it_was_learned_from() -> None:
    found = hold(runs_of([30] * 6 + [5_000]))
    assert found is not None
    assert found.told() == {"learned_seconds": 60, "runs": 7.0, "ended_by_themselves": 6.0, "of": "condition"}


def test_a_hold_stays_within_its_limits() -> None:
    found = hold(runs_of([30] * 6), least=90)
    assert found is not None
    assert found.seconds == 90
    assert hold(runs_of([200] * 6), most=180) is None, "what takes longer is not worth waiting for"


def test_a_condition_that_is_hardly_known_goes_by_the_rule_that_it_shares_with_others() -> None:
    habits = Habits()
    for number in range(10):
        runs_of([30], f"host-{number}", habits=habits)
    found = hold(habits, "host-new")
    assert found is not None
    assert (found.of, found.seconds) == ("rule", 60)
    assert hold(habits, "host-new", rule="another") is None
    known_better = runs_of([5_000] * 5, "host-slow", habits=habits)
    assert hold(known_better, "host-slow") is None, "its own habit counts where it is known"


def test_what_is_known_fades_by_half_in_a_week() -> None:
    habits = runs_of([30] * 9)
    assert habits.hold("a", "cpu", least_seconds=60, most_seconds=900, now_ms=T0 + HALF_LIFE_MS - 2 * DAY_MS)
    assert habits.hold("a", "cpu", least_seconds=60, most_seconds=900, now_ms=T0 + HALF_LIFE_MS) is None
    assert hold(habits), "asking changes nothing"


def test_a_condition_that_is_often_in_incidents_and_hardly_matters_is_chronic_by_its_share() -> None:
    habits = Habits()
    for day in range(8):
        for hour in (1, 2):
            at_ms = T0 + day * DAY_MS + hour * HOUR
            habits.incident_ended("a", mattered=day == 0 and hour == 1, now_ms=at_ms)
    known = habits.chronic("a", at_ms)
    assert (10 < known.incidents < 16, 5 < known.days < 8) == (True, True)
    assert known.share == 1 - known.mattered / known.incidents > 0.9
    assert habits.chronic("b", at_ms) == (0, 0, 0, 0)


def test_what_was_heard_of_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONDITIONS_MAX", 2)
    habits = Habits()
    habits.began("a", "cpu", T0)
    habits.began("b", "cpu", T0)
    habits.run_ended("a", MINUTE, by_itself=True, now_ms=T0)
    assert habits.began("c", "cpu", T0) == ["c/c", "c/b"]
    assert habits.dump("c/b") is None
    assert habits.dump("c/a") is not None


def test_state_of_another_release_is_refused() -> None:
    with pytest.raises(ValueError, match="habit of schema 9"):
        Habits().load("c/a", b"[9]")


STEP = st.tuples(
    st.sampled_from("abcdef"), st.sampled_from(["began", "ended", "incident"]), st.integers(0, DAY_MS), st.booleans()
)


@runs(max_examples=80, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_a_restart_after_every_step_changes_nothing(steps: list[tuple[str, str, int, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CONDITIONS_MAX", 4)
        through, broken = Habits(), Habits()
        state: dict[str, bytes] = {}
        now_ms = T0
        for key, what, wait_ms, flag in steps:
            now_ms += wait_ms
            changed = [play(each, key, what, now_ms, wait_ms, flag) for each in (through, broken)]
            assert changed[0] == changed[1]
            for name in changed[1]:
                record = broken.dump(name)
                assert record == through.dump(name)
                if record is None:
                    del state[name]
                else:
                    state[name] = record
            broken = Habits()
            for name in sorted(state):
                broken.load(name, state[name])
            broken.restored()


def play(habits: Habits, key: str, what: str, now_ms: int, wait_ms: int, flag: bool) -> list[str]:
    if what == "began":
        return habits.began(key, "rule-1" if flag else "rule-2", now_ms)
    if what == "ended":
        return habits.run_ended(key, wait_ms // 50, by_itself=flag, now_ms=now_ms)
    return habits.incident_ended(key, mattered=flag, now_ms=now_ms)
