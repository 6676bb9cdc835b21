"""Major Incidents as an incident sees them: declared by a person, impact put right, linked and let go."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.practice.impacts import total
from pipeline.core.practice.majors import corrected_impacts
from pipeline.models.incident import Incident
from pipeline.models.incident_parts import Correction
from tests.core.builders import MINUTE, PAY, SHOP, T0, alert, report, values
from tests.core.rooms import Room, actions

COMMANDER = {"role": "commander"}


def summaries(room: Room) -> list[dict[str, Any]]:
    return values(room.effects.outputs, "incidents.summaries")


def opened() -> Room:
    room = Room()
    room.open(alert("a"))
    return room


def test_a_declaration_is_on_the_record_and_told_the_bridge() -> None:
    room = opened()
    room.ask("declare_major", T0 + 1, reason="the board is affected", **COMMANDER)
    assert room.one()["declared"]["because"] == "the board is affected"
    assert summaries(room)[-1]["declared"]["by"] == "ann"
    assert room.one()["timeline"][-1]["text"] == "ann declared a Major Incident: the board is affected"


@pytest.mark.parametrize(
    ("fields", "because"),
    [({}, "lacks reason"), ({"reason": "so", "role": "responder"}, "not a responder")],
)
def test_a_declaration_needs_a_reason_and_a_commander(fields: dict[str, Any], because: str) -> None:
    room = opened()
    room.ask("declare_major", T0 + 1, **(COMMANDER | fields))
    assert room.one()["declared"] is None
    assert because in room.one()["timeline"][-1]["text"]


def test_corrected_impact_holds_whatever_is_estimated_later() -> None:
    room = opened()
    assert room.one()["users_affected"] == 8_000
    room.ask("correct_impact", T0 + 1, users=300, reason="only the test shop")
    room.open(alert("b", entity=PAY, service=PAY), T0 + 2)
    incident = room.one()
    assert (incident["users_affected"], incident["corrected"]["estimated_users"]) == (300, 8_000)
    assert incident["corrected"]["because"] == "only the test shop"
    assert total(tuple(each) for each in summaries(room)[-1]["impacts"].values())[0] == 300
    assert "about 300 users" in incident["who_is_affected"]


def test_impact_that_is_corrected_upwards_raises_the_priority() -> None:
    room = Room()
    room.open(alert("w", entity=None, service=None, domain="shop", severity="warning"))
    before = room.one()["priority"]
    room.ask("correct_impact", T0 + 1, users=50_000, reason="asked them", target={"incident_id": room.one()["id"]})
    assert (before, room.one()["priority"], room.one()["users_affected"]) == ("P4", "P3", 50_000)


def test_a_correction_without_figures_or_reason_changes_nothing() -> None:
    room = opened()
    room.ask("correct_impact", T0 + 1, reason="hm")
    room.ask("correct_impact", T0 + 2, users=5)
    assert (room.one()["corrected"], actions(room.one())[-2:]) == (None, ["refused_correct_impact"] * 2)


@pytest.mark.parametrize("users", [0, 1, 99, 100, 101, 5_000])
@pytest.mark.parametrize("revenue", [None, 0.0, 7.5, 900.0])
def test_corrected_impacts_come_to_what_was_said(users: int, revenue: float | None) -> None:
    impacts = {"a": ("x", 60, 10.0, "x"), "b": ("x", 30, 20.0, "x"), "c": ("y", 40, 2.5, "y")}
    incident = Incident(id="INC-1", space="s")
    incident.corrected = Correction(by="ann", because="so", at_ms=0, users=users, revenue_per_minute=revenue)
    found = total(corrected_impacts(impacts, incident).values())
    assert found == (users, 22.5 if revenue is None else revenue)


def test_what_is_meant_for_the_bridge_travels_to_it_from_a_member() -> None:
    room = opened()
    room.ask("demote_major", T0 + 1, reason="so", **COMMANDER)
    assert room.one()["timeline"][-1]["text"].endswith("the incident is in no Major Incident")
    room.ask("link_bridge", T0 + 2, bridge_id="MI-1", role="system")
    room.ask("demote_major", T0 + 3, reason="so", **COMMANDER)
    (onward,) = (each for each in room.effects.outputs if each.topic == "bridge.commands")
    assert (onward.key, orjson.loads(onward.value or b"")["target"]["incident_id"]) == (b"MI-1", "MI-1")


def test_an_unlink_of_another_bridge_changes_nothing() -> None:
    room = opened()
    room.ask("link_bridge", T0 + 1, bridge_id="MI-2", role="system")
    room.ask("unlink_bridge", T0 + 2, bridge_id="MI-1", role="system")
    assert room.one()["bridge_id"] == "MI-2"
    room.ask("unlink_bridge", T0 + 3, bridge_id="MI-2", role="system", note="it was none")
    assert room.one()["bridge_id"] is None


def test_who_was_silent_for_a_bridge_speaks_again_when_it_is_let_go() -> None:
    room = opened()
    room.ask("link_bridge", T0 + 1, bridge_id="MI-1", role="system")
    room.ask("unlink_bridge", T0 + MINUTE, bridge_id="MI-1", role="system")
    assert [each["state"] for each in room.one()["communications"]] == ["investigating", "moved", "investigating"]


def test_the_machine_does_not_change_a_priority_that_a_person_has_set() -> None:
    room = opened()
    room.ask("set_priority", T0 + 1, priority="P3")
    room.ask("set_priority", T0 + 2, priority="P1", actor="spillway", role="system")
    assert room.one()["priority"] == "P3"
    assert room.one()["timeline"][-1]["text"].endswith("ann has set it")


def test_the_bridge_hears_of_tickets_and_cases_with_their_states() -> None:
    room = opened()
    room.open(report("t", "the shop is down"), T0 + 1)
    room.ask("link", T0 + 2, link={"kind": "provider_case", "id": "AWS-1", "state": "open"})
    told = [(each["kind"], each["id"], each["state"]) for each in summaries(room)[-1]["links"]]
    assert told == [("provider_case", "AWS-1", "open"), ("ticket", "T-t", "open")]
    assert (summaries(room)[-1]["reporters"], summaries(room)[-1]["fires"]) == (1, True)
    room.news("a", "resolved", T0 + 3)
    assert summaries(room)[-1]["fires"] is False


def test_a_restart_keeps_declaration_and_correction() -> None:
    room = opened()
    room.ask("correct_impact", T0 + 1, users=300, reason="only the test shop")
    room.ask("declare_major", T0 + 2, reason="the board", **COMMANDER)
    room.restart()
    room.open(alert("b"), T0 + 3)
    assert (room.one()["users_affected"], room.one()["declared"]["by"]) == (300, "ann")
    assert SHOP in room.one()["services"]
