"""The desk: clocks, status page, resolution, reviews, reopening, closing; each once and on the record."""

from __future__ import annotations

import pytest

from pipeline.core.clocks import sla
from pipeline.core.communication import communicate
from pipeline.core.practice import deadlines, ending, response
from pipeline.core.practice.desk import MACHINE
from pipeline.core.practice.response import LINKS_MAX
from pipeline.models.clocks import BusinessHours
from pipeline.models.closure import Closure
from pipeline.models.command import Link, Resolution
from pipeline.models.incident_parts import TicketLink
from tests.core.builders import HOUR, MINUTE, T0
from tests.core.desks import desk, later, logged, people, run_until

DAY = 24 * HOUR
FRIDAY = T0 + 3 * DAY
DONE = Resolution(code="fixed", summary="restarted")


def test_clocks_warn_once_and_breach_once() -> None:
    at = desk()
    draft = logged(at)
    actions = run_until(at, draft, T0 + 48 * HOUR)
    assert (actions.count("sla_warning"), actions.count("sla_breached")) == (3, 3)
    assert draft.incident.clocks["response"].breached_at_ms == T0 + 5 * MINUTE


def test_a_met_clock_neither_warns_nor_breaches() -> None:
    at = desk()
    draft = logged(at)
    response.acknowledge(at, later(draft, T0 + MINUTE), "ann")
    assert draft.incident.clocks["response"].met_at_ms == T0 + MINUTE
    assert run_until(at, draft, T0 + 22 * MINUTE) == []  # then people are owed an update


def test_a_missed_clock_stays_missed_when_the_priority_changes() -> None:
    at = desk()
    draft = logged(at)
    run_until(at, draft, T0 + 10 * MINUTE)
    draft.incident.priority = "P2"
    sla.set_clocks(at, later(draft, T0 + 10 * MINUTE))
    clock = draft.incident.clocks["response"]
    assert (clock.breached_at_ms, clock.warn_at_ms) == (T0 + 5 * MINUTE, None)
    assert run_until(at, draft, T0 + 20 * MINUTE).count("sla_breached") == 0


def test_no_warning_speaks_of_time_that_is_over() -> None:
    at = desk()
    draft = logged(at, priority="P4")
    draft.incident.priority = "P1"
    step = later(draft, T0 + 2 * HOUR)
    sla.set_clocks(at, step)
    sla.run_clocks(at, step)
    assert [entry.action for entry in step.entries] == ["sla_breached", "sla_breached"]


def test_the_status_page_says_each_state_once_in_a_row() -> None:
    at, told = desk(), ["investigating", "investigating", "identified", "identified", "resolved"]
    draft = logged(at)
    for state in told:
        communicate.tell(at, draft, state)
    assert [each.state for each in draft.incident.communications] == ["investigating", "identified", "resolved"]


def test_a_priority_that_is_not_shown_and_a_member_of_a_bridge_say_nothing() -> None:
    at = desk()
    for draft in (logged(at, priority="P3"), logged(at, bridge_id="MI-1")):
        communicate.tell(at, draft, "investigating")
        assert draft.incident.communications == []


def test_resolution_stops_clocks_and_escalation_and_tells_every_ticket_once() -> None:
    at = desk()
    draft = logged(at)
    draft.incident.tickets = [
        TicketLink(id=f"T-{each}", feed="desk", state=state, summary="", episode_id="")
        for each, state in enumerate(["open", "resolved", "open"])
    ]
    step = later(draft, T0 + MINUTE)
    assert ending.resolve(at, step, "ann", DONE)
    assert {each.state for each in draft.incident.tickets} == {"resolved"}
    assert [entry.action for entry in step.entries].count("ticket") == 2
    assert draft.incident.escalation.next_at_ms is None
    assert all(clock.met_at_ms == T0 + MINUTE for clock in draft.incident.clocks.values())


def test_a_second_resolution_changes_nothing_and_says_so() -> None:
    at = desk()
    draft = logged(at)
    ending.resolve(at, draft, "ann", DONE)
    before = (draft.incident.resolution, draft.incident.resolved_at_ms)
    step = later(draft, T0 + HOUR)
    assert not ending.resolve(at, step, "bob", Resolution(code="other", summary="me too"))
    assert (draft.incident.resolution, draft.incident.resolved_at_ms) == before
    assert [entry.action for entry in step.entries] == ["refused_resolve"]


