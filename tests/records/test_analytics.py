"""Measures of incidents that the real core has led through their lives, each worked out by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.store import RecordsStore
from tests.core.builders import MINUTE, SECOND, T0, alert
from tests.core.rooms import Room, two_incidents
from tests.records.measured import measured, rows, told

FIXED = {"code": "fixed", "summary": "restarted", "cause": "a leak"}

# Nothing but what is said here is measured of an incident: the rest is 0, false or none.
COUNTS = (
    "reopened", "alerts", "episodes", "calls", "calls_asked", "people", "escalations", "escalations_asked", "routes",
    "exhausted", "nobody", "reassigned", "rerouted", "updates_missed",
)  # fmt: skip


def handled() -> Room:
    """Began four minutes before it was heard of; acknowledged, given on, waited for, worked round, resolved, closed."""
    room = Room()
    room.open(alert("a", event_at_ms=T0 - 4 * MINUTE))
    room.ask("acknowledge", T0 + 2 * MINUTE)
    room.ask("assign", T0 + 3 * MINUTE, assignee="bob")
    room.ask("assign", T0 + 4 * MINUTE, assignee="cem")
    room.ask("wait", T0 + 5 * MINUTE, waiting_for="vendor")
    room.ask("resume", T0 + 7 * MINUTE)
    room.ask("mitigate", T0 + 9 * MINUTE, workaround="the other node")
    room.ask("resolve", T0 + 12 * MINUTE, resolution=FIXED)
    room.news("a", "resolved", T0 + 12 * MINUTE + 1)
    room.ask("close", T0 + 20 * MINUTE)
    return room


def healed() -> Room:
    """Over after three minutes; quiet for one more, it counts as resolved. Nobody did anything."""
    room = Room()
    room.open(alert("a"))
    room.news("a", "resolved", T0 + 3 * MINUTE)
    room.tick(T0 + 5 * MINUTE)
    return room


def escalated() -> Room:
    """Nobody answers: two more levels fire, the path ends, somebody escalates by hand and then has it."""
    room = Room()
    room.open(alert("a"))
    for minute in range(1, 40):
        room.tick(T0 + minute * MINUTE)
    room.ask("escalate", T0 + 40 * MINUTE)
    room.ask("acknowledge", T0 + 41 * MINUTE)
    return room


def reopened() -> Room:
    """Resolved too early, as a person finds out; the second resolution holds."""
    room = Room()
    room.open(alert("a"))
    room.ask("acknowledge", T0 + MINUTE)
    room.news("a", "resolved", T0 + 3 * MINUTE)
    room.tick(T0 + 5 * MINUTE)
    room.ask("reopen", T0 + 6 * MINUTE, reason="still")
    room.ask("acknowledge", T0 + 7 * MINUTE)
    room.ask("resolve", T0 + 16 * MINUTE, resolution=FIXED)
    room.tick(T0 + 20 * MINUTE)
    return room


def back() -> Room:
    """Fires again after its resolution and nobody has it yet."""
    room = Room()
    room.open(alert("a"))
    room.ask("acknowledge", T0 + MINUTE)
    room.news("a", "resolved", T0 + 3 * MINUTE)
    room.tick(T0 + 5 * MINUTE)
    room.news("a", "opened", T0 + 10 * MINUTE)
    return room


def started() -> Room:
    """Work begins, a minute late, without an acknowledgement; a person resolves it, ten minutes late."""
    room = Room()
    room.open(alert("a"))
    room.tick(T0 + 5 * MINUTE)
    room.ask("start", T0 + 6 * MINUTE)
    room.ask("resolve", T0 + 70 * MINUTE, resolution=FIXED)
    return room


def ended_at_once() -> Room:
    """A person resolves it and had never acknowledged it: it did not heal by itself."""
    room = Room()
    room.open(alert("a"))
    room.ask("resolve", T0 + 2 * MINUTE, resolution=FIXED)
    return room


LIVES: list[tuple[Callable[[], Room], dict[str, Any]]] = [
    (handled, {
        "state": "closed", "detect_ms": 240_000, "acknowledge_ms": 120_000, "restore_ms": 540_000,
        "resolve_ms": 720_000,
        "alerts": 2, "episodes": 1, "calls": 1, "people": 1, "reassigned": 1,
        "response": (2, True), "response_used_ms": 120_000, "resolution": (9, True), "resolution_used_ms": 540_000,
        "in_logged_ms": 120_000, "in_acknowledged_ms": 180_000, "in_waiting_vendor_ms": 120_000,
        "in_in_progress_ms": 120_000, "in_mitigated_ms": 180_000, "in_resolved_ms": 480_000,
    }),
    (healed, {
        "state": "resolved", "detect_ms": 0, "restore_ms": 240_000, "resolve_ms": 240_000, "self_healed": True,
        "alerts": 2, "episodes": 1, "calls": 1, "people": 1,
        "response": (4, True), "response_used_ms": 240_000, "resolution": (4, True), "resolution_used_ms": 240_000,
        "in_logged_ms": 240_000,
    }),
    (escalated, {
        "state": "acknowledged", "detect_ms": 0, "acknowledge_ms": 41 * MINUTE, "alerts": 1, "episodes": 1,
        "calls": 6, "calls_asked": 2, "people": 4, "escalations": 2, "escalations_asked": 1, "exhausted": 1,
        "response": (5, False), "response_used_ms": 41 * MINUTE,
        "in_logged_ms": 5 * MINUTE, "in_escalated_ms": 36 * MINUTE,
    }),
    (reopened, {
        "state": "resolved", "detect_ms": 0, "acknowledge_ms": 60_000, "restore_ms": 960_000, "resolve_ms": 960_000,
        "reopened": 1, "alerts": 2, "episodes": 1, "calls": 2, "people": 1,
        "response": (1, True), "response_used_ms": 60_000, "resolution": (16, True), "resolution_used_ms": 840_000,
        "in_logged_ms": 60_000, "in_acknowledged_ms": 720_000, "in_resolved_ms": 120_000, "in_reopened_ms": 60_000,
    }),
    (back, {
        "state": "reopened", "detect_ms": 0, "acknowledge_ms": 60_000, "reopened": 1, "alerts": 3, "episodes": 2,
        "calls": 2, "people": 1, "response": (1, True), "response_used_ms": 60_000,
        "in_logged_ms": 60_000, "in_acknowledged_ms": 180_000, "in_resolved_ms": 360_000,
    }),
    (started, {
        "state": "resolved", "detect_ms": 0, "acknowledge_ms": 6 * MINUTE, "restore_ms": 70 * MINUTE,
        "resolve_ms": 70 * MINUTE, "alerts": 1, "episodes": 1, "calls": 3, "people": 3, "escalations": 1,
        "response": (5, False), "response_used_ms": 6 * MINUTE, "resolution": (60, False),
        "resolution_used_ms": 70 * MINUTE,
        "in_logged_ms": 5 * MINUTE, "in_escalated_ms": MINUTE, "in_in_progress_ms": 64 * MINUTE,
    }),
    (ended_at_once, {
        "state": "resolved", "detect_ms": 0, "restore_ms": 120_000, "resolve_ms": 120_000, "alerts": 1, "episodes": 1,
        "calls": 1, "people": 1, "response": (2, True), "response_used_ms": 120_000, "resolution": (2, True),
        "resolution_used_ms": 120_000, "in_logged_ms": 120_000,
    }),
]  # fmt: skip
"""A life, and what it comes to; ``response`` and ``resolution``: minute of the decision, and whether it was kept."""


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row is not 0, false or none, moments of decisions in minutes from T0."""
    found: dict[str, Any] = {name: row[name] for name in ("state", "self_healed", *COUNTS)}
    found |= {name: value for name, value in row.items() if name.endswith("_ms")}
    found = {name: value for name, value in found.items() if value or (name == "detect_ms" and value == 0)}
    for clock in ("response", "resolution"):
        at = row[f"{clock}_decided_at"]
        if at is not None:
            found[clock] = (round((at.timestamp() * 1_000 - T0) / MINUTE), row[f"{clock}_kept"])
    return found


