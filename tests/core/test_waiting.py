"""Waiting for somebody outside, and workarounds: in parallel, over by themselves, and what they lead to."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.practice.response import LINKS_MAX
from pipeline.core.practice.waiting import WAITS_MAX
from tests.core.builders import MINUTE, T0, WIKI, alert
from tests.core.rooms import Room, actions

VENDOR: dict[str, Any] = {"waiting_for": "vendor", "link": {"kind": "vendor_ticket", "id": "V-1"}}
PROVIDER: dict[str, Any] = {"waiting_for": "provider", "link": {"kind": "provider_case", "id": "C-9"}}


def room() -> Room:
    made = Room()
    made.open(alert("a"))
    return made


def waits(incident: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(each["kind"], each["id"]) for each in incident["waiting"]]


def test_a_vendors_ticket_and_a_providers_case_are_waited_for_in_parallel() -> None:
    desk = room()
    desk.ask("wait", T0 + MINUTE, **VENDOR)
    desk.ask("wait", T0 + 2 * MINUTE, **PROVIDER)
    one = desk.one()
    assert (one["state"], one["waiting_for"], one["waiting_since_ms"]) == (
        "waiting_provider", "provider", T0 + MINUTE,
    )  # fmt: skip
    assert waits(one) == [("vendor", "V-1"), ("provider", "C-9")]
    assert [each["id"] for each in one["links"]] == ["V-1", "C-9"]


def test_whoever_waits_has_it() -> None:
    desk = room()
    desk.ask("wait", T0 + MINUTE, **VENDOR)
    one = desk.one()
    assert (one["acknowledged_at_ms"], one["clocks"]["response"]["met_at_ms"]) == (T0 + MINUTE, T0 + MINUTE)
    assert one["escalation"]["next_at_ms"] is None


def test_each_answer_ends_its_own_wait_and_the_last_one_all() -> None:
    desk = room()
    desk.ask("wait", T0 + 1, **VENDOR)
    desk.ask("wait", T0 + 2, **PROVIDER)
    desk.ask("link", T0 + 3, link=PROVIDER["link"] | {"state": "in progress"})
    assert desk.one()["state"] == "waiting_provider"
    desk.ask("link", T0 + 4, link=PROVIDER["link"] | {"state": "Answered"})
    assert (desk.one()["state"], waits(desk.one())) == ("waiting_vendor", [("vendor", "V-1")])
    desk.ask("link", T0 + 5, link=VENDOR["link"] | {"state": "resolved"})
    one = desk.one()
    assert (one["state"], one["waiting"], one["waiting_since_ms"]) == ("in_progress", [], None)
    text = "vendor_ticket V-1 is resolved: no longer waits for the vendor, vendor_ticket V-1"
    assert text in [each["text"] for each in one["timeline"]]


@pytest.mark.parametrize(
    ("asked", "state", "left"),
    [
        ({}, "in_progress", []),
        ({"waiting_for": "provider"}, "waiting_vendor", [("vendor", "V-1")]),
        ({"link": VENDOR["link"]}, "waiting_provider", [("provider", "C-9")]),
        ({"waiting_for": "customer"}, "waiting_provider", [("vendor", "V-1"), ("provider", "C-9")]),
    ],
)
def test_a_person_resumes_one_or_all(asked: dict[str, Any], state: str, left: list[tuple[str, str]]) -> None:
    desk = room()
    desk.ask("wait", T0 + 1, **VENDOR)
    desk.ask("wait", T0 + 2, **PROVIDER)
    desk.ask("resume", T0 + 3, **asked)
    assert (desk.one()["state"], waits(desk.one())) == (state, left)


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({}, "it lacks waiting_for"),
        (VENDOR, "it waits for the vendor, vendor_ticket V-1 already"),
        ({"waiting_for": "vendor", "link": {"kind": "vendor_ticket", "id": "V-2", "state": "closed"}},
         "vendor_ticket V-2 is closed"),
    ],
)  # fmt: skip
def test_a_wait_for_nothing_new_is_refused(fields: dict[str, Any], because: str) -> None:
    desk = room()
    desk.ask("wait", T0 + 1, **VENDOR)
    desk.ask("wait", T0 + 2, **fields)
    assert desk.one()["timeline"][-1]["text"] == f"wait changes nothing: {because}"
    assert waits(desk.one()) == [("vendor", "V-1")]


def test_waits_and_their_links_are_bounded() -> None:
    desk = room()
    for number in range(WAITS_MAX + 1):
        desk.ask("wait", T0 + number, waiting_for="vendor", link={"kind": "vendor_ticket", "id": f"V-{number}"})
    assert len(desk.one()["waiting"]) == WAITS_MAX
    full = room()
    for number in range(LINKS_MAX):
        full.ask("link", T0 + number, link={"kind": "chat", "id": str(number)})
    full.ask("wait", T0 + LINKS_MAX, **VENDOR)
    assert (full.one()["state"], actions(full.one())[-1]) == ("logged", "refused_wait")


def test_resolution_ends_every_wait() -> None:
    desk = room()
    desk.ask("wait", T0 + 1, **VENDOR)
    desk.ask("resolve", T0 + 2, resolution={"code": "vendor_fixed", "summary": "link replaced"})
    assert (desk.one()["state"], desk.one()["waiting"]) == ("resolved", [])


def test_a_workaround_meets_the_clock_stops_the_calls_and_owes_the_fix() -> None:
    desk = room()
    desk.ask("mitigate", T0 + MINUTE, "c-1", workaround="traffic moved", action={"due": "2026-03-31", "owner": "net"})
    one = desk.one()
    assert (one["state"], one["mitigated_at_ms"], one["workaround"]) == ("mitigated", T0 + MINUTE, "traffic moved")
    assert one["clocks"]["resolution"]["met_at_ms"] == T0 + MINUTE
    assert one["escalation"]["next_at_ms"] is None
    (owed,) = one["corrective_actions"]
    assert (owed["id"], owed["text"], owed["owner"], owed["due_date"], owed["state"]) == (
        "c-1", "fix what the workaround stands in for: traffic moved", "net", "2026-03-31", "open",
    )  # fmt: skip


def test_a_mitigated_incident_resolves_when_its_alerts_clear_and_still_owes_the_fix() -> None:
    desk = room()
    desk.ask("mitigate", T0 + MINUTE, workaround="traffic moved")
    desk.news("a", "resolved", T0 + 2 * MINUTE)
    desk.tick(T0 + 10 * MINUTE)
    one = desk.one()
    assert (one["state"], one["resolution"]["workaround"]) == ("resolved", "traffic moved")
    assert [each["state"] for each in one["corrective_actions"]] == ["open"]


def test_a_wait_for_the_fix_of_what_is_mitigated_leads_back_to_mitigated() -> None:
    desk = room()
    desk.ask("mitigate", T0 + 1, workaround="traffic moved")
    desk.ask("wait", T0 + 2, **VENDOR)
    assert desk.one()["state"] == "waiting_vendor"
    desk.ask("resume", T0 + 3)
    assert (desk.one()["state"], desk.one()["mitigated_at_ms"]) == ("mitigated", T0 + 1)


@pytest.mark.parametrize(("kind", "state"), [("resume", "in_progress"), ("unacknowledge", "logged")])
def test_a_workaround_that_does_not_hold_lets_the_clock_run_on(kind: str, state: str) -> None:
    desk = room()
    desk.ask("mitigate", T0 + 1, workaround="traffic moved")
    desk.ask(kind, T0 + 2)
    one = desk.one()
    assert (one["state"], one["mitigated_at_ms"], one["workaround"]) == (state, None, None)
    assert one["clocks"]["resolution"]["met_at_ms"] is None


def test_what_is_awaited_linked_and_owed_goes_on_in_the_survivor_of_a_merge() -> None:
    desk = room()
    desk.open(alert("w", entity=WIKI, service=WIKI, domain="office"), T0 + 1)
    first, second = desk.incidents()
    desk.ask("wait", T0 + 2, target={"incident_id": second}, **VENDOR)
    desk.ask("add_action", T0 + 3, target={"incident_id": second}, action={"id": "A", "text": "alarm"})
    desk.ask("wait", T0 + 4, target={"incident_id": first}, **PROVIDER)
    desk.ask("merge", T0 + 5, target={"incident_id": second}, into=first)
    survivor = desk.incidents()[first]
    assert waits(survivor) == [("vendor", "V-1"), ("provider", "C-9")]
    assert [each["id"] for each in survivor["links"]] == ["C-9", "V-1"]
    assert [each["id"] for each in survivor["corrective_actions"]] == ["A"]
    desk.ask("link", T0 + 6, target={"incident_id": second}, link=VENDOR["link"] | {"state": "solved"})
    assert waits(desk.incidents()[first]) == [("provider", "C-9")]


def test_a_workaround_that_is_put_in_place_again_owes_the_same_fix_once() -> None:
    desk = room()
    asked: dict[str, Any] = {"workaround": "the old pool", "action": {"id": "fix", "text": "size the pool"}}
    desk.ask("mitigate", T0 + MINUTE, **asked)
    desk.ask("resume", T0 + 2 * MINUTE)
    desk.ask("mitigate", T0 + 3 * MINUTE, **asked)
    desk.ask("complete_action", T0 + 4 * MINUTE, action={"id": "fix"})
    assert [(each["id"], each["state"]) for each in desk.one()["corrective_actions"]] == [("fix", "done")]
