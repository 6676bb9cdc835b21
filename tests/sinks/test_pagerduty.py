"""The PagerDuty sink against a server that behaves as PagerDuty documents."""

from __future__ import annotations

from copy import deepcopy

import pytest

from pipeline.models.delivery import DeliveryOutcome
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, call, snapshot
from tests.sinks.pagerduty_desk import KEY, OPEN, WITH_API, Desk, with_desk


def test_an_incident_opens_one_alert_that_pages_once() -> None:
    async def test(found: Desk) -> None:
        answer = await found.tell(change="opened", wanted=OPEN, calls=[call("0:kim")])
        assert (answer.outcome, answer.status) == (DeliveryOutcome.DELIVERED, 202)
        assert found.server.pages == [KEY]
        [event] = found.server.incidents[0].triggers
        assert event["payload"]["severity"] == "critical"
        assert event["payload"]["source"] == "checkout"
        assert event["payload"]["custom_details"]["calls"] == [{"key": "0:kim", "person": "kim", "because": "on call"}]
        assert event["links"] == [{"href": "https://runbooks.northwind.example/checkout", "text": "Runbook"}]
        assert answer.remote is not None
        assert answer.remote.fields == {**OPEN}

    with_desk(test)


def test_nothing_new_asks_nothing() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        asked = len(found.server.journal)
        assert (await found.tell(revision=2)).outcome is DeliveryOutcome.DELIVERED
        assert len(found.server.journal) == asked

    with_desk(test)


def test_an_incident_is_acknowledged_and_resolved_there_once() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "in_progress"})
        await found.tell(revision=3, wanted={"state": "waiting"})
        await found.tell(revision=4, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        await found.tell(revision=5, wanted={"state": "closed"}, incident=snapshot(state="closed"))
        assert found.actions() == ["trigger", "acknowledge", "resolve"]
        assert found.server.incidents[0].status == "resolved"
        assert found.remote is not None
        assert found.remote.fields["state"] == "resolved"

    with_desk(test)


def test_what_is_over_calls_nobody() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        over = snapshot(state="resolved")
        await found.tell(revision=2, wanted={"state": "resolved"}, incident=over, calls=[call("1:lee")])
        assert found.actions() == ["trigger", "resolve"]

    with_desk(test)
    with_desk(test, calls="alert")


def test_a_reopened_incident_has_an_alert_and_a_key_of_its_own() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        await found.tell(revision=3, wanted={"state": "open"}, incident=snapshot(state="reopened", reopened=1))
        assert found.server.pages == [KEY, f"{INCIDENT_ID}/1"]
        await found.tell(revision=4, wanted={"state": "resolved"}, incident=snapshot(state="resolved", reopened=1))
        assert [each.status for each in found.server.incidents] == ["resolved", "resolved"]
        assert found.server.dropped == []

    with_desk(test)


def test_what_changes_of_an_incident_that_is_over_is_not_told_and_counts_as_told() -> None:
    async def story(found: Desk) -> None:
        await found.tell()
        over = snapshot(state="resolved", priority="P3")
        await found.tell(incident=over, wanted={"state": "resolved", "priority": "P3"})
        assert found.remote is not None
        assert found.remote.fields["priority"] == "P3"
        assert found.actions() == ["trigger", "resolve"]

    with_desk(story)


def test_what_a_person_resolved_there_and_goes_on_here_is_opened_anew() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        found.server.by("kim", "resolved", KEY)
        assert found.remote is not None
        found.remote.state = "resolved"  # as deliver knows from the webhook
        await found.tell(revision=2, wanted={"state": "open"})
        assert found.server.pages == [KEY, f"{INCIDENT_ID}/1"]

    with_desk(test)


def test_a_further_call_is_written_into_the_open_alert_and_pages_nobody_again() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN, calls=[call("0:kim")])
        await found.tell(revision=2, calls=[call("0:kim"), call("1:lee", "lee")])
        await found.tell(revision=3, calls=[call("1:lee", "lee")])
        assert found.server.pages == [KEY]
        assert found.server.seen()[0].steps == ["0:kim", "1:lee"]
        assert found.actions() == ["trigger", "trigger"]

    with_desk(test)


def test_no_page_goes_out_twice_for_one_step_that_has_an_alert_of_its_own() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN, calls=[call("0:kim")])
        found.server.next_faults = ["silent"]
        answer = await found.tell(revision=2, calls=[call("1:lee", "lee")])
        assert (answer.outcome, answer.unknown) == (DeliveryOutcome.RETRY, True)
        await found.tell(revision=2, calls=[call("1:lee", "lee")], unsure=True, attempt=2)
        await found.tell(revision=3, calls=[call("1:lee", "lee")])
        assert len(found.server.pages) == 2
        await found.tell(revision=4, wanted={"state": "acknowledged"})
        await found.tell(revision=5, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        assert [each.status for each in found.server.incidents] == ["resolved", "resolved"]
        assert found.server.dropped == []

    with_desk(test, calls="alert")


@pytest.mark.parametrize("how", ["handed back", "resumed", "on its way"])
def test_people_are_paged_anew_only_where_nobody_has_it_any_more(how: str) -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN, calls=[call("0:kim")])
        await found.tell(revision=2, wanted={"state": "acknowledged"})
        incident = snapshot(state="escalated")
        incident["escalation"]["answered_at_ms"] = 5 if how == "resumed" else None
        wanted = {"state": "open"} if how == "handed back" else {}
        await found.tell(revision=3, incident=incident, wanted=wanted, calls=[call("1:lee")])
        again = how != "on its way"
        assert found.server.pages == [KEY, f"{INCIDENT_ID}/1"] if again else [KEY]
        assert found.server.seen()[0].state == ("open" if again else "acknowledged")
        assert len([each for each in found.server.incidents if each.status != "resolved"]) == 1

    with_desk(test)