@pytest.mark.parametrize(("life", "wanted"), LIVES, ids=[life.__name__ for life, _ in LIVES])
def test_what_an_incident_comes_to_is_as_worked_out_by_hand(
    store: RecordsStore, life: Callable[[], Room], wanted: dict[str, Any]
) -> None:
    (row,) = measured(store, life()).values()
    found = plain(row)
    assert found == wanted
    assert row["counted"]
    assert (row["kind"], row["priority"], row["priority_rank"], row["domain"]) == ("incident", "P1", 0, "shop")


def test_time_in_states_of_an_ended_incident_adds_up_to_its_age(store: RecordsStore) -> None:
    (row,) = measured(store, handled()).values()
    spent = sum(value or 0 for name, value in row.items() if name.startswith("in_") and name.endswith("_ms"))
    assert spent == 20 * MINUTE
    assert (row["ended_at"] - row["detected_at"]).total_seconds() * 1_000 == spent


def test_a_merged_incident_counts_for_calls_and_alerts_and_for_nothing_else(store: RecordsStore) -> None:
    room, survivor, merged = two_incidents()
    room.ask("acknowledge", T0 + MINUTE, target={"incident_id": survivor})
    room.ask("merge", T0 + 2 * MINUTE, target={"incident_id": merged}, into=survivor)
    found = measured(store, room)
    assert (found[merged]["state"], found[merged]["counted"], found[merged]["alerts"]) == ("merged", False, 1)
    assert found[survivor]["counted"]
    assert (found[survivor]["alerts"], found[survivor]["episodes"]) == (1, 2), "each alert is counted once"


