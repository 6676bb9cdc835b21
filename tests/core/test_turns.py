"""Turns: what came while an attempt was under way is told after it, however much it was, and nothing twice."""

from __future__ import annotations

from pipeline.models.remote import Remote
from pipeline.models.sinks.servicenow import ServiceNow
from tests.core.outboxes import Desk, body

TICKETS = ServiceNow(name="tickets", url="https://tickets.example", secret_env="TICKETS", user="spillway")
GROWN = 50
"""Revisions that a storm brings while one attempt waits for its sink."""


def begun() -> Desk:
    """The record is made there, and the second revision is under way."""
    desk = Desk(TICKETS)
    desk.event(1, "opened")
    [first] = desk.processor.ready()
    desk.answer(first, "delivered", remote=Remote(id="7"))
    desk.event(2, "updated")
    return desk


def test_a_head_that_grew_while_it_was_under_way_tells_the_rest_when_its_outcome_comes() -> None:
    desk = begun()
    [sent] = desk.processor.ready()
    desk.processor.take_ready()
    for revision in range(3, 3 + GROWN):
        desk.event(revision, "updated")
    [grown], _ = desk.processor.take_ready()
    assert (grown.turn, grown.revision) == (sent.turn, 2 + GROWN)
    desk.answer(sent, "delivered", remote=Remote(id="7"))
    [rest], _ = desk.processor.take_ready()
    assert rest.turn == sent.turn + 1
    assert f"number {2 + GROWN}" in rest.body
    assert 'number 2"' not in rest.body
    desk.answer(sent, "delivered")
    assert desk.processor.take_ready() == ([], [])


def test_a_head_that_grew_while_it_failed_is_tried_again_as_it_is_now() -> None:
    desk = begun()
    [sent] = desk.processor.ready()
    for revision in range(3, 3 + GROWN):
        desk.event(revision, "updated")
    desk.answer(sent, "retry", status=500, unknown=True)
    assert desk.processor.ready() == []
    desk.wait(10_000)
    [again] = desk.processor.ready()
    assert (again.turn, again.attempt, again.unsure) == (sent.turn + 1, 2, True)
    assert body(again)["data"]["revision"] == 2 + GROWN