def test_a_replacement_that_nobody_remembers_leaves_nothing_open_once_all_is_over() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN, calls=[call("0:kim")])
        await found.tell(revision=2, wanted={"state": "acknowledged"})
        known = deepcopy(found.remote)
        await found.tell(revision=3, wanted={"state": "open"}, calls=[call("1:lee")])
        assert found.server.pages == [KEY, f"{INCIDENT_ID}/1"]
        found.remote = known  # the worker was killed before its outcome was written, and somebody has it again
        taken = snapshot(state="acknowledged")
        await found.tell(revision=4, unsure=True, incident=taken, calls=[call("1:lee"), call("1:ann")])
        await found.tell(revision=5, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        assert [each.status for each in found.server.incidents if each.status != "resolved"] == []

    with_desk(test)


def test_a_call_has_an_alert_of_its_own_also_where_more_calls_came_before_its_outcome() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        known = deepcopy(found.remote)
        await found.tell(revision=2, calls=[call("1:lee")])
        found.remote = known
        await found.tell(revision=3, unsure=True, calls=[call("1:lee"), call("1:ann")])
        assert len(found.server.pages) == len(set(found.server.pages)) == 3
        await found.tell(revision=4, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        assert [each.status for each in found.server.incidents if each.status != "resolved"] == []

    with_desk(test, calls="alert")


def test_an_incident_that_is_over_or_muted_opens_nothing() -> None:
    async def test(found: Desk) -> None:
        await found.tell(incident=snapshot(state="resolved"), wanted={"state": "resolved"})
        await found.tell(incident=snapshot(muted={"since_ms": 1, "by": []}), wanted=OPEN)
        assert found.server.journal == []
        await found.tell(revision=2, wanted=OPEN)
        assert found.server.pages == [KEY]

    with_desk(test)


def test_a_reopening_that_is_muted_pages_nobody() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        muted = snapshot(state="reopened", reopened=1, muted={"since_ms": 1, "by": []})
        await found.tell(revision=3, wanted={"state": "open"}, incident=muted)
        assert found.server.pages == [KEY]

    with_desk(test)


def test_what_somebody_has_already_is_acknowledged_as_it_is_opened() -> None:
    async def test(found: Desk) -> None:
        await found.tell(incident=snapshot(state="in_progress", acknowledged_at_ms=2), wanted={"state": "in_progress"})
        assert found.actions() == ["trigger", "acknowledge"]

    with_desk(test)


def test_a_merged_incident_is_resolved_there() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        merged = snapshot(state="merged", merged_into="INC-AAAAAAAAAAAA")
        await found.tell(revision=2, change="merged", incident=merged, wanted={"state": "closed"})
        assert found.server.incidents[0].status == "resolved"
        assert found.server.seen()[0].notes == ["Spillway, revision 2:\nIt goes on in INC-AAAAAAAAAAAA."]

    with_desk(test, **WITH_API)


def test_members_of_a_major_incident_are_listed_and_page_by_themselves_unless_told_otherwise() -> None:
    bridge = snapshot(id=BRIDGE_ID, kind="bridge", members=[INCIDENT_ID], title="Payments are down")

    async def alone(found: Desk) -> None:
        await found.tell(incident=bridge, wanted=OPEN)
        found.remote = None
        await found.tell(incident=snapshot(bridge_id=BRIDGE_ID), wanted=OPEN)
        assert found.server.pages == [f"{BRIDGE_ID}/0", KEY]
        details = found.server.incidents[0].triggers[0]["payload"]["custom_details"]
        assert (details["members"], details["members_total"]) == ([INCIDENT_ID], 1)

    async def in_bridge(found: Desk) -> None:
        answer = await found.tell(incident=snapshot(bridge_id=BRIDGE_ID), wanted=OPEN)
        assert answer.detail == f"part of {BRIDGE_ID}: it is paged for there"
        assert found.server.pages == []
        await found.tell(revision=2, wanted=OPEN)  # let go: it speaks for itself again
        assert found.server.pages == [KEY]

    with_desk(alone)
    with_desk(in_bridge, members="in_bridge")


def test_a_proposal_is_written_into_the_alert() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, propose=True)
        details = found.server.incidents[0].triggers[-1]["payload"]["custom_details"]
        assert details["proposal"].startswith("All alerts are clear")
        assert found.server.pages == [KEY]

    with_desk(test)
