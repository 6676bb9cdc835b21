"""The Xurrent sink where answers are lost, things are refused, and what people did there is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, RemoteState
from pipeline.sinks.base import SinkError, Trouble
from pipeline.sinks.limits import Bucket
from pipeline.sinks.xurrent import XurrentSink
from tests.sinks.bodies import INCIDENT_ID, entry, snapshot
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.xurrent import ME, START, TOKEN
from tests.sinks.xurrent_desk import KIM, OPEN, OTHER_ID, Desk, over, rules, with_desk


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


def test_who_stands_in_for_nobody_is_nobody_s_assignment() -> None:
    async def test(found: Desk) -> None:
        await found.tell(wanted=OPEN)
        await found.tell(revision=2, wanted={"state": "in_progress"})
        assert found.fields["member"]["id"] == ME
        update = await found.sink.look(INCIDENT_ID, found.remotes[INCIDENT_ID], NOW)
        assert update is not None
        assert update.fields.assignee == ""

    with_desk(test, member=ME)


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
