"""All deciding stages together keep their promises, whatever people, monitors, policies and time do to them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from pipeline.core.step import Processor
from tests.practice.machine import Practice
from tests.practice.pipelines import Impatient

STEPS_MAX = 40


def test_whatever_happens_the_promises_of_the_practice_are_kept(
    examples: int, practice_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"practice: {examples} examples, --practice-seed {practice_seed}")  # noqa: T201 shown where it fails
    monkeypatch.setattr(Processor, "fire", Impatient.fire)
    how = settings(
        max_examples=examples,
        stateful_step_count=STEPS_MAX,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(practice_seed)(Practice), settings=how)
