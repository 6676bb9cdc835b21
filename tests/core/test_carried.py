"""Calls and messages beside the entries: new ones, each once, never drafts, never cut away."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.core.outward.delivery_body import BODY_BYTES_MAX, LARGE_BODY_BYTES_MAX
from pipeline.core.outward.outbox import QUEUE_BYTES_MAX
from pipeline.core.outward.send import Send
from pipeline.sinks.told import told
from tests.core.downstream import Office, tickets
from tests.core.outboxes import sink as webhook


def page(person: str, step: str = "INC-1/0/1/1/1", **facts: Any) -> dict[str, Any]:
    given = {
        "person": person,
        "step": step,
        "service": "component:default/shop",
        "runbook": "https://run.example",
        **facts,
    }
    return {"at_ms": 1, "action": "page", "actor": "spillway", "text": f"paged {person}", "facts": given}


def message(number: int, status: str = "published", audience: str = "public", text: str = "we look") -> dict[str, Any]:
    facts = {"audience": audience, "page": "status.example", "state": "investigating", "number": number}
    facts |= {"status": status, "subject": "Shop", "message": text, "next_update_ms": 9}
    action = "communication" if status == "published" else "communication_draft"
    return {"at_ms": 5, "action": action, "actor": "spillway", "text": "told", "facts": facts}


def kept(number: int, status: str = "published") -> dict[str, Any]:
    """A message as it is on the record."""
    facts = message(number, status)["facts"]
    return {**facts, "text": facts["message"], "at_ms": 5}


def tell(*steps: tuple[str, list[dict[str, Any]]], fail_first: bool = False) -> list[Send]:
    """Events in a row; what was told."""
    desk = Office(tickets())
    desk.event(1, "opened", entries=[])
    desk.deliver()
    for number, (change, entries) in enumerate(steps, 2):
        desk.event(number, change, entries=entries)
        if fail_first and number == 2:
            desk.attempt(desk.sends()[0], "busy")
    desk.tick(3_600_000)
    desk.deliver()
    return desk.there["desk"].told[1:]


def test_a_call_has_its_key_reason_runbook_and_service() -> None:
    desk = Office(tickets())
    paged = [{"step": "INC-1/0/1/1/1", "person": "ann", "because": "it is P1"}]
    desk.event(1, "opened", entries=[page("ann")], escalation={"paged": paged})
    [call] = told(desk.sends()[0].body).calls
    assert call == ("INC-1/0/1/1/1/ann", "ann", "it is P1", "https://run.example", "component:default/shop")


def test_calls_and_messages_survive_what_is_put_together() -> None:
    steps = [("updated", [page(f"p{number}"), message(number)]) for number in range(1, 41)]
    [send] = tell(*steps, fail_first=True)
    read = told(send.body)
    assert [each.person for each in read.calls] == [f"p{number}" for number in range(1, 41)]
    assert [each.number for each in read.messages] == list(range(1, 41))
    assert read.messages[0][:6] == (1, "public", "status.example", "investigating", "Shop", "we look")
    assert len(read.entries) == 50


def test_a_draft_is_told_when_it_is_published_and_not_before() -> None:
    sends = tell(("noted", [message(1, "draft")]), ("acknowledged", [message(1)]), fail_first=True)
    assert [each.number for send in sends for each in told(send.body).messages] == [1]


def test_a_draft_is_never_among_the_messages() -> None:
    [send] = tell(("noted", [message(1, "draft")]))
    assert told(send.body).messages == []


def test_an_internal_note_is_no_message() -> None:
    note = {"at_ms": 1, "action": "note", "actor": "ann", "text": "secret", "facts": {"audience": "internal"}}
    [send] = tell(("noted", [note]))
    assert told(send.body).messages == []


def test_who_hears_late_is_told_the_messages_so_far_and_the_calls_of_the_newest_step() -> None:
    desk = Office(tickets(priorities=("P1",)))
    paged = [{"step": "s/1", "person": "ann"}, {"step": "s/2", "person": "bob"}, {"step": "s/2", "person": "cem"}]
    said = [kept(1), kept(2), kept(3, "draft")]
    desk.event(1, "opened", priority="P3", entries=[page("ann", "s/1"), message(1)])
    desk.event(2, "updated", entries=[message(2)], escalation={"paged": paged}, communications=said)
    read = told(desk.sends()[0].body)
    assert [each.key for each in read.calls] == ["s/2/bob", "s/2/cem"]
    assert [each.number for each in read.messages] == [1, 2]


def test_who_hears_late_of_what_somebody_has_is_not_called() -> None:
    desk = Office(tickets(priorities=("P1",)))
    escalation = {"paged": [{"step": "s/2", "person": "bob"}]}
    desk.event(2, "updated", state="acknowledged", entries=[], escalation=escalation)
    assert told(desk.sends()[0].body).calls == []


def test_what_arrived_is_not_told_again_though_a_newer_delivery_took_its_place() -> None:
    desk = Office(tickets())
    desk.event(1, "opened")
    desk.deliver()
    desk.event(2, "updated", entries=[page("ann")])
    [send] = desk.sends()
    desk.event(3, "updated", entries=[page("bob")])
    assert [each.delivery_id for each in desk.sends()] == ["INC-1/3/desk"]
    desk.attempt(send)
    [rest] = desk.sends()
    assert [each.person for each in told(rest.body).calls] == ["bob"]
    desk.deliver()
    assert desk.ticket().calls == ["INC-1/0/1/1/1/ann", "INC-1/0/1/1/1/bob"]


def test_budget_and_doubt_go_on_when_a_newer_delivery_takes_the_place_of_one_that_failed() -> None:
    desk = Office(tickets())
    desk.event(1, "opened")
    desk.deliver()
    desk.event(2, "updated")
    desk.attempt(desk.sends()[0], "lost")
    desk.event(3, "updated")
    desk.tick(60_000)
    [send] = desk.sends()
    assert (send.delivery_id, send.attempt, send.unsure) == ("INC-1/3/desk", 2, True)


def test_a_head_that_opens_resolves_or_closes_is_never_replaced() -> None:
    desk = Office(tickets())
    desk.event(1, "opened")
    desk.event(2, "updated")
    assert [each.revision for each in desk.sends()] == [1]
    desk.deliver()
    desk.event(3, "resolved", state="resolved")
    desk.event(4, "noted", state="resolved")
    assert [each.revision for each in desk.sends()] == [3]


def test_a_webhook_gets_every_call_and_message_though_its_bodies_are_short() -> None:
    desk = Office(webhook("hook"))
    desk.event(1, "opened", entries=[])
    for number in range(2, 30):
        entries = [page(f"p{number}"), message(number, text="é" * 900)]
        desk.event(number, "updated", entries=entries, symptoms=["x" * 900] * 20)
    sends = []
    while desk.sends():
        sends += desk.sends()
        desk.answer(desk.sends()[0], "delivered")
    assert all(len(send.body.encode()) <= BODY_BYTES_MAX for send in sends)
    assert [each.number for send in sends for each in told(send.body).messages] == list(range(2, 30))
    assert [each.person for send in sends for each in told(send.body).calls] == [
        f"p{number}" for number in range(2, 30)
    ]


def test_a_state_record_stays_small_whatever_waits() -> None:
    desk = Office(tickets())
    entries = [message(1, audience=f"a{number}", text="é" * 4_000) for number in range(32)]
    for number in range(1, 60):
        change = ("resolved", "reopened")[number % 2]
        entries = [{**each, "facts": {**each["facts"], "number": number}} for each in entries]
        desk.event(number, change, entries=entries, symptoms=["\\"] * 500 + ['"' * 2_000] * 50)
    [outbox] = desk.processor.outboxes()
    assert sum(len(each.body.encode()) for each in outbox.queue) <= QUEUE_BYTES_MAX
    assert all(len(each.body.encode()) <= LARGE_BODY_BYTES_MAX for each in outbox.queue)
    assert len(outbox.to_bytes()) < 4 << 20
    assert len(orjson.loads(outbox.queue[-1].body)["data"]["messages"]) == 32


def test_a_head_is_not_replaced_before_there_is_a_record() -> None:
    desk = Office(tickets())
    desk.event(2, "updated")
    desk.event(3, "updated")
    assert [each.revision for each in desk.sends()] == [2]


def test_each_milestone_asks_for_the_state_that_it_tells_and_the_last_for_the_newest() -> None:
    desk = Office(tickets())
    desk.event(1, "opened")
    desk.event(2, "resolved", state="resolved", resolution={"by": "ann"})
    desk.event(3, "noted", state="resolved", resolution={"by": "ann"})
    desk.event(4, "reopened", state="reopened")
    desk.event(5, "acknowledged", state="acknowledged")
    states = []
    while desk.sends():
        states.append(desk.sends()[0].wanted.get("state"))
        desk.attempt(desk.sends()[0])
    assert states == ["open", "resolved", None, "acknowledged", None]
