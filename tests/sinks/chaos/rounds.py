"""Rounds of chaos: the deliver worker is killed at random while incidents live and downstreams fail one time in five.

After some rounds everything heals, every incident ends, and each downstream must show what it would have shown had
nothing happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from tests.sinks.chaos.crowd import Crowd
from tests.sinks.conformance.judge import problems
from tests.sinks.conformance.table import Downstream
from tests.sinks.conformance.town import Town

SHARE_FAILING: Final = 0.2
STEPS_PER_ROUND: Final = (6, 20)

SHARE_EARLY: Final = 0.2
"""Of kills, by chance, those that come while the worker is still starting, or restores its state."""

EARLY_SECONDS: Final = (0.2, 3.0)
WORKING_SECONDS: Final = (0.05, 3.0)
"""From when it is ready: in the midst of the backlog, or after it has caught up."""

ROUNDS_BETWEEN_JUDGEMENTS: Final = 10
HEALED_SECONDS_MAX: Final = 180.0
"""A delivery that failed five times waits half a minute for its next attempt; some of a round's do."""


@dataclass
class Report:
    """What a run came to.

    Attributes:
        seed: gives the same steps, faults and moments of kills again, though not the same interleaving.
        faults: requests that a server made fail, by kind.
        problems: everything that was wrong.
    """

    seed: int
    rounds: int = 0
    kills: int = 0
    incidents: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        faults = ", ".join(f"{kind} {number:,}" for kind, number in sorted(self.faults.items()))
        attempts = ", ".join(f"{kind} {number:,}" for kind, number in sorted(self.attempts.items()))
        return [
            f"seed {self.seed}: {self.rounds} rounds, {self.kills} kills, {self.incidents:,} incidents in "
            f"{self.seconds:,.0f} s",
            f"requests {self.requests:,}; made to fail: {faults or 'none'}; attempts: {attempts}",
            *(f"WRONG {problem}" for problem in self.problems),
            "nothing is wrong" if not self.problems else f"{len(self.problems)} problems",
        ]


def run(
    bootstrap: str,
    prefix: str,
    place: Path,
    downstreams: Mapping[str, Downstream],
    seed: int,
    rounds: int,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run rounds and judge them."""
    began, report = monotonic(), Report(seed)
    with Town(bootstrap, prefix, place, downstreams, seed) as town:
        random = Random(seed)  # noqa: S311  # repeatable, not secret
        crowd = Crowd(random)
        while report.rounds < rounds:
            for _ in range(min(ROUNDS_BETWEEN_JUDGEMENTS, rounds - report.rounds)):
                _round(town, crowd, random, report)
            known = len(report.problems)
            _judge(town, crowd, report)
            say(f"{report.rounds} rounds, {report.incidents} incidents, {len(report.problems)} problems")
            for problem in report.problems[known:]:
                say(f"  {problem}")
        report.requests = sum(len(server.journal) for server in town.servers.values())
        report.faults.update(each.fault for server in town.servers.values() for each in server.journal if each.fault)
        report.attempts.update(each["outcome"] for each in town.outcomes)
    report.seconds = monotonic() - began
    return report


def _round(town: Town, crowd: Crowd, random: Random, report: Report) -> None:
    """A worker begins, things happen, and it is killed."""
    report.rounds += 1
    for server in town.servers.values():
        server.share_failing = SHARE_FAILING
    early = random.random() < SHARE_EARLY
    steps = random.randint(*STEPS_PER_ROUND)
    before = 0 if early else random.randint(0, steps // 2)
    for _ in range(before):
        town.play(*crowd.step())
    worker = town.start(ready=not early)
    ends = monotonic() + random.uniform(*(EARLY_SECONDS if early else WORKING_SECONDS))
    moments = sorted(random.uniform(monotonic(), ends) for _ in range(steps - before))
    for moment in moments:
        while monotonic() < moment:
            town.poll()
        town.play(*crowd.step())
    while monotonic() < ends:
        town.poll()
    worker.check()
    worker.kill()
    report.kills += 1


def _judge(town: Town, crowd: Crowd, report: Report) -> None:
    """Everything heals and ends; what each downstream shows then must be right."""
    town.calm()
    town.start(ready=False)
    town.play(*crowd.finish())
    lives = crowd.everybody()
    report.incidents += len(lives)
    try:
        town.settle(*lives, seconds=HEALED_SECONDS_MAX)
        town.wait(lambda: not town.orphans(), "the ledger has no orphan", HEALED_SECONDS_MAX)
    except AssertionError as error:
        report.problems.append(str(error))
    told = [life.told for life in lives]
    for name in town.downstreams:
        report.problems += problems(town, name, told)
    names = {each.incident_id for each in told}
    given_up = [each for each in town.given_up() if each["incident_id"] in names]
    report.problems += [f"given up: {each['delivery_id']}: {each['detail']}" for each in given_up]
    crowd.forget()
    town.workers[-1].kill()
