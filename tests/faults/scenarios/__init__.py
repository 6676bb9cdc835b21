"""The scenarios: one function each, by name, with how often and how long each runs in a full suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.faults.scenarios import bad_records, brokers, kills, network, times, zombies
from tests.faults.scenarios.base import Arena, Outcome


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario in the suite.

    Attributes:
        name: for ``--only``.
        run: arena, seed and rounds in, outcome out.
        repeats: runs, each with a seed of its own.
        rounds: faults in each, or thousands of records: what the function says.
        alone: nothing else runs beside it.
    """

    name: str
    run: Callable[[Arena, int, int], Outcome]
    repeats: int
    rounds: int
    alone: bool = False


SCENARIOS: Final = (
    Scenario("kill-step", kills.kill_at_each_step, 5, 24),
    Scenario("kill-ahead", kills.kill_ahead, 2, 12),
    Scenario("kill-random", kills.kill_at_random, 4, 20),
    Scenario("kill-all", kills.kill_all, 2, 8),
    Scenario("scale", kills.scale, 2, 4),
    Scenario("zombie", zombies.zombie, 3, 6),
    Scenario("broker-restart", brokers.broker_restart, 1, 4),
    Scenario("three-brokers", brokers.three_brokers, 1, 2, alone=True),
    Scenario("oversized", bad_records.oversized, 2, 1),
    Scenario("poison", bad_records.poison, 2, 20),
    Scenario("bug-once", bad_records.transient_bug, 3, 10),
    Scenario("bug-always", bad_records.permanent_bug, 3, 10),
    Scenario("network", network.network, 1, 3),
    Scenario("timers", times.timers, 1, 3),
    Scenario("clocks", times.clocks, 2, 6),
    Scenario("backlog", times.backlog, 1, 1_000, alone=True),
)

__all__ = ["SCENARIOS", "Arena", "Outcome", "Scenario"]
