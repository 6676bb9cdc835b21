"""Commands: applied once, answered on the timeline, refused with words; found by id, ticket, episode or service."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.practice.commands import COMMANDS_REMEMBERED_MAX
from pipeline.models.episode import EpisodeChange
from tests.core.builders import HOUR, MINUTE, PAY, T0, alert, report, values
from tests.core.rooms import Room, actions

LINK = {"kind": "vendor_ticket", "id": "V-1"}


def room() -> Room:
    made = Room()
    made.open(alert("a"))
    return made


@pytest.mark.parametrize(
    ("kind", "fields", "action", "change"),
    [
        ("acknowledge", {"note": "on it"}, "acknowledge", "acknowledged"),
        ("start", {}, "start", "updated"),
        ("assign", {"assignee": "bob"}, "assign", "assigned"),
        ("set_priority", {"priority": "P3"}, "priority", "updated"),
        ("note", {"note": "hm"}, "note", "noted"),
        ("link", {"link": LINK}, "link", "updated"),
        ("resolve", {"resolution": {"code": "x", "summary": "y"}}, "problem_review", "resolved"),
        ("link_bridge", {"bridge_id": "MI-1", "role": "system"}, "communication", "bridged"),
        ("unlink_bridge", {"role": "system"}, "bridge", "bridged"),
        ("reopen", {}, "refused_reopen", "updated"),
        ("close", {}, "refused_close", "updated"),
        ("assign", {}, "refused_assign", "updated"),
        ("set_priority", {}, "refused_set_priority", "updated"),
        ("set_priority", {"priority": "P9"}, "refused_set_priority", "updated"),
        ("note", {}, "refused_note", "updated"),
        ("link", {}, "refused_link", "updated"),
        ("link_bridge", {"role": "system"}, "refused_link_bridge", "updated"),
    ],
)
def test_each_command_is_answered_on_the_timeline(kind: str, fields: dict[str, Any], action: str, change: str) -> None:
    (event,) = values(room().ask(kind, T0 + 1, **fields), "incidents")
    assert (event["entries"][-1]["action"], event["change"]) == (action, change)


def test_an_event_names_the_command_that_it_obeys_or_refuses_and_none_where_it_follows_from_none() -> None:
    desk = Room()
    (opening,) = values(desk.open(alert("a")), "incidents")
    (obeyed,) = values(desk.ask("note", T0 + 1, "c-1", note="hm"), "incidents")
    (refused,) = values(desk.ask("note", T0 + 2, "c-2"), "incidents")
    assert [each["command_id"] for each in (opening, obeyed, refused)] == [None, "c-1", "c-2"]


def test_a_repeated_command_changes_nothing() -> None:
    desk = room()
    desk.ask("note", T0 + 1, "c-1", note="once")
    before = desk.one()
    assert desk.ask("note", T0 + 2, "c-1", note="once") == []
    assert desk.one() == before


def test_command_ids_are_remembered_within_bounds() -> None:
    desk = room()
    for number in range(COMMANDS_REMEMBERED_MAX + 10):
        desk.ask("note", T0 + number, f"c-{number}", note="x")
    assert len(desk.one()["commands"]) == COMMANDS_REMEMBERED_MAX


@pytest.mark.parametrize("target", [{"ticket": "T-r"}, {"episode_id": "EP-r"}, {"service": "SHOP"}])
def test_an_incident_is_found_by_what_people_know_of_it(target: dict[str, str]) -> None:
    desk = room()
    desk.open(report("r", "the shop is slow"), T0 + 1)
    desk.ask("acknowledge", T0 + 2, target=target)
    assert desk.one()["state"] == "acknowledged"


def test_a_service_means_its_open_incident_though_a_resolved_one_has_newer_news() -> None:
    desk = room()
    desk.ask("resolve", T0 + 1, resolution={"code": "x", "summary": "y"})
    first = desk.one()["id"]
    desk.news("a", EpisodeChange.RESOLVED, T0 + 2)
    desk.open(alert("b"), T0 + HOUR)
    desk.ask("note", T0 + HOUR + 1, target={"incident_id": first}, note="looking back")
    desk.ask("acknowledge", T0 + HOUR + 2)
    assert [each["state"] for each in desk.incidents().values()] == ["resolved", "acknowledged"]


@pytest.mark.parametrize("target", [{"incident_id": "INC-X"}, {"ticket": "T-X"}, {"service": "x"}, {"episode_id": "X"}])
def test_a_command_for_nothing_is_a_dead_letter(target: dict[str, str]) -> None:
    (letter,) = room().ask("note", T0 + 1, target=target, note="x")
    assert (letter.topic, dict(letter.headers)["spillway-reason"]) == ("dead.letter", b"unknown_target")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("reopen", "only what is resolved is reopened. What is closed, cancelled or merged stays so: what fires again"),
        ("close", "`spillway incident list` has those to ask for"),
        ("cancel", "`spillway incident list` has those to ask for"),
    ],
)
def test_what_is_asked_of_an_incident_that_has_ended_is_a_dead_letter_that_says_what_to_do(
    kind: str, words: str
) -> None:
    desk = room()
    target = {"incident_id": desk.one()["id"]}
    desk.ask("cancel", T0 + 1, target=target, reason="false alarm", role="commander")
    assert desk.one()["state"] == "cancelled"
    (letter,) = desk.ask(kind, T0 + 2, target=target, reason="x", resolution={"code": "x", "summary": "y"})
    detail = dict(letter.headers)["spillway-detail"].decode()
    assert detail.startswith(f"{kind}: no open incident matches the target; ")
    assert words in detail


@pytest.mark.parametrize(
    "fields",
    [{"target": {}}, {"type": "explode"}, {"command_id": ""}, {"actor": ""}, {"note": "x" * 4_001}, {"note": 7}],
)
def test_a_malformed_command_is_a_dead_letter_that_names_the_field_and_no_value(fields: dict[str, Any]) -> None:
    value = {
        "command_id": "c",
        "type": "note",
        "actor": "ann",
        "target": {"service": "shop"},
        "note": "secret",
    } | fields
    (letter,) = room().put("commands", value, T0 + 1)
    headers = dict(letter.headers)
    assert headers["spillway-reason"] == b"wrong_type"
    assert next(iter(fields)).encode() in headers["spillway-detail"]
    assert b"secret" not in headers["spillway-detail"]


def test_a_command_aimed_at_the_bridge_travels_on_to_it_whole() -> None:
    desk = room()
    desk.ask("link_bridge", T0 + 1, bridge_id="MI-1", role="system")
    done = {"code": "x", "summary": "y"}
    outputs = desk.ask("resolve", T0 + 2, "c-9", target={"service": "shop", "bridge": True}, resolution=done)
    (onward,) = outputs
    (value,) = values(outputs, "bridge.commands")
    assert (onward.key, value["command_id"], value["resolution"]["code"]) == (b"MI-1", "c-9", "x")
    assert (value["target"]["incident_id"], value["target"]["bridge"]) == ("MI-1", False)


def test_a_priority_that_a_person_sets_stays_and_calls_whom_it_needs() -> None:
    desk = Room()
    desk.open(alert("a", severity="warning"))
    assert (desk.one()["priority"], desk.one()["escalation"]["paged"]) == ("P3", [])
    desk.ask("set_priority", T0 + MINUTE, priority="P2")
    assert [each["person"] for each in desk.one()["escalation"]["paged"]] == ["bob"]
    desk.open(alert("b", entity=PAY, service=PAY), T0 + 2 * MINUTE)
    assert (desk.one()["priority"], desk.one()["priority_by"]) == ("P2", "ann")


def test_a_resolution_that_comes_with_the_closure_completes_the_record() -> None:
    desk = room()
    desk.news("a", "resolved", T0 + 1)
    desk.tick(T0 + HOUR)
    said = {"code": "x", "summary": "y", "corrective_action": "alarm added"}
    desk.ask("close", T0 + 2 * HOUR, resolution=said)
    assert desk.one()["resolution"]["corrective_action"] == "alarm added"
    assert actions(desk.one())[-2:] == ["corrective_action", "close"]


@pytest.mark.parametrize("field", [b'"users":100000000000000000000', b'"revenue_per_minute":1e999'])
def test_a_number_that_no_record_can_hold_is_refused_at_the_door(field: bytes) -> None:
    room = Room()
    room.open(alert("a"))
    given = b'{"command_id":"c","type":"correct_impact","actor":"ann","role":"commander","reason":"r",'
    outputs = room.put("commands", given + b'"target":{"service":"shop"},' + field + b"}", T0 + 1)
    assert [each.topic for each in outputs] == ["dead.letter"]
    room.restart()
    assert (room.one()["users_affected"], room.one()["revenue_per_minute"]) == (8_000, 900.0)


def test_a_clock_that_stands_before_all_time_is_a_dead_letter_and_a_very_late_one_is_late_like_any_other() -> None:
    room = Room()
    room.open(alert("a"))
    room.ask("acknowledge", T0 + 1)
    (letter,) = room.ask("unacknowledge", T0 + 2, at="0001-01-01T00:00:00+14:00")
    assert (letter.topic, actions(room.one())[-1]) == ("dead.letter", "acknowledge")
    room.ask("unacknowledge", T0 + 3, at="0001-01-01T00:00:00Z")
    assert actions(room.one())[-1] == "refused_unacknowledge"
