"""Promises of the whole practice that the machine of tests/practice once found broken, each in its smallest form."""

from __future__ import annotations

import pytest

from pipeline.models.communications import AudienceRule, CommunicationRules
from tests.core.builders import HOUR, MINUTE, SHOP, T0, alert, config, policy
from tests.core.halls import Hall
from tests.core.rooms import Room, actions


def test_an_update_clock_that_was_missed_and_pauses_for_a_bridge_has_no_deadline() -> None:
    rules = CommunicationRules(status_page=(), audiences={"executives": AudienceRule(every_minutes=60)})
    room = Room(config(domains={"shop": policy(communication=rules)}))
    room.open(alert())
    room.tick(T0 + 40 * MINUTE)
    assert room.one()["clocks"]["update"]["breached_at_ms"] is not None
    room.ask("link_bridge", T0 + 41 * MINUTE, bridge_id="MI-1", role="system")
    clock = room.one()["clocks"]["update"]
    assert (clock["running_since_ms"], clock["due_at_ms"], clock["breached_at_ms"]) == (None, None, None)
    due_ms = room.processor.next_deadline_ms()
    assert due_ms is not None
    assert due_ms > T0 + 41 * MINUTE


def test_nothing_is_kept_of_a_demotion_when_its_incident_is_over_whatever_bridge_it_is_in_by_then() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("demote_major", T0 + 1, reason="a test system")
    hall.tell("INC-1", SHOP, T0 + 2, revision=2, users=60_000)
    second = hall.newest()["id"]
    hall.ask("demote_major", T0 + 3, bridge=second, reason="again")
    hall.tell("INC-1", SHOP, T0 + 4, revision=3, users=600_000)
    third = hall.newest()["id"]
    hall.tell("INC-1", SHOP, T0 + 5, revision=4, users=600_000, state="resolved")
    hall.tell("INC-1", SHOP, T0 + 6, revision=5, users=600_000, state="closed")
    hall.ask("close", T0 + 7, bridge=third, resolution={"code": "fixed", "summary": "done"})
    hall.changes()
    assert [key for key in hall.state if key.startswith((b"f/", b"s/", b"b/"))] == []


def test_two_major_incidents_of_one_incident_are_two_though_they_begin_in_the_same_millisecond() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("demote_major", T0, reason="a test system")
    said = {"by": "ann", "because": "it is none", "at_ms": T0, "command_id": "D-1"}
    hall.tell("INC-1", SHOP, T0, revision=2, declared=said)
    assert [each["state"] for each in hall.bridges().values()] == ["cancelled", "logged"]


@pytest.mark.parametrize("kind", ["link_bridge", "unlink_bridge"])
def test_nobody_but_the_bridge_says_which_bridge_incident_one_is_in(kind: str) -> None:
    room = Room()
    room.open(alert())
    room.ask("link_bridge", T0 + 1, bridge_id="MI-1", role="system")
    room.ask(kind, T0 + 2, bridge_id="MI-1" if kind == "unlink_bridge" else "MI-2", role="administrator")
    assert room.one()["bridge_id"] == "MI-1"
    assert actions(room.one())[-1] == f"refused_{kind}"


def test_a_major_incident_that_was_none_waits_for_nobody() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("wait", T0 + 1, waiting_for="vendor")
    assert hall.one()["waiting"]
    hall.ask("demote_major", T0 + 2, reason="a test system")
    assert (hall.one()["state"], hall.one()["waiting"]) == ("cancelled", [])


def test_a_restored_member_that_outlives_its_major_incident_speaks_for_itself_if_it_comes_back() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, T0 + 1, revision=2, state="resolved")
    hall.tick(T0 + 48 * HOUR)
    assert (hall.one()["state"], hall.sent()[-1]) == ("closed", ("unlink_bridge", "INC-1"))
    hall.tell("INC-1", SHOP, T0 + 48 * HOUR + 1, revision=3, state="reopened")
    assert (hall.newest()["state"], hall.sent()[-1]) == ("logged", ("link_bridge", "INC-1"))
