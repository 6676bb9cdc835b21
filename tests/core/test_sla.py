"""Service level clocks: what runs, pauses, is met, warned of and missed, and what the timeline says of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.clocks import sla
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling
from pipeline.core.practice import ending
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import Step
from pipeline.models.clocks import BusinessHours, ClockRules, Targets
from pipeline.models.command import Resolution
from pipeline.models.incident import Incident, IncidentState, incident_from_wire
from pipeline.models.incident_clock import CLOCK_REASONS_MAX, Clock
from pipeline.models.incident_parts import Waiting
from pipeline.models.wire import to_json
from tests.core.builders import HOUR, MINUTE, T0
from tests.core.desks import desk, later, logged, run_until

DONE = Resolution(code="fixed", summary="restarted")
TARGETS = {
    "P1": Targets(respond_minutes=5, resolve_minutes=60, update_minutes=20),
    "P2": Targets(respond_minutes=30, resolve_minutes=240),
    "P4": Targets(respond_minutes=60, resolve_minutes=960, calendar="business"),
}


def bare(**rules: Any) -> Desk:
    """A desk that calls nobody and tells nobody: clocks alone."""
    fields: dict[str, Any] = {"targets": TARGETS, "clocks": ClockRules(**rules)}
    return desk(**fields, escalation=())


def opened(at: Desk, now_ms: int = T0, **fields: Any) -> Draft:
    given: dict[str, Any] = {"priority": "P1", "domain": "shop", "detected_at_ms": now_ms} | fields
    draft = Draft(Incident(id="INC-1", space="production", **given), now_ms)
    assert at.step(draft, Step.LOG, MACHINE, "logged")
    return draft


def go(at: Desk, draft: Draft, step: Step, now_ms: int) -> Draft:
    after = later(draft, now_ms)
    assert at.step(after, step, "ann", str(step))
    return after


def tick(at: Desk, draft: Draft, now_ms: int) -> list[str]:
    """What the clocks say at a moment."""
    after = later(draft, now_ms)
    sla.run_clocks(at, after)
    sla.run_update_clock(at, after)
    return [entry.text for entry in after.entries]


def clock(draft: Draft, name: str = "resolution") -> Clock:
    return draft.incident.clocks[name]


def test_clocks_run_always_or_in_business_hours() -> None:
    at, evening = bare(), T0 + 12 * HOUR  # 22:00
    urgent, patient = opened(at, evening), opened(at, evening, priority="P4")
    assert [clock(urgent, name).due_at_ms for name in ("response", "update", "resolution")] == [
        evening + 5 * MINUTE,
        evening + 20 * MINUTE,
        evening + HOUR,
    ]
    assert clock(urgent).warn_at_ms == evening + 45 * MINUTE
    assert clock(patient, "response").due_at_ms == T0 + 24 * HOUR
    assert clock(patient).due_at_ms == T0 + 55 * HOUR  # Thursday, 17:00
    assert opened(at, priority="P9").incident.clocks == {}


def test_each_clock_may_count_on_a_calendar_of_its_own() -> None:
    targets = Targets(respond_minutes=5, resolve_minutes=60, calendar="shop", calendars={"response": "always"})
    shop = BusinessHours(week={"monday-sunday": ("12:00-13:00",)})
    draft = opened(desk(targets={"P1": targets}, calendars={"shop": shop}, escalation=()))
    assert [clock(draft, name).due_at_ms for name in ("response", "resolution")] == [T0 + 5 * MINUTE, T0 + 3 * HOUR]


def test_waiting_for_the_customer_pauses_the_resolution_to_the_millisecond() -> None:
    at = bare()
    draft = opened(at)
    paused = go(at, draft, Step.WAIT_FOR_CUSTOMER, T0 + 20 * MINUTE + 7)
    assert (clock(draft).due_at_ms, clock(draft).warn_at_ms, clock(draft).elapsed_ms) == (None, None, 20 * MINUTE + 7)
    assert paused.entries[-1].text == "resolution clock paused, waiting for the customer: 20 min of 1 h used"
    assert tick(at, draft, T0 + 5 * HOUR) == [
        "update target of P1 was missed: nobody was told anything since 10:00",
    ]
    on = go(at, draft, Step.RESUME, T0 + 6 * HOUR)
    assert clock(draft).due_at_ms == T0 + 6 * HOUR + 40 * MINUTE - 7
    assert clock(draft).paused_ms == 6 * HOUR - 20 * MINUTE - 7
    assert on.entries[-1].text == "resolution clock runs on: 20 min of 1 h used, 5 h 40 min paused so far"


def test_waiting_for_a_vendor_goes_on_counting_and_is_the_reason_of_the_breach() -> None:
    at = bare()
    draft = opened(at)
    draft.incident.waiting = [Waiting(kind="vendor", since_ms=T0, by="ann", link_kind="ticket", id="CASE-12")]
    go(at, draft, Step.ACKNOWLEDGE, T0 + MINUTE).incident.acknowledged_at_ms = T0 + MINUTE
    go(at, draft, Step.WAIT_FOR_VENDOR, T0 + 5 * MINUTE)
    go(at, draft, Step.WAIT_FOR_PROVIDER, T0 + 45 * MINUTE)
    assert tick(at, draft, T0 + HOUR)[0] == (
        "resolution target of P1 was missed: waited for vendor CASE-12 for 40 min; waited for the provider for 15 min"
    )


def test_a_pack_may_pause_other_states_and_a_priority_may_differ() -> None:
    own = Targets(respond_minutes=5, resolve_minutes=60, pause_in={"resolution": ()})
    at = desk(
        targets={"P1": own, "P2": TARGETS["P2"]},
        clocks=ClockRules(pause_in={"resolution": ("waiting_vendor",)}),
        escalation=(),
    )
    for priority, due in (("P1", T0 + HOUR), ("P2", None)):
        draft = opened(at, priority=priority)
        go(at, draft, Step.WAIT_FOR_VENDOR, T0 + MINUTE)
        assert clock(draft).due_at_ms == due


def test_a_missed_response_says_whom_nobody_heard_from() -> None:
    at = desk(targets=TARGETS)
    draft = opened(at)
    assert tick(at, draft, T0 + 5 * MINUTE) == [
        "response target of P1 was missed: nobody acknowledged, nobody was called"
    ]
    other = opened(at, service="component:default/shop")
    calling.begin(at, other)
    assert tick(at, other, T0 + 5 * MINUTE)[0].endswith("nobody acknowledged, called bob")


def test_what_is_met_late_says_by_how_much() -> None:
    at = bare()
    draft = opened(at)
    tick(at, draft, T0 + 5 * MINUTE)
    late = go(at, draft, Step.ACKNOWLEDGE, T0 + 17 * MINUTE)
    assert late.entries[-1].text == "response target was met 12 min late"
    assert late.entries[-1].facts["over_ms"] == 12 * MINUTE
    assert (clock(late, "response").breached_at_ms, clock(late, "response").met_at_ms) == (
        T0 + 5 * MINUTE,
        T0 + 17 * MINUTE,
    )


def test_warnings_go_out_once_each_and_press_the_more() -> None:
    at = bare(warn_at=(0.5, 0.75, 0.9))
    draft = opened(at, priority="P2")
    go(at, draft, Step.ACKNOWLEDGE, T0)
    said = []
    for minute in range(0, 241, 5):
        said += [(minute, text) for text in tick(at, draft, T0 + minute * MINUTE)]
    assert said[:-1] == [
        (120, "resolution target of P2 is due in 2 h: 50% of it is used"),
        (180, "resolution target of P2 is due in 1 h: 75% of it is used"),
        (220, "resolution target of P2 is nearly missed: due in 20 min, 90% of it is used"),
    ]
    assert said[-1] == (240, "resolution target of P2 was missed: nobody acknowledged")


def test_warnings_that_have_become_due_together_are_one() -> None:
    at = bare(warn_at=(0.5, 0.75, 0.9))
    draft = opened(at, priority="P2")
    go(at, draft, Step.ACKNOWLEDGE, T0)
    assert len(tick(at, draft, T0 + 200 * MINUTE)) == 1
    assert clock(draft).warned == 2


def test_a_priority_that_rises_keeps_what_is_used_and_names_it_as_the_reason() -> None:
    at = bare()
    draft = opened(at, priority="P2")
    go(at, draft, Step.ACKNOWLEDGE, T0).incident.acknowledged_at_ms = T0
    draft.incident.priority = "P1"
    sla.set_clocks(at, later(draft, T0 + 40 * MINUTE))
    assert clock(draft).due_at_ms == T0 + HOUR
    assert clock(draft, "update").due_at_ms == T0 + HOUR  # promised from now on
    assert tick(at, draft, T0 + HOUR)[0] == "resolution target of P1 was missed: priority rose from P2 at 10:40"


def test_a_target_that_a_risen_priority_has_used_up_is_missed_at_once_and_not_before() -> None:
    at = bare()
    draft = opened(at, priority="P2")
    draft.incident.priority = "P1"
    risen = later(draft, T0 + 90 * MINUTE)
    sla.set_clocks(at, risen)
    assert clock(draft).due_at_ms == T0 + 90 * MINUTE
    tick(at, draft, T0 + 90 * MINUTE)
    assert clock(draft).breached_at_ms == T0 + 90 * MINUTE


def test_another_priority_counts_on_its_own_calendar_from_there_on() -> None:
    at, friday = bare(), T0 + 3 * 24 * HOUR + 6 * HOUR  # Friday 16:00
    draft = opened(at, friday, priority="P4")
    draft.incident.priority = "P1"
    sunday = friday + 48 * HOUR
    sla.set_clocks(at, later(draft, sunday))
    assert clock(draft).elapsed_ms == HOUR  # what was Friday's; nobody worked since
    draft.incident.priority = "P4"
    sla.set_clocks(at, later(draft, sunday + 30 * MINUTE))
    assert clock(draft).elapsed_ms == HOUR + 30 * MINUTE
    assert clock(draft).calendar == "business"


def test_a_workaround_meets_the_resolution_unless_the_pack_wants_the_fix() -> None:
    for met_by, met in ((("resolved", "mitigated"), T0 + MINUTE), (("resolved",), None)):
        at = bare(met_by=met_by)
        draft = opened(at)
        go(at, draft, Step.MITIGATE, T0 + MINUTE)
        assert clock(draft).met_at_ms == met


def test_a_workaround_that_does_not_hold_lets_the_clock_run_on_without_the_time_between() -> None:
    at = bare()
    draft = opened(at)
    go(at, draft, Step.MITIGATE, T0 + 20 * MINUTE)
    go(at, draft, Step.RESUME, T0 + 5 * HOUR)
    assert (clock(draft).met_at_ms, clock(draft).due_at_ms) == (None, T0 + 5 * HOUR + 40 * MINUTE)


def test_who_waits_for_the_fix_behind_a_workaround_is_not_late() -> None:
    at = bare()
    draft = opened(at)
    go(at, draft, Step.MITIGATE, T0 + 20 * MINUTE).incident.mitigated_at_ms = T0 + 20 * MINUTE
    go(at, draft, Step.WAIT_FOR_VENDOR, T0 + 30 * MINUTE)
    assert clock(draft).met_at_ms == T0 + 20 * MINUTE
    assert tick(at, draft, T0 + 9 * HOUR) == []


@pytest.mark.parametrize(("policy", "used"), [("continue", 50 * MINUTE), ("restart", 20 * MINUTE)])
def test_a_reopened_incident_runs_on_or_begins_anew(policy: str, used: int) -> None:
    at = bare(on_reopen=policy)
    draft = opened(at)
    ending.resolve(at, later(draft, T0 + 30 * MINUTE), "ann", DONE)
    ending.reopen(at, later(draft, T0 + 3 * HOUR), "ann", "again")
    now = T0 + 3 * HOUR + 20 * MINUTE
    assert clock(draft).due_at_ms == now + HOUR - used
    assert (clock(draft, "response").met_at_ms is None) is (policy == "restart")


def test_how_often_it_came_back_is_a_reason() -> None:
    at = bare()
    draft = opened(at)
    for number in (1, 2):
        ending.resolve(at, later(draft, T0 + number * HOUR), "ann", DONE)
        ending.reopen(at, later(draft, T0 + number * HOUR), "ann", "again")
    assert "reopened twice" in tick(at, draft, T0 + 9 * HOUR)[0]


def test_each_update_begins_the_time_to_the_next_and_what_was_missed_is_counted() -> None:
    at = bare()
    draft = opened(at)
    sla.informed(at, later(draft, T0 + 10 * MINUTE), "responders")  # those who work on it wait for nothing
    assert clock(draft, "update").due_at_ms == T0 + 20 * MINUTE
    sla.informed(at, later(draft, T0 + 10 * MINUTE), "public")
    assert clock(draft, "update").due_at_ms == T0 + 30 * MINUTE
    assert tick(at, draft, T0 + 25 * MINUTE)[-1] == "update target of P1 is due in 5 min: 75% of it is used"
    tick(at, draft, T0 + 30 * MINUTE)
    told = later(draft, T0 + 42 * MINUTE)
    sla.informed(at, told, "affected_users")
    assert told.entries[-1].text == "update target was met 12 min late"
    assert (clock(draft, "update").missed, clock(draft, "update").breached_at_ms) == (1, None)


def test_a_bridge_incident_speaks_for_its_members_until_it_lets_them_go() -> None:
    at = bare()
    draft = opened(at)
    draft.incident.bridge_id = "MI-1"
    sla.settle(at, later(draft, T0 + 5 * MINUTE))
    assert clock(draft, "update").due_at_ms is None
    draft.incident.bridge_id = None
    sla.settle(at, later(draft, T0 + 65 * MINUTE))
    assert clock(draft, "update").due_at_ms == T0 + 80 * MINUTE


@pytest.mark.parametrize("step", [Step.CANCEL, Step.MERGE])
def test_what_is_cancelled_or_merged_stops_unmet(step: Step) -> None:
    at = bare()
    draft = opened(at)
    go(at, draft, step, T0 + MINUTE)
    assert [(each.met_at_ms, each.due_at_ms, each.running_since_ms) for each in draft.incident.clocks.values()] == [
        (None, None, None)
    ] * 3
    assert tick(at, draft, T0 + 9 * HOUR) == []


def test_a_clock_of_an_older_release_goes_on_where_it_was() -> None:
    at = bare()
    draft = opened(at)
    document = orjson.loads(to_json(draft.incident))
    kept = {"due_at_ms", "warn_at_ms", "met_at_ms", "breached_at_ms"}
    document["clocks"] = {
        name: {field: value for field, value in each.items() if field in kept}
        for name, each in document["clocks"].items()
        if name != "update"
    }
    old = Draft(incident_from_wire(document), T0)
    assert tick(at, old, T0 + 50 * MINUTE)[-1] == "resolution target of P1 is due in 10 min: 75% of it is used"
    go(at, old, Step.WAIT_FOR_CUSTOMER, T0 + 55 * MINUTE)
    assert clock(old).elapsed_ms == 55 * MINUTE
    go(at, old, Step.RESUME, T0 + 2 * HOUR)
    assert clock(old).due_at_ms == T0 + 2 * HOUR + 5 * MINUTE


def test_reasons_are_bounded() -> None:
    at = bare()
    draft = opened(at, priority="P2")
    go(at, draft, Step.ACKNOWLEDGE, T0)
    for number in range(CLOCK_REASONS_MAX + 4):
        go(at, draft, Step.WAIT_FOR_VENDOR, T0 + number * MINUTE)
        go(at, draft, Step.RESUME, T0 + number * MINUTE + 1)
    assert len(clock(draft).because) == CLOCK_REASONS_MAX
    tick(at, draft, T0 + 9 * HOUR)
    assert len(clock(draft).because) == CLOCK_REASONS_MAX
    assert draft.incident.state == IncidentState.IN_PROGRESS


def test_a_clock_that_has_warned_more_often_than_its_pack_now_says_runs_on() -> None:
    draft = logged(desk(clocks=ClockRules(warn_at=(0.5, 0.75, 0.9))))
    run_until(desk(clocks=ClockRules(warn_at=(0.5, 0.75, 0.9))), draft, T0 + 31 * MINUTE)
    assert draft.incident.clocks["resolution"].warned == 1
    done = run_until(desk(clocks=ClockRules(warn_at=(0.75,))), draft, T0 + 2 * HOUR)
    assert done.count("sla_breached") == 1
