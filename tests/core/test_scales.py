"""Scales of a domain: what urgency and impact are derived from, and priorities in an order of the domain's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.clustering.tally import Tally
from pipeline.core.practice.prioritise import Facts, gather, holds
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import PRIORITIES_MAX, ScaleRule
from tests.core.builders import MINUTE, SHOP, T0, WIKI, alert, catalogue, config, entity, member, policy, topology
from tests.core.halls import Hall
from tests.core.rooms import Room

FACTS = Facts(
    impacts={"a": ("a", 0, 0.0, "a"), "b": ("b", 0, 0.0, "b")},
    users=100,
    revenue_per_minute=50.0,
    tier=2,
    regulatory=["patient-safety"],
    severity="error",
    categories=["network"],
    reporters=3,
    sites=["berlin", "halden"],
    layers=["network"],
    hosting_models=["saas"],
)
NIGHT = T0 + 14 * 60 * MINUTE

CONDITIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"severity_at_least": "error"}, {"severity_at_least": "critical"}),
    ({"tier_at_most": 2}, {"tier_at_most": 1}),
    ({"users_at_least": 100}, {"users_at_least": 101}),
    ({"reporters_at_least": 3}, {"reporters_at_least": 4}),
    ({"services_at_least": 2}, {"services_at_least": 3}),
    ({"sites_at_least": 2}, {"sites_at_least": 3}),
    ({"revenue_per_minute_at_least": 50}, {"revenue_per_minute_at_least": 50.1}),
    ({"regulatory": ["x", "patient-safety"]}, {"regulatory": ["x"]}),
    ({"categories": ["network"]}, {"categories": ["database"]}),
    ({"layers": ["network"]}, {"layers": ["database"]}),
    ({"hosting_models": ["saas"]}, {"hosting_models": ["cloud"]}),
    ({"business_hours": True}, {"business_hours": False}),
]


@pytest.mark.parametrize(("met", "missed"), CONDITIONS, ids=lambda each: next(iter(each)))
def test_each_condition_holds_to_the_point_and_not_beyond(met: dict[str, Any], missed: dict[str, Any]) -> None:
    assert holds(ScaleRule.model_validate({"level": "x", **met}), FACTS, policy(), T0)
    assert not holds(ScaleRule.model_validate({"level": "x", **missed}), FACTS, policy(), T0)


def test_every_condition_that_a_line_may_state_has_its_case() -> None:
    stated = {name for met, _ in CONDITIONS for name in met}
    assert stated == set(ScaleRule.model_fields) - {"level", "because"}


def test_all_conditions_of_a_line_must_hold() -> None:
    everything = {name: value for met, _ in CONDITIONS for name, value in met.items()}
    rule = ScaleRule.model_validate({"level": "x", **everything})
    assert holds(rule, FACTS, policy(), T0)
    assert not holds(rule, FACTS, policy(), NIGHT)
    assert not holds(rule, replace(FACTS, tier=None), policy(), T0)


def test_sites_layers_and_hosting_models_come_from_the_catalogue() -> None:
    where = {"sites": ("berlin",), "infrastructure_layer": "application", "hosting_model": "hybrid"}
    graph = topology(entity(SHOP, **where), entity(WIKI, sites=("halden", "berlin")))
    members = [member("a"), member("b", entity=WIKI, service=WIKI)]
    facts = gather(Tally.of(members, graph), policy())
    assert (facts.sites, facts.layers, facts.hosting_models) == (["berlin", "halden"], ["application"], ["hybrid"])


def own(*scale: str, **fields: Any) -> DomainPolicy:
    return DomainPolicy.model_validate({"domain": "shop", "priorities": scale, **fields})


def test_a_scale_of_its_own_gives_the_defaults_its_own_words() -> None:
    pack = own("critical", "high", "low")
    assert pack.matrix["high"] == {"high": "critical", "medium": "high", "low": "low"}
    assert list(pack.targets) == ["critical", "high", "low"]
    assert pack.targets["low"].resolve_minutes == 480, "of two that become one, the more urgent stands"
    assert pack.escalation[0].priorities == ("critical", "high")
    assert (pack.major_incident.priorities, pack.closure.problem_review) == (("critical", "high"), ("critical",))
    assert pack.model_fields_set == {"domain", "priorities"}


def test_what_a_pack_with_its_own_scale_writes_is_left_as_it_is() -> None:
    pack = own("a", "b", closure={"require": ["cause"], "problem_review": ["b"]})
    assert (pack.closure.problem_review, pack.closure.require) == (("b",), ("cause",))
    assert pack.closure.model_fields_set == {"require", "problem_review"}


def test_the_order_of_a_scale_is_what_compares_not_the_alphabet() -> None:
    pack = own("urgent", "normal", "low")
    assert [pack.rank(each) for each in ("urgent", "normal", "low", "P1")] == [0, 1, 2, 3]
    assert pack.top_priority() == "urgent"


@pytest.mark.parametrize("scale", [(), tuple(f"p{number}" for number in range(PRIORITIES_MAX + 1))])
def test_a_scale_has_at_least_one_priority_and_not_more_than_people_tell_apart(scale: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        own(*scale)


def test_a_priority_rises_by_itself_and_never_falls_in_a_scale_against_the_alphabet() -> None:
    pack = own("urgent", "normal", "low")
    here = Room(config(domains={"shop": pack}, catalogue=catalogue(entity(SHOP, tier=1, users=8_000))))
    here.open(alert("a", severity="warning"))
    assert here.one()["priority"] == "low"
    here.open(alert("b", severity="critical"), T0 + 1)
    assert here.one()["priority"] == "urgent"
    here.news("b", "changed", T0 + 2, severity="warning")
    assert here.one()["priority"] == "urgent"


def test_people_set_a_priority_of_the_scale_and_no_other() -> None:
    here = Room(config(domains={"shop": own("sev1", "sev2", "sev3")}))
    here.open(alert("a"))
    here.ask("set_priority", T0 + 1, priority="P1")
    assert here.one()["priority"] == "sev1"
    assert "priority P1 is not one of sev1, sev2, sev3" in here.one()["timeline"][-1]["text"]
    here.ask("set_priority", T0 + 2, priority="SEV3")
    assert here.one()["priority"] == "sev3"


def test_a_bridge_incident_has_the_top_of_the_scale_of_its_domain() -> None:
    hall = Hall()
    hall.setup = config(domains={"shop": own("urgent", "normal", "low")})
    hall.restart()
    hall.tell("INC-1", SHOP, priority="urgent", users=6_000)
    assert hall.one()["priority"] == "urgent"
