"""The waiting room: transients pass unseen, and what is real waits until something speaks for it at most."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.clustering import holding
from pipeline.core.step import Output
from pipeline.models.alert import Alert, Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange
from pipeline.models.maintenance import MaintenanceWindow
from tests.core.builders import (
    DB,
    HOUR,
    MINUTE,
    PAY,
    SECOND,
    SHOP,
    T0,
    WIKI,
    alert,
    change,
    config,
    moment,
    opened,
    report,
    values,
)
from tests.core.rooms import Room, actions

HOLD = 60 * SECOND


def warning(key: str = "a", **fields: Any) -> Alert:
    return alert(key, **({"severity": Severity.WARNING} | fields))


def begin(room: Room, about: Alert, at_ms: int = T0, hold_ms: int = HOLD, **fields: Any) -> list[Output]:
    """An episode that dedupe takes for a possible transient."""
    event = opened(about, at_ms, hold_until_ms=at_ms + hold_ms, facts={"set_seconds": hold_ms // SECOND}, **fields)
    return room.put("episodes", event, at_ms)


def last(room: Room) -> tuple[Disposition, Reason]:
    return room.decisions[-1].disposition, room.decisions[-1].reason


def waiting(room: Room) -> float:
    return float(room.processor.gauges()["held_episodes"][""])  # type: ignore[attr-defined]


def held_entries(incident: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["facts"] for each in incident["timeline"] if each["action"] == "held"]


HELD = (Disposition.HELD, Reason.TRANSIENT)


# -- passing by


def test_a_transient_passes_unseen() -> None:
    room = Room()
    assert begin(room, warning()) == []
    room.news("a", EpisodeChange.RESOLVED, T0 + HOLD - 1)
    room.tick(T0 + HOUR)
    assert room.incidents() == {}
    assert [(each.disposition, each.reason) for each in room.decisions] == [HELD, HELD]
    assert waiting(room) == 0


def test_a_source_that_falls_silent_while_it_waits_is_dropped() -> None:
    room = Room()
    begin(room, warning())
    expired = opened(warning(), T0 + 1, change=EpisodeChange.EXPIRED, counted=False)
    room.put("episodes", expired, T0 + 1)
    room.tick(T0 + HOUR)
    assert room.incidents() == {}


def test_news_of_what_was_dropped_is_counted_and_changes_nothing() -> None:
    room = Room()
    begin(room, warning())
    room.news("a", EpisodeChange.RESOLVED, T0 + 1)
    room.news("a", EpisodeChange.RESOLVED, T0 + 2)
    assert last(room) == (Disposition.CONTROL, Reason.INCIDENT_GONE)


# -- coming in


def test_what_outlasts_its_hold_opens_an_incident_by_time_alone_and_says_how_long_it_waited() -> None:
    room = Room()
    begin(room, warning())
    room.tick(T0 + HOLD - 1)
    assert room.incidents() == {}
    room.tick(T0 + HOLD)
    incident = room.one()
    assert (incident["detected_at_ms"], incident["episodes_open"]) == (T0 + HOLD, 1)
    (facts,) = held_entries(incident)
    assert (facts["waited_ms"], facts["let_in_by"], facts["held_for"]) == (HOLD, "time", {"set_seconds": 60})


def test_what_joins_an_open_incident_never_waits() -> None:
    room = Room()
    room.open(alert("outage"))
    begin(room, warning("a", entity=PAY, service=PAY), T0 + 1)
    assert last(room) == (Disposition.JOINED, Reason.DEPENDENCY)
    assert room.one()["episodes_total"] == 2


def test_two_symptoms_that_wait_confirm_each_other_and_open_one_incident_together() -> None:
    room = Room()
    begin(room, warning("a", entity=PAY, service=PAY))
    begin(room, warning("b", entity=DB, service=PAY), T0 + 5 * SECOND)
    incident = room.one()
    assert (incident["episodes_total"], incident["detected_at_ms"]) == (2, T0 + 5 * SECOND)
    assert held_entries(incident)[0]["let_in_by"] == "evidence"
    assert last(room)[0] == Disposition.JOINED


def test_what_is_unrelated_confirms_nothing() -> None:
    room = Room()
    begin(room, warning("a"))
    begin(room, warning("w", entity=WIKI, service=WIKI, domain="office"), T0 + 1)
    begin(room, warning("s", space="staging"), T0 + 2)
    assert room.incidents() == {}
    assert waiting(room) == 3


def test_an_outage_takes_in_the_warning_that_waits_and_is_not_delayed_itself() -> None:
    room = Room()
    begin(room, warning("a", entity=DB, service=PAY))
    room.open(alert("b", entity=PAY, service=PAY), T0 + SECOND)
    incident = room.one()
    assert (incident["episodes_total"], incident["detected_at_ms"]) == (2, T0 + SECOND)


def test_an_incident_that_comes_to_concern_what_waits_draws_it_in() -> None:
    """The first is close to no open incident and to nobody that waits; the second links it to the incident."""
    room = Room()
    begin(room, warning("w", entity=WIKI, service=WIKI, domain="office"))
    room.open(alert("outage"), T0 + 1)
    assert waiting(room) == 1
    ticket = report("t", "The shop and the wiki are both down", entity=SHOP, service=SHOP, mentions=(SHOP, WIKI))
    room.open(ticket, T0 + 2)
    assert waiting(room) == 0
    assert room.one()["episodes_total"] == 3


def test_a_ticket_that_names_it_lets_it_in() -> None:
    room = Room()
    begin(room, warning("a", entity=DB, service=PAY))
    room.open(report("t", "I cannot pay", entity=None, service=None, mentions=(PAY,)), T0 + 3 * SECOND)
    assert room.one()["episodes_total"] == 2


def test_what_gets_worse_comes_in_at_once() -> None:
    room = Room()
    begin(room, warning("a"))
    room.news("a", EpisodeChange.CHANGED, T0 + 5 * SECOND, severity=Severity.CRITICAL)
    incident = room.one()
    assert (incident["severity"], incident["priority"]) == ("critical", "P1")
    assert held_entries(incident)[0]["let_in_by"] == "severity"
    assert last(room) == (Disposition.JOINED, Reason.EPISODE_UPDATED)
    assert "page" in actions(incident)


def test_what_gets_better_goes_on_waiting_and_the_newest_alert_speaks_for_it() -> None:
    room = Room()
    begin(room, warning("a", summary="worse"))
    room.news("a", EpisodeChange.CHANGED, T0 + 5 * SECOND, severity=Severity.INFO, summary="better")
    assert (room.incidents(), last(room)) == ({}, HELD)
    room.tick(T0 + HOLD)
    incident = room.one()
    assert (incident["severity"], incident["title"]) == ("info", "Shop: better")


def test_an_acknowledgement_at_the_source_lets_it_in_acknowledged() -> None:
    room = Room()
    begin(room, warning("a"))
    room.news("a", EpisodeChange.ACKNOWLEDGED, T0 + 5 * SECOND)
    assert room.one()["state"] == "acknowledged"
    assert held_entries(room.one())[0]["let_in_by"] == "person"


def test_a_command_for_an_episode_that_waits_lets_it_in() -> None:
    room = Room()
    begin(room, warning("a"))
    room.ask("acknowledge", T0 + 5 * SECOND, target={"episode_id": "EP-a"})
    assert room.one()["state"] == "acknowledged"


def test_a_hold_that_was_over_before_it_came_here_is_none() -> None:
    room = Room()
    room.tick(T0 + HOLD)
    begin(room, warning("a"))
    assert last(room) == (Disposition.OPENED, Reason.FIRST_SYMPTOM)


def test_a_condition_that_an_open_incident_has_known_does_not_wait_when_it_comes_back() -> None:
    room = Room()
    room.open(warning("a"))
    room.open(alert("b"), T0 + 1)
    room.news("a", EpisodeChange.RESOLVED, T0 + 2)
    begin(room, warning("a"), T0 + HOUR, episode_id="EP-again")
    assert last(room) == (Disposition.JOINED, Reason.SAME_CONDITION)


def test_a_full_room_lets_newcomers_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "HELD_MAX", 1)
    room = Room()
    begin(room, warning("a"))
    begin(room, warning("w", entity=WIKI, service=WIKI, domain="office"), T0 + 1)
    assert last(room) == (Disposition.OPENED, Reason.FIRST_SYMPTOM)
    assert waiting(room) == 1


# -- what else may happen meanwhile


def test_a_maintenance_window_that_has_begun_meanwhile_takes_over_and_its_end_lets_in_what_fires_still() -> None:
    window = MaintenanceWindow(name="m", start=moment(T0 + 30 * SECOND), end=moment(T0 + HOUR), targets=("pay-db",))
    room = Room(config(maintenance=(window,)))
    begin(room, warning("a", entity=DB, service=PAY))
    room.tick(T0 + HOLD)
    room.news("a", EpisodeChange.CHANGED, T0 + 2 * MINUTE, entity=DB, service=PAY)
    assert last(room) == (Disposition.SUPPRESSED, Reason.MAINTENANCE)
    room.open(alert("b", entity=PAY, service=PAY), T0 + 3 * MINUTE)
    assert room.one()["episodes_total"] == 1, "an outage beside it does not end what is expected"
    room.tick(T0 + HOUR - 1)
    assert waiting(room) == 1
    room.tick(T0 + HOUR)
    assert waiting(room) == 0
    assert sum(each["episodes_total"] for each in room.incidents().values()) == 2


def test_a_running_change_that_has_come_to_expect_it_suppresses_it_instead_of_letting_it_in() -> None:
    room = Room()
    begin(room, warning("a", entity=DB, service=PAY))
    expecting = change(kind="maintenance", ended_ms=T0 + HOUR, suppress=True)
    room.put("changes", expecting.model_dump(mode="json"), T0 + SECOND)
    room.tick(T0 + HOLD)
    assert (room.incidents(), waiting(room)) == ({}, 0)
    room.tick(T0 + HOUR)
    assert room.one()["episodes_total"] == 1


# -- restarts


def scene(room: Room, restarts: bool) -> list[bytes]:
    """Symptoms that wait, change, confirm each other, pass and outlast; answers what was written."""

    def then() -> None:
        room.changes()
        if restarts:
            room.restart()

    begin(room, warning("w", entity=WIKI, service=WIKI, domain="office"))
    then()
    begin(room, warning("x", entity=WIKI, service=WIKI, domain="office", space="staging"), T0 + 1)
    begin(room, warning("a", entity=DB, service=PAY), T0 + 2)
    then()
    room.news("a", EpisodeChange.CHANGED, T0 + 3, severity=Severity.INFO, entity=DB, service=PAY)
    then()
    begin(room, warning("b", entity=PAY, service=PAY), T0 + 4, counted=True)
    then()
    room.news("x", EpisodeChange.RESOLVED, T0 + 5, space="staging")
    then()
    room.tick(T0 + HOLD)
    then()
    room.tick(T0 + HOUR)
    room.changes()
    return [each.value or b"" for each in room.effects.outputs if each.topic == "incidents"]


def test_a_restart_at_any_moment_changes_nothing_and_leaves_no_state_behind() -> None:
    through, restarted = Room(), Room()
    assert scene(through, restarts=False) == scene(restarted, restarts=True)
    assert through.decisions == restarted.decisions
    assert through.state == restarted.state
    assert not [key for key in restarted.state if key.startswith(b"h/")]


def test_state_of_another_release_is_refused() -> None:
    with pytest.raises(ValueError, match="held episode of schema 9"):
        Room().processor.restore(b"h/EP-1", b'{"schema":9}')


def test_an_event_of_the_release_before_is_read_as_one_that_never_waits() -> None:
    room = Room()
    document = orjson.loads(orjson.dumps(opened(warning("a")))) | {"schema": 2}
    del document["hold_until_ms"], document["facts"]
    room.put("episodes", document, T0)
    assert last(room) == (Disposition.OPENED, Reason.FIRST_SYMPTOM)
    assert values(room.effects.outputs, "dead.letter") == []


def test_a_command_for_no_incident_lets_nobody_in_whatever_episode_it_names_too() -> None:
    room = Room()
    begin(room, warning())
    room.ask("note", T0 + 1, target={"incident_id": "INC-NONE", "episode_id": "EP-a"}, note="seen")
    assert (waiting(room), room.incidents()) == (1, {})
    room.restart()
    room.tick(T0 + HOLD)
    assert room.one()["episodes_total"] == 1


def test_who_a_repeated_command_lets_in_is_on_the_record_of_the_incident_that_it_joins() -> None:
    window = MaintenanceWindow(name="m", targets=(SHOP,), start=moment(T0 + 50 * SECOND), end=moment(T0 + HOUR))
    room = Room(config(maintenance=(window,)))
    begin(room, alert("b"))
    room.tick(T0 + HOLD + SECOND)
    room.open(alert("a"), T0 + 70 * SECOND)
    (incident_id,) = room.incidents()
    for number, target in enumerate(({"incident_id": incident_id}, {"episode_id": "EP-b"})):
        room.ask("note", T0 + (71 + number) * SECOND, "C-1", target=target, note="seen")
    assert room.one()["episodes_total"] == 2


def test_what_hid_it_meanwhile_is_told_alike_after_a_restart() -> None:
    told = []
    for restarts in (False, True):
        room = Room()
        begin(room, warning())
        if restarts:
            room.restart()
        facts = {"hidden_by": "flapping", "since_ms": T0, "alerts": 2, "runs": 2}
        steady = opened(warning(), T0 + SECOND, change=EpisodeChange.STEADY, counted=False, facts=facts)
        room.put("episodes", steady, T0 + SECOND)
        told.append(values(room.effects.outputs, "suppressions"))
    assert told[0] == told[1]
