"""A Major Incident as one: one commander, one status, records elsewhere side by side, one closure."""

from __future__ import annotations

from typing import Any

from pipeline.core.major.bridge_rules import reach_of
from pipeline.models.major import MajorIncidentRule
from tests.core.builders import DB, MINUTE, PAY, SHOP, T0, config, policy, values
from tests.core.halls import Hall, summary


def phase(bridge: dict[str, Any]) -> tuple[str, str]:
    return bridge["major"]["phase"], bridge["state"]


# -- one commander, one status


def test_one_commander_at_a_time() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("assign_commander", T0 + 1, assignee="ann")
    hall.ask("assign_commander", T0 + 2, assignee="bob")
    assert hall.one()["commander"] == "bob"
    assert hall.told()[-1] == "bob is the commander, after ann"


def test_the_status_follows_what_is_known_and_people_set_it() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    assert hall.one()["status"] == "investigating"
    hall.tell("INC-1", SHOP, T0 + 1, identified=DB)
    assert hall.one()["status"] == "identified"
    hall.ask("set_status", T0 + 2, status="mitigating")
    hall.tell("INC-1", SHOP, T0 + 3, identified=PAY)
    assert hall.one()["status"] == "mitigating", "it does not go back by itself"
    hall.tell("INC-1", SHOP, T0 + 4, identified=PAY, state="mitigated")
    assert hall.one()["status"] == "monitoring"
    hall.tell("INC-1", SHOP, T0 + 5, identified=PAY, state="resolved")
    assert (hall.one()["status"], hall.one()["state"]) == ("resolved", "resolved")
    hall.tell("INC-1", SHOP, T0 + 6, identified=PAY, state="reopened")
    assert hall.one()["status"] == "identified", "its cause is known still"


def test_a_status_that_nobody_knows_changes_nothing() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("set_status", T0 + 1, status="panicking")
    assert (hall.one()["status"], "is not one of" in hall.told()[-1]) == ("investigating", True)


def test_the_status_resolved_resolves_as_any_end_does() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("set_status", T0 + 1, status="resolved", resolution={"code": "fixed", "summary": "done"})
    assert (hall.one()["state"], hall.sent("resolve")) == ("resolved", [("resolve", "INC-1")])


def test_words_with_a_status_stay_inside() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("set_status", T0 + 1, status="monitoring", note="Bob's secret fix")
    assert [each["state"] for each in hall.one()["communications"]] == ["investigating", "mitigated"]
    assert "secret" not in str(hall.one()["communications"])


def test_an_older_request_does_not_undo_a_newer_one() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("assign_commander", T0 + 6 * MINUTE, assignee="bob", at="2026-03-10T10:05:00Z")
    hall.ask("assign_commander", T0 + 7 * MINUTE, assignee="ann", at="2026-03-10T10:04:00Z")
    assert hall.one()["commander"] == "bob"


def test_a_repeated_command_changes_nothing() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("assign_commander", T0 + 1, assignee="ann")
    revision = hall.one()["revision"]
    hall.ask("assign_commander", T0 + 1, assignee="ann")
    assert hall.one()["revision"] == revision


# -- records elsewhere, side by side


def test_tickets_and_cases_of_all_members_stand_side_by_side() -> None:
    hall = Hall()
    case = {"kind": "provider_case", "id": "AWS-7", "state": "open", "url": "https://aws.example/7"}
    ticket = {"kind": "ticket", "id": "T-1", "state": "open", "url": None}
    hall.tell("INC-1", SHOP, links=[case])
    hall.tell("INC-2", PAY, users=10, links=[ticket])
    hall.ask("link", T0 + 1, link={"kind": "vendor_ticket", "id": "V-9", "state": "new"})
    rows = [(each["kind"], each["id"], each["state"]) for each in hall.one()["linked"]]
    assert rows == [("vendor_ticket", "V-9", "new"), ("provider_case", "AWS-7", "open"), ("ticket", "T-1", "open")]
    assert [each["member"] for each in hall.one()["linked"]][1:] == ["INC-1", "INC-2"]
    hall.tell("INC-1", SHOP, T0 + 2, links=[case | {"state": "closed"}], state="acknowledged")
    assert hall.one()["linked"][1]["state"] == "closed"
    assert hall.one()["member_states"] == {"acknowledged": 1, "logged": 1}


