"""The ServiceNow sink against an instance that behaves as documented: the life of an incident, and what is read."""

from __future__ import annotations

import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.base import Trouble
from pipeline.sinks.told import Words
from tests.sinks.desk import BRIDGE, INCIDENT, OTHER, Desk, entry
from tests.sinks.receivers import NOW
from tests.sinks.servers.servicenow import ServiceNowServer
from tests.sinks.servicenow_site import KIM, play


def test_an_incident_is_opened_with_impact_and_urgency_and_never_a_priority() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        remote = await desk.delivered("opened", 1, entries=[entry("escalate", "escalated to level 2")])
        record = server.record_of(INCIDENT)
        assert (record["impact"], record["urgency"], record["priority"], record["state"]) == ("1", "1", "1", "1")
        assert record["correlation_display"] == "Spillway"
        assert record["short_description"] == "Checkout: 12 % of requests fail"
        assert "about 18,000 users of Checkout" in record["description"]
        assert remote.key == record["number"]
        assert remote.fields == {"state": "open", "priority": "P1", "title": "Checkout: 12 % of requests fail"}
        assert server.words_on(record, "work_notes") == [f"02:11 UTC escalated to level 2\n[Spillway {INCIDENT}/1]"]
        assert b"priority" not in b"".join(each.body for each in server.journal)

    play(story)


def test_what_is_so_already_is_not_written() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        requests = len(server.journal)
        answer = await desk.tell("updated", 2)
        assert answer.outcome == DeliveryOutcome.DELIVERED
        assert answer.remote == desk.remotes[INCIDENT]
        assert len(server.journal) == requests

    play(story)


def test_states_have_their_reasons_and_codes() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        record = server.record_of(INCIDENT)
        await desk.delivered("acknowledged", 2, state="acknowledged")
        assert record["state"] == "2"
        await desk.delivered("updated", 3, state="waiting_vendor", waiting_for="vendor")
        assert (record["state"], record["hold_reason"]) == ("3", "4")
        await desk.delivered("updated", 4, state="waiting_customer", waiting_for="customer")
        assert (record["state"], record["hold_reason"]) == ("3", "1")
        requests = len(server.journal)
        await desk.delivered("updated", 5, state="waiting_customer", waiting_for="customer")
        assert len(server.journal) == requests
        await desk.delivered("mitigated", 6, state="mitigated")
        assert record["state"] == "2"
        resolution = {"code": "workaround", "summary": "Failed over.", "cause": "Disk"}
        remote = await desk.delivered("resolved", 7, state="resolved", resolution=resolution)
        assert (record["state"], record["close_code"], record["close_notes"]) == (
            "6", "Workaround provided", "Failed over.\nDisk",
        )  # fmt: skip
        assert remote.ended
        await desk.delivered("reopened", 8, state="reopened")
        assert record["state"] == "1"
        await desk.delivered("resolved", 9, state="resolved")
        await desk.delivered("closed", 10, state="closed")
        assert (record["state"], record["close_notes"]) == ("7", "All is clear.")

    play(story)


def test_what_ended_by_itself_and_is_documented_later_tells_how_there() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        await desk.delivered("resolved", 2, state="resolved")
        given = {"code": "fixed", "summary": "Replaced the disk."}
        documented = [entry("resolution", "resolution documented", "kim")]
        await desk.delivered("updated", 3, state="resolved", resolution=given, entries=documented)
        assert server.record_of(INCIDENT)["close_notes"] == "Replaced the disk."

    play(story)


def test_what_was_no_incident_is_cancelled() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        remote = await desk.delivered("cancelled", 2, state="cancelled")
        assert server.record_of(INCIDENT)["state"] == "8"
        assert remote.fields["state"] == "closed"

    play(story)


def test_work_notes_are_internal_and_only_words_for_the_affected_are_comments() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        messages = [
            Words(1, "affected_users", "portal", "investigating", "Checkout", "We are looking into it."),
            Words(1, "executives", "mail", "investigating", "P1", "Money is at stake."),
        ]
        entries = [entry("note", "the disk of db-7 is full", "kim", audience="internal"), entry("detect", "noise")]
        await desk.delivered("noted", 2, messages=messages, entries=entries)
        record = server.record_of(INCIDENT)
        mark = f"[Spillway {INCIDENT}/2]"
        assert server.words_on(record, "comments") == [f"Checkout\n\nWe are looking into it.\n{mark}"]
        assert server.words_on(record, "work_notes") == [f"02:11 UTC kim: the disk of db-7 is full\n{mark}"]

    play(story)


def test_all_clear_while_somebody_works_is_said_and_nothing_else_is_done() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        await desk.delivered("updated", 2, propose=True)
        record = server.record_of(INCIDENT)
        assert record["state"] == "1"
        assert "All alerts are clear" in server.words_on(record)[0]

    play(story)


def test_a_member_hangs_on_its_bridge_incident_as_soon_as_that_is_there() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        await desk.delivered("bridged", 2, bridge_id=BRIDGE)
        record = server.record_of(INCIDENT)
        assert record["parent_incident"] == ""
        await desk.delivered("opened", 1, id=BRIDGE, kind="bridge", title="Payments are down")
        await desk.delivered("updated", 3, bridge_id=BRIDGE)
        assert record["parent_incident"] == server.record_of(BRIDGE)["sys_id"]
        requests = len(server.journal)
        await desk.delivered("updated", 4, bridge_id=BRIDGE)
        assert len(server.journal) == requests
        await desk.delivered("bridged", 5, bridge_id=None)
        assert record["parent_incident"] == ""

    play(story)


