"""A short, seeded part of the fault suite: what `make faults` does for twenty minutes, for a minute."""

from __future__ import annotations

import sys

import pytest

from tests.faults.report import line
from tests.faults.sabotage import Sabotage
from tests.faults.scenarios.bad_records import permanent_bug, poison, transient_bug
from tests.faults.scenarios.base import Arena, Outcome
from tests.faults.scenarios.kills import kill_at_each_step
from tests.faults.scenarios.zombies import zombie
from tests.faults.selfcheck import RUNS, caught

SEED = 20261124


def check(outcome: Outcome) -> None:
    sys.stdout.write(line(outcome) + "\n")
    assert outcome.holds, line(outcome)


def test_nothing_is_lost_or_doubled_when_workers_die_at_steps_of_their_transactions(arena: Arena) -> None:
    outcome = kill_at_each_step(arena, SEED + 1, 6)
    check(outcome)
    assert sum(outcome.faults.values()) == 6


def test_a_frozen_worker_that_wakes_up_writes_nothing_more(arena: Arena) -> None:
    check(zombie(arena, SEED, 1))


def test_poison_is_in_the_dead_letter_byte_for_byte_and_stops_nothing(arena: Arena) -> None:
    outcome = poison(arena, SEED, 1)
    check(outcome)
    assert outcome.faults["poison"] > 0


def test_a_defect_that_shows_once_loses_nothing(arena: Arena) -> None:
    check(transient_bug(arena, SEED, 2))


def test_a_record_that_crashes_every_worker_is_set_aside_and_the_rest_goes_on(arena: Arena) -> None:
    check(permanent_bug(arena, SEED, 2))


@pytest.mark.parametrize("sabotage", [Sabotage.TRANSACTION, Sabotage.DEAD_LETTER])
def test_the_suite_notices_a_protection_that_is_switched_off(arena: Arena, sabotage: Sabotage) -> None:
    assert caught(sabotage, RUNS[sabotage](arena, SEED))
