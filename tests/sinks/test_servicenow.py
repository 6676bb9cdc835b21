"""The ServiceNow sink against an instance that behaves as documented."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.sinks.clients import client_of
from pipeline.sinks.limits import Bucket
from pipeline.sinks.told import Words
from tests.sinks.desk import BRIDGE, HOSTILE, INCIDENT, OTHER, Desk, entry
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.servicenow import ServiceNowServer

KIM = f"{7:032x}"
Story = Callable[[ServiceNowServer, Desk], Awaitable[None]]


@asynccontextmanager
async def instance(**fields: Any) -> AsyncIterator[tuple[ServiceNowServer, Desk]]:
    server = ServiceNowServer()
    async with server.running():
        given: dict[str, Any] = {
            "name": "snow",
            "url": server.url,
            "secret_env": "SNOW",
            "user": server.user,
            "timeout_seconds": 2,
        }
        rules = ServiceNow(**(given | {"timeout_seconds": 2} | fields))
        secret = server.client[1] if rules.auth == "oauth" else str(server.token)
        client = client_of(rules, {"SNOW": secret}, Bucket(0, 5))
        yield server, Desk(client, rules)
        await client.close()


def play(story: Story, **fields: Any) -> None:
    async def test() -> None:
        async with instance(**fields) as (server, desk):
            await story(server, desk)

    run(test())


def test_an_incident_is_opened_with_impact_and_urgency_and_never_a_priority() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        remote = await desk.delivered("opened", 1, entries=[entry("log", "logged as P1")])
        record = server.record_of(INCIDENT)
        assert (record["impact"], record["urgency"], record["priority"], record["state"]) == ("1", "1", "1", "1")
        assert record["correlation_display"] == "Spillway"
        assert record["short_description"] == "Checkout: 12 % of requests fail"
        assert "about 18,000 users of Checkout" in record["description"]
        assert remote.key == record["number"]
        assert remote.fields == {"state": "open", "priority": "P1", "title": "Checkout: 12 % of requests fail"}
        assert server.words_on(record, "work_notes") == [f"02:11 UTC logged as P1\n[Spillway {INCIDENT}/1]"]
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
        assert record["hold_reason"] == "4"  # it is on hold there still, and nobody asked for another state
        await desk.delivered("mitigated", 5, state="mitigated")
        assert record["state"] == "2"
        resolution = {"code": "workaround", "summary": "Failed over.", "cause": "Disk"}
        remote = await desk.delivered("resolved", 6, state="resolved", resolution=resolution)
        assert (record["state"], record["close_code"], record["close_notes"]) == (
            "6", "Workaround provided", "Failed over.\nDisk",
        )  # fmt: skip
        assert remote.ended
        await desk.delivered("reopened", 7, state="reopened")
        assert record["state"] == "1"
        await desk.delivered("resolved", 8, state="resolved")
        await desk.delivered("closed", 9, state="closed")
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
        assert server.words_on(record, "work_notes") == [f"02:11 UTC the disk of db-7 is full (kim)\n{mark}"]

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


@pytest.mark.parametrize("fault", ["after", "silent"])
def test_a_creation_whose_answer_was_lost_makes_no_second_record(fault: str) -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        server.next_faults = ["", fault]  # the search passes, the creation is done and its answer lost
        answer = await desk.tell("opened", 1, entries=[entry("log", "logged as P1")])
        assert (answer.outcome, answer.unknown) == (DeliveryOutcome.RETRY, True)
        await desk.delivered("opened", 1, entries=[entry("log", "logged as P1")])
        assert len(server.incidents) == 1
        assert len(server.words_on(server.record_of(INCIDENT))) == 1

    play(story)


def test_a_note_whose_answer_was_lost_is_not_written_twice_and_one_that_was_not_written_is() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        for revision, fault in enumerate(["after", "silent", "before"], 2):
            server.next_faults = [fault]
            noted = [entry("note", f"note {revision}", "kim")]
            assert (await desk.tell("noted", revision, entries=noted)).outcome == DeliveryOutcome.RETRY
            await desk.delivered("noted", revision, entries=noted)
        assert len(server.words_on(server.record_of(INCIDENT))) == 3

    play(story)


def test_a_worker_that_died_before_it_noted_the_creation_finds_the_record() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        desk.remotes.clear()
        desk.attempts.clear()
        await desk.delivered("opened", 1)
        assert len(server.incidents) == 1

    play(story)


def test_a_rate_rule_pauses_the_credential_as_long_as_it_says() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        server.rate_per_second = 0.001
        server._allowance = 0.0
        answer = await desk.tell("opened", 1)
        assert (answer.outcome, answer.status, answer.retry_after_seconds) == (DeliveryOutcome.RETRY, 429, 1)
        assert not answer.unknown

    play(story)


def test_a_wrong_password_is_tried_again_and_loses_nothing() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        server.token = "changed"
        answer = await desk.tell("opened", 1)
        assert (answer.outcome, answer.status, answer.unknown) == (DeliveryOutcome.RETRY, 401, False)
        assert "secret-password" not in answer.detail

    play(story)


def test_a_token_that_expired_is_renewed_once() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        assert server.tokens_given == 1
        server.expire()
        await desk.delivered("acknowledged", 2, state="acknowledged")
        assert server.tokens_given == 2
        server.client = ("client-1", "another")
        server.expire()
        answer = await desk.tell("resolved", 3, state="resolved")
        assert (answer.outcome, answer.unknown) == (DeliveryOutcome.RETRY, False)
        assert answer.remote is None

    play(story, auth="oauth", client_id="client-1")


def test_a_data_policy_that_refuses_is_told_apart_from_a_missing_right() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        server._refused = lambda record, values, what: _policy()  # type: ignore[method-assign]
        answer = await desk.tell("opened", 1)
        assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 403)
        assert "Data Policy Exception: mandatory: u_region" in answer.detail

    def _policy() -> Any:
        from tests.sinks.servers.servicenow import error  # the one test that words an error

        return error(403, "Operation Failed", "Data Policy Exception: mandatory: u_region")

    play(story)


def test_a_record_that_was_deleted_there_is_made_anew_while_the_incident_goes_on() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        server.delete(server.record_of(INCIDENT))
        noted = [entry("note", "still broken", "kim")]
        await desk.delivered("noted", 2, entries=noted)
        assert "still broken" in server.words_on(server.record_of(INCIDENT))[0]
        server.delete(server.record_of(INCIDENT))
        remote = await desk.delivered("closed", 3, state="closed")
        assert (remote.state, server.incidents) == ("gone", [])

    play(story)


def test_hostile_and_long_text_is_shown_as_it_is_and_cut_to_what_the_instance_takes() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        noted = [entry("note", (HOSTILE + "\n") * 80, "kim")]
        title = f"{HOSTILE}\n{HOSTILE}"
        remote = await desk.delivered("opened", 1, title=title, symptoms=[HOSTILE] * 50, entries=noted)
        record = server.record_of(INCIDENT)
        note = server.words_on(record)[0]
        assert "[code]" not in note
        for text in (record["short_description"], record["description"], note):
            assert "\x00" not in text
            assert "\u202e" not in text
        assert len(record["short_description"]) <= 160
        assert "<script>alert(1)</script>" in note
        assert "漢字 🚨" in note
        assert note.endswith(f"[Spillway {INCIDENT}/1]")
        assert len(note) <= 4_000
        assert remote.fields["title"] == desk.rules.canonical("title", title)
        requests = len(server.journal)
        await desk.delivered("updated", 2, title=title)
        assert len(server.journal) == requests

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


def test_where_journals_may_not_be_read_changes_come_without_them() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        server.journals_readable = False
        assert [each.notes async for each in desk.client.changed(NOW)] == [()]

    play(story)


def test_a_record_is_looked_at_as_it_is_and_one_that_was_deleted_is_gone() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        remote = await desk.delivered("opened", 1)
        server.edit(server.record_of(INCIDENT), "kim.lee", impact="3", urgency="3")
        update = await desk.client.look(INCIDENT, remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.priority, update.author) == ("read", "P4", "")
        server.delete(server.record_of(INCIDENT))
        update = await desk.client.look(INCIDENT, remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.state) == ("gone", "gone")

    play(story)
