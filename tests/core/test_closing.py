"""The end: what it asks for, what becomes of the undocumented, cancellation, corrective actions; late commands."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.practice.actions import CORRECTIVE_ACTIONS_MAX
from pipeline.models.closure import Closure
from tests.core.builders import DB, HOUR, MINUTE, T0, WIKI, alert, config, moment, policy
from tests.core.rooms import Room, actions

DAY = 24 * HOUR
SAID = {"code": "fixed", "summary": "pool raised"}


def room(**closure: Any) -> Room:
    made = Room(config(domains={"shop": policy(closure=Closure(**closure))}))
    made.open(alert("a"))
    return made


def last(room: Room) -> str:
    text: str = room.one()["timeline"][-1]["text"]
    return text


# -- documentation


def test_a_requirement_may_be_of_one_priority() -> None:
    desk = room(require={"P1": ["cause"]})
    desk.ask("resolve", T0 + 1, resolution=SAID)
    assert (desk.one()["state"], last(desk)) == (
        "logged", "resolve changes nothing: the shop policy asks for cause",
    )  # fmt: skip
    desk.ask("set_priority", T0 + 2, priority="P3")
    desk.ask("resolve", T0 + 3, resolution=SAID)
    assert desk.one()["state"] == "resolved"


@pytest.mark.parametrize("given", [{"fix": "new pool"}, {"workaround": "restarted hourly"}])
def test_a_workaround_or_a_fix_is_enough_where_the_pack_asks_for_either(given: dict[str, str]) -> None:
    desk = room(require=("workaround_or_fix",))
    desk.ask("resolve", T0 + 1, resolution=SAID)
    assert desk.one()["state"] == "logged"
    desk.ask("resolve", T0 + 2, resolution=SAID | given)
    assert desk.one()["state"] == "resolved"


def test_what_is_on_the_incident_already_need_not_be_said_again() -> None:
    desk = room(require=("workaround", "corrective_action"))
    desk.ask("mitigate", T0 + 1, workaround="traffic moved")
    desk.ask("resolve", T0 + 2, resolution=SAID)
    assert (desk.one()["state"], desk.one()["resolution"]["workaround"]) == ("resolved", "traffic moved")


def test_a_pack_may_have_its_own_codes() -> None:
    desk = room(codes={"hardware": "Hardware replaced", "other": "Other"})
    desk.ask("resolve", T0 + 1, resolution=SAID)
    assert last(desk) == "resolve changes nothing: code fixed is not one of hardware, other"
    desk.ask("resolve", T0 + 2, role="system", resolution=SAID)
    assert desk.one()["state"] == "resolved"


def test_a_closure_that_is_refused_documents_nothing() -> None:
    desk = room(require=("cause",))
    desk.news("a", "resolved", T0 + 1)
    before = desk.one()["resolution"]
    desk.ask("close", T0 + 2, resolution=SAID)
    assert (desk.one()["state"], desk.one()["resolution"]) == ("resolved", before)
    desk.ask("close", T0 + 3, resolution=SAID | {"cause": "leak"})
    assert (desk.one()["state"], desk.one()["resolution"]["by"]) == ("closed", "ann")


def test_what_nobody_documented_stays_resolved_and_its_owner_is_reminded_until_somebody_does() -> None:
    desk = room(close_undocumented={"P1": "never"}, remind_minutes=24 * 60, require={"P1": ["cause"]})
    desk.news("a", "resolved", T0 + 1)
    for day in range(1, 4):
        desk.tick(T0 + day * DAY + MINUTE)
    one = desk.one()
    assert (one["state"], actions(one).count("remind")) == ("resolved", 3)
    assert last(desk) == "not closed, as nobody has said how it ended: shop-team is to record cause"
    desk.ask("resolve", T0 + 4 * DAY, resolution=SAID)
    assert last(desk) == "resolve changes nothing: the shop policy asks for cause"
    desk.ask("resolve", T0 + 4 * DAY + 1, resolution=SAID | {"cause": "leak"})
    desk.tick(T0 + 4 * DAY + 2)
    assert desk.one()["state"] == "closed"


def test_by_default_the_undocumented_closes_like_any_other() -> None:
    desk = room(close_after_minutes={"P1": 60})
    desk.news("a", "resolved", T0 + 1)
    desk.tick(T0 + HOUR + 1)
    assert desk.one()["state"] == "closed"


def test_a_reopen_window_is_of_its_priority() -> None:
    desk = room(reopen_minutes={"P1": 0})
    desk.news("a", "resolved", T0 + 1)
    desk.open(alert("a", origin=("alerts.raw.monitor", 0, 1, 0)), T0 + MINUTE, episode_id="EP-again")
    assert [each["state"] for each in desk.incidents().values()] == ["resolved", "logged"]


# -- cancelled, reopened


def test_a_cancelled_incident_ends_and_leaves_nothing_open() -> None:
    desk = room()
    desk.ask("cancel", T0 + 1, role="commander", reason="false alarm")
    one = desk.one()
    assert (one["state"], one["resolution"]["code"], one["closed_at_ms"]) == ("cancelled", "false_alarm", T0 + 1)
    assert one["escalation"]["next_at_ms"] is None
    text = "cancelled by ann: false alarm; what still fires (1) belongs to no incident from here on"
    assert text in [each["text"] for each in one["timeline"]]
    (letter,) = desk.ask("note", T0 + 2, target={"incident_id": one["id"]}, note="too late")
    assert letter.topic == "dead.letter"


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"role": "commander"}, "it lacks reason"),
        ({"reason": "test"}, "the shop policy lets commander, administrator do that to a P1 incident that is logged, "
         "not a responder"),
    ],
)  # fmt: skip
def test_a_cancellation_takes_a_commander_and_a_reason(fields: dict[str, Any], because: str) -> None:
    desk = room()
    desk.ask("cancel", T0 + 1, **fields)
    assert (desk.one()["state"], last(desk)) == ("logged", f"cancel changes nothing: {because}")


def test_a_person_reopens_with_a_reason() -> None:
    desk = room()
    desk.ask("resolve", T0 + 1, resolution=SAID)
    desk.ask("reopen", T0 + 2)
    assert (desk.one()["state"], last(desk)) == ("resolved", "reopen changes nothing: it lacks a reason")
    desk.ask("reopen", T0 + 3, reason="still slow")
    one = desk.one()
    assert (one["state"], one["resolution"], one["reopened"]) == ("reopened", None, 1)
    assert "resolved by ann: pool raised" in [each["text"] for each in one["timeline"]]


# -- corrective actions


def test_corrective_actions_are_added_brought_up_to_date_and_completed() -> None:
    desk = room()
    desk.ask("add_action", T0 + 1, action={"id": "A-1", "text": "alarm at 80 %"})
    desk.ask("add_action", T0 + 2, action={"id": "A-1", "owner": "dba", "due": "2026-04-01"})
    (action,) = desk.one()["corrective_actions"]
    assert (action["text"], action["owner"], action["due_date"]) == ("alarm at 80 %", "dba", "2026-04-01")
    desk.ask("complete_action", T0 + 3, action={"id": "A-1"})
    (action,) = desk.one()["corrective_actions"]
    assert (action["state"], action["done_by"], action["done_at_ms"]) == ("done", "ann", T0 + 3)
    for kind in ("complete_action", "add_action"):
        desk.ask(kind, T0 + 4, action={"id": "A-1", "text": "again"})
        assert last(desk) == f"{kind} changes nothing: action A-1 is done"


def test_an_action_that_there_is_none_of_is_refused_and_their_number_is_bounded() -> None:
    desk = room()
    desk.ask("complete_action", T0 + 1, action={"id": "A-7"})
    assert last(desk) == "complete_action changes nothing: it names no corrective action of the incident; open: none"
    for number in range(CORRECTIVE_ACTIONS_MAX + 1):
        desk.ask("add_action", T0 + number, action={"text": f"thing {number}"})
    assert len(desk.one()["corrective_actions"]) == CORRECTIVE_ACTIONS_MAX


def test_what_a_resolution_promises_is_an_open_action_that_outlives_the_incident() -> None:
    desk = room()
    desk.ask("resolve", T0 + 1, resolution=SAID | {"corrective_action": "alarm at 80 %"})
    outputs = desk.ask("close", T0 + 2, resolution=SAID | {"corrective_action": "alarm at 80 %"})
    assert [each["text"] for each in desk.one()["corrective_actions"]] == ["alarm at 80 %"]
    (summary,) = [each for each in outputs if each.topic == "incidents.summaries"]
    assert b'"alarm at 80 %"' in (summary.value or b"")


# -- late, stale and repeated commands


def at(at_ms: int) -> str:
    return moment(at_ms).isoformat()


def test_a_resolve_that_was_sent_before_the_incident_reopened_is_refused_on_the_record() -> None:
    desk = room()
    desk.ask("resolve", T0 + MINUTE, resolution=SAID)
    desk.ask("reopen", T0 + 3 * MINUTE, reason="still slow", at=at(T0 + 2 * MINUTE))
    desk.ask("resolve", T0 + 4 * MINUTE, resolution=SAID, at=at(T0 + MINUTE))
    assert (desk.one()["state"], last(desk)) == (
        "reopened",
        "resolve changes nothing: it was asked at 2026-03-10 10:01:00Z, before reopen at 2026-03-10 10:02:00Z",
    )
    desk.ask("resolve", T0 + 5 * MINUTE, resolution=SAID, at=at(T0 + 2 * MINUTE))
    assert desk.one()["state"] == "resolved"


def test_of_two_assignments_that_overtook_each_other_the_later_one_holds() -> None:
    desk = room()
    desk.ask("assign", T0 + 2, assignee="bob", at=at(T0 + 2))
    desk.ask("assign", T0 + 3, assignee="ann", at=at(T0 + 1))
    assert (desk.one()["assignee"], actions(desk.one())[-1]) == ("bob", "refused_assign")


def test_a_sender_from_the_future_keeps_nobody_out() -> None:
    desk = room()
    desk.ask("assign", T0 + 1, assignee="bob", at=at(T0 + DAY))
    desk.ask("assign", T0 + 2, assignee="ann", at=at(T0 + 2))
    assert desk.one()["assignee"] == "ann"


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"expected_revision": 7}, "it was meant for revision 7, this is 1"),
        ({"if_state": "resolved"}, "it was meant for an incident that is resolved, this is logged"),
    ],
)
def test_a_command_for_another_revision_or_state_is_refused(fields: dict[str, Any], because: str) -> None:
    desk = room()
    desk.ask("acknowledge", T0 + 1, **fields)
    assert (desk.one()["state"], last(desk)) == ("logged", f"acknowledge changes nothing: {because}")
    desk.ask("acknowledge", T0 + 2, expected_revision=2, if_state="logged")
    assert desk.one()["state"] == "acknowledged"


def test_a_command_repeated_for_what_was_merged_meanwhile_is_not_done_twice() -> None:
    desk = room()
    desk.open(alert("w", entity=WIKI, service=WIKI, domain="office"), T0 + 1)
    first, second = desk.incidents()
    for number in range(150):
        desk.ask("note", T0 + 2, f"n-{number}", target={"incident_id": first}, note="x")
    desk.ask("note", T0 + 3, "c-1", target={"incident_id": second}, note="once")
    desk.ask("merge", T0 + 4, target={"incident_id": second}, into=first)
    before = desk.incidents()[first]
    assert desk.ask("note", T0 + 5, "c-1", target={"incident_id": second}, note="once") == []
    assert desk.ask("note", T0 + 6, "n-149", target={"incident_id": first}, note="x") == []
    assert desk.incidents()[first] == before


def test_a_command_repeated_by_ticket_after_a_split_is_not_done_twice() -> None:
    desk = room()
    desk.open(alert("b", entity=DB), T0 + 1)
    desk.ask("note", T0 + 2, "c-1", target={"episode_id": "EP-b"}, note="once")
    desk.ask("split", T0 + 3, episodes=["EP-b"])
    assert len(desk.incidents()) == 2
    assert desk.ask("note", T0 + 4, "c-1", target={"episode_id": "EP-b"}, note="once") == []
