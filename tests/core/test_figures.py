"""Figures for metrics: incidents whose clocks are at risk or missed, urgent news that waits, how much is kept."""

from __future__ import annotations

from tests.core.builders import HOUR, SECOND, T0, alert
from tests.core.outboxes import Desk
from tests.core.rooms import Room


def figure(room: Room, name: str) -> dict[str, float]:
    found: dict[str, float] = room.processor.gauges()[name]  # type: ignore[attr-defined]
    return found


def clock(room: Room) -> dict[str, int]:
    found: dict[str, int] = room.one()["clocks"]["response"]
    return found


def test_an_incident_counts_as_at_risk_from_its_warning_on_and_then_as_missed() -> None:
    room = Room()
    room.open(alert("a"), T0)
    priority = room.one()["priority"]
    assert (figure(room, "incidents_sla_at_risk"), figure(room, "incidents_sla_breached")) == ({}, {})
    warns_ms, due_ms = clock(room)["warn_at_ms"], clock(room)["due_at_ms"]
    room.tick(warns_ms)
    assert figure(room, "incidents_sla_at_risk") == {priority: 1}
    room.restart()
    assert figure(room, "incidents_sla_at_risk") == {priority: 1}
    room.tick(due_ms)
    assert figure(room, "incidents_sla_breached") == {priority: 1}
    assert figure(room, "open_incidents") == {priority: 1}


def test_a_missed_clock_counts_until_it_is_met_and_an_alert_that_recovers_meets_none() -> None:
    room = Room()
    room.open(alert("a"), T0)
    priority, due_ms = room.one()["priority"], clock(room)["due_at_ms"]
    room.tick(due_ms)
    room.news("a", "resolved", due_ms + SECOND)
    assert figure(room, "incidents_sla_breached") == {priority: 1}, "nobody has answered"
    room.tick(due_ms + HOUR)
    assert room.one()["state"] == "resolved"
    assert figure(room, "incidents_sla_breached") == {}


def test_an_incident_whose_alert_is_answered_in_time_is_at_risk_no_more() -> None:
    room = Room()
    room.open(alert("a"), T0)
    room.tick(clock(room)["warn_at_ms"])
    priority = room.one()["priority"]
    assert figure(room, "incidents_sla_at_risk") == {priority: 1}
    room.ask("acknowledge", clock(room)["due_at_ms"] - 1, target={"incident_id": room.one()["id"]})
    assert clock(room)["met_at_ms"] is not None
    assert figure(room, "incidents_sla_at_risk") == {}


def test_what_is_kept_is_counted_by_kind() -> None:
    room = Room()
    room.open(alert("a"), T0)
    assert figure(room, "state_entries") == {"incidents": 1, "members": 1}


def test_what_is_urgent_is_told_apart_of_what_waits() -> None:
    desk = Desk()
    desk.event(1, "opened")
    assert desk.processor.waiting_since_ms() != {}
    assert desk.processor.waiting_since_ms(urgent=True) == {}
    desk.event(2, "updated", priority_rank=0)
    assert desk.processor.waiting_since_ms(urgent=True) == desk.processor.waiting_since_ms()
