"""Routes: cloud, on-premises and SaaS failures call different people and owe different cases, each on the record."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.draft import Draft
from pipeline.core.escalation import engaging, routing
from pipeline.core.practice.desk import Desk
from pipeline.models.catalog import HostingModel
from pipeline.models.closure import Closure
from pipeline.models.escalation import EscalationRoute
from pipeline.models.incident import Incident
from pipeline.models.incident_parts import Suspect
from tests.core.builders import DB, HOST, HOUR, MINUTE, PAY, T0
from tests.core.cases import Case, path
from tests.core.desks import desk

SAAS = EscalationRoute(hosting_model=(HostingModel.SAAS,), notify=("vendor-manager",), case="provider_case")
NETWORK = EscalationRoute(
    name="network",
    hosting_model=(HostingModel.ON_PREM,),
    layers=("network",),
    also=("network-team",),
    case="vendor_ticket",
)
CERTIFICATES = EscalationRoute(categories=("certificate",), also=("pki",))
ROUTED = path((0, "oncall"), (5, "oncall-secondary"), routes=(SAAS, NETWORK, CERTIFICATES))


def at() -> Desk:
    return desk(escalation=(ROUTED,))


@pytest.mark.parametrize(
    ("fields", "people", "owed"),
    [
        ({}, ["bob"], []),
        ({"hosting_model": "saas"}, ["vendor-manager"], ["provider_case"]),
        ({"hosting_model": "saas", "category": "certificate"}, ["vendor-manager"], ["provider_case"]),
        ({"hosting_model": "on_prem", "infrastructure_layer": "network"}, ["bob", "network-team"], ["vendor_ticket"]),
        ({"hosting_model": "on_prem", "infrastructure_layer": "compute"}, ["bob"], []),
        ({"hosting_model": "cloud", "infrastructure_layer": "network"}, ["bob"], []),
        ({"category": "certificate"}, ["bob", "pki"], []),
    ],
)
def test_the_first_route_whose_conditions_all_hold_decides_whom_the_first_level_calls(
    fields: dict[str, Any], people: list[str], owed: list[str]
) -> None:
    case = Case(at(), **fields)
    assert case.people() == people
    assert [each.kind for each in case.incident.cases_owed] == owed
    case.until(T0 + 5 * MINUTE)
    assert case.people() == [*people, "ann"], "the other levels stay as they are"


def test_a_route_is_on_the_record_with_what_it_goes_by() -> None:
    case = Case(at(), hosting_model="saas", infrastructure_layer="application")
    assert case.said("route") == ["routed as saas: Shop is saas, application"]
    assert case.said("case_owed") == ["a support case at the provider is owed for Shop: open it and link it here"]
    assert case.incident.escalation.route == "saas"


@pytest.mark.parametrize("kind", ["provider_case", "provider_ticket", "provider", "support_case"])
def test_a_case_that_is_owed_is_settled_by_the_first_link_of_its_kind(kind: str) -> None:
    case = Case(at(), hosting_model="saas")
    case.ask("link", T0 + MINUTE, link={"kind": "chat", "id": "c-1"})
    assert case.incident.cases_owed[0].settled_ms is None
    case.ask("link", T0 + 2 * MINUTE, link={"kind": kind, "id": "CASE-1"})
    (owed,) = case.incident.cases_owed
    assert (owed.link_id, owed.settled_ms) == ("CASE-1", T0 + 2 * MINUTE)
    assert case.said("case_settled") == ["a support case at the provider is open: CASE-1"]


def test_a_case_that_nobody_links_is_reminded_of_each_time_after_twice_as_long_until_somebody_does() -> None:
    case = Case(at(), hosting_model="saas")
    case.ask("acknowledge", T0 + MINUTE, "bob")
    case.until(T0 + 29 * MINUTE)
    assert case.said("remind_case") == []
    case.until(T0 + 5 * HOUR)
    assert case.said("remind_case") == [
        "a support case at the provider for Shop has been owed for 30 minutes, and none is linked: bob is to open and "
        "link it",
        "a support case at the provider for Shop has been owed for 90 minutes, and none is linked: bob is to open and "
        "link it",
        "a support case at the provider for Shop has been owed for 4 hours, and none is linked: bob is to open and "
        "link it",
    ]
    case.ask("link", T0 + 6 * HOUR, link={"kind": "provider_case", "id": "CASE-1"})
    assert "remind_case" not in case.until(T0 + 48 * HOUR)


def test_nobody_is_reminded_of_a_case_while_it_is_muted() -> None:
    case = Case(at(), hosting_model="saas")
    case.incident.muted = {"since_ms": T0, "by": []}
    assert "remind_case" not in case.until(T0 + 2 * HOUR)
    case.incident.muted = None
    assert "remind_case" in case.until(T0 + 2 * HOUR)


def test_a_policy_may_ask_for_the_link_to_a_case_that_is_owed_before_anybody_resolves() -> None:
    case = Case(desk(escalation=(ROUTED,), closure=Closure(require=("cases",))), hosting_model="saas")
    resolution = {"code": "provider_recovered", "summary": "they are back"}
    assert case.ask("resolve", T0 + MINUTE, resolution=resolution) == ["refused_resolve"]
    assert case.said("refused_resolve") == [
        "resolve changes nothing: the shop policy asks for a link to a support case at the provider (provider_case)"
    ]
    case.ask("link", T0 + 2 * MINUTE, link={"kind": "provider_case", "id": "CASE-1"})
    assert case.ask("resolve", T0 + 3 * MINUTE, resolution=resolution)[0] == "resolve"


def test_an_incident_that_owes_no_case_needs_no_link() -> None:
    case = Case(desk(escalation=(ROUTED,), closure=Closure(require=("cases",))))
    assert case.ask("resolve", T0 + MINUTE, resolution={"code": "fixed", "summary": "x"})[0] == "resolve"


def suspect(case: Case, at_ms: int, ref: str, **kind: str) -> list[str]:
    """Another cause is identified, of that kind; the actions that it led to."""
    draft = Draft(case.incident, at_ms)
    incident = draft.incident
    found = Suspect(ref=ref, score=2.0, because=["alerts itself"], evident=True)
    incident.suspects, incident.identified = [found], ref
    for name, value in kind.items():
        setattr(incident, name, value)
    engaging.identified(case.at, draft, found)
    case.done(draft)
    return [each.action for each in draft.entries]


def test_another_cause_routes_anew_once_and_calls_whom_that_route_names_though_somebody_has_it() -> None:
    case = Case(at(), hosting_model="cloud")
    case.ask("acknowledge", T0 + MINUTE, "bob")
    assert "route" in suspect(case, T0 + 2 * MINUTE, DB, hosting_model="saas")
    assert case.people() == ["bob", "dora", "vendor-manager"]
    suspect(case, T0 + 3 * MINUTE, PAY, hosting_model="on_prem", infrastructure_layer="network")
    suspect(case, T0 + 4 * MINUTE, HOST, hosting_model="saas", infrastructure_layer="compute")
    suspect(case, T0 + 5 * MINUTE, DB, hosting_model="cloud")
    assert [each.person for each in case.incident.escalation.paged if each.step.find("route:") > 0] == [
        "vendor-manager",
        "network-team",
    ]
    assert case.incident.escalation.route is None
    assert case.said("route")[-1].startswith("no longer routed as saas")


def test_a_merged_incident_leaves_its_owed_cases_to_the_one_that_goes_on() -> None:
    one, other = Case(at(), hosting_model="saas").incident, Case(at()).incident
    routing.carry_cases(one, other)
    routing.carry_cases(one, other)
    assert [each.kind for each in other.cases_owed] == ["provider_case"]


def test_cases_that_one_incident_owes_are_bounded() -> None:
    survivor = Incident(id="INC-1", space="production")
    for number in range(routing.CASES_MAX + 5):
        loser = Case(at(), hosting_model="saas").incident
        loser.cases_owed[0].ref = str(number)
        routing.carry_cases(loser, survivor)
    assert len(survivor.cases_owed) == routing.CASES_MAX
