"""Sync: what comes back from a downstream, by whose field it is and by who came first."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.outward.healing import WRITTEN_BACK_MAX
from pipeline.models.sinks.base import Owners
from tests.core.builders import HOUR, MINUTE, T0
from tests.core.downstream import Office, became, commands, links, tickets
from tests.core.outboxes import sink as webhook
from tests.core.sync_office import asked, edit, office


@pytest.mark.parametrize(
    ("state", "there", "expected"),
    [
        ("logged", "in_progress", ["start"]),
        ("acknowledged", "waiting", ["wait"]),
        ("logged", "resolved", ["resolve"]),
        ("logged", "closed", ["resolve", "close"]),
        ("in_progress", "open", []),
        ("waiting_vendor", "in_progress", ["resume"]),
        ("waiting_vendor", "open", ["resume"]),
        ("mitigated", "waiting", ["wait"]),
        ("mitigated", "resolved", ["resolve"]),
        ("resolved", "in_progress", ["reopen"]),
        ("resolved", "open", ["reopen"]),
        ("resolved", "closed", ["close"]),
        ("escalated", "in_progress", ["start"]),
    ],
)
def test_a_state_there_becomes_the_command_that_leads_to_it(state: str, there: str, expected: list[str]) -> None:
    desk = office()
    change = state if state in ("resolved",) else "updated"
    desk.event(2, change, state=state, resolution={"by": "ann"})
    desk.deliver()
    desk.hear()
    edit(desk, "state", there)
    assert asked(desk) == [(each, "kim") for each in expected]


def test_a_command_says_who_when_and_in_which_role_and_has_an_id_of_its_content() -> None:
    desk = office()
    desk.there["desk"].edit(desk.ticket(), "state", "in_progress", desk.now_ms)
    [update] = desk.there["desk"].updates
    found = desk.back(update)
    [command] = commands(found)
    assert (command["actor"], command["role"], command["target"]) == (
        "kim",
        "source",
        {"incident_id": "INC-1", "bridge": False},
    )
    assert command["at"].startswith("2026-03-10T10:10:00")
    assert {each.key for each in found if each.topic == "commands"} == {b"production"}
    twin = office()
    assert commands(twin.back(update))[0]["command_id"] == command["command_id"]


def test_a_command_for_a_bridge_incident_goes_where_those_are_decided() -> None:
    desk = Office(tickets())
    desk.event(1, "opened", "MI-1", kind="bridge")
    desk.deliver()
    desk.there["desk"].edit(desk.ticket("MI-1"), "state", "in_progress", desk.now_ms)
    assert {each.key for each in desk.hear() if each.topic == "bridge.commands"} == {b"MI-1"}


@pytest.mark.parametrize(
    ("owner", "author", "reason", "is_asked"),
    [
        ("ours", "kim", "ours", False),
        ("ours", "robot", "ours", False),
        ("theirs", "kim", "taken", True),
        ("theirs", "robot", "taken", True),
        ("both", "kim", "taken", True),
        ("until_edited", "kim", "taken", True),
        ("until_edited", "robot", "ours", False),
    ],
)
def test_whose_field_it_is_decides_what_becomes_of_a_change_there(
    owner: Any, author: str, reason: str, is_asked: bool
) -> None:
    desk = office(owners=Owners(priority=owner))
    assert edit(desk, "priority", "P3", author) == {"state": "same", "priority": reason, "title": "same"}
    assert asked(desk) == ([("set_priority", author)] if is_asked else [])
    desk.deliver()
    assert desk.ticket().fields["priority"] == ("P3" if is_asked else "P1")


def test_what_is_theirs_is_written_when_the_record_is_made_and_not_again() -> None:
    desk = office(owners=Owners(priority="theirs"))
    assert desk.ticket().fields["priority"] == "P1"
    desk.event(2, "updated", priority="P2")
    desk.deliver()
    assert desk.ticket().fields["priority"] == "P1"


def test_until_its_command_is_answered_a_field_there_is_left_alone() -> None:
    desk = office()
    edit(desk, "state", "in_progress")
    [command] = commands(desk.effects.outputs)
    desk.event(2, "noted")
    desk.deliver()
    assert desk.ticket().fields["state"] == "in_progress"
    desk.event(3, "updated", state="in_progress", commands=[command["command_id"]])
    desk.deliver()
    assert desk.ticket().fields["state"] == "in_progress"


def test_what_was_refused_here_is_written_back_there() -> None:
    desk = office()
    edit(desk, "state", "resolved")
    [command] = commands(desk.effects.outputs)
    desk.event(2, "updated", commands=[command["command_id"]])
    desk.deliver()
    assert desk.ticket().fields["state"] == "open"


def test_of_two_persons_the_later_stands() -> None:
    for at_ms, reason in ((T0 + 5 * MINUTE, "taken"), (T0 + 20 * MINUTE, "ours_is_newer")):
        desk = office(owners=Owners(priority="both"))
        desk.tick(HOUR)
        entry = {
            "at_ms": at_ms,
            "action": "priority",
            "actor": "ann",
            "text": "",
            "changed": {"priority": ["P1", "P2"]},
        }
        desk.there["desk"].edit(desk.ticket(), "priority", "P4", T0 + 10 * MINUTE)
        desk.event(2, "updated", priority="P2", entries=[entry])
        desk.deliver()
        assert desk.ticket().fields["priority"] == "P2"
        assert became(desk.back(desk.there["desk"].updates[0]))["priority"] == reason
        answered = [each["command_id"] for each in commands(desk.effects.outputs)]
        desk.event(3, "updated", priority="P2" if reason == "ours_is_newer" else "P4", commands=answered)
        desk.deliver()
        assert desk.ticket().fields["priority"] == ("P2" if reason == "ours_is_newer" else "P4")


def test_a_person_stands_over_a_machine_whoever_was_later() -> None:
    desk = office(owners=Owners(priority="both"))
    entry = {"at_ms": T0, "action": "priority", "actor": "ann", "text": "", "changed": {"priority": ["P1", "P2"]}}
    desk.event(2, "updated", priority="P2", entries=[entry])
    desk.deliver()
    desk.hear()
    assert edit(desk, "priority", "P4", "robot")["priority"] == "ours_is_newer"
    desk.deliver()
    assert desk.ticket().fields["priority"] == "P2"


def test_our_own_account_and_what_we_wrote_are_echoes() -> None:
    desk = Office(tickets())
    desk.event(1, "opened")
    desk.deliver()
    assert became(desk.hear()) == {"update": "own"}
    desk.there["desk"].quiet_about_us = True
    desk.event(2, "updated", priority="P2")
    desk.deliver()
    assert set(became(desk.hear()).values()) == {"same"}
    assert commands(desk.effects.outputs) == []


def test_of_a_change_there_and_ours_in_the_same_moment_ours_counts_as_the_later() -> None:
    desk = office()
    desk.there["desk"].edit(desk.ticket(), "state", "closed", desk.now_ms)
    desk.event(2, "noted", state="waiting_vendor")
    desk.deliver()  # it writes over what we have not heard of
    desk.hear()
    assert desk.ticket().fields["state"] == desk.ledger["desk/INC-1"]["remote_state"] == "waiting"


@pytest.mark.parametrize("apart_ms", [0, MINUTE])
@pytest.mark.parametrize("last", ["open", "waiting"])
def test_of_two_changes_by_a_person_that_come_in_the_other_order_the_later_stands(last: str, apart_ms: int) -> None:
    desk = office()
    desk.new()
    desk.there["desk"].edit(desk.ticket(), "state", "closed", desk.now_ms)
    desk.tick(apart_ms)
    desk.there["desk"].edit(desk.ticket(), "state", last, desk.now_ms)
    closed, newest = desk.there["desk"].updates
    desk.there["desk"].updates = [newest, closed]
    desk.hear()
    assert desk.ledger["desk/INC-1"]["remote_state"] == last
    assert "close" not in [kind for kind, _ in asked(desk)]


def test_a_late_echo_of_what_we_wrote_before_is_no_change() -> None:
    desk = office()
    desk.there["desk"].quiet_about_us = True
    desk.event(2, "updated", priority="P2")
    desk.deliver()
    desk.tick(MINUTE)
    desk.event(3, "updated", priority="P3")
    desk.deliver()
    late, newest = desk.there["desk"].updates
    assert became(desk.back(newest))["priority"] == "same"
    assert became(desk.back(late))["priority"] == "late"
    assert commands(desk.effects.outputs) == []


def test_an_update_that_comes_twice_or_late_changes_nothing() -> None:
    desk = office()
    desk.there["desk"].edit(desk.ticket(), "priority", "P3", desk.now_ms)
    desk.tick(MINUTE)
    desk.there["desk"].edit(desk.ticket(), "priority", "P4", desk.now_ms)
    first, second = desk.there["desk"].updates
    assert became(desk.back(second))["priority"] == "taken"
    assert became(desk.back(first))["priority"] == "late"
    assert became(desk.back(second)) == {"update": "duplicate"}


def test_what_is_about_nothing_known_is_told_and_changes_nothing() -> None:
    desk = Office(tickets(), webhook("hook"))
    desk.event(1, "opened")
    update = {"schema": 1, "update_id": "u", "at": "2026-03-10T10:00:00Z", "fields": {"state": "closed"}}
    for sink, incident_id, reason in (
        ("other", "INC-1", "unknown_sink"),
        ("hook", "INC-9", "unknown_sink"),
        ("hook", "INC-1", "unknown_sink"),
        ("desk", "INC-9", "unknown_incident"),
    ):
        assert became(desk.back(update | {"sink": sink, "incident_id": incident_id})) == {"update": reason}
    assert commands(desk.effects.outputs) == []
    assert desk.effects.came_back == {
        ("", "unknown_sink"): 3,
        ("desk", "unknown_incident"): 1,
    }


def test_a_record_that_is_not_ours_is_let_be() -> None:
    desk = office()
    update = desk.there["desk"].look(desk.ticket()) | {
        "remote_id": "T99",
        "update_id": "x",
        "fields": {"state": "closed"},
    }
    assert became(desk.back(update)) == {"update": "other_record"}


def test_whoever_fights_over_a_field_wins_in_the_end_and_it_is_said() -> None:
    desk = office(owners=Owners(priority="ours"))
    for number in range(WRITTEN_BACK_MAX + 3):
        desk.tick(MINUTE)
        edit(desk, "priority", f"P{2 + number % 2}")
        desk.deliver()
    assert desk.ticket().fields["priority"] != "P1"
    notes = [orjson.loads(each.value or b"") for each in desk.effects.outputs if each.topic == "deliveries"]
    assert [each["detail"] for each in notes if each.get("outcome") == "parked"] == ["contested: priority"]
    assert desk.ledger["desk/INC-1"]["contested"] == ["priority"]
    desk.event(2, "updated", priority="P4")
    desk.deliver()
    assert desk.ticket().fields["priority"] == "P4"
    assert desk.ledger["desk/INC-1"]["contested"] == []


def test_all_clear_while_a_person_works_there_is_proposed_once_and_closed_when_it_closes_here() -> None:
    desk = office()
    edit(desk, "state", "in_progress")
    desk.event(2, "updated", state="in_progress", commands=[commands(desk.effects.outputs)[0]["command_id"]])
    desk.deliver()
    desk.event(3, "resolved", state="resolved", resolution={"by": "spillway"})
    assert [each.propose for each in desk.sends()] == [True]
    desk.deliver()
    assert desk.ticket().fields["state"] == "in_progress"
    desk.event(4, "noted", state="resolved", resolution={"by": "spillway"})
    assert [each.propose for each in desk.sends()] == [False]
    desk.event(5, "closed", state="closed", resolution={"by": "spillway"})
    desk.deliver()
    assert desk.ticket().fields["state"] == "closed"
    assert desk.ledger == {}


@pytest.mark.parametrize(("fields", "person"), [({"on_all_clear": "resolve"}, True), ({}, False)])
def test_all_clear_is_written_where_it_is_asked_for_or_nobody_works_there(fields: dict[str, Any], person: bool) -> None:
    desk = office(**fields)
    if person:
        edit(desk, "state", "in_progress")
        desk.event(2, "updated", state="in_progress", commands=[commands(desk.effects.outputs)[0]["command_id"]])
    desk.event(3, "resolved", state="resolved", resolution={"by": "spillway"})
    desk.deliver()
    assert desk.ticket().fields["state"] == "resolved"


def test_a_person_who_resolves_here_what_was_proposed_there_closes_it_there() -> None:
    desk = office()
    edit(desk, "assignee", "kim")
    desk.event(2, "resolved", state="resolved", resolution={"by": "spillway"})
    desk.deliver()
    assert desk.ticket().fields["state"] == "open"
    desk.event(3, "updated", state="resolved", resolution={"by": "ann"})
    desk.deliver()
    assert desk.ticket().fields["state"] == "resolved"


def test_what_has_ended_on_both_sides_is_forgotten() -> None:
    desk = office()
    desk.event(2, "closed", state="closed")
    desk.deliver()
    assert desk.ledger == {}
    assert became(desk.back(desk.there["desk"].look(desk.ticket()) | {"update_id": "y"})) == {
        "update": "unknown_incident"
    }


def test_the_record_there_hangs_on_the_incident_with_its_state_and_no_link_makes_another() -> None:
    desk = Office(tickets())
    desk.event(1, "opened")
    [first] = links(desk.deliver())
    assert first == {"kind": "ticket", "id": "T0", "state": "open"}
    entry = {"at_ms": desk.now_ms, "action": "link", "actor": "spillway", "text": "linked ticket T0 (open)"}
    writes = desk.there["desk"].writes
    desk.event(2, "updated", entries=[entry])
    assert links(desk.deliver()) == []
    assert desk.there["desk"].writes == writes
    desk.there["desk"].edit(desk.ticket(), "state", "in_progress", desk.now_ms)
    assert [each["state"] for each in links(desk.hear())] == ["in_progress"]
    desk.event(3, "updated", state="waiting_vendor", commands=[commands(desk.effects.outputs)[0]["command_id"]])
    assert links(desk.deliver()) == []
    desk.event(4, "resolved", state="resolved", resolution={"by": "ann"})
    assert [each["state"] for each in links(desk.deliver())] == ["resolved"]
