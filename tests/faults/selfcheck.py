"""Whether the suite can fail: with each protection switched off in turn, the checker must say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.runtime.transaction import TransactionStep
from tests.faults.checker import Check
from tests.faults.sabotage import Sabotage
from tests.faults.scenarios.bad_records import poison
from tests.faults.scenarios.base import Arena, Outcome, running
from tests.faults.scenarios.kills import kill_ahead
from tests.faults.scenarios.zombies import zombie
from tests.faults.worker import Strike
from tests.support import wait_until

STRUCK_SECONDS_MAX: Final = 60.0
COMMIT_SECONDS_MAX: Final = 60.0

CATCHES: Final[dict[Sabotage, frozenset[Check]]] = {
    Sabotage.FENCING: frozenset({Check.DUPLICATED, Check.FOREIGN, Check.OFFSETS}),
    Sabotage.TRANSACTION: frozenset({Check.DUPLICATED}),
    Sabotage.RESTORE: frozenset({Check.FOREIGN, Check.LOST, Check.STATE}),
    Sabotage.DEAD_LETTER: frozenset({Check.LOST, Check.POISON}),
    Sabotage.AHEAD: frozenset({Check.DUPLICATED, Check.FOREIGN}),
}
"""Protection -> checks of which at least one must catch its absence."""


def torn(arena: Arena, seed: int) -> Outcome:
    """A worker dies between the outputs and the offsets, which are two transactions now.

    Late enough that every stage has committed offsets: state without any is noticed at the start (exit code 78).
    """
    return _one_kill(arena, seed, Sabotage.TRANSACTION, Strike("ingest", TransactionStep.OUTPUTS_WRITTEN, 25))


def forgetful(arena: Arena, seed: int) -> Outcome:
    """A worker dies and its successor serves without the state."""
    return _one_kill(arena, seed, Sabotage.RESTORE, Strike("correlate", TransactionStep.COMMITTED, 5))


def unfenced(arena: Arena, seed: int) -> Outcome:
    """A frozen worker wakes up after another has taken over, and nobody stops it."""
    return zombie(arena, seed, 1, Sabotage.FENCING)


def silent(arena: Arena, seed: int) -> Outcome:
    """Bad records are dropped."""
    return poison(arena, seed, 1, Sabotage.DEAD_LETTER)


def unnoted(arena: Arena, seed: int) -> Outcome:
    """A worker dies after urgent records went before their turn, and its successor does not learn of it."""
    return kill_ahead(arena, seed, 3, Sabotage.AHEAD)


RUNS: Final[dict[Sabotage, Callable[[Arena, int], Outcome]]] = {
    Sabotage.FENCING: unfenced,
    Sabotage.TRANSACTION: torn,
    Sabotage.RESTORE: forgetful,
    Sabotage.DEAD_LETTER: silent,
    Sabotage.AHEAD: unnoted,
}


def _one_kill(arena: Arena, seed: int, sabotage: Sabotage, strike: Strike) -> Outcome:
    with running(f"no-{sabotage}", arena, seed) as run:
        with run.load():
            victim = run.fleet.start(strikes=(strike,), sabotage=sabotage)
            wait_until(lambda: victim.ended, STRUCK_SECONDS_MAX, f"the worker dies at {strike}")
            heir = run.fleet.start(sabotage=sabotage)
            wait_until(heir.first_commit, COMMIT_SECONDS_MAX, "the successor commits")
            run.wait(1.0)
        return run.finish()


def caught(sabotage: Sabotage, outcome: Outcome) -> list[Check]:
    """The checks that noticed, of those that should."""
    found = outcome.verdict.counts if outcome.verdict else {}
    return sorted(check for check in CATCHES[sabotage] if found.get(check))


def selfcheck(arena: Arena, seed: int, say: Callable[[str], None]) -> int:
    """Switch each protection off; 0 where every absence was caught."""
    missed = []
    for sabotage, run in RUNS.items():
        outcome = run(arena, seed)
        checks = caught(sabotage, outcome)
        counts = outcome.verdict.counts if outcome.verdict else {}
        words = ", ".join(f"{check} {number}" for check, number in counts.items()) or "nothing"
        say(f"{'caught' if checks else 'MISSED'}  without {sabotage:<12} the checks found: {words}")
        if not checks:
            missed.append(sabotage)
    say(
        f"{len(RUNS) - len(missed)} of {len(RUNS)} absences were caught"
        + (f"; missed: {', '.join(missed)}" if missed else "")
    )
    return 1 if missed else 0
