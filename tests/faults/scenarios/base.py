"""What all scenarios share: where they run, what one run of one comes to, and how it ends."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.faults.checker import Check, Verdict, check
from tests.faults.corpus import Corpus
from tests.faults.fleet import Fleet
from tests.faults.site import PARTITIONS, SETTLE_SECONDS_MAX, Load, Site, now_ms
from tests.faults.worker import Bug

STEP_MS: Final = 4
"""Of the load: 250 records a second, so that transactions are many and small."""

_NUMBERS = count(1)


@dataclass(slots=True)
class Outcome:
    """What one run of a scenario came to.

    Attributes:
        faults: how many of each kind were done.
        recoveries: seconds from each kill to the successor's first commit.
        verdict: of the checker; None where it was not reached.
        failure: why the run itself failed, in words; empty where it did not.
        facts: more that the scenario found out.
    """

    scenario: str
    seed: int
    events: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    verdict: Verdict | None = None
    failure: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.failure and self.verdict is not None and self.verdict.holds

    def lost(self) -> int:
        return self.verdict.counts[Check.LOST] if self.verdict else 0

    def duplicated(self) -> int:
        return self.verdict.counts[Check.DUPLICATED] if self.verdict else 0


@dataclass(slots=True)
class Arena:
    """Where runs take place.

    Attributes:
        bootstrap: a broker that stays well; scenarios that break brokers bring their own.
        place: a directory for logs and brokers.
        say: takes a line on how far a run is.
    """

    bootstrap: str
    place: Path
    say: Callable[[str], None] = lambda _: None


@dataclass(slots=True)
class Run:
    """One run: its site, its workers, its chance, its load.

    Attributes:
        bug: a lasting defect that the checker must know of.
    """

    scenario: str
    seed: int
    arena: Arena
    site: Site
    fleet: Fleet
    chance: random.Random
    outcome: Outcome
    bug: Bug | None = None
    settle_seconds: float = SETTLE_SECONDS_MAX

    def load(self, **corpus: Any) -> Load:
        """A load in step with the clock, for a ``with`` block."""
        return Load(self.site, self.corpus(**corpus))

    def corpus(self, **more: Any) -> Corpus:
        return Corpus(self.seed, self.site.settings.partitions, **({"begin_ms": now_ms(), "step_ms": STEP_MS} | more))

    def pause(self, low: float, high: float) -> None:
        """Let the load flow for a random time."""
        self.wait(self.chance.uniform(low, high))

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def finish(self) -> Outcome:
        """Wait until all is handled, stop the workers, check, and sum up."""
        self.arena.say(f"{self.scenario} {self.seed}: settling")
        self.site.flush()
        self.site.wait_settled(self.settle_seconds, self.fleet.check)
        exits = self.fleet.stop()
        self.fleet.check()
        outcome = self.outcome
        if any(code not in (0, *self.fleet.allowed_exits) for code in exits):
            outcome.failure = f"workers that were asked to stop ended with {exits}"
        outcome.events = self.site.events
        outcome.faults += self.fleet.faults
        outcome.recoveries += self.fleet.recoveries()
        self.arena.say(f"{self.scenario} {self.seed}: checking")
        outcome.verdict = check(self.site, self.bug)
        return outcome


@contextmanager
def running(
    scenario: str, arena: Arena, seed: int, *, bootstrap: str = "", workers_bootstrap: str = "", **settings: Any
) -> Iterator[Run]:
    """A run of a scenario on topics of its own; its workers end with the block."""
    prefix = f"{scenario}-{seed}-{next(_NUMBERS)}."
    site = Site(bootstrap or arena.bootstrap, prefix, **({"partitions": PARTITIONS} | settings))
    workers = site.settings.model_copy(update={"bootstrap": workers_bootstrap or site.settings.bootstrap})
    chance = random.Random(seed)  # noqa: S311 a repeatable sequence, not a secret
    with closing(site), Fleet(workers, arena.place) as fleet:
        yield Run(scenario, seed, arena, site, fleet, chance, Outcome(scenario, seed))
