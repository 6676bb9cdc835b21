"""Statuspage refuses, does not answer, or is changed by people: nothing is said twice, nothing is lost."""

from __future__ import annotations

import orjson
import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import RemoteState
from pipeline.sinks.base import SinkError
from pipeline.sinks.limits import Bucket
from pipeline.sinks.statuspage import StatuspageSink
from tests.sinks.bodies import INCIDENT_ID, snapshot
from tests.sinks.pages import closed, message
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.statuspage import API_KEY, PAGE_ID, StatuspageServer
from tests.sinks.statuspage_desk import PageDesk, desk, rules, with_desk


@pytest.mark.parametrize("fault", ["silent", "after"])
def test_what_was_made_though_nobody_said_so_is_found(fault: str) -> None:
    async def test(found: PageDesk) -> None:
        found.server.by_hand("Something of a person")
        found.server.next_faults = ["", fault]  # what others hold, then the creation
        answers = await found.until_told(message(1))
        assert [each.outcome for each in answers] == ["retry", "delivered"]
        assert answers[0].unknown
        [seen] = found.server.seen()
        assert (seen.created, seen.notes) == (1, ["Words 1, investigating."])
        assert found.remote is not None
        assert found.remote.id == seen.id

    with_desk(test)


def test_what_was_made_is_found_behind_hundreds() -> None:
    async def test(found: PageDesk) -> None:
        found.server.next_faults = ["", "silent"]
        assert (await found.tell(message(1))).unknown
        for number in range(250):
            found.server.by_hand(f"Noise {number}")
        assert (await found.tell(message(1))).outcome is DeliveryOutcome.DELIVERED
        assert [each.created for each in found.server.seen()] == [1]

    with_desk(test)


@pytest.mark.parametrize("fault", ["silent", "after"])
def test_a_message_is_not_said_twice(fault: str) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, text="Same words."))
        found.server.next_faults = [fault]
        answers = await found.until_told(message(2, text="Same  words.\n"), message(3, "identified"))
        assert [each.outcome for each in answers] == ["retry", "delivered"]
        assert [each["body"] for each in found.only.updates] == [
            "Words 3, identified.",
            "Same  words.",
            "Same words.",
        ]

    with_desk(test)


def test_the_same_words_again_are_said_again() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, text="Same words."))
        found.server.next_faults = ["before"]
        await found.until_told(message(2, text="Same words."))
        assert len(found.only.updates) == 2

    with_desk(test)


def test_of_two_messages_with_the_same_words_both_are_said() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.server.next_faults = ["silent"]
        await found.until_told(message(2, text="Same words."), message(3, text="Same words."))
        assert [each["body"] for each in found.only.updates][:2] == ["Same words."] * 2
        assert len(found.only.updates) == 3

    with_desk(test)


def test_what_was_made_for_what_came_back_is_found_though_nobody_said_so() -> None:
    async def test(found: PageDesk) -> None:
        found.server.reopens = False
        await found.tell(message(1))
        await found.tell(message(2, "resolved"))
        found.server.next_faults = ["", "", "", "silent"]  # others, the old one, others again, the new one
        await found.until_told(message(3))
        assert [each.status for each in found.server.incidents] == ["resolved", "investigating"]
        assert found.remote is not None
        assert found.remote.id == found.server.incidents[1].id

    with_desk(test)


def test_an_end_whose_answer_was_lost_is_not_said_twice() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.server.next_faults = ["", "silent"]
        await found.until_told(message(2, "resolved"), incident=snapshot(state="resolved"))
        assert [each["status"] for each in found.only.updates] == ["resolved", "investigating"]
        assert found.statuses()["web"] == "operational"
        assert found.remote is not None
        assert found.remote.ended

    with_desk(test)


def test_an_attempt_that_fails_half_way_goes_on_where_it_stopped() -> None:
    async def test(found: PageDesk) -> None:
        found.server.next_faults = ["", "", "before"]
        first, second = await found.until_told(message(1), message(2, "identified"))
        assert (first.outcome, first.remote is not None) == (DeliveryOutcome.RETRY, True)
        assert second.outcome is DeliveryOutcome.DELIVERED
        assert len(found.only.updates) == 2

    with_desk(test)


@pytest.mark.parametrize("seed", range(4))
def test_a_page_that_fails_at_random_ends_right(seed: int) -> None:
    async def main() -> None:
        async with desk(StatuspageServer(seed)) as found:
            found.server.share_failing = 0.4
            states = ["investigating", "identified", "identified", "mitigated", "resolved"]
            for number, state in enumerate(states, 1):
                await found.until_told(message(number, state), incident=snapshot(services=["checkout"]))
            await found.until_told(incident=closed())
            found.server.share_failing = 0.0
            [seen] = found.server.seen()
            assert (seen.created, seen.state) == (1, "resolved")
            assert seen.notes == [message(number, state)["text"] for number, state in enumerate(states, 1)]
            assert found.statuses()["web"] == "operational"

    run(main())


