"""The sink of incident.io's status pages against a server that behaves as incident.io documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import RemoteState
from pipeline.models.sinks.status_pages import IncidentIo
from pipeline.sinks.base import SinkError
from pipeline.sinks.incident_io import IncidentIoSink
from pipeline.sinks.limits import Bucket
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, call, entry, snapshot
from tests.sinks.pages import CANARIES, Desk, closed, message
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.incident_io import API_KEY, PAGE_ID, IncidentIoServer, PageIncident

WEB = "01COMPONENTWEB"


class PageDesk(Desk):
    """A desk whose server is known."""

    server: IncidentIoServer

    @property
    def only(self) -> PageIncident:
        [found] = self.server.incidents
        return found

    def said(self) -> list[str]:
        return [update["message"] for each in self.server.incidents for update in each.updates]


def rules(url: str, **fields: Any) -> IncidentIo:
    given: dict[str, Any] = {"components": {"checkout": WEB}, "timeout_seconds": 1, "requests_per_second": 0}
    return IncidentIo(name="page", url=url, secret_env="PAGE_KEY", **{"page_id": PAGE_ID, **given, **fields})


@asynccontextmanager
async def desk(seed: int = 0, **fields: Any) -> AsyncIterator[PageDesk]:
    async with IncidentIoServer(seed).running() as server:
        sink = IncidentIoSink(rules(server.url, **fields), {"PAGE_KEY": API_KEY}, Bucket(0, 5))
        try:
            yield PageDesk(server, sink)
        finally:
            await sink.close()


def with_desk(test: Callable[[PageDesk], Awaitable[None]], **fields: Any) -> None:
    async def main() -> None:
        async with desk(**fields) as found:
            await test(found)

    run(main())


def test_messages_become_an_incident_and_its_updates() -> None:
    async def test(found: PageDesk) -> None:
        seen = []
        for number, state in enumerate(("investigating", "identified", "identified", "mitigated", "resolved"), 1):
            assert (await found.tell(message(number, state))).outcome is DeliveryOutcome.DELIVERED
            seen.append((found.only.status, found.server.status_of(WEB)))
        assert seen == [
            ("investigating", "full_outage"),
            ("identified", "full_outage"),
            ("identified", "full_outage"),
            ("monitoring", "degraded_performance"),
            ("resolved", "operational"),
        ]
        assert found.only.name == "Checkout: solved"
        assert len(found.server.notified) == 4
        assert found.remote is not None
        assert (found.remote.id, found.remote.state) == (found.only.id, RemoteState.RESOLVED)

    with_desk(test)


def test_without_a_message_nothing_is_asked() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, approved_by=""), message(1, audience="executives"))
        await found.tell(incident=closed())
        assert found.asked() == []
        await found.tell(message(2))
        asked = len(found.server.journal)
        await found.tell(incident=snapshot(priority="P2", priority_rank=1, services=["checkout"]))
        assert len(found.server.journal) == asked

    with_desk(test)


def test_a_name_may_stay_as_it_was() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "resolved"))
        assert found.only.name == "Checkout: we are looking into a problem"
        assert found.asked("PUT") == []

    with_desk(test, rename=False)


def test_two_incidents_on_one_component_each_keep_their_own() -> None:
    async def test(found: PageDesk) -> None:
        other = PageDesk(found.server, found.sink)
        minor = snapshot(id="INC-2", priority="P2", priority_rank=1, services=["checkout"])
        await found.tell(message(1))
        await other.tell(message(1), incident=minor)
        await found.tell(message(2, "resolved"))
        assert found.server.status_of(WEB) == "partial_outage"
        await other.tell(message(2, "resolved"), incident={**minor, "state": "resolved"})
        assert found.server.status_of(WEB) == "operational"

    with_desk(test)


def test_what_comes_back_is_a_new_incident() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "resolved"))
        await found.tell(message(3))
        assert [each.status for each in found.server.incidents] == ["resolved", "investigating"]
        assert found.server.status_of(WEB) == "full_outage"
        await found.tell(message(4, "resolved"))
        await found.tell(message(5))
        assert len({each.key for each in found.server.incidents}) == len(found.server.incidents) == 3

    with_desk(test)


def test_an_incident_that_a_bridge_speaks_for_ends_there() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "moved"), incident=snapshot(bridge_id=BRIDGE_ID))
        assert found.only.status == "resolved"

    with_desk(test)


@pytest.mark.parametrize("state", ["closed", "merged", "cancelled"])
def test_what_ends_without_words_is_ended_there_quietly(state: str) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(incident=closed(state=state))
        assert (found.only.status, found.said()[-1]) == ("resolved", "This incident is over.")
        assert len(found.server.notified) == 1

    with_desk(test)


@pytest.mark.parametrize("fault", ["silent", "after"])
def test_what_was_made_though_nobody_said_so_is_made_once(fault: str) -> None:
    async def test(found: PageDesk) -> None:
        found.server.next_faults = [fault]
        answers = await found.until_told(message(1))
        assert [each.outcome for each in answers] == ["retry", "delivered"]
        assert answers[0].unknown
        assert found.said() == ["Words 1, investigating."]

    with_desk(test)


def test_what_was_made_for_an_earlier_message_gets_the_later_one() -> None:
    async def test(found: PageDesk) -> None:
        found.server.next_faults = ["silent"]
        assert (await found.tell(message(1))).unknown
        await found.tell(message(2, "identified"))  # the first was given up meanwhile
        assert found.said() == ["Words 1, investigating.", "Words 2, identified."]

    with_desk(test)


def test_what_was_made_and_is_over_is_not_taken_for_the_new_one() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "resolved"))
        found.remote = None  # as after a loss of state
        await found.tell(message(3))
        assert [each.status for each in found.server.incidents] == ["resolved", "investigating"]

    with_desk(test)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("fault", ["silent", "after"])
def test_an_update_is_not_said_twice(fault: str, newest_first: bool) -> None:
    async def test(found: PageDesk) -> None:
        found.server.newest_first = newest_first
        await found.tell(message(1, text="Same words."))
        found.server.next_faults = [fault]
        await found.until_told(message(2, text="Same words."), message(3, "identified"))
        assert found.said() == ["Same words.", "Same words.", "Words 3, identified."]

    with_desk(test)


def test_updates_of_an_attempt_that_nobody_heard_of_are_not_said_again() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1), message(2, "identified"))
        found.remote = None  # the process died before it was noted
        found.unsure = True
        await found.tell(message(1), message(2, "identified"))
        assert found.said() == ["Words 1, investigating.", "Words 2, identified."]

    with_desk(test)


def test_the_same_words_again_are_said_again() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, text="Same words."))
        found.server.next_faults = ["before"]
        await found.until_told(message(2, text="Same words."))
        assert len(found.said()) == 2

    with_desk(test)


@pytest.mark.parametrize("seed", range(4))
def test_a_page_that_fails_at_random_ends_right(seed: int) -> None:
    async def main() -> None:
        async with desk(seed) as found:
            found.server.share_failing = 0.4
            states = ["investigating", "identified", "identified", "mitigated", "resolved"]
            for number, state in enumerate(states, 1):
                await found.until_told(message(number, state))
            await found.until_told(incident=closed())
            [seen] = found.server.seen()
            assert (seen.created, seen.state) == (1, "resolved")
            assert seen.notes == [message(number, state)["text"] for number, state in enumerate(states, 1)]

    run(main())


def test_a_page_with_too_many_subscribers_is_told_without_notifying_them() -> None:
    async def test(found: PageDesk) -> None:
        found.server.subscribers = 1_001
        await found.tell(message(1))
        await found.tell(message(2, "resolved"))
        assert (found.only.status, found.server.notified) == ("resolved", [])

    with_desk(test)


def test_what_is_refused_is_told_of() -> None:
    async def test(found: PageDesk) -> None:
        answer = await found.tell(message(1))
        assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 422)
        assert "no such page" in answer.detail

    with_desk(test, page_id="01ANOTHERPAGE")


def test_a_key_that_is_refused_loses_nothing() -> None:
    async def test(found: PageDesk) -> None:
        found.server.token = "another"
        answer = await found.tell(message(1))
        assert (answer.outcome, answer.status) == (DeliveryOutcome.RETRY, 401)
        assert API_KEY not in answer.detail

    with_desk(test)


def test_too_many_requests_are_waited_out() -> None:
    async def test(found: PageDesk) -> None:
        found.server.rate_per_second = 0.001
        await found.tell(message(1))
        answer = await found.tell(message(2, "identified"))
        assert (answer.outcome, answer.status, answer.unknown) == (DeliveryOutcome.RETRY, 429, False)

    with_desk(test)


def test_what_is_gone_there_is_made_again_by_a_new_message() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.server.incidents.clear()
        await found.tell(message(2, "identified"))
        assert found.said() == ["Words 2, identified."]
        found.server.incidents.clear()
        await found.tell(message(3, "resolved"))
        assert found.said() == []
        assert found.remote is not None
        assert found.remote.state == RemoteState.GONE

    with_desk(test)


def test_nothing_internal_leaves() -> None:
    async def test(found: PageDesk) -> None:
        internal = snapshot(**CANARIES)
        said: dict[str, Any] = {
            "entries": [entry("note", "CANARY-note", "CANARY-actor")],
            "calls": [call("0:CANARY", "CANARY-person")],
            "wanted": {"title": "CANARY-wanted"},
        }
        await found.tell(message(1), incident=internal, **said)
        await found.tell(message(2, "resolved"), incident={**internal, "state": "resolved"}, **said)
        await found.tell(incident={**internal, "state": "closed"}, **said)
        sent = b"".join(each.body + each.path.encode() for each in found.server.journal)
        assert b"Words 1" in sent
        assert b"CANARY" not in sent

    with_desk(test)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*bold* _it_ `code` [a](javascript:x)", "\\*bold\\* \\_it\\_ \\`code\\` \\[a\\](javascript:x)"),
        ("<img src=x> & more", "\\<img src=x\\> \\& more"),
        ("# head\n- item\n1. one\n> quote", "\\# head  \n\\- item  \n1\\. one  \n\\> quote"),
        ("It is solved.\n\nIt took 1.5 hours.", "It is solved.\n\nIt took 1.5 hours."),
        ("see https://status.example/a_b?c=*1", "see https://status.example/a_b?c=*1"),
        ("Grüße, 障害, 🚨", "Grüße, 障害, 🚨"),
    ],
)
def test_text_reads_the_same_as_markdown(text: str, shown: str) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, text=text))
        assert found.said() == [shown]

    with_desk(test)


def test_an_answer_without_an_incident_leaves_open_what_was_done() -> None:
    async def test(found: PageDesk) -> None:
        sent = orjson.dumps({"status_page_incident": None})
        found.server.answer_with = sent
        answer = await found.tell(message(1))
        assert (answer.outcome, answer.unknown) == (DeliveryOutcome.RETRY, True)

    with_desk(test)


def test_a_key_that_cannot_be_one_is_refused_without_being_shown() -> None:
    async def main() -> None:
        with pytest.raises(SinkError, match="sink page: PAGE_KEY must hold an API key") as refused:
            IncidentIoSink(rules("https://api.example"), {"PAGE_KEY": "two\nlines"}, Bucket(0, 5))
        assert "two" not in str(refused.value)

    run(main())


def test_looking_finds_what_a_person_did() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        assert found.remote is not None
        found.server.by_hand(found.only, "resolved", "Solved by hand.")
        update = await found.sink.look(INCIDENT_ID, found.remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.state) == ("read", "resolved")
        again = await found.sink.look(INCIDENT_ID, found.remote, NOW)
        assert again == update
        found.server.incidents.clear()
        update = await found.sink.look(INCIDENT_ID, found.remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.state) == ("gone", "gone")

    with_desk(test)
