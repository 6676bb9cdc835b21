"""The Statuspage sink against a server that behaves as Statuspage documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import RemoteState
from pipeline.models.sinks.status_pages import Statuspage
from pipeline.sinks.base import SinkError
from pipeline.sinks.limits import Bucket
from pipeline.sinks.statuspage import StatuspageSink
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, call, entry, snapshot
from tests.sinks.pages import CANARIES, Desk, closed, message
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.statuspage import API_KEY, PAGE_ID, PageIncident, StatuspageServer

COMPONENTS = {"checkout": "web", "payments-api": "pay", "app": "app"}


class PageDesk(Desk):
    """A desk whose server is known."""

    server: StatuspageServer

    @property
    def only(self) -> PageIncident:
        [found] = self.server.incidents
        return found

    def statuses(self) -> dict[str, str]:
        return {each.id: each.status for each in self.server.components.values()}


def rules(url: str, **fields: Any) -> Statuspage:
    given: dict[str, Any] = {"components": COMPONENTS, "timeout_seconds": 1, "requests_per_second": 0}
    return Statuspage(name="page", url=url, secret_env="PAGE_KEY", page_id=PAGE_ID, **given | fields)


def sink_of(server: StatuspageServer, **fields: Any) -> StatuspageSink:
    return StatuspageSink(rules(server.url, **fields), {"PAGE_KEY": API_KEY}, Bucket(0, 5))


@asynccontextmanager
async def desk(server: StatuspageServer | None = None, **fields: Any) -> AsyncIterator[PageDesk]:
    async with (server or StatuspageServer()).running() as running:
        sink = sink_of(running, **fields)
        try:
            yield PageDesk(running, sink)
        finally:
            await sink.close()


def with_desk(test: Callable[[PageDesk], Awaitable[None]], **fields: Any) -> None:
    async def main() -> None:
        async with desk(**fields) as found:
            await test(found)

    run(main())


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


def test_impact_and_components_follow_the_priority_without_a_word() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        lower = snapshot(priority="P2", priority_rank=1, services=["component:default/checkout"])
        await found.tell(incident=lower)
        assert (found.only.impact, found.statuses()["web"], len(found.only.updates)) == ("major", "partial_outage", 1)
        assert len(found.server.notified) == 1
        asked = len(found.server.journal)
        await found.tell(incident=lower)
        assert len(found.server.journal) == asked

    with_desk(test)


def test_what_is_mapped_is_configuration() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        assert (found.only.impact, found.statuses()["web"]) == ("minor", "degraded_performance")
        await found.tell(message(2, "mitigated"))
        assert found.statuses()["web"] == "operational"
        assert found.only.name == "Checkout: we are looking into a problem"

    with_desk(
        test,
        impacts={"P1": "minor"},
        component_statuses={"P1": "degraded_performance"},
        mitigated="operational",
        rename=False,
    )


def test_a_body_that_was_cut_changes_nothing_there() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        bare = {"id": INCIDENT_ID, "state": "logged", "priority": "P1", "title": "t"}
        await found.tell(incident=bare)
        assert (found.only.impact, found.statuses()["web"]) == ("critical", "major_outage")
        assert len(found.asked("PATCH")) == 0

    with_desk(test)


def test_a_component_stays_down_while_another_incident_holds_it() -> None:
    async def main() -> None:
        async with desk() as one:
            two = PageDesk(one.server, one.sink)
            minor = snapshot(id="INC-2", priority="P3", priority_rank=2, services=["component:default/checkout"])
            await one.tell(message(1))
            await two.tell(message(1), incident=minor)
            assert one.statuses()["web"] == "major_outage"  # the worse of both
            await one.tell(message(2, "resolved"), incident=snapshot(state="resolved", services=["checkout"]))
            assert one.statuses()["web"] == "degraded_performance"  # what the other needs
            await two.tell(message(2, "resolved"), incident={**minor, "state": "resolved"})
            assert one.statuses()["web"] == "operational"

    run(main())


@pytest.mark.parametrize("status", ["partial_outage", "under_maintenance"])
def test_a_component_that_a_person_holds_is_left_to_the_person(status: str) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.server.by_hand("Works on the web", "web")
        found.server.components["web"].status = status
        await found.tell(message(2, "resolved"))
        assert found.statuses()["web"] == status

    with_desk(test)


def test_metadata_of_others_on_our_incident_stays() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.only.metadata["jira"] = {"issue": "OPS-1"}
        await found.tell(message(2, "resolved"))
        assert found.only.metadata["jira"] == {"issue": "OPS-1"}

    with_desk(test)


def test_an_incident_that_a_bridge_speaks_for_ends_there_and_leaves_its_components_down() -> None:
    async def main() -> None:
        async with desk() as member:
            bridge = PageDesk(member.server, member.sink)
            services = ["component:default/checkout", "component:default/payments-api"]
            await member.tell(message(1))
            under = snapshot(bridge_id=BRIDGE_ID, services=services[:1])
            await member.tell(message(2, "moved"), incident=under)
            assert member.only.status == "resolved"
            assert member.statuses()["web"] == "major_outage"
            major = snapshot(id=BRIDGE_ID, kind="bridge", services=services)
            await bridge.tell(message(1), incident=major)
            assert member.statuses()["pay"] == "major_outage"
            await member.tell(incident={**under, "state": "resolved"})
            assert member.statuses()["web"] == "major_outage"  # the bridge holds it
            await bridge.tell(message(2, "resolved"), incident={**major, "state": "resolved"})
            assert set(member.statuses().values()) == {"operational"}

    run(main())


def test_components_of_a_member_come_back_though_its_bridge_was_never_shown() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        under = snapshot(bridge_id=BRIDGE_ID, services=["component:default/checkout"])
        await found.tell(message(2, "moved"), incident=under)
        await found.tell(incident={**under, "state": "resolved"})
        assert found.statuses()["web"] == "operational"
        asked = len(found.server.journal)
        await found.tell(incident={**under, "state": "closed"})
        assert len(found.server.journal) == asked

    with_desk(test)


def test_a_member_that_is_let_go_speaks_again() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "moved"), incident=snapshot(bridge_id=BRIDGE_ID, services=["checkout"]))
        await found.tell(message(3))
        assert (found.only.status, found.statuses()["web"]) == ("investigating", "major_outage")
        await found.tell(message(4, "resolved"))
        assert found.statuses()["web"] == "operational"

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
