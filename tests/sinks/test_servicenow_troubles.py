"""The ServiceNow sink where something goes wrong: lost answers, limits, policies, what was deleted there."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.told import Words
from tests.sinks.desk import HOSTILE, INCIDENT, Desk, entry
from tests.sinks.receivers import NOW
from tests.sinks.servers.base import page_of_a_proxy
from tests.sinks.servers.servicenow import ServiceNowServer, error
from tests.sinks.servicenow_site import KIM, play


@pytest.mark.parametrize("fault", ["after", "silent"])
def test_a_creation_whose_answer_was_lost_makes_no_second_record(fault: str) -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        server.next_faults = ["", fault]  # the search passes, the creation is done and its answer lost
        answer = await desk.tell("opened", 1, entries=[entry("escalate", "escalated to level 2")])
        assert (answer.outcome, answer.unknown) == (DeliveryOutcome.RETRY, True)
        await desk.delivered("opened", 1, entries=[entry("escalate", "escalated to level 2")])
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


def test_a_delivery_that_grew_while_its_answer_was_lost_writes_what_is_not_there_and_no_more() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        first, second = entry("note", "the disk is full", "kim"), entry("note", "it is db-7", "kim")
        server.next_faults = ["after"]
        await desk.tell("noted", 2, entries=[first | {"revision": 2}])
        await desk.delivered("noted", 3, entries=[first | {"revision": 2}, second | {"revision": 3}])
        notes = server.words_on(server.record_of(INCIDENT))
        assert [each.partition("\n")[0] for each in notes] == [
            "02:11 UTC kim: the disk is full",
            "02:11 UTC kim: it is db-7",
        ]

    play(story)


def test_the_same_words_may_be_said_again_later() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        words = [Words(1, "affected_users", "portal", "investigating", "Checkout", "We are working on it.")]
        for revision in (2, 3):
            server.next_faults = ["before"]
            await desk.delivered("noted", revision, messages=words)
        assert len(server.words_on(server.record_of(INCIDENT), "comments")) == 2

    play(story)


def test_a_record_that_is_found_after_all_keeps_whom_a_person_gave_it_to() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        server.next_faults = ["", "after"]
        await desk.tell("opened", 1)
        server.edit(server.record_of(INCIDENT), "kim.lee", assigned_to=f"{8:032x}")
        await desk.delivered("opened", 1, assignee="kim.lee", theirs=())
        assert server.record_of(INCIDENT)["assigned_to"] == f"{8:032x}"

    play(story, people={KIM: "kim.lee"})


def test_a_page_of_something_else_makes_no_record_a_second_time() -> None:
    async def story(server: ServiceNowServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        kept = server.handle
        for status in (404, 200):
            server.handle = partial(page_of_a_proxy, status)  # type: ignore[method-assign]
            answer = await desk.tell("acknowledged", 2, state="acknowledged")
            assert answer.outcome == DeliveryOutcome.RETRY
            desk.remotes, remotes = {}, desk.remotes
            assert (await desk.tell("opened", 1)).outcome == DeliveryOutcome.RETRY
            desk.remotes = remotes
        server.handle = kept  # type: ignore[method-assign]
        await desk.delivered("acknowledged", 2, state="acknowledged")
        assert len(server.incidents) == 1

    play(story)
