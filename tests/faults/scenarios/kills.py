"""Workers that die: at each step of a transaction, at any moment, all at once; and a fleet that grows and shrinks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from typing import Final

from pipeline.runtime.transaction import TransactionStep
from tests.faults.fleet import Member
from tests.faults.sabotage import Sabotage
from tests.faults.scenarios.base import Arena, Outcome, Run, running
from tests.faults.site import now_ms
from tests.faults.worker import STAGES, Strike
from tests.support import wait_until

STRUCK_SECONDS_MAX: Final = 60.0
COMMIT_SECONDS_MAX: Final = 60.0
TRANSACTIONS_BEFORE_MAX: Final = 5
BACKLOG_RECORDS_A_KILL: Final = 3_000


def kill_at_each_step(arena: Arena, seed: int, rounds: int) -> Outcome:
    """A worker kills itself when one stage's transaction reaches one step; a successor goes on; and so on.

    Args:
        arena: where.
        seed: of the load, of the order of steps and of which transaction it is.
        rounds: kills; each step comes once in 6, each step of each stage once in 24.
    """
    with running("kill-step", arena, seed) as run:
        places = _places(run.chance)
        plan = [
            Strike(*places[number % len(places)], run.chance.randint(1, TRANSACTIONS_BEFORE_MAX))
            for number in range(rounds)
        ]
        # Half of the runs as a restarted worker of the same name, half as a stranger that takes over.
        seat = 0 if seed % 2 else None
        with run.load():
            member = _struck(run, plan, seat)
            wait_until(member.first_commit, COMMIT_SECONDS_MAX, "the last successor commits")
        return run.finish()


def _struck(run: Run, plan: Sequence[Strike], seat: int | None = None, sabotage: Sabotage | None = None) -> Member:
    """Workers one after another, each of which dies as planned; the one that goes on after the last."""
    member = run.fleet.start(seat, strikes=(plan[0],), sabotage=sabotage)
    for number, strike in enumerate(plan):
        wait_until(lambda: member.ended, STRUCK_SECONDS_MAX, f"the worker dies at {strike}")  # noqa: B023
        run.fleet.check()
        run.fleet.faults[f"kill {strike.stage} {strike.step}"] += 1
        run.arena.say(f"{run.scenario} {run.seed}: {number + 1} of {len(plan)}")
        following = tuple(plan[number + 1 : number + 2])
        member = run.fleet.succeed(struck_at(member), seat, strikes=following, sabotage=sabotage)
    return member


def _places(chance: Random) -> list[tuple[str, TransactionStep]]:
    steps = list(TransactionStep)
    chance.shuffle(steps)
    return [
        (STAGES[(number + turn) % len(STAGES)], step)
        for turn in range(len(STAGES))
        for number, step in enumerate(steps)
    ]


def struck_at(member: Member) -> float:
    """When a worker struck itself."""
    (event,) = member.events("struck")
    return float(event["monotonic"])


def kill_ahead(arena: Arena, seed: int, rounds: int, sabotage: Sabotage | None = None) -> Outcome:
    """Ingest dies at a step of a transaction while it decides urgent records of a backlog before their turn.

    Args:
        arena: where.
        seed: of the backlog, of the order of steps and of which transaction it is.
        rounds: kills; each step comes once in 6.
        sabotage: a protection that is switched off.
    """
    with running("kill-ahead", arena, seed) as run:
        total = BACKLOG_RECORDS_A_KILL * rounds
        run.site.send(run.corpus(begin_ms=now_ms() - 2 * total, step_ms=2).take(total))
        run.site.flush()
        steps = list(TransactionStep)
        run.chance.shuffle(steps)
        plan = [
            Strike("ingest", steps[number % len(steps)], run.chance.randint(1, TRANSACTIONS_BEFORE_MAX))
            for number in range(rounds)
        ]
        _struck(run, plan, sabotage=sabotage)
        outcome = run.finish()
        if sabotage is None and outcome.verdict is not None and not outcome.verdict.ahead:
            outcome.failure = "nothing went ahead, so this run shows nothing"
        return outcome


def kill_at_random(arena: Arena, seed: int, rounds: int) -> Outcome:
    """One of two workers is killed at any moment of its life: joining, restoring, deciding, writing, idle."""
    with running("kill-random", arena, seed) as run:
        seats = [0, 1] if seed % 2 else [None, None]
        with run.load():
            members = [run.fleet.start(seat) for seat in seats]
            run.fleet.wait_ready(members[0])
            for number in range(rounds):
                run.pause(0.0, 2.5)
                victim = run.chance.randrange(2)
                at = members[victim].kill()
                run.fleet.faults["kill at random"] += 1
                arena.say(f"kill-random {seed}: {number + 1} of {rounds}")
                members[victim] = run.fleet.succeed(at, seats[victim])
        return run.finish()


def kill_all(arena: Arena, seed: int, rounds: int) -> Outcome:
    """All workers die at one moment and others start from nothing: workers have no disk, all is on the brokers."""
    with running("kill-all", arena, seed) as run:
        with run.load():
            members = [run.fleet.start(seat) for seat in range(3)]
            for number in range(rounds):
                wait_until(lambda: _any_commits(members), COMMIT_SECONDS_MAX, "the fleet works")  # noqa: B023
                run.pause(0.2, 1.5)
                at = time.monotonic()
                for member in members:
                    member.kill()
                run.fleet.faults["kill all"] += len(members)
                arena.say(f"kill-all {seed}: {number + 1} of {rounds}")
                # Others, under other names: nothing is left of who was there.
                members = [run.fleet.succeed(at, 10 * (number + 1) + seat) for seat in range(3)]
        return run.finish()


def _any_commits(members: list[Member]) -> bool:
    return any(member.first_commit() for member in members)


def scale(arena: Arena, seed: int, rounds: int) -> Outcome:
    """One worker becomes three and one again, while the load flows."""
    with running("scale", arena, seed) as run:
        with run.load():
            run.fleet.start_ready(0)
            for number in range(rounds):
                _grow_and_shrink(run)
                arena.say(f"scale {seed}: {number + 1} of {rounds}")
        return run.finish()


def _grow_and_shrink(run: Run) -> None:
    joining = [run.fleet.start(seat) for seat in (1, 2)]
    run.fleet.faults["join"] += len(joining)
    for member in joining:
        run.fleet.wait_ready(member)
    wait_until(lambda: _any_commits(joining), COMMIT_SECONDS_MAX, "one that joined works")
    run.pause(0.5, 1.5)
    for member in joining:
        code = member.terminate()
        run.fleet.faults["leave"] += 1
        if code:
            run.outcome.failure = f"a worker that was asked to stop ended with {code}"
    run.pause(0.5, 1.5)