@pytest.mark.parametrize("status", [420, 429])
def test_a_page_that_asks_for_patience_gets_it(status: int) -> None:
    async def test(found: PageDesk) -> None:
        found.server.refuse_with = status
        answer = await found.tell(message(1))
        assert (answer.outcome, answer.status, answer.unknown) == (DeliveryOutcome.RETRY, status, False)
        assert answer.retry_after_seconds == 7

    with_desk(test)


def test_a_key_that_is_refused_loses_nothing() -> None:
    async def test(found: PageDesk) -> None:
        found.server.token = "another"
        answer = await found.tell(message(1))
        assert (answer.outcome, answer.status) == (DeliveryOutcome.RETRY, 401)
        assert API_KEY not in answer.detail

    with_desk(test)


def test_a_component_that_is_not_there_is_told_of() -> None:
    async def test(found: PageDesk) -> None:
        answer = await found.tell(message(1))
        assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 422)
        assert "Component nothere is not of this page" in answer.detail

    with_desk(test, components={"checkout": "nothere"})


def test_what_was_deleted_there_is_made_again_only_by_a_new_message() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.server.incidents.clear()
        await found.tell(incident=snapshot(priority="P2", priority_rank=1, services=["checkout"]))
        assert found.remote is not None
        assert found.remote.state == RemoteState.GONE
        assert found.server.incidents == []
        await found.tell(message(2, "identified"))
        assert found.only.status == "identified"
        found.server.incidents.clear()
        await found.tell(message(3, "resolved"), incident=snapshot(state="resolved"))
        assert found.server.incidents == []
        assert found.statuses()["web"] == "operational"

    with_desk(test)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "\u2039script>alert(1)\u2039/script>"),
        ("a < b & c > d \"quoted\" 'so'", "a < b & c > d \"quoted\" 'so'"),
        ("<!channel> <a href=x>", "\u2039!channel> \u2039a href=x>"),
        ("Grüße, 障害, 🚨\nline two", "Grüße, 障害, 🚨\nline two"),
        ("hidden\u202egnp.exe\x00\x1b[31m", "hiddengnp.exe[31m"),
    ],
)
def test_hostile_text_is_plain_text_there(text: str, shown: str) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, text=text, subject=text))
        assert found.only.updates[0]["body"] == shown
        assert found.only.name == shown.replace("\n", " ")

    with_desk(test)


def test_long_text_is_cut_at_the_limits_of_the_page() -> None:
    async def test(found: PageDesk) -> None:
        assert (await found.tell(message(1, text="x" * 60_000, subject="y" * 900))).outcome == "delivered"
        assert len(found.only.updates[0]["body"]) == 25_000
        assert len(found.only.name) == 255

    with_desk(test)


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"id": 7}'])
def test_an_answer_without_an_incident_leaves_open_what_was_done(answer: bytes) -> None:
    async def test(found: PageDesk) -> None:
        found.server.answer_with = answer
        told = await found.tell(message(1), incident=snapshot(service=None))
        assert (told.outcome, told.unknown) == (DeliveryOutcome.RETRY, True)

    with_desk(test)


@pytest.mark.parametrize("key", ["", "two\nlines", "with space", "ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    async def main() -> None:
        with pytest.raises(SinkError, match="sink page: PAGE_KEY must hold an API key") as refused:
            StatuspageSink(rules("https://api.example"), {"PAGE_KEY": key}, Bucket(0, 5))
        assert not key or key not in str(refused.value)

    run(main())


def test_looking_finds_what_a_person_did() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        remote = found.remote
        assert remote is not None
        found.server.change(found.only, status="resolved", body="Solved by hand.")
        update = await found.sink.look(INCIDENT_ID, remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.state, update.incident_id) == ("read", "resolved", INCIDENT_ID)
        found.server.incidents.clear()
        update = await found.sink.look(INCIDENT_ID, remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.state) == ("gone", "gone")

    with_desk(test)


def test_changes_of_ours_are_found_by_asking_and_of_nobody_else() -> None:
    async def test(found: PageDesk) -> None:
        since = NOW.replace(hour=1)
        await found.tell(message(1))
        found.server.by_hand("Something of a person")
        other = found.server.by_hand("Of another sink")
        other.metadata = {"spillway": {"incident_id": "INC-9", "sink": "other"}}
        assert [each.incident_id async for each in found.sink.changed(since)] == [INCIDENT_ID]
        assert [each async for each in found.sink.changed(NOW.replace(hour=3))] == []

    with_desk(test)


def test_what_is_sent_is_what_the_journal_shows() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "resolved"))
        assert found.asked() == [
            f"GET /v1/pages/{PAGE_ID}/incidents/unresolved?page=1&per_page=100",
            f"POST /v1/pages/{PAGE_ID}/incidents",
            f"GET /v1/pages/{PAGE_ID}/incidents/unresolved?page=1&per_page=100",
            f"PATCH /v1/pages/{PAGE_ID}/incidents/{found.only.id}",
        ]
        assert orjson.loads(found.server.journal[-1].body)["incident"]["components"] == {"web": "operational"}

    with_desk(test)
