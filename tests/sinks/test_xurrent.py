"""The Xurrent sink against a server that behaves as Xurrent documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, RemoteState
from pipeline.models.sinks.xurrent import Xurrent
from pipeline.sinks.base import Answer, SinkError, Trouble
from pipeline.sinks.limits import Bucket
from pipeline.sinks.xurrent import XurrentSink
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, OPENED_MS, entry, send, snapshot
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.xurrent import ACCOUNT, ME, START, TOKEN, XurrentServer

TITLE = "Checkout: 12 % of checkout requests fail"
OPEN = {"state": "open", "title": TITLE, "priority": "P1"}
KIM = 6121
OTHER_ID = "INC-AAAAAAAAAAAA"


class Desk:
    """A sink, its server, and what deliver would remember between attempts, by incident."""

    def __init__(self, server: XurrentServer, sink: XurrentSink, bucket: Bucket) -> None:
        self.server = server
        self.sink = sink
        self.bucket = bucket
        self.remotes: dict[str, Remote] = {}

    async def tell(self, **said: Any) -> Answer:
        """Send, with what is known by now; what it answers is remembered."""
        incident = said.pop("incident", None) or snapshot()
        answer = await self.sink.send(send(incident, remote=self.remotes.get(incident["id"]), **said), NOW)
        if answer.remote is not None:
            self.remotes[incident["id"]] = answer.remote
        return answer

    @property
    def fields(self) -> dict[str, Any]:
        """The request of the usual incident."""
        return self.server.of(INCIDENT_ID).fields

    def asked(self) -> list[str]:
        """Methods and paths that were asked, in order."""
        return [f"{each.method} {each.path.partition('?')[0]}" for each in self.server.journal]


def rules(url: str, **fields: Any) -> Xurrent:
    given: dict[str, Any] = {"url": url, "account": ACCOUNT, "timeout_seconds": 1, "member": ME}
    return Xurrent(name="desk", secret_env="XURRENT", **given | fields)


@asynccontextmanager
async def desk(**fields: Any) -> AsyncIterator[Desk]:
    async with XurrentServer().running() as server:
        bucket = Bucket(0, 5)
        sink = XurrentSink(rules(server.url, **fields), {"XURRENT": TOKEN}, bucket)
        try:
            yield Desk(server, sink, bucket)
        finally:
            await sink.close()


def with_desk(test: Callable[[Desk], Awaitable[None]], **fields: Any) -> None:
    async def main() -> None:
        async with desk(**fields) as found:
            await test(found)

    run(main())


def over(state: str = "resolved", **fields: Any) -> dict[str, Any]:
    return snapshot(state=state, resolved_at_ms=OPENED_MS + 600_000, **fields)


MAPPED: dict[str, Any] = {"service_instances": {"checkout": "331"}, "groups": {"storefront-sre": "14"}}


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
        assert note["text"].startswith("about 18,000 users of Checkout")
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


def test_a_request_that_cannot_be_opened_again_is_followed_by_another() -> None:
    async def test(found: Desk) -> None:
        found.server.reopens = False
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "resolved"}, incident=over())
        answer = await found.tell(revision=3, wanted={"state": "open"}, incident=snapshot(state="reopened"))
        assert answer.detail == "request 1004417 could not be opened again: 1004418 follows it"
        assert found.fields["status"] == "assigned"
        assert "It follows " in found.server.of(INCIDENT_ID).notes[-1]["text"]

    with_desk(test)


def test_a_request_that_was_deleted_is_told_to_be_gone() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        found.server.of(INCIDENT_ID).trashed = True
        update = await found.sink.look(INCIDENT_ID, found.remotes[INCIDENT_ID], NOW)
        assert update is not None
        assert update.kind == "gone"
        answer = await found.tell(revision=2, wanted={"title": "Checkout is down"})
        assert (answer.outcome, answer.detail) == (DeliveryOutcome.REJECTED, "request 1004417 is gone")
        assert answer.remote is not None
        assert answer.remote.state is RemoteState.GONE
        answer = await found.tell(revision=3, entries=[entry("note", "hello", "kim")])
        assert answer.detail == "request 1004417 is gone"

    with_desk(test)


@pytest.mark.parametrize("how", ["requests", "events"])
@pytest.mark.parametrize("fault", ["silent", "after", "before"])
def test_an_answer_that_was_lost_makes_no_second_request(fault: str, how: str) -> None:
    async def test(found: Desk) -> None:
        found.server.next_faults = [fault]
        first = await found.tell(wanted=OPEN)
        assert first.outcome is DeliveryOutcome.RETRY
        await found.tell(wanted=OPEN, unsure=first.unknown, attempt=2)
        assert len(found.server.requests) == 1
        assert len(found.server.of(INCIDENT_ID).notes) == 1

    with_desk(test, create_by=how)


def test_what_a_person_did_before_the_retry_is_not_written_over_and_comes_back() -> None:
    async def test(found: Desk) -> None:
        found.server.next_faults = ["silent"]
        await found.tell(wanted=OPEN)
        found.server.by(KIM, INCIDENT_ID, status="accepted", member_id=KIM)
        await found.tell(wanted=OPEN, unsure=True, attempt=2)
        assert found.fields["status"] == "accepted"
        remote = found.remotes[INCIDENT_ID]
        update = await found.sink.look(INCIDENT_ID, remote, NOW)
        assert update is not None
        assert (update.fields.state, update.fields.assignee) == ("acknowledged", "Kim Novak")
        assert (remote.fields["state"], remote.fields["assignee"]) == ("open", "")

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
        assert "restarted, @\u200baylin see [here]\u200b(http://evil.example) (kim)" in note["text"]

    with_desk(test)


def test_what_was_noted_before_there_was_a_request_is_in_its_first_note() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN, entries=[entry("note", "restarted", "kim")])
        [note] = found.server.of(INCIDENT_ID).notes
        assert "restarted (kim)" in note["text"]

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


def test_a_half_way_failure_says_what_was_done() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        found.server.next_faults = ["", "before"]
        said: dict[str, Any] = {"entries": [entry("note", "hello", "kim")], "wanted": {"state": "in_progress"}}
        answer = await found.tell(revision=2, **said)
        assert answer.outcome is DeliveryOutcome.RETRY
        assert answer.remote is not None
        assert answer.remote.fields["state"] == "in_progress"
        await found.tell(revision=2, attempt=2, **said)
        assert found.asked().count("PATCH /v1/requests/1004417") == 1
        assert len(found.server.of(INCIDENT_ID).notes) == 2

    with_desk(test)


def test_a_status_that_is_refused_does_not_hold_up_the_rest_and_an_end_is_never_left_out() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        answer = await found.tell(revision=2, wanted={"state": "acknowledged", "title": "Checkout is down"})
        assert answer.outcome is DeliveryOutcome.DELIVERED
        assert "member can't be blank" in answer.detail
        assert (found.fields["status"], found.fields["subject"]) == ("assigned", "Checkout is down")
        assert found.remotes[INCIDENT_ID].fields["state"] == "open"

    with_desk(test, member=None)


def test_an_end_that_is_refused_is_not_taken_for_one() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        found.server.refuses = {"completed"}
        answer = await found.tell(revision=2, wanted={"state": "resolved"}, incident=over())
        assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 422)
        assert answer.remote is not None
        assert not answer.remote.ended

    with_desk(test)


def test_a_request_is_ours_by_its_exact_id_and_of_several_the_open_one() -> None:
    async def test(found: Desk) -> None:
        other = {"category": "incident", "subject": "x", "source": "spillway", "sourceID": INCIDENT_ID.lower()}
        found.server._create(None, other, "request")  # type: ignore[arg-type]
        await found.tell(wanted=OPEN, unsure=True)
        assert found.remotes[INCIDENT_ID].id == "1004418"
        found.server._create(None, {**other, "sourceID": INCIDENT_ID}, "request")  # type: ignore[arg-type]
        found.server.by(KIM, INCIDENT_ID, status="completed", completion_reason="duplicate")
        merged = over("merged", merged_into=INCIDENT_ID, id=OTHER_ID)
        await found.tell(incident=snapshot(id=OTHER_ID), wanted=OPEN)
        await found.tell(revision=2, change="merged", incident=merged, wanted={"state": "closed"})
        assert "/requests/1004418" in found.server.of(OTHER_ID).notes[-1]["text"]

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


def test_limits_are_kept_to_before_they_are_reached() -> None:
    async def test(found: Desk) -> None:
        found.server.limit = 1
        await found.tell(wanted=OPEN)
        assert 1_700 < found.bucket.paused_seconds <= 1_800

    with_desk(test)


@pytest.mark.parametrize(
    ("fault", "status", "outcome"),
    [("401", 401, DeliveryOutcome.RETRY), ("before", 503, DeliveryOutcome.RETRY)],
)
def test_a_token_that_has_expired_loses_nothing(fault: str, status: int, outcome: DeliveryOutcome) -> None:
    async def test(found: Desk) -> None:
        found.server.next_faults = [fault]
        answer = await found.tell(wanted=OPEN)
        assert (answer.outcome, answer.status) == (outcome, status)
        assert TOKEN not in answer.detail
        await found.tell(wanted=OPEN, attempt=2)
        assert len(found.server.requests) == 1

    with_desk(test)


def test_too_many_requests_are_waited_for() -> None:
    async def test(found: Desk) -> None:
        found.server.rate_per_second = 0.001
        found.server._allowance = 0.0
        answer = await found.tell(wanted=OPEN)
        assert (answer.outcome, answer.status, answer.retry_after_seconds) == (DeliveryOutcome.RETRY, 429, 1)

    with_desk(test)


def test_a_request_that_the_desk_refuses_is_final() -> None:
    async def test(found: Desk) -> None:
        answer = await found.tell(wanted=OPEN)
        assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 422)

    with_desk(test, fields={"no_such_field": "x"})


def test_what_changed_there_is_read_page_by_page_and_only_what_is_ours() -> None:
    async def test(found: Desk) -> None:
        found.server.page_size_max = 2
        names = [f"INC-AAAAAAAAAAA{number}" for number in "23456"]
        for name in names:
            await found.tell(incident=snapshot(id=name), wanted=OPEN)
        for name in reversed(names):
            found.server.by(KIM, name, note=f"about {name}", internal=False)
        found.server.requests[1_004_417].fields["sourceID"] = "printer-7"
        updates = [update async for update in found.sink.changed(START)]
        assert [update.incident_id for update in updates] == [*reversed(names[1:])]
        assert [[note.text for note in update.notes] for update in updates] == [[f"about {n}"] for n in names[:0:-1]]
        assert updates[0].notes[0].public
        assert [update async for update in found.sink.changed(START + timedelta(hours=1))] == []

    with_desk(test)


@pytest.mark.parametrize("reads_people", [True, False])
def test_our_own_public_notes_do_not_come_back(reads_people: bool) -> None:
    async def test(found: Desk) -> None:
        found.server.reads_people = reads_people
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "resolved"}, incident=over())
        update = await found.sink.look(INCIDENT_ID, found.remotes[INCIDENT_ID], NOW)
        assert update is not None
        assert update.notes == ()

    with_desk(test, own_users=[] if reads_people else [str(ME)])


def test_a_next_page_elsewhere_is_not_followed() -> None:
    async def test(found: Desk) -> None:
        found.server.page_size_max, found.server.elsewhere = 1, "http://169.254.169.254"
        for name in ("INC-1", "INC-2"):
            await found.tell(incident=snapshot(id=name), wanted=OPEN)
        assert len([update async for update in found.sink.changed(START)]) == 1

    with_desk(test)


def test_a_downstream_that_is_away_cannot_be_read() -> None:
    async def test(found: Desk) -> None:
        found.server.down = True
        with pytest.raises(Trouble):
            await found.sink.look(INCIDENT_ID, Remote(id="1004417"), NOW)

    with_desk(test)


def test_an_address_that_is_not_the_api_s_is_told_and_creates_nothing_twice() -> None:
    async def test(found: Desk) -> None:
        async def page(request: web.Request, body: bytes) -> web.StreamResponse:
            return web.Response(text="<html>", content_type="text/html")

        found.server.handle = page  # type: ignore[method-assign]
        answer = await found.tell(wanted=OPEN)
        assert (answer.outcome, answer.unknown) == (DeliveryOutcome.RETRY, True)
        assert "is this the address of the API" in answer.detail

    with_desk(test)


def test_a_token_that_is_none_stops_the_start() -> None:
    async def main() -> None:
        with pytest.raises(SinkError, match="XURRENT must hold a personal access token"):
            XurrentSink(rules("https://api.xurrent.com"), {"XURRENT": " "}, Bucket(0, 5))

    run(main())


@pytest.mark.parametrize("title", ["x" * 5_000, "Kasse fällt aus 🔥" * 100, '"; DROP\r\n<b>@all</b> \x00', ""])
def test_hostile_and_long_titles_are_one_line_of_the_length_that_is_taken(title: str) -> None:
    async def test(found: Desk) -> None:
        await found.tell(incident=snapshot(title=title), wanted={"state": "open", "title": title})
        assert len(found.fields["subject"]) <= 255
        assert found.fields["subject"].isprintable()
        asked = len(found.asked())
        await found.tell(incident=snapshot(title=title), revision=2, wanted={"title": title})
        assert len(found.asked()) == asked
        assert orjson.loads(found.server.journal[0].body)["sourceID"] == INCIDENT_ID

    with_desk(test)
