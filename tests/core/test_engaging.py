"""Engagements: owners of suspects are brought in with the evidence, within a budget, and let go again."""

from __future__ import annotations

import pytest

from pipeline.models.alert import Severity
from pipeline.models.escalation import ENGAGEMENTS_MAX, EscalationPath
from tests.core.builders import (
    DB,
    HOST,
    MINUTE,
    PAY,
    SECOND,
    SHOP,
    T0,
    alert,
    catalogue,
    config,
    entity,
    policy,
    rotation,
)
from tests.core.cases import path
from tests.core.rooms import Room, actions

ROTATIONS = {
    "shop": rotation("shop", "ann", "bob", services=("shop",)),
    "pay": rotation("pay", "cem", "dora", services=("pay",)),
    "db": rotation("db", "eve", "fay", services=("pay-db",)),
    "hosts": rotation("hosts", "gil", services=("node-1",)),
}
ONCALL = path((0, "oncall"), priorities=("P1", "P2", "P3"))


def room(escalation: EscalationPath = ONCALL) -> Room:
    return Room(config(rotations=ROTATIONS, domains={"shop": policy(escalation=(escalation,))}))


def down_to_the_database(escalation: EscalationPath = ONCALL) -> Room:
    """The shop fails, then what it needs, then what that needs."""
    here = room(escalation)
    here.open(alert("a"))
    here.open(alert("b", entity=PAY, service=PAY), T0 + 10 * SECOND)
    here.open(alert("c", entity=DB, service=PAY), T0 + 20 * SECOND)
    return here


def states(here: Room) -> list[tuple[str, str, str]]:
    return [(each["ref"], each["person"], each["state"]) for each in here.one()["engaged"]]


def told(here: Room, action: str) -> list[str]:
    return [each["text"] for each in here.one()["timeline"] if each["action"] == action]


def test_the_owner_of_the_most_upstream_suspect_is_engaged_with_the_evidence_and_the_one_before_is_let_go() -> None:
    here = down_to_the_database()
    assert states(here) == [(PAY, "dora", "handed_back"), (DB, "fay", "engaged")]
    engaged = here.one()["engaged"][1]
    assert engaged["because"] == here.one()["suspects"][0]["because"]
    page = here.one()["escalation"]["paged"][-1]
    assert (page["person"], page["evidence"], page["target"]) == ("fay", engaged["because"], "suspect")
    assert page["step"].endswith(f"suspect:2:{DB}")
    assert told(here, "hand_back") == ["handed back from dora (Pay): Pay-Db is suspected instead"]


def test_who_is_engaged_for_the_next_suspect_too_is_not_told_to_go() -> None:
    here = Room(config(domains={"shop": policy(escalation=(ONCALL,))}))  # one rotation covers both
    here.open(alert("a"))
    here.open(alert("b", entity=PAY, service=PAY), T0 + 10 * SECOND)
    here.open(alert("c", entity=DB, service=PAY), T0 + 20 * SECOND)
    assert states(here) == [(PAY, "dora", "handed_back"), (DB, "dora", "engaged")]
    assert told(here, "hand_back") == []
    assert told(here, "inform") == ["told dora: Pay-Db is the probable cause"]


def test_whatever_the_engaged_person_does_takes_it_up() -> None:
    here = down_to_the_database()
    here.ask("note", T0 + MINUTE, actor="fay", note="looking")
    assert states(here)[1] == (DB, "fay", "acknowledged")


@pytest.mark.parametrize(("hops", "engaged"), [(0, []), (1, [PAY]), (2, [PAY, DB])])
def test_suspects_beyond_the_hop_budget_are_told_but_not_called_for(hops: int, engaged: list[str]) -> None:
    here = down_to_the_database(ONCALL.model_copy(update={"hops_max": hops}))
    assert [ref for ref, _, _ in states(here)] == engaged
    refused = told(here, "not_engaged")
    assert len(refused) == 2 - hops
    if hops == 1:
        assert refused == ["nobody is engaged for Pay-Db: 2 hops away, and the policy goes 1"]


def test_engagements_of_one_incident_are_bounded() -> None:
    here = down_to_the_database(ONCALL.model_copy(update={"engagements_max": 1}))
    assert [ref for ref, _, _ in states(here)] == [PAY]
    assert told(here, "not_engaged") == [
        "nobody is engaged for Pay-Db: 1 were engaged already, as many as the policy allows"
    ]