def test_a_source_whose_clock_is_wrong_measures_nothing(store: RecordsStore) -> None:
    for early_ms, wanted in ((40 * 24 * 60 * MINUTE, None), (-5 * MINUTE, 0), (90 * SECOND, 90_000)):
        room = Room()
        room.open(alert(f"a{early_ms}", event_at_ms=T0 - early_ms))
        (incident_id,) = room.incidents()
        assert measured(store, room)[incident_id]["detect_ms"] == wanted


@pytest.mark.parametrize("seed", range(6))
def test_measures_that_come_batch_by_batch_are_those_computed_from_scratch(store: RecordsStore, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # a repeatable sequence, not a secret
    events: list[IncidentEvent] = []
    for life, _ in LIVES:
        events += [each._replace(incident_id=f"{each.incident_id}-{life.__name__}") for each in told(life())]
    rng.shuffle(events)
    while events:
        size = rng.randint(1, 9)
        store.project(events[:size])
        store.project(events[: rng.randint(0, 2)])  # a batch that comes twice
        del events[:size]
        assert rows(store) == rows(store, "measured")
    assert len(rows(store)) == len(LIVES)


def test_damaged_snapshots_are_measured_as_far_as_they_go(store: RecordsStore) -> None:
    wrong: dict[str, Any] = {
        "kind": "incident", "state": "resolved", "detected_at_ms": 1e300, "priority_rank": -4, "reopened": "often",
        "clocks": [1], "time_in": {"logged": True, "resolved": -5, "detected": 1.5}, "hosting_model": 7, "muted": 1,
        "domains": "none", "identified": {}, "alerts_total": None, "resolved_at_ms": 1,
    }  # fmt: skip
    entries: list[dict[str, Any]] = [{"action": "page", "facts": {"person": 3}, "changed": {"assignee": "x"}}, {}]
    store.project([IncidentEvent("INC-1", 1, "updated", 0, entries, wrong)])
    (row,) = rows(store).values()
    assert (row["detected_at"], row["priority_rank"], row["reopened"], row["alerts"]) == (None, None, 0, 0)
    assert (row["calls"], row["people"], row["resolve_ms"], row["in_resolved_ms"]) == (1, 1, None, None)


def test_an_older_store_is_measured_by_its_migration(store: RecordsStore) -> None:
    store.project(told(handled()))
    with store._engine.begin() as connection:
        before = rows(store)
        connection.execute(text("DELETE FROM measures"))
        connection.execute(text("INSERT INTO measures SELECT * FROM measured ORDER BY detected_at"))
    assert rows(store) == before
