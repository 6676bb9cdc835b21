"""Incidents that are open already: what a silence, a change or a window that comes later mutes, and until when."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.clustering import correlate_muted
from pipeline.models.maintenance import MaintenanceWindow
from tests.core.builders import DB, HOST, HOUR, MINUTE, T0, WIKI, alert, change, config, moment
from tests.core.rooms import Room, actions
from tests.core.test_silences import MATCHES, db, silence, the_silence


def test_a_silence_of_an_incident_stops_calling_and_its_end_goes_on_where_it_had_stopped() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + 2 * MINUTE, T0 + HOUR, target={"incident_id": room.one()["id"]})
    room.tick(T0 + HOUR - 1)
    incident = room.one()
    assert (len(incident["escalation"]["paged"]), incident["muted"]["since_ms"]) == (1, T0 + 2 * MINUTE)
    assert "mute" in actions(incident)
    room.tick(T0 + HOUR + 3 * MINUTE - 1)
    assert len(room.one()["escalation"]["paged"]) == 1
    room.tick(T0 + HOUR + 3 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) > 1, "five minutes that nobody answered, the silence left out"
    assert room.one()["muted"] is None


def test_a_person_who_escalates_what_is_muted_is_not_muted_again_by_the_same_silence() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + MINUTE, T0 + 5 * HOUR, target={"incident_id": room.one()["id"]})
    room.ask("escalate", T0 + 2 * MINUTE)
    called = len(room.one()["escalation"]["paged"])
    room.restart()
    room.tick(T0 + HOUR)
    assert room.one()["muted"] is None
    assert len(room.one()["escalation"]["paged"]) > called, "the next level is called in its time"


@pytest.mark.parametrize("case", MATCHES)
def test_a_silence_mutes_what_is_open_by_the_same_as_what_comes(case: str) -> None:
    asked, fields, muted = MATCHES[case]
    for restarted in (False, True):
        room = Room()
        room.open(db(**fields), T0)
        if restarted:
            room.restart()
        silence(room, T0 + MINUTE, **asked)
        assert (room.one()["muted"] is not None) is muted
        room.tick(T0 + 30 * MINUTE)
        assert (len(room.one()["escalation"]["paged"]) <= 1) is muted


def test_an_incident_that_the_beginning_of_a_silence_leaves_out_is_muted_before_anybody_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(correlate_muted, "WEIGHED_AT_ONCE", 0)
    room = Room()
    room.open(db(labels={"team": "x"}), T0)
    silence(room, T0 + MINUTE, match={"labels.team": "x"})
    assert room.one()["muted"] is None
    room.tick(T0 + 30 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) == 1


def test_labels_of_a_member_are_kept_within_a_bound_and_go_when_it_is_over() -> None:
    room = Room()
    room.open(db(labels={"team": "x", "long": "y" * 1_024, "zone": "z"}), T0)
    silence(room, T0 + 1, match={"labels.zone": "z"})
    assert room.one()["muted"] is None
    silence(room, T0 + 2, name="s2", match={"labels.team": "x"})
    assert room.one()["muted"]["by"] == [f"silence {the_silence(room)['episode_id']} of payments"]
    room.news("a", "resolved", T0 + 3)
    room.changes()
    assert b'"team"' not in room.state[b"m/EP-a"]


def test_a_downtime_of_one_check_mutes_that_check_alone_where_it_is_open() -> None:
    room = Room()
    for key in ("disk", "load"):
        room.open(alert(key, entity=HOST, service=None, labels={"service": key}, space=key), T0)
    room.put("changes", work(T0, T0 + HOUR, targets=("node-1",), labels={"service": "disk"}), T0 + MINUTE)
    room.tick(T0 + 2 * MINUTE)
    assert [bool(each["muted"]) for each in room.incidents().values()] == [True, False]


def window(start_ms: int, end_ms: int, **fields: Any) -> MaintenanceWindow:
    given: dict[str, Any] = {"name": "night", "start": moment(start_ms), "end": moment(end_ms), "targets": ("node-1",)}
    return MaintenanceWindow(**(given | fields))


@pytest.mark.parametrize(("start_ms", "muted"), [(T0 - MINUTE, True), (T0 + 30_000, False)])
def test_a_window_that_comes_with_a_reload_mutes_what_began_in_it_until_its_end(start_ms: int, muted: bool) -> None:
    room = Room()
    room.open(db(), T0)
    room.setup = config(version="2", maintenance=(window(start_ms, T0 + HOUR),))
    room.restart()
    room.tick(T0 + MINUTE)
    assert (room.one()["muted"] is not None) is muted
    room.tick(T0 + HOUR - 1)
    assert (len(room.one()["escalation"]["paged"]) == 1) is muted
    room.tick(T0 + HOUR)
    assert room.one()["muted"] is None
    room.tick(T0 + 2 * HOUR)
    assert len(room.one()["escalation"]["paged"]) == 3


def test_a_window_that_goes_with_a_reload_mutes_nothing_any_more() -> None:
    room = Room()
    room.open(db(), T0)
    room.setup = config(version="2", maintenance=(window(T0, T0 + HOUR),))
    room.restart()
    room.tick(T0 + MINUTE)
    assert room.one()["muted"]["by"] == ["maintenance night"]
    room.setup = config(version="3")
    room.restart()
    room.tick(T0 + 2 * MINUTE)
    assert room.one()["muted"] is None


def test_what_is_suppressed_and_who_is_muted_is_counted() -> None:
    room = Room()
    room.open(alert("a", entity=WIKI, service=WIKI), T0)
    silence(room, T0 + 1, targets=["wiki", "pay-db"])
    room.open(db(), T0 + 2)
    gauges = room.processor.gauges()  # type: ignore[attr-defined]
    assert (gauges["suppressed_episodes"], gauges["muted_incidents"]) == ({"silenced": 1.0}, {"": 1.0})


def test_anything_else_that_fires_in_a_muted_incident_calls_again() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + MINUTE, conditions=["a"], target={"incident_id": room.one()["id"]})
    room.tick(T0 + 10 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) == 1
    room.open(alert("b"), T0 + 10 * MINUTE)
    assert room.one()["muted"] is None
    room.tick(T0 + 30 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) > 1


def test_a_muted_incident_is_resolved_by_its_recovery() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + MINUTE, targets=["shop"])
    assert room.one()["muted"] is not None
    room.news("a", "resolved", T0 + 2 * MINUTE)
    room.tick(T0 + 10 * MINUTE)
    assert room.one()["state"] == "resolved"


def work(started_ms: int, ended_ms: int | None, **fields: Any) -> dict[str, Any]:
    return change("CHG-1", started_ms, ended_ms, suppress=True, **fields).model_dump(mode="json")


@pytest.mark.parametrize(("started_ms", "paged"), [(T0 - MINUTE, 1), (T0 + MINUTE, 3)])
def test_work_explains_what_began_in_it_however_late_it_is_told_and_nothing_before(started_ms: int, paged: int) -> None:
    room = Room()
    room.open(db("a", entity=DB), T0)
    room.put("changes", work(started_ms, T0 + HOUR), T0 + 2 * MINUTE)
    room.tick(T0 + 30 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) == paged
    room.tick(T0 + 2 * HOUR)
    assert len(room.one()["escalation"]["paged"]) == 3


def test_a_restart_keeps_silences_who_is_silenced_and_who_is_muted() -> None:
    room, again = Room(), Room()
    for each in (room, again):
        each.open(alert("m", entity=WIKI, service=WIKI), T0)
        silence(each, T0, name="s0", targets=["wiki"])
        silence(each, T0 + 1, T0 + HOUR)
        each.open(db(), T0 + 2)
    again.restart()
    outputs = [each.tick(T0 + 2 * HOUR) for each in (room, again)]
    assert outputs[0] == outputs[1] != []