def test_a_suspect_that_is_quiet_while_the_incident_goes_on_is_handed_back_and_the_next_one_is_engaged() -> None:
    here = down_to_the_database()
    here.open(alert("d", entity=HOST, service=None, severity=Severity.WARNING), T0 + 30 * SECOND)
    assert here.one()["identified"] == HOST
    here.news("d", "resolved", T0 + 2 * MINUTE, entity=HOST)
    before = told(here, "hand_back")
    here.tick(T0 + 11 * MINUTE)
    assert told(here, "hand_back") == before, "what needs it takes some minutes to recover"
    here.tick(T0 + 13 * MINUTE)
    assert told(here, "hand_back")[-1] == "handed back from gil (Node-1): Node-1 is quiet and the incident goes on"
    assert states(here)[2:] == [(HOST, "gil", "handed_back"), (DB, "fay", "engaged")]
    here.news("c", "resolved", T0 + 14 * MINUTE, entity=DB)
    here.tick(T0 + 25 * MINUTE)
    assert states(here)[3:] == [(DB, "fay", "handed_back"), (PAY, "dora", "engaged")]
    assert [each["ended_by"] for each in here.one()["engaged"]] == ["suspect", "suspect", "quiet", "quiet", None]


def test_a_suspect_that_fires_again_in_time_stays() -> None:
    here = down_to_the_database()
    here.news("c", "resolved", T0 + 2 * MINUTE, entity=DB)
    here.open(alert("c2", entity=DB, service=PAY), T0 + 5 * MINUTE)
    here.tick(T0 + 30 * MINUTE)
    assert states(here)[1] == (DB, "fay", "engaged")


def test_a_person_clears_a_suspect_and_the_next_ones_owner_is_engaged() -> None:
    here = down_to_the_database()
    here.ask("clear_suspect", T0 + MINUTE, actor="fay", ref=DB, reason="its load is normal")
    assert states(here)[1] == (DB, "fay", "handed_back")
    assert states(here)[2] == (PAY, "dora", "engaged")
    assert (here.one()["identified"], here.one()["cleared"]) == (PAY, [DB])
    assert told(here, "clear_suspect") == ["fay cleared Pay-Db: its load is normal"]
    here.open(alert("c2", entity=DB, service=PAY), T0 + 2 * MINUTE)
    assert DB not in [each["ref"] for each in here.one()["suspects"]], "it is not suspected again"


def test_what_is_not_suspected_is_not_cleared() -> None:
    here = down_to_the_database()
    before = here.one()["engaged"]
    here.ask("clear_suspect", T0 + MINUTE, ref="component:default/wiki")
    here.ask("clear_suspect", T0 + 2 * MINUTE)
    assert actions(here.one())[-2:] == ["refused_clear_suspect", "refused_clear_suspect"]
    assert here.one()["engaged"] == before


def test_the_end_lets_everybody_go_and_a_reopening_engages_the_cause_again() -> None:
    here = down_to_the_database()
    here.ask("resolve", T0 + MINUTE, resolution={"code": "fixed", "summary": "done"})
    assert {state for _, _, state in states(here)} == {"handed_back"}
    assert told(here, "hand_back")[1:] == [], "the resolution tells them"
    here.ask("reopen", T0 + 2 * MINUTE, reason="again")
    assert states(here)[-1] == (DB, "fay", "engaged")
    assert [each["person"] for each in here.one()["escalation"]["paged"]].count("fay") == 2


def test_engagements_and_deadlines_survive_a_restart() -> None:
    here = down_to_the_database()
    here.news("c", "resolved", T0 + 2 * MINUTE, entity=DB)
    here.restart()
    here.tick(T0 + 13 * MINUTE)
    assert states(here)[1] == (DB, "fay", "handed_back")


def test_what_nobody_covers_engages_nobody() -> None:
    entities = catalogue(
        entity(SHOP, tier=1, depends_on=(PAY,)), entity(PAY, tier=1, depends_on=(DB,)), entity(DB, type="database")
    )
    here = Room(config(catalogue=entities, rotations={}, domains={"shop": policy(escalation=(ONCALL,))}))
    here.open(alert("a"))
    here.open(alert("b", entity=PAY, service=PAY), T0 + 10 * SECOND)
    assert (states(here), here.one()["identified"]) == ([], PAY)


def test_what_comes_back_again_and_again_engages_the_owner_of_the_cause_each_time() -> None:
    here = down_to_the_database()
    for turn in range(1, 31):
        here.ask("resolve", T0 + turn * MINUTE, resolution={"code": "fixed", "summary": "done"})
        here.ask("reopen", T0 + turn * MINUTE + 1, reason="again")
    assert states(here)[-1] == (DB, "fay", "engaged")
    assert [each.split()[1] for each in told(here, "page")].count("fay") == 31
    assert len(here.one()["engaged"]) <= 2 * ENGAGEMENTS_MAX
