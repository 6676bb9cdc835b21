"""The PagerDuty sink where answers are lost, things are refused, and what people did there is read."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pagerduty
import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, SinkUpdate
from pipeline.sinks.base import SinkError, Trouble
from pipeline.sinks.limits import Bucket
from pipeline.sinks.pagerduty import PagerDutySink
from tests.gateway.tls import tls_before
from tests.sinks.bodies import INCIDENT_ID, call, entry, send, snapshot
from tests.sinks.pagerduty_desk import KEY, OPEN, WITH_API, Desk, foreign, rules, with_desk
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.pagerduty import API_KEY, ROUTING_KEY, USER, PagerDutyServer


def test_no_alert_stays_open_of_attempts_whose_answers_were_lost_and_that_were_given_up() -> None:
    async def reopened(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        found.server.next_faults = ["silent"]
        await found.tell(revision=3, wanted={"state": "open"}, incident=snapshot(state="reopened", reopened=1))
        assert found.server.incidents[-1].status == "triggered"
        await found.tell(revision=4, incident=snapshot(state="resolved", reopened=1))
        assert found.server.incidents[-1].status == "resolved"

    async def called(found: Desk) -> None:
        await found.tell(wanted=OPEN, calls=[call("0:kim")])
        found.server.next_faults = ["silent"]
        await found.tell(revision=2, calls=[call("1:lee")])
        await found.tell(revision=3, wanted={"state": "resolved"}, incident=snapshot(state="resolved"))
        assert {each.status for each in found.server.incidents} == {"resolved"}

    async def muted(found: Desk) -> None:
        found.server.next_faults = ["silent"]
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted=OPEN, unsure=True, incident=snapshot(muted={"since_ms": 1, "by": []}))
        assert found.server.incidents[-1].status == "resolved"

    with_desk(reopened)
    with_desk(called, calls="alert")
    with_desk(muted)


@pytest.mark.parametrize("fault", ["silent", "after", "before"])
def test_an_answer_that_was_lost_costs_no_second_page(fault: str) -> None:
    async def test(found: Desk) -> None:
        found.server.next_faults = [fault]
        first = await found.tell(wanted=OPEN)
        assert first.outcome is DeliveryOutcome.RETRY
        await found.tell(wanted=OPEN, unsure=first.unknown, attempt=2)
        assert found.server.pages == [KEY]

    with_desk(test)


def test_what_was_resolved_there_before_the_retry_is_not_opened_again_where_it_can_be_looked_up() -> None:
    async def test(found: Desk) -> None:
        found.server.next_faults = ["silent"]
        await found.tell(wanted=OPEN)
        found.server.by("kim", "resolved", KEY)
        answer = await found.tell(wanted=OPEN, unsure=True, attempt=2)
        assert answer.outcome is DeliveryOutcome.DELIVERED
        await found.tell(revision=2, wanted={"title": "Checkout is down"})
        assert found.server.pages == [KEY]

    with_desk(test, **WITH_API)


def test_what_was_opened_by_a_lost_attempt_and_ended_since_is_resolved() -> None:
    async def test(found: Desk) -> None:
        found.server.next_faults = ["silent"]
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, incident=snapshot(state="cancelled"), unsure=True)
        assert [each.status for each in found.server.incidents] == ["resolved"]

    with_desk(test)


def test_notes_are_written_once_also_where_the_answer_was_lost() -> None:
    async def test(found: Desk) -> None:
        entries = [entry("note", "restarted the pods", "kim"), entry("detect", "42 % of requests fail")]
        await found.tell(wanted=OPEN)
        found.server.next_faults = ["", "silent"]  # the look-up, then the note
        first = await found.tell(revision=2, entries=entries)
        assert (first.outcome, first.unknown) == (DeliveryOutcome.RETRY, True)
        await found.tell(revision=2, entries=entries, unsure=True, attempt=2)
        assert found.server.seen()[0].notes == ["Spillway, revision 2:\nkim: restarted the pods"]
        assert found.remote is not None
        assert found.remote.url == "https://acme.pagerduty.com/incidents/Q000001"

    with_desk(test, **WITH_API)


def test_a_refused_key_of_the_rest_api_holds_up_no_page() -> None:
    async def test(found: Desk) -> None:
        found.server.api_key = "another"
        answer = await found.tell(wanted=OPEN, entries=[entry("note", "look")])
        assert answer.outcome is DeliveryOutcome.DELIVERED
        assert answer.detail == "not noted: 401 from the REST API"
        assert found.server.pages == [KEY]

    with_desk(test, **WITH_API)


def test_a_half_way_failure_says_what_was_done() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN, calls=[call("0:kim")])
        found.server.next_faults = ["", "before"]
        answer = await found.tell(revision=2, calls=[call("1:lee")], wanted={"state": "acknowledged"})
        assert answer.outcome is DeliveryOutcome.RETRY
        assert answer.remote is not None
        assert answer.remote.extra["steps"] == ["0:kim", "1:lee"]
        await found.tell(revision=2, calls=[call("1:lee")], wanted={"state": "acknowledged"}, attempt=2)
        assert found.actions() == ["trigger", "trigger", "acknowledge", "acknowledge"]

    with_desk(test)


def test_too_many_events_are_waited_for_and_a_wrong_key_is_final() -> None:
    async def test(found: Desk) -> None:
        found.server.rate_per_second = 0.001
        found.server._allowance = 0.0
        slow = await found.tell(wanted=OPEN)
        assert (slow.outcome, slow.status, slow.retry_after_seconds) == (DeliveryOutcome.RETRY, 429, 1)

    async def wrong(found: Desk) -> None:
        found.server.routing_key = "f" * 32
        answer = await found.tell(wanted=OPEN)
        assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 400)
        assert ROUTING_KEY not in answer.detail

    with_desk(test)
    with_desk(wrong)


def test_the_reconciler_reads_what_people_did_there() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        found.server.by("kim", "acknowledged", KEY)
        found.server.by("kim", "priority_updated", KEY, "P2")
        found.server.by("kim", "annotated", KEY, "rolling back")
        assert found.remote is not None
        update = await found.sink.look(INCIDENT_ID, found.remote, NOW)
        assert update is not None
        assert (update.kind, update.incident_id, update.person, update.author) == ("read", INCIDENT_ID, True, "Kim")
        assert (update.fields.state, update.fields.priority, update.fields.assignee) == ("acknowledged", "P2", "kim.n")
        assert [(note.author, note.text) for note in update.notes] == [("kim.n", "rolling back")]

    with_desk(test, people={"Kim": "kim.n"}, **WITH_API)


def test_an_alert_that_made_no_incident_says_nothing() -> None:
    async def test(found: Desk) -> None:
        assert await found.sink.look(INCIDENT_ID, Remote(id=KEY), NOW) is None

    with_desk(test, **WITH_API)
    with_desk(test)


def test_what_changed_there_is_read_page_by_page_and_only_what_is_ours() -> None:
    async def test(found: Desk) -> None:
        found.server.page_size_max = 2
        found.server.keys_on_incidents = False
        for number in range(5):
            name = f"INC-{number}"
            await found.sink.send(send(snapshot(id=name), wanted=OPEN), NOW)
            found.server.by("kim", "acknowledged", f"{name}/0")
        await found.sink.enqueue(foreign(), 0)
        since = datetime(2026, 3, 4, 2, tzinfo=UTC)
        updates = [update async for update in found.sink.changed(since)]
        assert [update.incident_id for update in updates] == [f"INC-{number}" for number in range(5)]
        assert {update.fields.state for update in updates} == {"acknowledged"}
        later: list[SinkUpdate] = [update async for update in found.sink.changed(since + timedelta(hours=1))]
        assert later == []

    with_desk(test, **WITH_API)


def test_a_downstream_that_is_away_is_told_apart() -> None:
    async def test(found: Desk) -> None:
        found.server.down = True
        with pytest.raises(Trouble):
            await found.sink.look(INCIDENT_ID, Remote(id=KEY), NOW)
        assert (await found.tell(wanted=OPEN)).outcome is DeliveryOutcome.RETRY

    with_desk(test, **WITH_API)


def test_a_key_that_is_none_stops_the_start() -> None:
    async def main() -> None:
        with pytest.raises(SinkError, match="PD_KEY must hold the integration key"):
            PagerDutySink(rules("https://events.pagerduty.com"), {"PD_KEY": " two words "}, Bucket(0, 5))

    run(main())


def test_the_server_of_these_tests_is_one_that_the_vendors_own_client_works_with(tmp_path: Path) -> None:
    async def main() -> None:
        async with PagerDutyServer().running() as server:
            with tls_before(int(server.url.rpartition(":")[2]), tmp_path) as (address, trusted):
                await asyncio.to_thread(use, address, trusted)
            assert server.incidents[0].status == "resolved"
            assert [each["content"] for each in server.incidents[0].notes] == ["looked"]

    def use(address: str, trusted: ssl.SSLContext) -> None:
        client = pagerduty.EventsApiV2Client(ROUTING_KEY, base_url=address, verify=trusted)
        client.trigger("down", "host", dedup_key="a/0", severity="error")
        client.acknowledge("a/0")
        rest = pagerduty.RestApiV2Client(API_KEY, default_from=USER, base_url=address, verify=trusted)
        [found] = rest.list_all("incidents", params={"incident_key": "a/0", "date_range": "all"})
        assert (found["status"], found["title"]) == ("acknowledged", "down")
        rest.post(f"incidents/{found['id']}/notes", json={"note": {"content": "looked"}}).raise_for_status()
        client.resolve("a/0")

    run(main())
