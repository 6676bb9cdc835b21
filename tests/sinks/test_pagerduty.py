"""The PagerDuty sink against a server that behaves as PagerDuty documents."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pagerduty
import pytest

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, SinkUpdate
from pipeline.models.sinks.paging import PagerDuty
from pipeline.sinks.base import Answer, SinkError, Trouble
from pipeline.sinks.limits import Bucket
from pipeline.sinks.pagerduty import PagerDutySink
from tests.gateway.tls import tls_before
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, call, entry, send, snapshot
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.pagerduty import API_KEY, ROUTING_KEY, USER, PagerDutyServer

KEY = f"{INCIDENT_ID}/0"
WITH_API: dict[str, Any] = {"api_secret_env": "PD_API", "api_user": USER, "notes": "important"}


class Desk:
    """A sink, its server, and what deliver would remember between attempts."""

    def __init__(self, server: PagerDutyServer, sink: PagerDutySink) -> None:
        self.server = server
        self.sink = sink
        self.remote: Remote | None = None

    async def tell(self, **said: Any) -> Answer:
        """Send, with what is known by now; what it answers is remembered."""
        attempt: Send = send(said.pop("incident", None), remote=self.remote, **said)
        answer = await self.sink.send(attempt, NOW)
        self.remote = answer.remote or self.remote
        return answer

    def actions(self) -> list[str]:
        """What was asked of the events API, in order."""
        return [
            orjson.loads(attempt.body)["event_action"]
            for attempt in self.server.journal
            if attempt.path == "/v2/enqueue"
        ]


def rules(url: str, **fields: Any) -> PagerDuty:
    given: dict[str, Any] = {"url": url, "api_url": url, "timeout_seconds": 1}
    return PagerDuty(name="desk", secret_env="PD_KEY", **given | fields)


@asynccontextmanager
async def desk(**fields: Any) -> AsyncIterator[Desk]:
    server = PagerDutyServer()
    secrets = {"PD_KEY": ROUTING_KEY, "PD_API": API_KEY}
    async with server.running():
        sink = PagerDutySink(rules(server.url, **fields), secrets, Bucket(0, 5))
        try:
            yield Desk(server, sink)
        finally:
            await sink.close()


def with_desk(test: Callable[[Desk], Awaitable[None]], **fields: Any) -> None:
    async def main() -> None:
        async with desk(**fields) as found:
            await test(found)

    run(main())


OPEN = {"state": "open", "title": "Checkout: 12 % of checkout requests fail", "priority": "P1"}


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


def foreign() -> dict[str, Any]:
    payload = {"summary": "disk full", "source": "db1", "severity": "warning"}
    return {"event_action": "trigger", "dedup_key": "disk-db1", "payload": payload}