def test_a_policy_may_ask_a_person_for_more_and_asks_nothing_of_the_machine() -> None:
    at = desk(closure=Closure(require=("corrective_action",)))
    draft = logged(at)
    assert not ending.resolve(at, draft, "ann", DONE)
    assert draft.entries[-1].facts == {"missing": ["corrective_action"]}
    assert ending.resolve(at, draft, MACHINE, None)


@pytest.mark.parametrize(
    ("at_ms", "due"),
    [
        (T0, "2026-03-11"),
        (FRIDAY, "2026-03-16"),
        (FRIDAY + DAY, "2026-03-16"),
        (FRIDAY + 2 * DAY, "2026-03-16"),
    ],
)
def test_a_problem_review_is_due_on_the_next_business_day_over_a_weekend_too(at_ms: int, due: str) -> None:
    at = desk()
    draft = logged(at, at_ms)
    ending.resolve(at, draft, "ann", DONE)
    assert draft.incident.problem_review is not None
    assert draft.incident.problem_review.due_date == due


def test_a_problem_review_passes_over_holidays_and_counts_days_locally() -> None:
    hours = BusinessHours(timezone="Pacific/Auckland", holidays=("2026-03-12",))
    at = desk(business_hours=hours)
    draft = logged(at, T0 + 2 * HOUR)  # 2026-03-11 01:00 in Auckland
    ending.resolve(at, draft, "ann", DONE)
    assert draft.incident.problem_review is not None
    assert draft.incident.problem_review.due_date == "2026-03-13"


def test_a_reopened_incident_runs_its_resolution_clock_on_and_owes_one_review() -> None:
    at = desk()
    draft = logged(at)
    ending.resolve(at, later(draft, T0 + MINUTE), "ann", DONE)
    review = draft.incident.problem_review
    assert ending.reopen(at, later(draft, T0 + 2 * MINUTE), "ann", "again")
    assert draft.incident.clocks["resolution"].met_at_ms is None
    assert draft.incident.clocks["response"].met_at_ms == T0 + MINUTE
    ending.resolve(at, later(draft, T0 + 3 * MINUTE), "ann", DONE)
    assert draft.incident.problem_review is review


def test_a_reopened_incident_calls_the_on_call_again_and_its_tickets_are_open_again() -> None:
    at = desk()
    draft = logged(at)
    ticket = TicketLink(id="T-1", feed="jira", state="open", summary="it fails", episode_id="EP-1")
    draft.incident.tickets.append(ticket)
    called = people(draft)
    assert called
    assert ending.resolve(at, later(draft, T0 + MINUTE), MACHINE, None)
    assert ticket.state == "resolved"
    assert ending.reopen(at, later(draft, T0 + 2 * MINUTE), MACHINE, "again")
    assert people(draft) == called * 2
    assert ticket.state == "open"


def test_a_person_may_document_what_the_alerts_had_resolved_but_not_what_a_person_had() -> None:
    at = desk()
    draft = logged(at)
    assert ending.resolve(at, later(draft, T0 + MINUTE), MACHINE, None)
    said = Resolution(code="fixed", summary="pool enlarged", corrective_action="alarm at 80 %")
    second = later(draft, T0 + 2 * MINUTE)
    assert ending.resolve(at, second, "ann", said)
    assert [entry.action for entry in second.entries] == ["resolution", "corrective_action"]
    assert draft.incident.resolution == said.model_dump() | {"by": "ann"}
    assert draft.incident.resolved_at_ms == T0 + MINUTE
    assert not ending.resolve(at, later(draft, T0 + 3 * MINUTE), "bob", said)
    assert draft.incident.resolution["by"] == "ann"


def test_a_resolved_incident_closes_after_the_policys_time() -> None:
    at = desk(closure=Closure(close_after_minutes=10))
    draft = logged(at)
    ending.resolve(at, draft, "ann", DONE)
    assert run_until(at, draft, T0 + 10 * MINUTE) == ["close"]
    assert (draft.incident.closed_at_ms, deadlines.deadline_ms(at, draft.incident)) == (T0 + 10 * MINUTE, None)


def test_a_link_is_brought_up_to_date_and_links_are_bounded() -> None:
    at = desk()
    draft = logged(at)
    for number in range(LINKS_MAX + 5):
        response.link(at, draft, "ann", Link(kind="chat", id=str(number), state="open"))
    response.link(at, draft, "ann", Link(kind="chat", id="3", state="closed"))
    assert len(draft.incident.links) == LINKS_MAX
    assert draft.incident.links[3] == {"kind": "chat", "id": "3", "url": None, "state": "closed"}
    assert [entry.action for entry in draft.entries].count("refused_link") == 5
