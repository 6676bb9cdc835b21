"""The fault suite: python -m tests.faults [--only SCENARIO] [--seed N] [--rounds N] [--json] [--selfcheck] ...

Runs every scenario on real brokers with real workers, compares all outputs with the pure core's, and says what it
did. Ends with 0 where everything held, else with 1, the seeds that failed and the way to repeat them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.kafka.embedded import EmbeddedKafka
from tests.faults import report
from tests.faults.scenarios import SCENARIOS, Arena, Outcome, Scenario
from tests.faults.selfcheck import selfcheck

FAILURE_CHARACTERS_MAX = 1_000

JOBS = 2
"""Runs at a time: a run mostly waits for sessions to end."""


class Screen:
    """Lines for people, and on a terminal one that tells how far the runs are."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        with self._lock:
            self._clear()
            stream = sys.stderr if self._quiet else sys.stdout
            stream.write(text + "\n")
            stream.flush()

    def progress(self, text: str) -> None:
        if self._live:
            with self._lock:
                self._clear()
                sys.stderr.write(text[:100])
                sys.stderr.flush()

    def _clear(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")


def run_one(scenario: Scenario, arena: Arena, seed: int, rounds: int, screen: Screen) -> Outcome:
    """One run; what it raises is its outcome."""
    begin = time.monotonic()
    try:
        outcome = scenario.run(arena, seed, rounds)
    except Exception as error:  # noqa: BLE001 the other runs shall go on
        frames = traceback.extract_tb(error.__traceback__)
        ours = next(frame for frame in reversed(frames) if "scenarios" in frame.filename or frame is frames[0])
        said = f"{type(error).__name__}: {error}"[:FAILURE_CHARACTERS_MAX]
        outcome = Outcome(scenario.name, seed, failure=f"{Path(ours.filename).name}:{ours.lineno} {ours.line}: {said}")
    outcome.scenario = scenario.name
    outcome.seconds = time.monotonic() - begin
    screen.say(report.line(outcome))
    return outcome


def run_all(arguments: argparse.Namespace, arena: Arena, screen: Screen) -> list[Outcome]:
    """All chosen runs: first side by side, then those that want the machine for themselves."""
    chosen = [each for each in SCENARIOS if not arguments.only or each.name in arguments.only]
    plan = [
        (scenario, arguments.seed + number, arguments.rounds or scenario.rounds)
        for scenario in chosen
        for number in range(arguments.repeats or scenario.repeats)
    ]
    beside = [each for each in plan if not each[0].alone]
    with ThreadPoolExecutor(JOBS) as pool:
        running = [pool.submit(run_one, scenario, arena, seed, rounds, screen) for scenario, seed, rounds in beside]
        outcomes = [each.result() for each in running]
    outcomes += [run_one(scenario, arena, seed, rounds, screen) for scenario, seed, rounds in plan if scenario.alone]
    return outcomes


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--only", action="append", choices=[each.name for each in SCENARIOS], help="repeatable")
    parser.add_argument("--seed", type=int, default=1, help="of the first run of each scenario; the next has the next")
    parser.add_argument("--rounds", type=int, help="faults in each run; by default each scenario's own number")
    parser.add_argument("--repeats", type=int, help="runs of each scenario; by default each scenario's own number")
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output and nothing else")
    parser.add_argument("--selfcheck", action="store_true", help="switch protections off; each must be missed")
    parser.add_argument("--keep", type=Path, help="a directory for the logs of workers and brokers, to keep them")
    return parser.parse_args(arguments)


def main() -> int:
    arguments = parse(sys.argv[1:])
    screen = Screen(quiet=arguments.json)
    begin = time.monotonic()
    with EmbeddedKafka() as kafka, tempfile.TemporaryDirectory(prefix="spillway-faults-") as temporary:
        place = arguments.keep or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        arena = Arena(kafka.bootstrap, place, screen.progress)
        if arguments.selfcheck:
            return selfcheck(arena, arguments.seed, screen.say)
        outcomes = run_all(arguments, arena, screen)
    seconds = time.monotonic() - begin
    if not arguments.json:
        screen.say("\n" + report.table(outcomes) + "\n")
    sys.stdout.write(report.json_line(outcomes, seconds) + "\n")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
