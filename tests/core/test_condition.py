"""A condition: what is late, what is overtaken, and that each run has an episode of its own."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.alerts.condition import OPEN, Condition
from tests.core.builders import T0, alert, resolved


def begun(run: str | None = "run-1", event_at_ms: int | None = T0, now_ms: int = T0) -> Condition:
    condition, first = Condition(), alert(source_episode_id=run, event_at_ms=event_at_ms)
    condition.begin(first, now_ms)
    return condition


@pytest.mark.parametrize(
    ("run", "event_at_ms", "late"),
    [
        ("run-1", T0 + 10, True),
        ("run-1", T0 + 11, False),
        ("run-2", T0 + 9, True),
        ("run-2", T0 + 10, False),
        (None, T0 + 9, True),
        (None, T0 + 10, False),
        (None, None, False),
    ],
)
def test_a_firing_is_late_when_it_is_older_than_the_recovery(
    run: str | None, event_at_ms: int | None, late: bool
) -> None:
    condition = begun()
    condition.settle(resolved(source_episode_id="run-1", ended_at_ms=T0 + 10), T0 + 20)
    assert condition.is_late(alert(source_episode_id=run, event_at_ms=event_at_ms)) is late


@pytest.mark.parametrize(
    ("run", "ended_at_ms", "overtaken"),
    [
        ("run-1", T0 - 1, False),
        ("run-0", T0 - 1, True),
        (None, T0 - 1, True),
        ("run-0", T0, False),
        (None, None, False),
    ],
)
def test_a_recovery_is_overtaken_when_a_newer_run_fires(
    run: str | None, ended_at_ms: int | None, overtaken: bool
) -> None:
    assert begun().is_overtaken(resolved(source_episode_id=run, ended_at_ms=ended_at_ms)) is overtaken


def test_an_alert_without_a_time_is_never_late_and_takes_no_time_away() -> None:
    condition = begun()
    assert condition.is_older(None) is False
    condition.heard(None, None, None, T0 + 1)
    assert (condition.event_at_ms, condition.repeats, condition.last_at_ms) == (T0, 1, T0 + 1)


def test_every_run_has_an_episode_of_its_own_and_the_first_id_depends_on_key_and_time_alone() -> None:
    condition, first = begun(), alert()
    ids = [condition.episode_id]
    for now_ms in (T0, T0, T0 + 1, T0 + 1):
        condition.begin(first, now_ms)
        ids.append(condition.episode_id)
    assert len(set(ids)) == len(ids)
    assert begun("run-9", None).episode_id == ids[0]


FACTS: list[Any] = [OPEN, "EP-1", "critical", "production", 3, T0, T0 + 1, T0 + 2, T0 + 3, T0 + 4, T0 + 5]
FACTS += ["run-1", "delivery-1", 60, 1, [T0, T0 + 1], T0 + 2, 7, 2, "warning"]


def test_a_condition_comes_back_from_its_packed_form_field_by_field() -> None:
    condition = Condition(*FACTS)
    assert [getattr(condition, each) for each in Condition.__slots__] == FACTS
    assert Condition.unpacked(condition.packed()) == condition
    assert Condition.unpacked(Condition().packed()) == Condition()
