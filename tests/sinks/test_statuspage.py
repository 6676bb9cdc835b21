"""What is said at Statuspage, and what never is, against a server that behaves as documented."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import RemoteState
from tests.sinks.bodies import INCIDENT_ID, call, entry, snapshot
from tests.sinks.pages import CANARIES, closed, message
from tests.sinks.statuspage_desk import PageDesk, with_desk


def test_a_published_message_makes_an_incident_with_its_components() -> None:
    async def test(found: PageDesk) -> None:
        answer = await found.tell(message(1))
        assert answer.outcome is DeliveryOutcome.DELIVERED
        assert found.only.name == "Checkout: we are looking into a problem"
        assert (found.only.status, found.only.impact) == ("investigating", "critical")
        assert [each["body"] for each in found.only.updates] == ["Words 1, investigating."]
        assert found.statuses() == {"web": "major_outage", "pay": "operational", "app": "operational"}
        assert found.only.metadata["spillway"]["incident_id"] == INCIDENT_ID
        assert found.server.notified == ["Words 1, investigating."]
        assert answer.remote is not None
        assert answer.remote.url == f"https://stspg.io/{found.only.id}"
        assert answer.remote.fields == {"state": "open"}

    with_desk(test)


def test_without_a_message_nothing_is_asked() -> None:
    async def test(found: PageDesk) -> None:
        for state in ("logged", "in_progress", "resolved", "closed"):
            answer = await found.tell(incident=snapshot(state=state), wanted={"state": "open", "title": "secret"})
            assert (answer.outcome, answer.remote) == (DeliveryOutcome.DELIVERED, None)
        assert found.asked() == []

    with_desk(test)


@pytest.mark.parametrize(
    "other",
    [
        message(1, audience="executives"),
        message(1, page="status.other"),
        message(1, approved_by=""),
        message(1, "resolved"),
        message(1, "moved"),
    ],
    ids=["another audience", "another channel", "not approved", "last words of nothing", "moved from nothing"],
)
def test_what_is_not_for_the_page_is_not_said_there(other: dict[str, Any]) -> None:
    async def test(found: PageDesk) -> None:
        assert (await found.tell(other)).outcome is DeliveryOutcome.DELIVERED
        assert found.asked() == []

    with_desk(test, channel="status.example")


def test_a_page_for_colleagues_says_what_nobody_had_to_approve() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, approved_by=""))
        assert found.only.status == "investigating"

    with_desk(test, approval="none")


def test_of_several_channels_the_first_that_speaks_is_followed() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1), message(1, page="status.other", text="The same elsewhere."))
        await found.tell(message(2, "identified", page="status.other"), message(2, "identified"))
        assert [each["body"] for each in found.only.updates] == ["Words 2, identified.", "Words 1, investigating."]

    with_desk(test)


def test_the_states_of_messages_become_those_of_the_page() -> None:
    async def test(found: PageDesk) -> None:
        seen = []
        for number, state in enumerate(("investigating", "identified", "waiting", "mitigated", "resolved"), 1):
            await found.tell(message(number, state))
            seen.append((found.only.status, found.statuses()["web"]))
        assert seen == [
            ("investigating", "major_outage"),
            ("identified", "major_outage"),
            ("identified", "major_outage"),
            ("monitoring", "degraded_performance"),
            ("resolved", "operational"),
        ]
        assert found.remote is not None
        assert (found.remote.state, found.remote.fields) == (RemoteState.RESOLVED, {"state": "resolved"})
        assert found.only.name == "Checkout: solved"

    with_desk(test)


def test_only_the_first_message_of_a_state_notifies() -> None:
    async def test(found: PageDesk) -> None:
        for number, state in enumerate(("investigating", "investigating", "identified", "waiting", "resolved"), 1):
            await found.tell(message(number, state))
        assert found.server.notified == ["Words 1, investigating.", "Words 3, identified.", "Words 5, resolved."]

    with_desk(test)


@pytest.mark.parametrize(("notify", "texts"), [("all", ["a", "b"]), ("never", [])])
def test_who_is_notified_is_configuration(notify: str, texts: list[str]) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, text="a"))
        await found.tell(message(2, text="b"))
        assert found.server.notified == texts

    with_desk(test, notify=notify)


def test_of_messages_that_waited_only_the_newest_notifies_and_all_are_said_in_order() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "identified"), message(3, "identified"), message(4, "resolved"))
        said = [each["body"] for each in reversed(found.only.updates)]
        assert said == [
            message(n, s)["text"] for n, s in enumerate(["investigating", "identified", "identified", "resolved"], 1)
        ]
        assert found.server.notified == ["Words 1, investigating.", "Words 4, resolved."]

    with_desk(test)


def test_nobody_is_told_only_now_of_what_is_over() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1), message(2, "resolved"), incident=snapshot(state="resolved"))
        assert found.asked() == []
        await found.tell(message(1), message(2, "resolved"), message(3))
        assert [each["body"] for each in found.only.updates] == ["Words 3, investigating."]
        assert found.server.notified == ["Words 3, investigating."]

    with_desk(test)


@pytest.mark.parametrize("state", ["merged", "cancelled"])
def test_a_merged_or_cancelled_incident_leaves_nothing_open(state: str) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        words = message(2, "moved" if state == "merged" else state, approved_by="")
        await found.tell(words, incident=closed(state=state, merged_into="INC-9"))
        assert (found.only.status, found.statuses()["web"]) == ("resolved", "operational")

    with_desk(test)


def test_what_ends_without_words_is_ended_there_quietly() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(incident=snapshot(state="resolved"))
        assert found.only.status == "investigating"  # the words may still wait for their approval
        await found.tell(incident=closed())
        assert (found.only.status, found.statuses()["web"]) == ("resolved", "operational")
        assert found.only.updates[0]["body"] == "This incident is over."
        assert len(found.server.notified) == 1
        asked = len(found.server.journal)
        await found.tell(incident=closed())
        assert len(found.server.journal) == asked

    with_desk(test)


@pytest.mark.parametrize("reopens", [True, False])
def test_what_comes_back_is_shown_again(reopens: bool) -> None:
    async def test(found: PageDesk) -> None:
        found.server.reopens = reopens
        await found.tell(message(1))
        await found.tell(message(2, "resolved"))
        answer = await found.tell(message(3))
        assert answer.outcome is DeliveryOutcome.DELIVERED
        assert [each.status for each in found.server.incidents] == (
            ["investigating"] if reopens else ["resolved", "investigating"]
        )
        assert found.statuses()["web"] == "major_outage"
        await found.tell(message(4, "resolved"))
        assert {each.status for each in found.server.incidents} == {"resolved"}

    with_desk(test)


def test_nothing_internal_leaves() -> None:
    async def test(found: PageDesk) -> None:
        internal = snapshot(**CANARIES)
        entries = [entry("note", "CANARY-note", "CANARY-actor")]
        said = {"entries": entries, "calls": [call("0:CANARY", "CANARY-person")], "wanted": {"title": "CANARY-wanted"}}
        await found.tell(
            message(1), message(1, audience="responders", text="CANARY-responders"), incident=internal, **said
        )
        await found.tell(incident={**internal, "priority": "P2", "priority_rank": 1}, **said)
        await found.tell(message(2, "resolved"), incident={**internal, "state": "resolved"}, **said)
        await found.tell(incident={**internal, "state": "closed"}, **said)
        sent = b"".join(each.body + each.path.encode() for each in found.server.journal)
        assert b"Words 1" in sent
        assert b"CANARY" not in sent

    with_desk(test)