# -- one closure


DONE = {"code": "fixed", "summary": "done", "cause": "disk full", "fix": "more disk", "corrective_action": "watch it"}


def test_the_closure_goes_to_the_members_with_how_it_ended() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("resolve", T0 + 1, resolution=DONE)
    hall.tell("INC-1", SHOP, T0 + 2, state="resolved")
    hall.ask("close", T0 + 3)
    close = values(hall.effects.outputs, "commands")[-1]
    assert (close["type"], close["actor"], close["target"]["incident_id"]) == ("close", "ann", "INC-1")
    assert close["resolution"] == DONE


def test_a_member_that_still_fires_is_not_closed_but_parted() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-2", PAY, users=10)
    hall.ask("resolve", T0 + 1, resolution=DONE)
    hall.tell("INC-1", SHOP, T0 + 2, state="resolved")
    hall.tell("INC-2", PAY, T0 + 2, users=10, state="resolved", fires=True)
    hall.ask("close", T0 + 3)
    assert hall.one()["state"] == "closed"
    assert hall.sent()[-2:] == [("close", "INC-1"), ("unlink_bridge", "INC-2")]
    assert any(each == "INC-2 still fires: it goes on by itself" for each in hall.told())


def test_a_member_that_is_open_when_its_bridge_closes_by_itself_speaks_again() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("resolve", T0 + 1, resolution=DONE)
    hall.tick(T0 + 26 * 60 * MINUTE)
    assert (hall.one()["state"], hall.sent()[-1]) == ("closed", ("unlink_bridge", "INC-1"))


def test_cancelling_the_bridge_lets_the_members_go() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("cancel", T0 + 1, reason="duplicate")
    assert (phase(hall.one()), hall.sent()[-1]) == (("demoted", "cancelled"), ("unlink_bridge", "INC-1"))


# -- figures


def test_a_member_named_twice_and_a_system_in_two_spaces_count_once() -> None:
    one = summary("INC-1", SHOP, users=3_000)
    other = summary("INC-2", SHOP, users=2_000, space="eu")
    assert reach_of([one, other, one]).users == 3_000
    assert reach_of([one, other, one]).incidents == 2


def test_a_bridge_of_a_release_without_phases_is_a_declared_one() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.changes()
    (key,) = (each for each in hall.state if each.startswith(b"b/"))
    major, end = hall.state[key].index(b'"major":'), hall.state[key].index(b',"member_states"')
    hall.state[key] = hall.state[key][:major] + b'"major":null' + hall.state[key][end:]
    hall.processor = Hall().processor
    for name, value in hall.state.items():
        hall.processor.restore(name, value)
    hall.processor.restored()
    hall.ask("demote_major", T0 + 1, reason="a test")
    assert phase(hall.one()) == ("demoted", "cancelled")


def test_a_summary_of_a_release_without_populations_is_read() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, impacts={SHOP: ("store", 6_000, 1.0)})
    assert hall.one()["users_affected"] == 6_000


def test_an_open_bridge_goes_by_the_pack_that_it_was_opened_under() -> None:
    hall = Hall(users_at_least=5_000, demote_after_minutes=10)
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, T0 + 1, users=4_000, corrected_at_ms=T0 + 1)
    hall.setup = config(domains={"shop": policy(major_incident=MajorIncidentRule(users_at_least=1_000))})
    hall.restart()
    hall.tick(T0 + 11 * MINUTE)
    assert phase(hall.one())[0] == "demoted"
