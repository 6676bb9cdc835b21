"""Major Incidents: which rule declares, what a proposal waits for, what takes one back, and how it ends for all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.builders import DB, MINUTE, PAY, SHOP, T0, WIKI, values
from tests.core.halls import Hall

PROPOSE: dict[str, Any] = {
    "rules": [{"name": "many users", "users_at_least": 5_000, "mode": "propose"}],
    "manager": ["shop", "pay"],
}


def phase(bridge: dict[str, Any]) -> tuple[str, str]:
    return bridge["major"]["phase"], bridge["state"]


# -- trigger rules


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ({"users_at_least": 5_000}, {"users": 5_000}),
        ({"revenue_per_minute_at_least": 100}, {}),
        ({"regulatory": ["pci-dss", "gdpr"]}, {"regulatory": ["gdpr"]}),
        ({"sites_at_least": 2}, {"sites": ["berlin", "paris"]}),
        ({"tickets_at_least": 30}, {"tickets": 30}),
        ({"reporters_at_least": 20}, {"reporters": 20}),
        ({"incidents_at_least": 1}, {}),
        ({"users_at_least": 10, "sites_at_least": 1}, {"users": 10, "sites": ["berlin"]}),
        ({"users_at_least": 10, "priorities": ["P3"]}, {"users": 10, "priority": "P3"}),
    ],
)
def test_a_rule_declares_when_all_that_it_states_holds(rule: dict[str, Any], fields: dict[str, Any]) -> None:
    hall = Hall(rules=[{"name": "the rule", **rule}])
    hall.tell("INC-1", SHOP, **({"users": 1} | fields))
    assert (phase(hall.one()), hall.one()["major"]["rule"]) == (("declared", "logged"), "the rule")


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ({"users_at_least": 5_000, "sites_at_least": 2}, {"users": 9_000, "sites": ["berlin"]}),
        ({"users_at_least": 5_000, "priorities": ["P1"]}, {"users": 9_000, "priority": "P2"}),
        ({"regulatory": ["pci-dss"]}, {"regulatory": ["gdpr"]}),
        ({}, {"users": 1_000_000}),
    ],
)
def test_a_rule_of_which_something_does_not_hold_declares_nothing(rule: dict[str, Any], fields: dict[str, Any]) -> None:
    hall = Hall(rules=[rule])
    hall.tell("INC-1", SHOP, **fields)
    assert hall.bridges() == {}


def test_the_first_rule_that_holds_wins() -> None:
    hall = Hall(rules=[{"name": "care", "regulatory": ["patient-safety"]}, *PROPOSE["rules"]], manager=["shop"])
    hall.tell("INC-1", SHOP, regulatory=["patient-safety"])
    hall.tell("INC-2", WIKI, system="office")
    assert [(each["major"]["rule"], phase(each)[0]) for each in hall.bridges().values()] == [
        ("care", "declared"),
        ("many users", "proposed"),
    ]


def test_promotion_raises_the_incidents_that_led_to_it_to_the_top() -> None:
    hall = Hall(rules=[{"users_at_least": 5_000, "mode": "promote"}])
    hall.tell("INC-1", SHOP, priority="P2")
    (command,) = (each for each in values(hall.effects.outputs, "commands") if each["type"] == "set_priority")
    assert (command["target"]["incident_id"], command["priority"], command["actor"]) == ("INC-1", "P1", "spillway")
    hall.ask("demote_major", T0 + 1, reason="a test system")
    assert values(hall.effects.outputs, "commands")[-1]["priority"] == "P2", "what was raised is given back"


def test_the_single_rule_of_older_packs_is_enough_by_any_one_threshold() -> None:
    hall = Hall(users_at_least=1_000_000, regulatory=("pci-dss",))
    hall.tell("INC-1", SHOP, regulatory=["pci-dss"])
    assert hall.one()["priority_because"] == ["regulated: pci-dss"]


# -- proposals


def test_a_proposal_calls_the_manager_and_waits() -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP)
    bridge = hall.one()
    assert phase(bridge) == ("proposed", "detected")
    assert [each["person"] for each in bridge["escalation"]["paged"]] == ["bob"]
    assert (bridge["communications"], bridge["clocks"], hall.sent()) == ([], {}, [])
    hall.tick(T0 + 10 * MINUTE)
    assert len(hall.one()["escalation"]["paged"]) == 2, "nobody answered: the next one is called"


def test_a_confirmed_proposal_is_a_major_incident() -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP)
    hall.ask("confirm_major", T0 + MINUTE, assignee="ann")
    bridge = hall.one()
    assert (phase(bridge), bridge["commander"], bridge["status"]) == (("declared", "logged"), "ann", "investigating")
    assert hall.sent() == [("link_bridge", "INC-1")]
    assert bridge["clocks"]["response"]["met_at_ms"] == T0 + MINUTE, "somebody has it"


def test_a_rejected_proposal_is_not_made_again_by_the_same_evidence() -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP, users=6_000)
    hall.ask("reject_major", T0 + 1, reason="a load test")
    assert phase(hall.one()) == ("rejected", "cancelled")
    hall.restart()
    hall.tell("INC-1", SHOP, T0 + 2, users=6_500)
    assert len(hall.bridges()) == 1, "a little more is the same evidence"
    hall.tell("INC-1", SHOP, T0 + 3, users=7_000)
    assert phase(hall.newest()) == ("proposed", "detected")


def test_a_proposal_is_withdrawn_when_its_impact_has_fallen_away_for_minutes() -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, T0 + MINUTE, users=100)
    hall.tell("INC-1", SHOP, T0 + 2 * MINUTE, users=6_000)
    hall.tell("INC-1", SHOP, T0 + 3 * MINUTE, users=100)
    hall.restart()
    hall.tick(T0 + 7 * MINUTE)
    assert phase(hall.one())[0] == "proposed"
    hall.tick(T0 + 8 * MINUTE)
    assert phase(hall.one()) == ("withdrawn", "cancelled")
    hall.tell("INC-1", SHOP, T0 + 9 * MINUTE, users=6_000)
    assert phase(hall.newest())[0] == "proposed", "what has come back is proposed again"


def test_a_proposal_is_withdrawn_when_all_its_incidents_are_over() -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, T0 + 1, state="resolved")
    assert phase(hall.one()) == ("withdrawn", "cancelled")


@pytest.mark.parametrize(("unanswered", "ends"), [("expire", "expired"), ("declare", "declared")])
def test_a_proposal_that_nobody_answers_ends_as_the_pack_says(unanswered: str, ends: str) -> None:
    hall = Hall(**PROPOSE, propose={"expires_minutes": 30, "unanswered": unanswered})
    hall.tell("INC-1", SHOP)
    hall.tick(T0 + 30 * MINUTE)
    assert phase(hall.one())[0] == ends


@pytest.mark.parametrize(
    "kind", ["resolve", "close", "acknowledge", "set_status", "demote_major", "cancel", "mitigate"]
)
def test_a_proposal_has_no_life_that_could_be_changed(kind: str) -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP)
    hall.ask(kind, T0 + 1, reason="so", status="identified", resolution={"code": "fixed", "summary": "done"})
    assert phase(hall.one()) == ("proposed", "detected")
    assert "only proposed" in hall.told()[-1]


def test_what_joins_a_proposal_hears_of_it_when_it_is_confirmed() -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP)
    hall.tell("INC-2", PAY, users=10)
    assert hall.sent() == []
    hall.ask("confirm_major", T0 + 1)
    assert hall.sent() == [("link_bridge", "INC-1"), ("link_bridge", "INC-2")]


# -- a person declares


def declaration(because: str = "the chief called", command_id: str = "D-1") -> dict[str, Any]:
    return {"by": "ann", "because": because, "at_ms": T0, "command_id": command_id}


def test_a_person_declares_what_no_rule_does() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, users=3, priority="P4")
    hall.tell("INC-1", SHOP, T0 + 1, users=3, priority="P4", declared=declaration())
    assert (phase(hall.one()), hall.one()["major"]["by"]) == (("declared", "logged"), "ann")
    assert hall.one()["priority_because"] == ["the chief called"]
    hall.tell("INC-1", SHOP, T0 + 2, users=3, priority="P4", declared=declaration())
    assert len(hall.bridges()) == 1, "one declaration declares once"


def test_a_declaration_confirms_a_proposal() -> None:
    hall = Hall(**PROPOSE)
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, T0 + 1, declared=declaration())
    assert phase(hall.one()) == ("declared", "logged")


def test_a_person_may_declare_again_what_was_demoted() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("demote_major", T0 + 1, reason="nobody noticed")
    hall.tell("INC-1", SHOP, T0 + 2, declared=declaration())
    assert [phase(each)[0] for each in hall.bridges().values()] == ["demoted", "declared"]


# -- demotion


def test_a_demoted_major_incident_lets_its_members_go_on_by_themselves() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-2", PAY, users=10)
    hall.ask("demote_major", T0 + 1, reason="the figures were of a test system")
    bridge = hall.one()
    assert phase(bridge) == ("demoted", "cancelled")
    assert hall.sent("unlink_bridge") == [("unlink_bridge", "INC-1"), ("unlink_bridge", "INC-2")]
    assert [each["state"] for each in bridge["communications"]] == ["investigating", "cancelled"]
    hall.tell("INC-1", SHOP, T0 + 2)
    hall.tell("INC-2", PAY, T0 + 3, users=20)
    assert len(hall.bridges()) == 1


def test_a_demotion_needs_a_reason_and_a_commander() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("demote_major", T0 + 1)
    hall.ask("demote_major", T0 + 2, reason="so it is", role="responder")
    assert phase(hall.one()) == ("declared", "logged")
    assert "lacks reason" in hall.told()[-2]
    assert "not a responder" in hall.told()[-1]


def test_new_incidents_cannot_bring_back_what_was_demoted_by_adding_a_little() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, suspects=[DB])
    hall.ask("demote_major", T0 + 1, reason="a test system")
    hall.tell("INC-2", PAY, T0 + 2, users=100, system="pay", suspects=[DB])
    assert len(hall.bridges()) == 1
    hall.tell("INC-3", PAY, T0 + 3, users=5_000, system="ledger", suspects=[DB])
    assert hall.newest()["members"][0] == "INC-3"


def test_a_threshold_that_is_new_declares_what_was_demoted() -> None:
    hall = Hall(rules=[{"users_at_least": 5_000}, {"regulatory": ["pci-dss"]}])
    hall.tell("INC-1", SHOP)
    hall.ask("demote_major", T0 + 1, reason="too few")
    hall.tell("INC-1", SHOP, T0 + 2, users=100, regulatory=["pci-dss"])
    assert phase(hall.newest()) == ("declared", "logged")


def test_a_major_incident_whose_impact_was_put_right_is_demoted_after_the_packs_minutes() -> None:
    hall = Hall(users_at_least=5_000, demote_after_minutes=10)
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, T0 + MINUTE, users=100, corrected_at_ms=T0 + MINUTE)
    assert hall.one()["users_affected"] == 100, "what was wrong is no peak"
    hall.restart()
    hall.tick(T0 + 10 * MINUTE)
    assert phase(hall.one())[0] == "declared"
    hall.tick(T0 + 11 * MINUTE)
    assert (phase(hall.one()), hall.sent("unlink_bridge")) == (
        ("demoted", "cancelled"),
        [("unlink_bridge", "INC-1")],
    )


def test_a_false_alarm_among_the_members_counts_no_more() -> None:
    hall = Hall(users_at_least=5_000, demote_after_minutes=10)
    hall.tell("INC-1", SHOP, users=4_000)
    hall.tell("INC-2", PAY, users=4_000, system="pay", space="eu")
    hall.tell("INC-2", PAY, T0 + 1, users=4_000, system="pay", space="eu", state="cancelled")
    assert hall.one()["users_affected"] == 4_000
    hall.tick(T0 + 11 * MINUTE)
    assert phase(hall.one())[0] == "demoted"


@pytest.mark.parametrize("declared", [True, False])
def test_impact_that_falls_by_itself_or_was_declared_by_a_person_demotes_nothing(declared: bool) -> None:
    hall = Hall(users_at_least=5_000, demote_after_minutes=10)
    if declared:
        hall.tell("INC-1", SHOP, declared=declaration())
        hall.tell("INC-1", SHOP, T0 + 1, users=100, corrected_at_ms=T0 + 1, declared=declaration())
    else:
        hall.tell("INC-1", SHOP)
        hall.tell("INC-1", SHOP, T0 + 1, users=100)
    hall.tick(T0 + 60 * MINUTE)
    assert phase(hall.one())[0] == "declared"


def test_the_impact_of_the_whole_can_be_put_right() -> None:
    hall = Hall(users_at_least=5_000, demote_after_minutes=10)
    hall.tell("INC-1", SHOP, users=9_000)
    hall.ask("correct_impact", T0 + 1, users=7_000, reason="the branch was closed")
    hall.tell("INC-1", SHOP, T0 + 2, users=12_000)
    bridge = hall.one()
    assert (bridge["users_affected"], bridge["corrected"]["by"]) == (7_000, "ann")
    assert "9,000 -> 7,000 users" in next(each for each in hall.told() if "put right" in each)


def test_nobody_leaves_what_is_in_force_for_what_is_only_proposed() -> None:
    hall = Hall(rules=[{"sites_at_least": 2, "mode": "propose"}, {"users_at_least": 5_000}], manager=["ann"])
    hall.tell("INC-1", SHOP, suspects=[SHOP])
    hall.tell("INC-2", PAY, users=10, suspects=[PAY])
    hall.tell("INC-2", PAY, T0 + 1, users=10, suspects=[PAY], sites=["berlin", "paris"])
    assert hall.one()["members"] == ["INC-1", "INC-2"]
