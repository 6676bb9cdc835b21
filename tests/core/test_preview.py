"""The preview of a policy says what adopting it then does: it is checked against the adoption itself."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.practice import preview
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.clocks import Targets
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.major import MajorIncidentRule
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import ImpactRule, UrgencyRule
from tests.core import desks
from tests.core.builders import MINUTE, PAY, SHOP, T0, alert, config, policy
from tests.core.rooms import Room

QUIET = EscalationPath(priorities=("P1", "P2", "P3"), levels=(EscalationLevel(after_minutes=90, notify=("owner",)),))
ROW = {"high": "P2", "medium": "P3", "low": "P4"}
PACKS: dict[str, DomainPolicy] = {
    "another matrix": policy(version="2", matrix=dict.fromkeys(ROW, ROW)),
    "tighter targets": policy(
        version="2", targets={f"P{number}": Targets(respond_minutes=1, resolve_minutes=2) for number in (1, 2, 3, 4)}
    ),
    "another path": policy(version="2", escalation=(QUIET,)),
    "another scale": DomainPolicy.model_validate({"domain": "shop", "version": "2", "priorities": ["s1", "s2"]}),
    "by people": policy(
        version="2",
        impact=(ImpactRule(level="high", users_at_least=9_000), ImpactRule(level="low")),
        urgency=(UrgencyRule(level="high", reporters_at_least=2), UrgencyRule(level="low")),
    ),
    "nothing else": policy(version="2"),
}


def room() -> Room:
    here = Room(config(version="1", domains={"shop": policy(version="1")}))
    here.open(alert("a"))
    return here


def snapshot(here: Room) -> Incident:
    document: dict[str, Any] = here.one()
    document.pop("timeline")
    return incident_from_wire(document)


def desk(pack: DomainPolicy) -> Desk:
    return desks.desk(config(version=pack.version, domains={"shop": pack}))


@pytest.mark.parametrize("name", PACKS)
def test_what_the_preview_says_is_what_adopting_does(name: str) -> None:
    here, at_ms = room(), T0 + 3 * MINUTE
    told = preview.under(desk(PACKS[name]), snapshot(here), at_ms)

    here.setup = config(version="2", domains={"shop": PACKS[name]})
    here.restart()
    here.ask("adopt_policy", at_ms, role="commander")

    adopted = next(each for each in here.one()["timeline"] if each["action"] == "adopt_policy")["facts"]["after"]
    assert told.standing.priority == adopted["priority"]
    assert told.standing.due_ms == adopted["due_ms"]
    assert told.standing.policy_version == adopted["policy_version"]
    if name in ("nothing else", "tighter targets"):  # where the priority changes, people are called there and then
        assert told.standing.escalation_next_ms == adopted["escalation_next_ms"]


def test_a_preview_changes_nothing() -> None:
    incident = snapshot(room())
    before = repr(incident)
    preview.under(desk(PACKS["tighter targets"]), incident, T0)
    assert repr(incident) == before


def test_a_target_that_would_be_missed_at_once_is_named() -> None:
    incident = snapshot(room())
    now = preview.as_it_is(desk(policy(version="1")), incident, T0 + 3 * MINUTE)
    then = preview.under(desk(PACKS["tighter targets"]), incident, T0 + 3 * MINUTE)
    assert (now.breached, then.breached) == ([], ["resolution", "response"])


def test_who_is_called_next_follows_the_path_of_each_pack() -> None:
    incident = snapshot(room())
    now = preview.as_it_is(desk(policy(version="1")), incident, T0 + MINUTE)
    assert now.calls_next == ["ann", "dora"]
    assert preview.under(desk(policy(version="2", escalation=())), incident, T0 + MINUTE).calls_next == []


def test_major_incidents_are_told_by_the_bridge_itself_over_all_incidents() -> None:
    incidents = [snapshot(room()), snapshot(room())]
    incidents[1].id, incidents[1].service, incidents[1].entities = "INC-OTHER", PAY, [PAY]
    assert all(each.state in OPEN_STATES and each.service in (SHOP, PAY) for each in incidents)
    for users, expected in ((8_000, {each.id for each in incidents}), (8_001, set())):
        rule = MajorIncidentRule(users_at_least=users, priorities=("P1",))
        told = [(each, each.priority) for each in incidents]
        assert preview.majors(desk(policy(major_incident=rule)), told, T0) == expected
