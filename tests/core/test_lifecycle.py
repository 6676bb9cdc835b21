"""The lifecycle table: every pair of state and step, those that mean something and those that do not."""

from __future__ import annotations

from itertools import product

import orjson
import pytest

from pipeline.core.draft import Draft
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES, TRANSITIONS, Step, advance, diagram
from pipeline.models.incident import Incident, IncidentState, incident_from_wire
from pipeline.models.wire import to_json
from tests.core.builders import T0
from tests.core.desks import desk

COLUMNS = tuple(Step)
# One column a step, in the order of `Step`; "." where a step means nothing.
TABLE = {
    "detected":         "logged . . . . . . . . . . . . X .",
    "logged":           ". acknowledged . in_progress escalated C V P . M R . . X merged",
    "acknowledged":     ". . logged in_progress escalated C V P . M R . . X merged",
    "in_progress":      ". . logged . escalated C V P . M R . . X merged",
    "escalated":        ". acknowledged . in_progress . C V P . M R . . X merged",
    "waiting_customer": ". . logged . escalated . V P in_progress M R . . X merged",
    "waiting_vendor":   ". . logged . escalated C . P in_progress M R . . X merged",
    "waiting_provider": ". . logged . escalated C V . in_progress M R . . X merged",
    "mitigated":        ". . logged . . C V P in_progress . R . . X merged",
    "resolved":         ". . . . . . . . . . . reopened closed . merged",
    "reopened":         ". acknowledged . in_progress escalated C V P . M R . . X merged",
    "closed":           ". . . . . . . . . . . . . . .",
    "merged":           ". . . . . . . . . . . . . . .",
    "cancelled":        ". . . . . . . . . . . . . . .",
}  # fmt: skip
SHORT = {
    "C": "waiting_customer",
    "V": "waiting_vendor",
    "P": "waiting_provider",
    "M": "mitigated",
    "R": "resolved",
    "X": "cancelled",
    ".": None,
}
PAIRS = [
    (state, step, SHORT.get(after, after))
    for state, row in TABLE.items()
    for step, after in zip(COLUMNS, row.split(), strict=True)
]


def test_the_table_of_this_test_names_every_state() -> None:
    assert list(TABLE) == list(IncidentState)


@pytest.mark.parametrize(("state", "step", "after"), PAIRS)
def test_each_pair_of_state_and_step(state: str, step: Step, after: str | None) -> None:
    assert advance(state, step) == after


@pytest.mark.parametrize(("state", "step", "after"), PAIRS)
def test_a_step_that_means_nothing_changes_nothing_and_says_so(state: str, step: Step, after: str | None) -> None:
    draft = Draft(Incident(id="INC-1", space="s", state=state), T0)
    assert desk().step(draft, step, "ann", "did it") is (after is not None)
    assert draft.incident.state == (after or state)
    (entry,) = draft.entries
    assert entry.action == (step if after else f"refused_{step}")
    assert (draft.changes == []) is (after is None)


def test_the_time_in_each_state_is_exact_and_adds_up_over_repeated_states() -> None:
    incident, at = Incident(id="INC-1", space="s", state="logged", detected_at_ms=T0), desk()
    steps = (Step.ACKNOWLEDGE, Step.UNACKNOWLEDGE, Step.START, Step.RESOLVE, Step.CLOSE)
    for number, step in enumerate(steps, 1):
        assert at.step(Draft(incident, T0 + 10**number), step, "ann", "did it")
    assert incident.time_in == {"logged": 10 + 900, "acknowledged": 90, "in_progress": 9_000, "resolved": 90_000}
    assert sum(incident.time_in.values()) == incident.state_since_ms - T0


def test_of_an_older_releases_record_the_time_counts_from_its_last_revision() -> None:
    document = orjson.loads(to_json(Incident(id="INC-1", space="s", detected_at_ms=T0, updated_at_ms=T0 + 5)))
    for name in ("state_since_ms", "time_in", "last_step_at_ms", "waiting", "corrective_actions"):
        del document[name]
    restored = incident_from_wire(document)
    assert (restored.state_since_ms, restored.time_in, restored.waiting) == (T0 + 5, {}, [])


def test_an_ended_incident_stays_ended() -> None:
    assert not [pair for pair in product(ENDED_STATES, Step) if pair in TRANSITIONS]
    assert not OPEN_STATES & ENDED_STATES


def test_the_diagram_shows_every_transition_once() -> None:
    lines = diagram().splitlines()
    assert len(lines) == len(set(lines)) == 2 + len(TRANSITIONS) + len(ENDED_STATES)
    assert "    resolved --> reopened: reopen" in lines
