"""Escalation: who is called next, along the dependency chain, and that nobody is called twice."""

from __future__ import annotations

import pytest

from pipeline.core.practice import ending, response
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.incident_parts import Suspect
from tests.core.builders import DB, HOST, HOUR, MINUTE, PAY, SHOP, T0
from tests.core.desks import desk, later, logged, people, run_until


def path(*levels: tuple[float, str], priorities: tuple[str, ...] = ("P1",)) -> EscalationPath:
    return EscalationPath(
        priorities=priorities,
        levels=tuple(EscalationLevel(after_minutes=after, notify=tuple(who.split())) for after, who in levels),
    )


def test_levels_fire_in_their_time_and_each_person_once() -> None:
    at = desk()
    draft = logged(at)
    assert people(draft) == ["bob"], "the on-call of the week"
    run_until(at, draft, T0 + 5 * MINUTE)
    assert people(draft) == ["bob", "ann", "dora"], "the next in turn, and the on-call of what the shop needs"
    run_until(at, draft, T0 + 24 * HOUR)
    assert people(draft) == ["bob", "ann", "dora", "shop-team"]


@pytest.mark.parametrize("how", ["acknowledge", "start", "resolve"])
def test_escalation_stops_when_somebody_has_it(how: str) -> None:
    at = desk()
    draft = logged(at)
    step = later(draft, T0 + MINUTE)
    if how == "resolve":
        ending.resolve(at, step, "ann", None)
    else:
        {"acknowledge": response.acknowledge, "start": response.start}[how](at, step, "ann")
    run_until(at, draft, T0 + 3 * HOUR)
    assert people(draft) == ["bob"]


def test_a_level_calls_somebody_once_though_several_targets_lead_there() -> None:
    at = desk(
        escalation=(
            path(
                (0, "oncall bob shop oncall"),
            ),
        )
    )
    assert people(logged(at)) == ["bob"]


def test_a_person_a_rotation_and_the_owner_can_be_named() -> None:
    at = desk(escalation=(path((0, "eve pay owner")),))
    assert people(logged(at)) == ["eve", "dora", "shop-team"]


def test_an_incident_without_a_service_calls_those_who_are_named() -> None:
    at = desk(escalation=(path((0, "oncall dependency owner eve")),))
    assert people(logged(at, service=None, owner=None)) == ["eve"]


def test_the_chain_goes_to_the_suspect_then_on_to_what_it_needs() -> None:
    at = desk()
    draft = logged(at)
    assert at.escalator.chain(draft.incident, 3) == [PAY, DB, HOST]
    draft.incident.suspects = [Suspect(ref=DB, score=1.0)]
    assert at.escalator.chain(draft.incident, 3) == [PAY, DB, HOST]
    assert at.escalator.chain(draft.incident, 1) == [PAY]
    assert at.escalator.chain(draft.incident, 0) == []


@pytest.mark.parametrize("priority", ["P2", "P3", "P4"])
def test_a_priority_set_to_a_shorter_path_or_none_does_not_leave_a_deadline_that_is_due_for_ever(priority: str) -> None:
    at = desk(escalation=(path((0, "oncall"), (5, "owner"), (9, "eve")), path((0, "oncall"), priorities=("P2",))))
    draft = logged(at)
    run_until(at, draft, T0 + 6 * MINUTE)
    draft.incident.priority = priority
    run_until(at, draft, T0 + 48 * HOUR)
    assert "eve" not in people(draft)


def test_a_page_says_why_and_carries_the_runbook() -> None:
    at = desk()
    draft = logged(at)
    run_until(at, draft, T0 + 5 * MINUTE)
    reasons = [page.because for page in draft.incident.escalation.paged]
    assert reasons == ["opened", "not acknowledged after 5 minutes", "not acknowledged after 5 minutes"]
    assert draft.incident.escalation.paged[2].service == PAY
    assert draft.entries[0].text == f"paged bob (shop) for {at.topology.title(SHOP)}: opened"
