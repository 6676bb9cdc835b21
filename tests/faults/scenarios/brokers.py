"""Brokers that die and come back with their data: one alone, and three that hold copies."""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import KafkaException

from pipeline.runtime.guard import EXIT_DEFECT
from tests.faults.cluster import Cluster, cluster
from tests.faults.fleet import Keeper
from tests.faults.scenarios.base import Arena, Outcome, Run, running
from tests.support import wait_until

BACK_SECONDS_MAX: Final = 120.0
# A worker that starts while no broker answers ends with one line and code 1; an orchestrator starts it again.
EXIT_NO_BROKER: Final = 1
# After a failover all is slower; a transaction that was open then may have to time out first.
SETTLE_SECONDS_MAX: Final = 240.0
ANSWER_SECONDS_MAX: Final = 5.0


def broker_restart(arena: Arena, seed: int, rounds: int) -> Outcome:
    """The only broker is killed under load and comes back with the same data."""
    with (
        cluster(arena.place / f"broker-restart-{seed}", 1) as brokers,
        running("broker-restart", arena, seed, bootstrap=brokers.bootstrap) as run,
    ):
        _allow_ends(run)
        with Keeper(run.fleet, 2):
            with run.load():
                for number in range(rounds):
                    wait_for_work(run)
                    run.pause(0.5, 2.0)
                    _fail(run, brokers, (1,), "kill broker")
                    arena.say(f"broker-restart {seed}: {number + 1} of {rounds}")
                wait_for_work(run)
            _settle(run)
        return run.finish()


def three_brokers(arena: Arena, seed: int, rounds: int) -> Outcome:
    """Three copies, two must be in sync: a leader dies and comes back; then two die, so that nothing can be written,
    and come back."""
    with (
        cluster(arena.place / f"three-brokers-{seed}", 3) as brokers,
        running(
            "three-brokers",
            arena,
            seed,
            bootstrap=brokers.bootstrap,
            replication_factor=3,
            min_insync_replicas=2,
        ) as run,
    ):
        _allow_ends(run)
        with Keeper(run.fleet, 2):
            with run.load(step_ms=8):
                for number in range(rounds):
                    wait_for_work(run)
                    _fail(run, brokers, (_leader(run),), "kill leader")
                    wait_for_work(run)
                    others = tuple(each for each in brokers.nodes if each != _leader(run))
                    _fail(run, brokers, others, "lose min ISR")
                    arena.say(f"three-brokers {seed}: {number + 1} of {rounds}")
                wait_for_work(run)
            _settle(run)
        return run.finish()


def _allow_ends(run: Run) -> None:
    run.fleet.allowed_exits = (EXIT_DEFECT, EXIT_NO_BROKER)
    run.settle_seconds = SETTLE_SECONDS_MAX


def _fail(run: Run, brokers: Cluster, numbers: tuple[int, ...], fault: str) -> None:
    """Kill brokers, leave them dead for a while, and start them again."""
    at = time.monotonic()
    brokers.kill(*numbers)
    run.fleet.faults[fault] += 1
    run.pause(1.0, 6.0)
    brokers.start(*numbers)
    run.outcome.facts.setdefault("seconds without", []).append(round(time.monotonic() - at, 1))


def wait_for_work(run: Run) -> None:
    """Wait until the fleet commits something that it had not; how long it took counts as a recovery."""
    begin = time.monotonic()
    before: int | None = None

    def goes_on() -> bool:
        nonlocal before
        run.fleet.check()
        now = _progress(run)
        if before is None or now is None:
            before = now if before is None else before
            return False
        return now > before

    wait_until(goes_on, BACK_SECONDS_MAX, "the fleet goes on")
    run.outcome.recoveries.append(time.monotonic() - begin)


def _progress(run: Run) -> int | None:
    """Sum of the offsets that ingest has committed; None while the brokers do not say."""
    try:
        return sum(run.site.committed("ingest", ANSWER_SECONDS_MAX).values())
    except KafkaException:
        return None


def _leader(run: Run) -> int:
    """The broker that leads the first partition of `episodes`."""
    name = run.site.settings.wire("episodes")
    return int(run.site.admin.list_topics(name, timeout=30).topics[name].partitions[0].leader)


def _settle(run: Run) -> None:
    run.site.flush()
    run.site.wait_settled(run.settle_seconds, run.fleet.check)
