"""Escalation without people: rounds, the fall-back, resumption, the end of a path, and a person's own push."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.draft import Draft
from pipeline.core.escalation import watching
from pipeline.core.escalation.paging import PAGES_MAX
from pipeline.core.practice import ending, response
from pipeline.core.practice.desk import Desk
from pipeline.models.escalation import EscalationRepeat
from pipeline.models.incident import incident_from_wire
from pipeline.models.wire import to_json
from tests.core.builders import HOUR, MINUTE, ROTATIONS, T0, WIKI, config, policy, rotation
from tests.core.cases import Case, path
from tests.core.desks import desk, people

TWO = path((0, "oncall"), (5, "oncall-secondary"))


# -- rounds and the end of a path


def test_a_path_begins_again_as_often_as_it_says_then_ends_and_says_whom_to_call_by_hand() -> None:
    repeated = TWO.model_copy(update={"repeat": EscalationRepeat(times=2, every_minutes=10), "fallback": ("eve",)})
    case = Case(desk(escalation=(repeated,)))
    case.until(T0 + 24 * HOUR)
    pages = case.incident.escalation.paged
    assert [each.person for each in pages] == ["bob", "ann"] * 3
    assert [(each.at_ms - T0) // MINUTE for each in pages] == [0, 5, 15, 20, 30, 35]
    assert case.said("escalation_exhausted") == [
        "the escalation path of P1 has ended after 3 rounds without an answer; call by hand: Shop (shop-team), bob, eve"
    ]
    assert (case.incident.state, case.incident.escalation.exhausted_at_ms) == ("escalated", T0 + 45 * MINUTE)
    assert watching.due_ms(case.incident) is None


def test_every_call_has_its_step_and_no_step_calls_anybody_twice() -> None:
    repeated = TWO.model_copy(update={"repeat": EscalationRepeat(times=1, every_minutes=10)})
    case = Case(desk(escalation=(repeated,)))
    case.until(T0 + HOUR)
    steps = [each.step for each in case.incident.escalation.paged]
    assert steps == ["INC-1/0/1/1/1", "INC-1/0/1/1/2", "INC-1/0/1/2/1", "INC-1/0/1/2/2"]
    assert [each.facts["step"] for each in case.entries if each.action == "page"] == steps


def test_a_level_that_was_missed_for_hours_fires_once_and_the_next_round_waits_its_time() -> None:
    repeated = TWO.model_copy(update={"repeat": EscalationRepeat(times=5, every_minutes=10)})
    case = Case(desk(escalation=(repeated,)))
    draft = Draft(case.incident, T0 + 5 * HOUR)
    watching.on_due(case.at, draft)
    assert people(draft) == ["bob", "ann"]
    assert case.incident.escalation.next_at_ms == T0 + 5 * HOUR + 10 * MINUTE


def test_from_the_second_level_on_boards_see_that_nobody_has_it() -> None:
    case = Case(desk(escalation=(TWO,)))
    assert case.incident.state == "logged"
    case.until(T0 + 5 * MINUTE)
    assert case.incident.state == "escalated"
    assert case.said("escalate") == ["escalated to level 2: not acknowledged after 5 minutes"]


def test_a_repeated_deadline_changes_nothing() -> None:
    case = Case(desk(escalation=(TWO,)))
    case.until(T0 + 5 * MINUTE)
    before = to_json(case.incident)
    for at_ms in (T0 + 5 * MINUTE, T0, T0 + 6 * MINUTE):
        draft = Draft(case.incident, at_ms)
        watching.on_due(case.at, draft)
        assert (draft.entries, to_json(draft.incident)) == ([], before)


def test_calls_on_the_record_are_bounded_and_nobody_is_called_twice_for_that() -> None:
    many = path((0, " ".join(f"person-{each}" for each in range(PAGES_MAX + 50))), (5, "person-0 person-240"))
    case = Case(desk(escalation=(many,)))
    case.until(T0 + 5 * MINUTE)
    assert len(case.incident.escalation.paged) == PAGES_MAX
    assert len([each for each in case.people() if each == "person-240"]) == 1


# -- nobody there


def without_people(**fields: Any) -> Desk:
    """The wiki, which no rotation covers and nobody owns."""
    return desk(config(domains={"office": policy("office", **fields)}))


def test_where_a_level_finds_nobody_the_fall_back_is_called() -> None:
    for fallback, person in (("pay", "dora"), ("eve", "eve"), ("pay-team", "pay-team")):
        wiki = path((0, "oncall"), fallback=(fallback,))
        case = Case(without_people(escalation=(wiki,)), service=WIKI, domain="office")
        assert case.people() == [person]
        assert case.incident.escalation.nobody is None
        assert case.incident.escalation.paged[0].because == "opened; level 1 finds nobody"


def test_an_incident_for_which_nobody_can_be_found_says_so_on_its_timeline_as_an_event_and_in_a_field() -> None:
    case = Case(without_people(escalation=(path((0, "oncall")),)), service=WIKI, domain="office")
    why = "no rotation covers Wiki; the path has no fall-back"
    assert case.said("page_failed") == [f"nobody was called: {why}"]
    assert case.incident.escalation.nobody == why
    case.ask("escalate", T0 + MINUTE, reason="try again")
    assert case.incident.escalation.nobody == why
    found = desk(config(rotations=ROTATIONS | {"w": rotation("w", "eve", services=("wiki",))},
                        domains={"office": policy("office", escalation=(path((0, "oncall")),))}))  # fmt: skip
    case.at = found
    case.ask("escalate", T0 + 2 * MINUTE)
    assert case.people() == ["eve"]
    assert [case.incident.escalation.nobody] == [None]


def test_a_group_is_called_by_its_rotation() -> None:
    known = config()
    groups = {name: each.model_copy(update={"oncall": "pay"}) for name, each in known.catalogue.groups.items()}
    setup = config(
        catalogue=known.catalogue.model_copy(update={"groups": groups}),
        domains={"shop": policy(escalation=(path((0, "wiki-team")),))},
    )
    assert Case(desk(setup)).people() == ["dora"]


# -- who answers stops it


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("acknowledge", {}),
        ("start", {}),
        ("wait", {"waiting_for": "provider"}),
        ("mitigate", {"workaround": "traffic to the other region"}),
        ("resolve", {"resolution": {"code": "fixed", "summary": "restarted"}}),
        ("cancel", {"reason": "a test", "role": "commander"}),
    ],
)
def test_escalation_stops_by_whatever_way_somebody_has_it(kind: str, fields: dict[str, Any]) -> None:
    repeated = TWO.model_copy(update={"repeat": EscalationRepeat(times=2)})
    case = Case(desk(escalation=(repeated,)))
    case.ask(kind, T0 + MINUTE, **fields)
    assert case.incident.escalation.next_at_ms is None
    case.until(T0 + 24 * HOUR)
    assert case.people() == ["bob"]


# -- and it resumes

STALLS = path((0, "oncall"), (5, "oncall-secondary"), (15, "owner"), resume_after_minutes=45)


def test_nothing_after_an_acknowledgement_calls_the_next_level_with_that() -> None:
    case = Case(desk(escalation=(STALLS,)))
    case.ask("acknowledge", T0 + MINUTE, "bob")
    case.until(T0 + 46 * MINUTE)
    assert case.incident.state == "escalated"
    assert case.said("escalate") == ["escalated: acknowledged by bob 45 minutes ago, nothing since"]
    assert case.people() == ["bob", "ann"]
    assert case.incident.escalation.paged[-1].because == "acknowledged by bob 45 minutes ago, nothing since"
    case.until(T0 + 2 * HOUR)
    assert case.people() == ["bob", "ann", "shop-team"], "it runs on until somebody has it again"
    assert case.incident.escalation.paged[-1].because == "not acknowledged after 10 minutes"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("note", {"note": "looking"}),
        ("link", {"link": {"kind": "chat", "id": "c1"}}),
        ("assign", {"assignee": "eve"}),
        ("start", {}),
    ],
)
def test_whatever_somebody_does_is_progress(kind: str, fields: dict[str, Any]) -> None:
    case = Case(desk(escalation=(STALLS,)))
    case.ask("acknowledge", T0 + MINUTE, "bob")
    case.ask(kind, T0 + 40 * MINUTE, **fields)
    assert case.until(T0 + 84 * MINUTE) == []
    case.until(T0 + 85 * MINUTE)
    since = "last heard of 45 minutes ago" if kind != "start" else "nothing since"
    assert case.said("escalate")[0].endswith(since)


def test_what_was_refused_and_what_monitors_say_is_no_progress() -> None:
    case = Case(desk(escalation=(STALLS,)))
    case.ask("acknowledge", T0 + MINUTE, "bob")
    case.ask("set_priority", T0 + 40 * MINUTE, priority="P9")
    case.until(T0 + 46 * MINUTE)
    assert case.incident.state == "escalated"


@pytest.mark.parametrize(("minutes", "resumes"), [(None, False), (120, True)])
def test_while_it_waits_for_somebody_outside_it_stalls_only_where_the_policy_says(
    minutes: float | None, resumes: bool
) -> None:
    case = Case(desk(escalation=(STALLS.model_copy(update={"resume_waiting_after_minutes": minutes}),)))
    case.ask("acknowledge", T0 + MINUTE, "bob")
    case.ask("wait", T0 + 2 * MINUTE, "bob", waiting_for="vendor")
    case.until(T0 + 121 * MINUTE)
    assert case.incident.state == "waiting_vendor"
    case.until(T0 + 24 * HOUR)
    assert (case.incident.state == "escalated") == resumes
    if resumes:
        assert case.said("escalate")[0].endswith("last heard of 2 hours ago; waiting for vendor")


def test_a_workaround_does_not_stall() -> None:
    case = Case(desk(escalation=(STALLS,)))
    case.ask("mitigate", T0 + MINUTE, workaround="the other region")
    assert case.until(T0 + 24 * HOUR) == []


def test_a_workaround_does_not_stall_while_the_vendor_is_waited_for() -> None:
    case = Case(desk(escalation=(TWO.model_copy(update={"resume_waiting_after_minutes": 60}),)))
    case.ask("mitigate", T0 + 1, workaround="the old pool")
    case.ask("wait", T0 + 2, waiting_for="vendor")
    case.until(T0 + 5 * HOUR)
    assert (case.incident.state, case.people()) == ("waiting_vendor", ["bob"])


def test_a_share_of_the_resolution_time_resumes_once() -> None:
    shared = TWO.model_copy(update={"resume_at_share": 0.5})  # P1 is to be resolved in 60 minutes
    case = Case(desk(escalation=(shared,)))
    case.ask("acknowledge", T0 + MINUTE, "bob")
    case.ask("note", T0 + 25 * MINUTE, note="on it")
    case.until(T0 + 30 * MINUTE)
    words = "50% of the time to resolve is used; acknowledged by bob 29 minutes ago, last heard of 5 minutes ago"
    assert case.said("escalate") == [f"escalated: {words}"]
    case.ask("acknowledge", T0 + 31 * MINUTE, "ann")
    assert case.until(T0 + 24 * HOUR) == []


def test_who_takes_it_after_that_share_is_left_to_work() -> None:
    case = Case(desk(escalation=(TWO.model_copy(update={"resume_at_share": 0.5}),)))
    case.ask("acknowledge", T0 + 40 * MINUTE, "bob")
    assert case.incident.escalation.stalls_at_ms is None


# -- again


def test_who_takes_it_after_that_share_is_left_to_work_when_the_customer_has_answered_too() -> None:
    case = Case(desk(escalation=(TWO.model_copy(update={"resume_at_share": 0.5}),)))
    case.until(T0 + 40 * MINUTE)
    case.ask("acknowledge", T0 + 40 * MINUTE)
    case.ask("wait", T0 + 41 * MINUTE, waiting_for="customer")
    case.ask("resume", T0 + 50 * MINUTE)
    assert "escalate" not in case.until(T0 + HOUR)


def test_after_a_reopening_the_same_people_are_called_by_a_new_step() -> None:
    case = Case(desk(escalation=(TWO,)))
    draft = Draft(case.incident, T0)
    ending.resolve(case.at, draft, "bob", None)
    ending.reopen(case.at, draft, "ann", "again")
    pages = draft.incident.escalation.paged
    assert [(each.person, each.step) for each in pages] == [("bob", "INC-1/0/1/1/1"), ("bob", "INC-1/1/2/1/1")]
    assert pages[-1].because == "reopened"


@pytest.mark.parametrize(("minutes", "calls"), [(2, 1), (7, 2)])
def test_a_rise_of_the_priority_calls_again_unless_the_phone_still_rings(minutes: int, calls: int) -> None:
    at = desk(escalation=(TWO.model_copy(update={"priorities": ("P1", "P2")}),))
    case = Case(at, priority="P2")
    case.until(T0 + minutes * MINUTE)
    case.ask("set_priority", T0 + minutes * MINUTE, priority="P1")
    assert case.people().count("bob") == calls


def test_a_fall_of_the_priority_calls_nobody_again() -> None:
    at = desk(escalation=(TWO.model_copy(update={"priorities": ("P1", "P2")}),))
    case = Case(at)
    case.until(T0 + 20 * MINUTE)
    case.ask("set_priority", T0 + 20 * MINUTE, priority="P2")
    case.until(T0 + 24 * HOUR)
    assert case.people() == ["bob", "ann"]


@pytest.mark.parametrize("priority", ["P1", "P2"])
def test_a_desk_that_says_a_priority_again_and_again_does_not_put_the_next_level_off(priority: str) -> None:
    at = desk(escalation=(TWO.model_copy(update={"priorities": ("P1", "P2")}),))
    case = Case(at)
    for minute in range(2, 6, 2):
        case.until(T0 + minute * MINUTE)
        case.ask("set_priority", T0 + minute * MINUTE, actor="sync", priority=priority)
    case.until(T0 + 5 * MINUTE)
    assert case.people() == ["bob", "ann"]


def test_who_hands_it_back_leaves_it_to_the_first_level() -> None:
    case = Case(desk(escalation=(TWO,)))
    case.ask("acknowledge", T0 + MINUTE, "ann")
    case.ask("unacknowledge", T0 + 2 * MINUTE, "ann")
    assert case.people() == ["bob", "bob"]
    assert case.incident.escalation.paged[-1].because == "handed back by ann"


# -- a person's own push


def test_a_person_goes_to_the_next_level_at_once() -> None:
    case = Case(desk(escalation=(STALLS,)))
    case.ask("escalate", T0 + MINUTE, "eve", reason="the shop is down")
    assert case.people() == ["bob", "ann"]
    assert case.incident.escalation.paged[-1].because == "escalated by eve: the shop is down"
    assert case.incident.escalation.next_at_ms == T0 + 11 * MINUTE, "levels keep their distances"
    case.ask("escalate", T0 + 2 * MINUTE, "eve")
    assert case.people() == ["bob", "ann", "shop-team"]


def test_a_person_takes_it_back_from_who_has_it_and_the_last_level_is_called_again() -> None:
    case = Case(desk(escalation=(TWO,)))
    case.until(T0 + 10 * MINUTE)
    case.ask("acknowledge", T0 + 11 * MINUTE, "bob")
    case.ask("escalate", T0 + 12 * MINUTE, "eve", reason="bob has left")
    assert (case.incident.state, case.people()) == ("escalated", ["bob", "ann", "ann"])


def test_what_no_path_covers_is_escalated_to_its_on_call_and_owner() -> None:
    case = Case(desk(escalation=(TWO,)), priority="P4")
    case.ask("escalate", T0 + MINUTE, "eve")
    assert case.people() == ["bob", "shop-team"]


def test_what_no_path_covers_calls_them_again_each_time_that_a_person_escalates() -> None:
    case = Case(desk(escalation=()))
    case.ask("escalate", T0 + MINUTE)
    case.ask("escalate", T0 + 20 * MINUTE)
    case.ask("acknowledge", T0 + 21 * MINUTE, "bob")
    case.ask("escalate", T0 + HOUR)
    assert case.people() == ["bob", "shop-team"] * 3


def test_what_has_ended_is_not_escalated() -> None:
    case = Case(desk(escalation=(TWO,)))
    case.ask("cancel", T0 + MINUTE, reason="a test", role="commander")
    assert case.ask("escalate", T0 + 2 * MINUTE) == ["refused_escalate"]


# -- state


def test_an_incident_of_an_older_release_goes_on_where_it_was() -> None:
    case = Case(desk())
    wire = orjson.loads(to_json(case.incident))
    for name in ("engaged", "cleared", "cases_owed"):
        del wire[name]
    kept = ("level", "started_at_ms", "since_ms", "next_at_ms", "paged")
    wire["escalation"] = {name: value for name, value in wire["escalation"].items() if name in kept}
    for each in wire["escalation"]["paged"]:
        del each["step"], each["evidence"]
    case.incident = incident_from_wire(wire)
    case.until(T0 + 6 * MINUTE)
    assert case.people() == ["bob", "ann", "dora"]


def test_a_source_that_acknowledges_is_somebody_who_has_it() -> None:
    case = Case(desk(escalation=(STALLS,)))
    draft = Draft(case.incident, T0 + MINUTE)
    response.acknowledge(case.at, draft, "source pagerduty")
    case.done(draft)
    case.until(T0 + 46 * MINUTE)
    assert case.said("escalate")[0].startswith("escalated: acknowledged by source pagerduty 45 minutes ago")


def test_a_path_that_appears_is_begun_by_whoever_looks_next() -> None:
    case = Case(desk(escalation=()))
    assert watching.due_ms(case.incident) is None
    case.at = desk(escalation=(path((0, "oncall")),))
    case.ask("note", T0 + MINUTE, note="?")
    case.until(T0 + MINUTE)
    assert case.people() == ["bob"]