def test_what_was_merged_is_linked_noted_and_closed_as_a_duplicate() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1, id=OTHER)
        await desk.delivered("opened", 1)
        merged = [entry("merge", f"merged into {OTHER}")]
        await desk.delivered("merged", 2, state="merged", merged_into=OTHER, entries=merged)
        record = server.record_of(INCIDENT)
        assert record["parent_incident"] == server.record_of(OTHER)["sys_id"]
        assert (record["state"], record["close_code"]) == ("7", "Duplicate")
        assert record["close_notes"] == f"Merged into {OTHER}."
        assert f"merged into {OTHER}" in server.words_on(record, "work_notes")[0]

    play(story)


def test_a_problem_is_linked_if_it_is_there_and_an_id_cannot_widen_the_query() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        problem = {"sys_id": f"{99:032x}", "number": "PRB0040001", "correlation_id": "PRB-DDDDDDDDDDDD"}
        server.instance.tables["problem"][problem["sys_id"]] = problem
        hostile = {"kind": "problem", "id": "x^ORnumberSTARTSWITHPRB", "state": "known_error"}
        await desk.delivered("opened", 1, links=[hostile])
        record = server.record_of(INCIDENT)
        assert record["problem_id"] == ""
        await desk.delivered("updated", 2, links=[{"kind": "problem", "id": "PRB-NOT-THERE"}])
        assert record["problem_id"] == ""
        await desk.delivered("updated", 3, links=[{"kind": "problem", "id": "PRB-DDDDDDDDDDDD"}])
        assert record["problem_id"] == problem["sys_id"]

    play(story)


def test_teams_services_and_own_fields_are_mapped_and_what_people_changed_there_stays() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1, assignee="kim.lee", theirs=())
        record = server.record_of(INCIDENT)
        assert record["assignment_group"] == f"{1:032x}"
        assert record["cmdb_ci"] == f"{2:032x}"
        assert record["business_service"] == f"{3:032x}"
        assert record["assigned_to"] == KIM
        assert record["u_region"] == "production"
        assert desk.remotes[INCIDENT].fields["assignee"] == "kim.lee"
        record["assignment_group"] = f"{8:032x}"
        await desk.delivered("acknowledged", 2, state="acknowledged", assignee="kim.lee", theirs=())
        assert record["assignment_group"] == f"{8:032x}"
        await desk.delivered("updated", 3, state="acknowledged", owner="payments", assignee="kim.lee", theirs=())
        assert record["assignment_group"] == f"{9:032x}"

    play(
        story,
        groups={"storefront-sre": f"{1:032x}", "payments": f"{9:032x}"},
        configuration_items={"component:default/checkout": f"{2:032x}"},
        business_services={"component:default/checkout": f"{3:032x}"},
        people={KIM: "kim.lee"},
        fields={"u_region": "{{ space }}"},
    )


def test_changes_are_read_by_pages_each_once_and_the_journal_with_them() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        for number in range(26):
            await desk.delivered("opened", 1, id=f"INC-{chr(65 + number) * 12}")
        server.edit(server.record_of(INCIDENT), "kim.lee", state="6", close_code="Known error", close_notes="Known.")
        note = "see the runbook"
        server.edit(server.record_of(OTHER), "kim.lee", work_notes=note, assigned_to=KIM)
        found = [each async for each in desk.client.changed(NOW)]
        assert len(found) == 26
        assert len({each.update_id for each in found}) == 26
        by_id = {each.incident_id: each for each in found}
        assert (by_id[INCIDENT].fields.state, by_id[INCIDENT].resolution_code) == ("resolved", "workaround")
        assert [(each.text, each.author) for each in by_id[OTHER].notes] == [(note, "kim")]
        assert by_id[OTHER].fields.assignee == "kim"
        assert sum("/incident?" in each.path and "ORDERBYsys_updated_on" in each.path for each in server.journal) == 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.sinks.servicenow.PAGE_RECORDS", 10)
        play(story, people={KIM: "kim", "kim.lee": "kim"})


def test_more_changes_in_one_second_than_a_page_holds_are_all_read() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        for number in range(9):
            await desk.delivered("opened", 1, id=f"INC-{chr(65 + number) * 12}")
            server.incidents[-1]["sys_updated_on"] = "2026-03-04 02:20:00"
        server.incidents[0]["sys_updated_on"] = "2026-03-04 02:20:01"
        assert len([each async for each in desk.client.changed(NOW)]) == 9

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.sinks.servicenow.PAGE_RECORDS", 3)
        play(story)


def test_where_journals_may_not_be_read_changes_come_without_them() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        server.journals_readable = False
        assert [each.notes async for each in desk.client.changed(NOW)] == [()]

    play(story)


def test_nobody_has_it_any_more() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1, assignee="kim.lee", theirs=())
        assert server.record_of(INCIDENT)["assigned_to"] == KIM
        await desk.delivered("updated", 2, assignee=None, theirs=())
        assert server.record_of(INCIDENT)["assigned_to"] == ""

    play(story, people={KIM: "kim.lee"})


def test_whether_it_would_be_let_in_is_asked_without_changing_anything() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        assert await desk.client.check() == "spillway.integration may read incident"
        server.token = "another"
        with pytest.raises(Trouble):
            await desk.client.check()
        assert {each.method for each in server.journal} == {"GET"}

    play(story)
