"""The Xurrent sink against a server that behaves as Xurrent documents."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.delivery import DeliveryOutcome
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, OPENED_MS, entry, snapshot
from tests.sinks.receivers import NOW
from tests.sinks.servers.xurrent import ACCOUNT
from tests.sinks.xurrent_desk import KIM, MAPPED, OPEN, OTHER_ID, TITLE, Desk, over, with_desk


def test_an_incident_becomes_a_request_with_all_that_is_known() -> None:
    async def test(found: Desk) -> None:
        answer = await found.tell(change="opened", wanted=OPEN, incident=snapshot(detected_at_ms=OPENED_MS))
        assert answer.outcome is DeliveryOutcome.DELIVERED
        assert found.asked() == ["POST /v1/requests"]
        fields = found.fields
        assert (fields["category"], fields["impact"], fields["subject"]) == ("incident", "top", TITLE)
        assert (fields["source"], fields["sourceID"]) == ("Spillway", INCIDENT_ID)
        assert (fields["service_instance"]["id"], fields["team"]["id"]) == (331, 14)
        assert fields["downtime_start_at"] == "2026-03-04T02:11:42Z"
        [note] = found.server.of(INCIDENT_ID).notes
        assert note["internal"]
        assert note["text"].startswith(
            "Affected: about 18,000 users of Checkout\nSince: 2026-03-04 02:11 UTC\nPriority: P1"
        )
        assert note["text"].endswith(f"[Spillway {INCIDENT_ID}/1]")
        remote = found.remotes[INCIDENT_ID]
        assert remote.fields == {**OPEN, "assignee": ""}
        assert remote.key == remote.id == "1004417"

    with_desk(test, **MAPPED)


def test_nothing_new_asks_nothing() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2)
        await found.tell(revision=3, wanted=OPEN)
        assert found.asked() == ["POST /v1/requests"]

    with_desk(test)


def test_the_fields_that_both_sides_write_are_written_and_known_as_they_are_read_back() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        wanted = {"state": "mitigated", "title": "Checkout\nis down", "priority": "P2", "assignee": "kim"}
        await found.tell(revision=2, wanted=wanted, incident=snapshot(priority="P2", priority_rank=1))
        assert (found.fields["status"], found.fields["subject"]) == ("in_progress", "Checkout is down")
        assert (found.fields["impact"], found.fields["member"]["id"]) == ("high", KIM)
        written = found.remotes[INCIDENT_ID].fields
        assert written == {"state": "in_progress", "title": "Checkout is down", "priority": "P2", "assignee": "kim"}
        update = await found.sink.look(INCIDENT_ID, found.remotes[INCIDENT_ID], NOW)
        assert update is not None
        assert update.fields.model_dump() == written
        await found.tell(revision=3, wanted={"assignee": ""})
        assert found.fields["member"] is None

    with_desk(test, people={str(KIM): "kim"})


def test_what_waits_sleeps_there_until_a_moment_unless_it_waits_for_the_requester() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        vendor = snapshot(state="waiting_vendor", waiting_for="vendor")
        await found.tell(revision=2, wanted={"state": "waiting"}, incident=vendor)
        assert (found.fields["status"], found.fields["waiting_until"]) == ("waiting_for", "2026-03-04T03:11:00Z")
        found.remotes[INCIDENT_ID].fields["state"] = "in_progress"
        customer = snapshot(state="waiting_customer", waiting_for="customer")
        await found.tell(revision=3, wanted={"state": "waiting"}, incident=customer)
        assert found.fields["status"] == "waiting_for_customer"

    with_desk(test, waiting_minutes=60)


@pytest.mark.parametrize(
    ("state", "fields", "reason"),
    [
        ("resolved", {"resolution": {"code": "fixed", "summary": "more memory"}}, "solved"),
        ("resolved", {"resolution": {"code": "cleared_by_itself"}}, "gone"),
        ("resolved", {"workaround": "traffic moved"}, "workaround"),
        ("cancelled", {}, "gone"),
        ("merged", {"merged_into": OTHER_ID}, "duplicate"),
        ("closed", {"resolution": {"code": "rollback"}}, "conflict"),
    ],
)
def test_what_is_over_is_completed_with_its_reason(state: str, fields: dict[str, Any], reason: str) -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, change=state, wanted={"state": "closed"}, incident=over(state, **fields))
        assert (found.fields["status"], found.fields["completion_reason"]) == ("completed", reason)
        assert found.fields["downtime_end_at"] == "2026-03-04T02:21:42Z"
        assert found.remotes[INCIDENT_ID].fields["state"] == "resolved"

    with_desk(test, reasons={"rollback": "conflict"})


def test_a_reopened_incident_opens_its_request_again() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "resolved"}, incident=over())
        await found.tell(revision=3, wanted={"state": "open"}, incident=snapshot(state="reopened", reopened=1))
        assert found.fields["status"] == "assigned"
        assert len(found.server.requests) == 1

    with_desk(test)


def test_the_events_api_takes_names_and_what_it_lacks_is_written_after() -> None:
    async def test(found: Desk) -> None:
        major = {"phase": "declared", "by": "spillway", "rule": "users"}
        bridge = snapshot(id=BRIDGE_ID, kind="bridge", major=major)
        bridge["major"] = major
        await found.tell(incident=bridge, wanted=OPEN)
        fields = found.server.of(BRIDGE_ID).fields
        assert (fields["service_instance"]["name"], fields["grouping"]) == ("Checkout Production", "group")
        assert fields["major_incident_status"] == "proposed"
        assert found.asked() == ["POST /v1/events", "PATCH /v1/requests/1004417"]

    with_desk(test, create_by="events", service_instances={"checkout": "Checkout Production"})


def test_entries_become_one_internal_note_once() -> None:
    async def test(found: Desk) -> None:
        entries = [entry("note", "restarted, @aylin see [here](http://evil.example)", "kim"), entry("detect", "noise")]
        await found.tell(wanted=OPEN)
        found.server.next_faults = ["silent"]
        first = await found.tell(revision=2, entries=entries)
        assert (first.outcome, first.unknown) == (DeliveryOutcome.RETRY, True)
        await found.tell(revision=2, entries=entries, unsure=True, attempt=2)
        await found.tell(revision=2, entries=entries, unsure=True, attempt=3)
        _, note = found.server.of(INCIDENT_ID).notes
        assert note["internal"]
        assert "kim: restarted, @\u200baylin see [here]\u200b(http://evil.example)" in note["text"]

    with_desk(test)


def test_what_was_given_up_and_is_sent_again_under_a_revision_that_was_told_is_noted() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=3, entries=[entry("note", "restarted", "kim")])
        await found.tell(revision=3, again=1, entries=[entry("note", "disk replaced", "ann")])
        texts = [note["text"] for note in found.server.of(INCIDENT_ID).notes]
        assert [any(words in text for text in texts) for words in ("restarted", "disk replaced")] == [True, True]

    with_desk(test)


def test_what_was_noted_before_there_was_a_request_is_in_its_first_note() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN, entries=[entry("note", "restarted", "kim")])
        [note] = found.server.of(INCIDENT_ID).notes
        assert "kim: restarted" in note["text"]

    with_desk(test)


def test_messages_to_the_audiences_of_the_desk_are_public_notes_once() -> None:
    message = {"number": 1, "audience": "affected_users", "page": "", "state": "investigating"}
    messages = [{**message, "subject": "We look into it", "text": "Checkout fails."}]

    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        found.server.next_faults = ["silent"]
        first = await found.tell(messages=messages)
        assert (first.outcome, first.unknown) == (DeliveryOutcome.RETRY, True)
        await found.tell(messages=messages, unsure=True, attempt=2)
        await found.tell(messages=messages, attempt=3)
        await found.tell(revision=2, messages=[{**messages[0], "audience": "public"}])
        public = [note["text"] for note in found.server.of(INCIDENT_ID).notes if not note["internal"]]
        assert public == ["We look into it\n\nCheckout fails."]

    with_desk(test)


def test_a_priority_that_has_no_impact_of_its_own_is_not_written_again_and_again() -> None:
    async def test(found: Desk) -> None:
        incident = snapshot(priority="S2", priority_rank=1)
        for revision in (1, 2, 3):
            await found.tell(revision=revision, incident=incident, wanted={**OPEN, "priority": "S2"})
        assert found.fields["impact"] == "high"
        assert found.asked() == ["POST /v1/requests"]

    with_desk(test)


def test_members_are_grouped_into_the_request_of_their_bridge_incident_whichever_comes_first() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        bridge = snapshot(id=BRIDGE_ID, kind="bridge", members=[INCIDENT_ID, OTHER_ID])
        await found.tell(incident=bridge, wanted=OPEN)
        assert found.server.of(BRIDGE_ID).fields["grouping"] == "group"
        assert found.fields["grouped_into"]["id"] == found.server.of(BRIDGE_ID).id
        await found.tell(incident=snapshot(id=OTHER_ID, bridge_id=BRIDGE_ID), wanted=OPEN)
        assert found.server.of(OTHER_ID).fields["grouped_into"]["id"] == found.server.of(BRIDGE_ID).id
        asked = len(found.asked())
        await found.tell(incident=snapshot(id=OTHER_ID, bridge_id=BRIDGE_ID), revision=2)
        assert len(found.asked()) == asked
        await found.tell(incident=snapshot(id=OTHER_ID), revision=3)
        assert found.server.of(OTHER_ID).fields["grouped_into"] is None
        asked = len(found.asked())
        await found.tell(incident=bridge, revision=2)
        assert len(found.asked()) == asked

    with_desk(test)


@pytest.mark.parametrize(
    ("by", "there", "ends"),
    [("spillway", "proposed", "canceled"), ("spillway", "accepted", "resolved"), ("kim", "accepted", "resolved")],
)
def test_a_detected_major_incident_is_proposed_there_and_one_that_a_person_declared_is_accepted(
    by: str, there: str, ends: str
) -> None:
    async def test(found: Desk) -> None:
        bridge = snapshot(id=BRIDGE_ID, kind="bridge")
        bridge["major"] = {"phase": "declared", "by": by}
        await found.tell(incident=bridge, wanted=OPEN)
        fields = found.server.of(BRIDGE_ID).fields
        assert fields["major_incident_status"] == ("proposed" if by == "spillway" else "accepted")
        if by == "spillway" and there == "accepted":
            found.server.by(KIM, BRIDGE_ID, major_incident_status="accepted")
        ended = {**bridge, "state": "resolved", "resolved_at_ms": OPENED_MS}
        await found.tell(incident=ended, revision=2, wanted={"state": "resolved"})
        assert (fields["major_incident_status"], fields["status"]) == (ends, "completed")

    with_desk(test)


def test_a_proposal_that_came_to_nothing_is_cancelled_there() -> None:
    async def test(found: Desk) -> None:
        bridge = snapshot(id=BRIDGE_ID, kind="bridge")
        bridge["major"] = {"phase": "proposed", "by": "spillway"}
        await found.tell(incident=bridge, wanted=OPEN)
        await found.tell(incident={**bridge, "major": {"phase": "rejected", "by": "kim"}}, revision=2)
        assert found.server.of(BRIDGE_ID).fields["major_incident_status"] == "rejected"

    with_desk(test)


def test_the_problem_that_hangs_on_an_incident_hangs_on_its_request() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        links = [{"kind": "problem", "id": "8812", "url": None, "state": None}]
        await found.tell(revision=2, incident=snapshot(links=links))
        await found.tell(revision=3, incident=snapshot(links=links))
        assert found.fields["problem"]["id"] == 8812
        assert found.asked().count("PATCH /v1/requests/1004417") == 1

    with_desk(test)


def test_a_merged_incident_names_the_request_that_it_goes_on_in() -> None:
    async def test(found: Desk) -> None:
        await found.tell(incident=snapshot(id=OTHER_ID), wanted=OPEN)
        await found.tell(wanted=OPEN)
        merged = over("merged", merged_into=OTHER_ID)
        await found.tell(revision=2, change="merged", incident=merged, wanted={"state": "closed"})
        texts = [note["text"] for note in found.server.of(INCIDENT_ID).notes]
        assert "It goes on in another request." in texts
        assert any(f"Merged into {OTHER_ID}.\nhttp://{ACCOUNT}." in text for text in texts)

    with_desk(test)


def test_a_proposal_to_complete_it_is_a_note() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, propose=True)
        assert "All alerts are clear" in found.server.of(INCIDENT_ID).notes[-1]["text"]
        assert found.fields["status"] == "assigned"

    with_desk(test)


def test_what_is_over_before_it_was_told_gets_no_request() -> None:
    async def test(found: Desk) -> None:
        answer = await found.tell(incident=over(), wanted={"state": "resolved"})
        assert (answer.outcome, answer.detail) == (DeliveryOutcome.DELIVERED, "over: no request is opened")
        assert found.server.journal == []

    with_desk(test)
