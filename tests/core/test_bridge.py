"""Bridge: one record for a Major Incident, over all spaces, populations counted once."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.major.relations import FRESH_MS, HOLDERS_ASKED_MAX
from tests.core.builders import DB, HOUR, MINUTE, PAY, SHOP, T0, WIKI
from tests.core.halls import Hall


def test_a_bridge_opens_at_the_threshold_and_links_back() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, users=4_999)
    assert hall.bridges() == {}
    hall.tell("INC-1", SHOP, users=5_000)
    bridge = hall.one()
    assert (bridge["kind"], bridge["state"], bridge["priority"], bridge["members"]) == (
        "bridge",
        "logged",
        "P1",
        ["INC-1"],
    )
    assert hall.sent() == [("link_bridge", "INC-1")]
    assert bridge["priority_because"] == ["about 5,000 users affected, threshold 5,000"]


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ({"revenue_per_minute_at_least": 100.0}, {}),
        ({"regulatory": ("patient-safety",)}, {"regulatory": ["patient-safety"]}),
    ],
)
def test_money_and_regulation_count_as_well(rule: dict[str, Any], fields: dict[str, Any]) -> None:
    hall = Hall(**rule)
    hall.tell("INC-1", SHOP, users=1, **fields)
    assert hall.one()["members"] == ["INC-1"]


def test_priorities_that_the_rule_does_not_name_do_not_count() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, priority="P3")
    assert hall.bridges() == {}


def test_two_related_incidents_reach_the_threshold_together() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, users=3_000, system="store")
    hall.tell("INC-2", PAY, users=3_000, system="payments", space="eu")
    assert hall.one()["members"] == ["INC-2", "INC-1"]
    assert hall.one()["users_affected"] == 6_000


def test_people_of_one_system_are_counted_once() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, users=3_000)
    hall.tell("INC-2", PAY, users=4_000)
    assert hall.bridges() == {}


def test_unrelated_incidents_are_not_added_up() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, users=3_000)
    hall.tell("INC-2", WIKI, users=4_000, system="office")
    assert hall.bridges() == {}


def test_a_related_incident_joins_the_open_bridge_and_an_unrelated_one_does_not() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-2", DB, users=10, priority="P2")
    hall.tell("INC-3", WIKI, users=10, priority="P2")
    hall.tell("INC-4", DB, users=10, priority="P4")
    assert hall.one()["members"] == ["INC-1", "INC-2"], "what is of no weight stays out of the bridge"


def test_commands_to_a_member_go_to_its_own_space() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, space="eu")
    (command,) = (each for each in hall.effects.outputs if each.topic == "commands")
    assert command.key == b"eu"


def test_the_bridge_resolves_with_its_last_member_and_reopens_when_one_comes_back() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-2", PAY, users=10)
    hall.tell("INC-1", SHOP, state="resolved", at_ms=T0)
    assert hall.one()["state"] == "logged"
    hall.tell("INC-2", PAY, users=10, state="resolved")
    assert (hall.one()["state"], hall.one()["resolution"]["code"]) == ("resolved", "members_resolved")
    hall.tell("INC-1", SHOP, state="logged")
    assert (hall.one()["state"], hall.one()["reopened"]) == ("reopened", 1)


def test_summaries_that_a_mirror_tells_again_change_nothing() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, revision=3)
    hall.tell("INC-2", PAY, users=10, revision=1)
    hall.tell("INC-1", SHOP, state="resolved", revision=4)
    hall.tell("INC-2", PAY, users=10, state="resolved", revision=2)
    before, told = hall.one(), len(hall.told())
    for revision, state in ((3, "logged"), (4, "resolved")):
        hall.tell("INC-1", SHOP, state=state, revision=revision)
    assert hall.one() == before
    assert len(hall.told()) == told


def test_a_bridge_is_not_reopened_over_members_that_are_all_over() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, state="resolved")
    hall.ask("reopen", T0 + 1, reason="it is back")
    assert hall.one()["state"] == "resolved"
    assert "reopen the incident that is back" in hall.told()[-1]


def test_resolving_the_bridge_resolves_every_open_member_once() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-2", PAY, users=10)
    hall.tell("INC-2", PAY, users=10, state="resolved")
    done = {"code": "fixed", "summary": "done"}
    hall.ask("resolve", T0 + 1, resolution=done)
    assert [each for each in hall.sent() if each[0] == "resolve"] == [("resolve", "INC-1")]
    hall.tell("INC-1", SHOP, state="resolved")
    hall.ask("resolve", T0 + 1, resolution=done)
    assert hall.one()["resolution"]["code"] == "fixed"
    assert [each for each in hall.sent() if each[0] == "resolve"] == [("resolve", "INC-1")]


def test_news_that_was_under_way_when_the_bridge_was_resolved_does_not_reopen_it() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("resolve", T0 + 1, resolution={"code": "fixed", "summary": "done"})
    hall.tell("INC-1", SHOP, state="acknowledged")
    assert hall.one()["state"] == "resolved"


def test_a_bridge_follows_a_merged_member_to_its_survivor() -> None:
    hall = Hall()
    hall.tell("INC-2", WIKI, users=10, priority="P3", system="office")
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, state="merged", merged_into="INC-2")
    assert (hall.one()["state"], hall.one()["members"]) == ("logged", ["INC-1", "INC-2"])
    hall.tell("INC-2", WIKI, state="resolved")
    assert hall.one()["state"] == "resolved"


def test_members_of_a_resolved_bridge_are_not_taken_into_another() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("resolve", T0 + 1, resolution={"code": "fixed", "summary": "done"})
    hall.tell("INC-2", PAY, T0 + 2, users=7_000)
    assert [each["members"] for each in hall.bridges().values()] == [["INC-1"], ["INC-2"]]


def test_a_closed_bridge_leaves_nothing_behind() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, state="resolved")
    hall.tell("INC-1", SHOP, state="closed")
    hall.tick(T0 + 25 * HOUR)
    assert hall.one()["state"] == "closed"
    hall.changes()
    assert set(hall.state) == {b"spillway.partition", b"o/entered"}


def test_a_priority_that_a_person_sets_on_a_bridge_calls_nobody() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("set_priority", T0 + 1, priority="P2")
    hall.tick(T0 + 20 * HOUR)
    assert hall.one()["escalation"]["paged"] == []


def test_what_was_aggregated_without_a_revision_survives_a_restart() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-1", SHOP, T0 + 1, tickets=7)
    hall.restart()
    hall.ask("note", T0 + 2, note="said")
    assert hall.one()["who_is_affected"].endswith("7 tickets")


def test_the_cause_is_told_once_on_the_status_page() -> None:
    hall = Hall()
    for at in range(3):
        hall.tell("INC-1", SHOP, T0 + at, identified=DB)
    assert [each["state"] for each in hall.one()["communications"]] == ["investigating", "identified"]


def test_a_command_for_no_bridge_is_a_dead_letter() -> None:
    hall = Hall()
    (letter,) = hall.ask("resolve", T0)
    assert (letter.topic, dict(letter.headers)["spillway-reason"]) == ("dead.letter", b"unknown_target")


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"7", b"{}", b'{"schema":1}'])
@pytest.mark.parametrize("topic", ["incidents.summaries", "bridge.commands"])
def test_what_cannot_be_read_is_a_dead_letter(topic: str, body: bytes | None) -> None:
    hall = Hall()
    (letter,) = hall.put(topic, body, T0)
    assert (letter.topic, letter.value) == ("dead.letter", body)


def test_of_thousands_that_need_one_thing_those_that_came_last_are_related() -> None:
    hall = Hall()
    for number in range(2 * HOLDERS_ASKED_MAX):
        hall.tell(f"INC-{number:03}", SHOP, at_ms=T0 + number, users=0, system="none")
    hall.tell("INC-DB", DB, at_ms=T0 + MINUTE)
    last = [f"INC-{number:03}" for number in range(HOLDERS_ASKED_MAX + 1, 2 * HOLDERS_ASKED_MAX)]  # it is one itself
    assert hall.one()["members"] == ["INC-DB", *last]


def test_within_a_space_only_incidents_that_suspect_the_same_are_added_up() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, users=3_000, system="store", suspects=[SHOP])
    hall.tell("INC-2", PAY, users=3_000, system="payments", suspects=[PAY])
    assert hall.bridges() == {}, "everything needs everything: that two fail at once says little"
    hall.tell("INC-2", PAY, users=3_000, system="payments", suspects=[SHOP])
    assert hall.one()["members"] == ["INC-2", "INC-1"]


def test_two_major_incidents_at_once_that_suspect_different_things_have_a_bridge_each() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, suspects=[SHOP])
    hall.tell("INC-2", PAY, suspects=[PAY])
    assert [each["members"] for each in hall.bridges().values()] == [["INC-1"], ["INC-2"]]


def test_two_major_incidents_that_suspect_the_same_share_a_bridge() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, suspects=[DB])
    hall.tell("INC-2", PAY, suspects=[DB])
    assert hall.one()["members"] == ["INC-1", "INC-2"]


def test_a_member_that_becomes_major_for_a_cause_of_its_own_gets_a_bridge_of_its_own() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, suspects=[SHOP])
    hall.tell("INC-2", PAY, users=10, suspects=[PAY])
    assert hall.one()["members"] == ["INC-1", "INC-2"]
    hall.tell("INC-2", PAY, T0 + 1, users=7_000, suspects=[PAY])
    hall.restart()
    hall.tell("INC-2", PAY, T0 + 2, users=8_000, suspects=[PAY])

    first, second = hall.bridges().values()
    assert (first["members"], second["members"]) == (["INC-1"], ["INC-2"])
    assert second["users_affected"] == 8_000
    assert hall.sent().count(("link_bridge", "INC-2")) == 2


def test_a_member_that_becomes_major_for_the_cause_that_others_suspect_stays() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, suspects=[DB])
    hall.tell("INC-2", PAY, users=10, suspects=[PAY])
    hall.tell("INC-2", PAY, T0 + 1, users=7_000, suspects=[DB])
    assert hall.one()["members"] == ["INC-1", "INC-2"]


def test_an_incident_without_news_for_a_quarter_of_an_hour_is_related_to_none_that_is_new() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.tell("INC-2", PAY, T0 + FRESH_MS + 1, users=10)
    assert hall.one()["members"] == ["INC-1"]


def test_a_bridge_that_its_last_open_member_leaves_is_over() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, suspects=[SHOP])
    hall.tell("INC-2", PAY, users=10, suspects=[PAY])
    for second, state in enumerate(("resolved", "closed"), 1):
        hall.tell("INC-1", SHOP, T0 + second, suspects=[SHOP], state=state)
    hall.tell("INC-2", PAY, T0 + 3, users=7_000, suspects=[PAY])
    first, second_bridge = hall.bridges().values()
    assert (first["state"], second_bridge["state"]) == ("resolved", "logged")
    hall.restart()
    hall.tick(T0 + 30 * 24 * HOUR)
    assert next(iter(hall.bridges().values()))["state"] == "closed"


@pytest.mark.parametrize("linked", [True, False])
def test_the_incident_that_a_major_one_was_merged_into_stays_in_its_bridge(linked: bool) -> None:
    hall = Hall()
    if linked:
        hall.tell("INC-1", SHOP, suspects=[SHOP])
    hall.tell("INC-2", PAY, users=10, suspects=[PAY])
    hall.tell("INC-1", SHOP, T0 + 1, suspects=[SHOP])
    hall.tell("INC-1", SHOP, T0 + 2, suspects=[SHOP], state="merged", merged_into="INC-2")
    hall.tell("INC-2", SHOP, T0 + 2, users=6_000, suspects=[PAY])
    hall.tell("INC-2", SHOP, T0 + 3, users=7_000, suspects=[DB])
    bridge = hall.one()
    assert (bridge["state"], bridge["members"][-1], bridge["users_affected"]) == ("logged", "INC-2", 7_000)
