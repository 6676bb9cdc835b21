"""Workers that freeze, are given up, and wake up as if nothing had been."""

from __future__ import annotations

import signal
from typing import Final

from pipeline.runtime.guard import EXIT_DEFECT, EXIT_STOP_TOO_SLOW
from pipeline.runtime.transaction import TransactionStep
from tests.faults.fleet import Member
from tests.faults.sabotage import Sabotage
from tests.faults.scenarios.base import Arena, Outcome, Run, running
from tests.faults.worker import STAGES, Strike
from tests.support import wait_until

FROZEN_SECONDS_MAX: Final = 60.0
# Where nobody fences it, what the zombie has open keeps its heir waiting until the broker gives it up: after a minute,
# at the next of its rounds of ten seconds.
TAKEN_SECONDS_MAX: Final = 100.0
WOKEN_SECONDS_MAX: Final = 60.0

# Where a frozen worker still has something to write, or thinks so.
STEPS: Final = (
    TransactionStep.DECIDED,
    TransactionStep.BEGUN,
    TransactionStep.OUTPUTS_WRITTEN,
    TransactionStep.OFFSETS_WRITTEN,
)


def zombie(arena: Arena, seed: int, rounds: int, sabotage: Sabotage | None = None) -> Outcome:
    """A worker freezes inside a transaction until another has its partitions, then wakes up and goes on writing."""
    with running("zombie", arena, seed) as run:
        # What a fenced producer ends with; and a worker whose connections died while it was frozen may not learn of
        # it before its time to stop is over. Neither may lose or repeat anything, which is checked.
        run.fleet.allowed_exits = (EXIT_DEFECT, EXIT_STOP_TOO_SLOW)
        places = [(stage, step) for step in STEPS for stage in STAGES]
        if sabotage is None:
            run.chance.shuffle(places)
        with run.load():
            for number in range(rounds):
                stage, step = places[number % len(places)]
                # Without fencing only work that is well on its way shows the harm: every input has its offset by then.
                which = run.chance.randint(2, 6) if sabotage is None else run.chance.randint(100, 120)
                _freeze_and_thaw(run, Strike(stage, step, which, signal.SIGSTOP), sabotage)
                arena.say(f"zombie {seed}: {number + 1} of {rounds}")
            # A zombie that froze while it was being given another partition takes it as it wakes, which fences the
            # last heir, too. An orchestrator starts another; here this one stands by.
            if sabotage is None:
                run.fleet.start()
        return run.finish()


def _freeze_and_thaw(run: Run, strike: Strike, sabotage: Sabotage | None) -> None:
    fleet = run.fleet
    for member in fleet.members:
        if not member.ended:
            member.kill()
    sleeper = fleet.start(strikes=(strike,), sabotage=sabotage)
    wait_until(lambda: sleeper.frozen() or sleeper.ended, FROZEN_SECONDS_MAX, f"the worker freezes at {strike}")
    assert not sleeper.ended, sleeper.last_words()
    fleet.faults[f"freeze {strike.stage} {strike.step}"] += 1
    heir = fleet.succeed(sleeper.events("struck")[0]["monotonic"], sabotage=sabotage)
    wait_until(lambda: _commits(heir, strike.stage) or heir.ended, TAKEN_SECONDS_MAX, "the heir commits")
    sleeper.thaw()
    if sabotage is None:
        wait_until(lambda: sleeper.ended, WOKEN_SECONDS_MAX, "the zombie notices that it is one")
        assert sleeper.exit_code == EXIT_DEFECT, f"the zombie ended with {sleeper.exit_code}"
    else:
        run.wait(2.0)


def _commits(member: Member, stage: str) -> bool:
    return any(event["stage"] == stage for event in member.events("first commit"))
