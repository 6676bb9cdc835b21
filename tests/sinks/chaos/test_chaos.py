"""A few rounds of chaos, in every run of the suite; ``python -m tests.sinks.chaos`` runs as many as are wanted."""

from __future__ import annotations

from pathlib import Path
from time import time

from tests.sinks.chaos.rounds import run
from tests.sinks.conformance.table import DOWNSTREAMS

ROUNDS = 5


def test_a_worker_that_is_killed_at_random_leaves_nothing_twice_and_nothing_open(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    seed = int(time()) % 100_000
    report = run(kafka, prefix, tmp_path, DOWNSTREAMS, seed, ROUNDS)
    print("\n".join(report.lines()))  # noqa: T201  # the seed, to have it again
    assert report.problems == [], f"seed {seed}"
    assert report.kills == ROUNDS
    assert report.faults
