"""Deliver: order, coalescing, retries and parking, without any I/O."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.outward import outbox as limits
from pipeline.core.outward import retries
from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.outward.delivery_body import BODY_BYTES_MAX
from pipeline.core.outward.outbox import MILESTONES
from pipeline.core.outward.send import Send
from pipeline.models.decision import Reason
from pipeline.models.delivery import ParkReason
from tests.core.outboxes import HOUR_MS, Desk, body, config, sink


def test_an_event_is_ready_at_once_and_stays_so_until_its_outcome_comes() -> None:
    desk = Desk()
    desk.event(1, "opened")
    assert desk.ready() == desk.ready() == [("INC-1/1/desk", 1)]
    desk.answer(desk.processor.ready()[0], "delivered")
    assert desk.ready() == []


def test_one_revision_is_in_flight_at_a_time() -> None:
    desk = Desk()
    desk.event(1, "opened")
    desk.event(2, "resolved")
    assert desk.ready() == [("INC-1/1/desk", 1)]
    assert desk.deliver_all() == ["INC-1/1/desk", "INC-1/2/desk"]


def test_incidents_and_sinks_do_not_wait_for_one_another() -> None:
    desk = Desk(sink("desk"), sink("page"))
    desk.event(1, "opened", "INC-1")
    desk.event(1, "opened", "INC-2")
    assert [name for name, _ in desk.ready()] == [
        "INC-1/1/desk",
        "INC-2/1/desk",
        "INC-1/1/page",
        "INC-2/1/page",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["opened", "updated", "updated", "updated"], [1, 4]),
        (["opened", "updated", "acknowledged", "resolved"], [1, 3, 4]),
        (["opened", "resolved", "reopened", "resolved", "closed"], [1, 2, 3, 4, 5]),
        (["opened", "updated", "resolved", "updated", "noted"], [1, 2, 3, 5]),
        (["updated", "updated", "updated"], [1, 3]),
        (["opened", "updated", "merged"], [1, 2, 3]),
    ],
)
def test_waiting_updates_become_the_newest_but_milestones_are_told_one_by_one(
    changes: list[str], told: list[int]
) -> None:
    desk = Desk()
    for revision, change in enumerate(changes, 1):
        desk.event(revision, change)
    assert desk.deliver_all() == [f"INC-1/{revision}/desk" for revision in told]


def test_a_coalesced_update_carries_the_entries_of_all_its_revisions() -> None:
    desk = Desk()
    for revision, change in enumerate(["opened", "acknowledged", "escalated"], 1):
        desk.event(revision, change)
    desk.answer(desk.processor.ready()[0], "delivered")
    data = body(desk.processor.ready()[0])["data"]
    assert [entry["text"] for entry in data["entries"]] == ["number 2", "number 3"]
    assert data["changes"] == ["acknowledged", "escalated"]
    assert (data["revision"], data["change"]) == (3, "escalated")


def test_the_body_is_a_standard_webhook_without_the_long_timeline() -> None:
    desk = Desk()
    desk.event(1, "opened", title="Checkout fails")
    document = body(desk.processor.ready()[0])
    assert document["type"] == "dev.spillway.incident.opened.v1"
    assert document["timestamp"] == "2026-03-04T02:06:40.000Z"
    assert document["data"]["incident"]["title"] == "Checkout fails"
    assert "timeline" not in document["data"]["incident"]
    assert "truncated" not in document["data"]


@pytest.mark.parametrize(
    "snapshot",
    [
        {"symptoms": ["x" * 3_000] * 40},
        {"tickets": [{"id": f"T-{number}", "summary": "é" * 400} for number in range(500)]},
        {"title": "€" * 30_000},
        {f"field_{number}": "y" * 900 for number in range(95)},
        {f"field_{number}": ["z" * 99] * 5 for number in range(95)},
        {f"field_{number}": {"k" * 999: number} for number in range(400)},
    ],
    ids=["long lists", "many tickets", "long title", "many texts", "many lists", "many long names"],
)
def test_a_body_too_large_is_cut_and_says_so(snapshot: dict[str, Any]) -> None:
    desk = Desk()
    desk.event(1, "opened", **snapshot)
    sent = desk.processor.ready()[0].body
    assert len(sent.encode()) <= BODY_BYTES_MAX
    data = orjson.loads(sent)["data"]
    assert data["truncated"] is True
    assert data["incident"]["id"] == "INC-1"


@pytest.mark.parametrize(
    ("filters", "snapshot", "wanted"),
    [
        ({}, {}, True),
        ({"priorities": ("P1", "P2")}, {"priority": "P2"}, True),
        ({"priorities": ("P1",)}, {"priority": "P2"}, False),
        ({"domains": ("shop",)}, {"domain": "shop"}, True),
        ({"domains": ("shop",)}, {"domain": None}, False),
        ({"priorities": ("P1",), "domains": ("mail",)}, {}, False),
    ],
)
def test_filters_decide_what_a_sink_hears(filters: dict[str, Any], snapshot: dict[str, Any], wanted: bool) -> None:
    desk = Desk(sink(**filters))
    desk.event(1, "opened", **snapshot)
    assert bool(desk.ready()) is wanted


def test_a_sink_that_knows_an_incident_hears_how_it_ends_also_at_a_lower_priority() -> None:
    desk = Desk(sink(priorities=("P1",)))
    desk.event(1, "opened")
    desk.event(2, "updated", priority="P3")
    desk.event(3, "resolved", priority="P3", state="resolved")
    assert desk.deliver_all() == ["INC-1/1/desk", "INC-1/2/desk", "INC-1/3/desk"]


def test_an_outbox_ends_when_the_incident_has_closed_and_all_is_told() -> None:
    desk = Desk()
    desk.event(1, "opened")
    desk.event(2, "closed", state="closed")
    desk.deliver_all()
    assert desk.processor.outboxes() == []
    assert dict(desk.processor.take_changes())[b"desk/INC-1"] is None


def test_a_retry_waits_longer_each_time_and_keeps_its_delivery_id() -> None:
    desk = Desk()
    desk.event(1, "opened")
    waits = []
    for attempt in range(1, 13):
        assert desk.ready() == [("INC-1/1/desk", attempt)]
        desk.answer(desk.processor.ready()[0], "retry", status=500)
        assert desk.ready() == []
        due_ms = desk.processor.next_deadline_ms()
        assert due_ms is not None
        waits.append(due_ms - desk.now_ms)
        desk.wait(waits[-1])
    whole = [min(2 << doublings, retries.BACKOFF_SECONDS_MAX) * 1_000 for doublings in range(12)]
    assert all(limit // 2 <= wait <= limit for wait, limit in zip(waits, whole, strict=True))


def test_waits_differ_between_incidents_and_are_the_same_in_every_run() -> None:
    waits = [retries.backoff_ms(f"INC-{number}/1/desk", 5) for number in range(50)]
    assert len(set(waits)) > 40
    assert waits == [retries.backoff_ms(f"INC-{number}/1/desk", 5) for number in range(50)]


@pytest.mark.parametrize(("asked_seconds", "wait_seconds"), [(60, 60), (10**9, retries.RETRY_AFTER_SECONDS_MAX)])
def test_a_sink_that_asks_for_patience_gets_it_within_reason(asked_seconds: int, wait_seconds: int) -> None:
    desk = Desk()
    desk.event(1, "opened")
    desk.answer(desk.processor.ready()[0], "retry", status=429, retry_after_seconds=asked_seconds)
    desk.wait(wait_seconds * 1_000 - 1)
    assert desk.ready() == []
    desk.wait(1)
    assert desk.ready() == [("INC-1/1/desk", 2)]


def test_what_a_sink_rejects_is_parked_visibly_and_the_next_goes_on() -> None:
    desk = Desk()
    desk.event(1, "opened")
    desk.event(2, "resolved")
    desk.answer(desk.processor.ready()[0], "rejected", status=400, detail="no such project")
    assert desk.ready() == [("INC-1/2/desk", 1)]
    [note] = desk.parked()
    assert (note["delivery_id"], note["status"]) == ("INC-1/1/desk", 400)
    assert note["detail"] == "rejected_by_sink: no such project"
    [kept] = desk.processor.outboxes()[0].parked
    assert kept.reason == ParkReason.REJECTED_BY_SINK


def test_what_waits_and_what_was_given_up_is_counted_by_sink() -> None:
    desk = Desk(sink("desk"), sink("page"))
    desk.event(1, "opened")
    desk.event(2, "resolved")
    desk.answer(desk.processor.ready()[0], "rejected")
    assert desk.processor.gauges() == {
        "deliveries_waiting": {"desk": 1, "page": 2},
        "deliveries_parked": {"desk": 1, "page": 0},
        "sink_records_open": {"desk": 0, "page": 0},
        "state_entries": {"outboxes": 2},
    }


def test_a_delivery_is_parked_when_its_hours_are_used_up() -> None:
    desk = Desk()
    desk.event(1, "opened")
    for _ in range(retries.RETRY_ATTEMPTS_MIN):
        assert desk.parked() == []  # a sink that is down is hardly tried: that alone uses nothing up
        desk.answer(desk.processor.ready()[0], "retry")
        desk.wait(retries.RETRY_HOURS_MAX * HOUR_MS)
    assert desk.parked()[0]["detail"] == ParkReason.HOURS_USED_UP
    assert desk.processor.next_deadline_ms() is None


def test_a_delivery_is_parked_when_its_attempts_are_used_up() -> None:
    desk = Desk()
    desk.processor.restore(b"desk/INC-1", _outbox_on_its_last_attempt())
    desk.processor.restored()
    desk.answer(desk.processor.ready()[0], "retry", detail="refused")
    assert desk.parked()[0]["detail"] == "attempts_used_up: refused"
    assert desk.parked()[0]["attempt"] == retries.RETRY_ATTEMPTS_MAX


def _outbox_on_its_last_attempt() -> bytes:
    pending = limits.Pending(1, "opened", "{}")
    attempts = retries.RETRY_ATTEMPTS_MAX
    return limits.Outbox(sink="desk", incident_id="INC-1", queue=[pending], attempt=attempts).to_bytes()


def test_the_budget_of_hours_starts_with_the_first_failure_not_with_the_event() -> None:
    desk = Desk()
    desk.event(1, "opened")
    desk.wait(10 * retries.RETRY_HOURS_MAX * HOUR_MS)
    desk.answer(desk.processor.ready()[0], "retry")
    assert desk.parked() == []


def test_a_queue_that_reaches_its_limit_parks_its_oldest_but_never_the_head() -> None:
    desk = Desk()
    for revision in range(1, limits.QUEUE_DELIVERIES_MAX + 3):
        desk.event(revision, ("resolved", "reopened")[revision % 2])
    [outbox] = desk.processor.outboxes()
    assert len(outbox.queue) == limits.QUEUE_DELIVERIES_MAX
    assert outbox.queue[0].revision == 1
    assert [note["revision"] for note in desk.parked()] == [2, 3]
    assert {note["detail"] for note in desk.parked()} == {ParkReason.QUEUE_FULL}


def test_a_second_outcome_of_the_same_attempt_changes_nothing() -> None:
    desk = Desk()
    desk.event(1, "opened")
    desk.event(2, "resolved")
    [first] = desk.processor.ready()
    desk.answer(first, "retry")
    desk.answer(first, "retry")
    desk.answer(first, "rejected")
    assert desk.parked() == []
    desk.answer(first, "delivered")  # the lost answer of a send that did arrive
    assert desk.ready() == [("INC-1/2/desk", 1)]
    desk.answer(first, "delivered")
    assert desk.ready() == [("INC-1/2/desk", 1)]
    assert desk.processor.next_deadline_ms() is None


def test_its_own_note_about_a_parked_delivery_changes_nothing() -> None:
    desk = Desk()
    desk.event(1, "opened")
    desk.answer(desk.processor.ready()[0], "parked")
    assert desk.ready() == [("INC-1/1/desk", 1)]


def test_state_comes_back_from_the_changelog() -> None:
    desk = Desk()
    desk.event(1, "opened", "INC-1")
    desk.event(1, "opened", "INC-2")
    desk.event(1, "opened", "INC-3")
    desk.event(2, "closed", "INC-3", state="closed")
    desk.answer(desk.processor.ready()[1], "retry")
    changes = desk.processor.take_changes()
    successor = DeliverProcessor(config())
    for key, value in changes:
        successor.restore(key, value)
    successor.restored()
    assert successor.ready() == [send._replace(unsure=True) for send in desk.processor.ready()]
    assert successor.next_deadline_ms() == desk.processor.next_deadline_ms()
    assert [each.queue for each in successor.outboxes()] == [each.queue for each in desk.processor.outboxes()]


def test_an_outbox_that_ended_does_not_come_back_from_the_changelog() -> None:
    desk = Desk()
    desk.event(1, "opened")
    changes = desk.processor.take_changes()
    successor = DeliverProcessor(config())
    for key, value in [*changes, (b"desk/INC-1", None)]:
        successor.restore(key, value)
    successor.restored()
    assert successor.ready() == []


def test_what_waits_for_a_sink_that_was_removed_is_parked_when_the_incident_closes() -> None:
    desk = Desk(sink("old"))
    desk.event(1, "opened")
    changes = desk.processor.take_changes()
    successor = Desk(sink("new"))
    for key, value in changes:
        successor.processor.restore(key, value)
    successor.processor.restored()
    assert successor.ready() == []
    successor.event(2, "closed", state="closed")
    assert [note["delivery_id"] for note in successor.parked()] == ["INC-1/1/old", "INC-1/2/old"]
    assert successor.ready() == [("INC-1/2/new", 1)]


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        ("incidents", None, Reason.EMPTY),
        ("incidents", b"{", Reason.BROKEN_JSON),
        ("incidents", b"[]", Reason.WRONG_TYPE),
        ("incidents", b'{"schema": 9}', Reason.UNKNOWN_SCHEMA),
        ("incidents", b'{"schema": 1, "incident_id": "INC-1"}', Reason.MISSING_FIELD),
        ("deliveries", b'{"schema": 1}', Reason.MISSING_FIELD),
        ("deliveries", b'{"schema": 1, "outcome": "eaten"}', Reason.WRONG_TYPE),
        ("deliveries", b'{"schema": 1, "outcome": "retry", "attempt": true}', Reason.WRONG_TYPE),
    ],
)
def test_a_bad_record_is_in_the_dead_letter_and_counts_as_no_alert(
    topic: str, value: bytes | None, reason: Reason
) -> None:
    desk = Desk()
    desk.feed(topic, b"INC-1", value)
    [letter] = desk.effects.outputs
    assert (letter.topic, letter.value) == ("dead.letter", value)
    assert dict(letter.headers)["spillway-reason"] == reason.encode()
    assert desk.effects.decisions == []
    assert desk.processor.ledger.received == desk.processor.ledger.remainder() == 0


_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["opened", "updated", "noted", "escalated", "resolved", "reopened", "closed"]),
            st.sampled_from(["INC-1", "INC-2"]),
        ),
        st.tuples(st.sampled_from(["delivered", "retry", "rejected", "again", "tick"]), st.integers(0, 3)),
    ),
    max_size=60,
)


@given(_STEPS)
def test_whatever_happens_each_sink_hears_revisions_in_order_and_every_milestone(
    steps: list[tuple[str, Any]],
) -> None:
    desk = Desk(sink("desk"), sink("page"))
    revisions: dict[str, int] = {}
    milestones: set[tuple[str, str, int]] = set()
    first_sends: list[Send] = []
    last: Send | None = None

    def watch() -> None:
        for send in desk.processor.ready():
            if send.delivery_id not in {each.delivery_id for each in first_sends}:
                first_sends.append(send)

    for word, which in steps:
        if isinstance(which, str):
            revision = revisions[which] = revisions.get(which, 0) + 1
            desk.event(revision, word, which, state="closed" if word == "closed" else "logged")
            if word in MILESTONES:
                milestones |= {(name, which, revision) for name in ("desk", "page")}
        elif word == "tick":
            desk.wait(HOUR_MS)
        elif word == "again" and last is not None:
            desk.answer(last, "delivered" if which % 2 else "retry")
        elif sends := desk.processor.ready():
            last = sends[which % len(sends)]
            desk.answer(last, word if word != "again" else "delivered")
        watch()
    while desk.processor.ready() or desk.processor.next_deadline_ms():
        for send in desk.processor.ready():
            desk.answer(send, "delivered")
            watch()
        desk.wait(retries.BACKOFF_SECONDS_MAX * 1_000)
        watch()

    for name in ("desk", "page"):
        for incident_id, newest in revisions.items():
            told = [each.revision for each in first_sends if (each.sink, each.incident_id) == (name, incident_id)]
            assert told == sorted(set(told))
            assert told[-1] == newest
    assert milestones <= {(each.sink, each.incident_id, each.revision) for each in first_sends}
    assert all(outbox.queue == [] for outbox in desk.processor.outboxes())
