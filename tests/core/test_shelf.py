"""The shelf: an incident keeps the policy pack that it was opened under, over reloads and restarts, until it ends."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.practice.shelf import Shelf, stamp_of
from pipeline.models.clocks import Targets
from pipeline.models.closure import Closure
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.policy import DomainPolicy
from tests.core.builders import HOUR, MINUTE, SHOP, T0, alert, config, opened, policy, values
from tests.core.halls import Hall
from tests.core.rooms import Room, actions

TARGETS = {name: Targets(respond_minutes=10, resolve_minutes=100) for name in ("P1", "P2", "P3", "P4")}
MATRIX = {urgency: dict.fromkeys(("high", "medium", "low"), "P3") for urgency in ("high", "medium", "low")}
QUICK = EscalationPath(
    priorities=("P1", "P2", "P3"), levels=(EscalationLevel(after_minutes=1, notify=("oncall-secondary",)),)
)
OLD = policy(version="old")
NEW = policy(version="new", matrix=MATRIX, targets=TARGETS, escalation=(QUICK,))


def room(pack: DomainPolicy = OLD) -> Room:
    return Room(config(version=pack.version, domains={"shop": pack}))


def reload(bench: Room | Hall, pack: DomainPolicy = NEW) -> None:
    """What a reload does: a processor of the new configuration gets the state of the one before."""
    bench.setup = config(version=pack.version, domains={"shop": pack})
    bench.restart()


def shelved(bench: Room | Hall) -> list[str]:
    """Stamps in the state."""
    bench.changes()
    return sorted(key.decode()[2:] for key in bench.state if key.startswith(b"p/"))


def test_a_stamp_is_the_version_and_a_digest_of_all_that_a_pack_says() -> None:
    assert stamp_of(OLD) == stamp_of(policy(version="old"))
    assert stamp_of(OLD).startswith("old+")
    assert stamp_of(OLD) != stamp_of(policy(version="old", users_per_report=51))
    assert stamp_of(OLD) == stamp_of(policy(version="old", extends="base")), "how it is written is not content"


def test_after_a_reload_an_open_incident_goes_by_the_pack_that_it_was_opened_under() -> None:
    here = room()
    here.open(alert("a"))
    first = here.one()
    assert (first["priority"], first["policy_version"]) == ("P1", stamp_of(OLD))
    reload(here)

    here.open(alert("b"), T0 + MINUTE)  # of the same incident: assessed again
    here.tick(T0 + 6 * MINUTE)

    second = here.one()
    assert (second["priority"], second["policy_version"]) == ("P1", stamp_of(OLD))
    assert second["clocks"]["resolution"]["due_at_ms"] == first["clocks"]["resolution"]["due_at_ms"]
    targets = [page["target"] for page in second["escalation"]["paged"]]
    assert targets == ["oncall", "oncall-secondary", "dependency"], "after five minutes, by the old path"


def test_a_new_incident_goes_by_the_new_pack_beside_an_old_one() -> None:
    here = room()
    here.open(alert("a"))
    reload(here)
    here.open(alert("z", space="other"), T0 + MINUTE)
    old, new = here.incidents().values()
    assert (old["policy_version"], old["priority"]) == (stamp_of(OLD), "P1")
    assert (new["policy_version"], new["priority"]) == (stamp_of(NEW), "P3")
    assert new["clocks"]["resolution"]["due_at_ms"] == T0 + 101 * MINUTE
    assert shelved(here) == sorted((stamp_of(OLD), stamp_of(NEW)))


def test_a_resolved_incident_closes_and_reopens_by_its_own_pack_after_a_reload() -> None:
    here = room(policy(version="old", closure=Closure(close_after_minutes=60)))
    here.open(alert("a"))
    here.news("a", "resolved", T0 + MINUTE)
    reload(here, policy(version="new", closure=Closure(close_after_minutes=600)))
    here.tick(T0 + HOUR)
    assert here.one()["state"] == "resolved"
    here.tick(T0 + HOUR + MINUTE)
    assert here.one()["state"] == "closed"


def test_the_pack_survives_any_number_of_restarts_and_reloads() -> None:
    here = room()
    here.open(alert("a"))
    for number in range(3):
        reload(here, policy(version=f"new {number}", matrix=MATRIX))
        here.restart()
    here.open(alert("b"), T0 + MINUTE)
    assert (here.one()["priority"], here.one()["policy_version"]) == ("P1", stamp_of(OLD))
    assert shelved(here) == [stamp_of(OLD)]


def test_the_shelf_empties_when_the_last_incident_of_a_pack_ends() -> None:
    here = room()
    here.open(alert("a"))
    reload(here)
    assert shelved(here) == [stamp_of(OLD)]
    here.news("a", "resolved", T0 + MINUTE)
    here.tick(T0 + 3 * MINUTE)
    assert shelved(here) == [stamp_of(OLD)], "a resolved incident may reopen"
    here.tick(T0 + 26 * HOUR)
    assert here.one()["state"] == "closed"
    assert shelved(here) == []


def test_state_of_a_release_without_a_shelf_goes_by_the_pack_in_force() -> None:
    here = room()
    here.open(alert("a"))
    here.changes()
    here.state = {
        key: value.replace(stamp_of(OLD).encode(), b"old")
        for key, value in here.state.items()
        if not key.startswith(b"p/")
    }
    reload(here)
    here.ask("set_priority", T0 + MINUTE, priority="P2")
    clock = here.one()["clocks"]["resolution"]
    assert clock["due_at_ms"] == T0 + 100 * MINUTE
    here.news("a", "resolved", T0 + 2 * MINUTE)
    here.tick(T0 + 26 * HOUR)
    assert (here.one()["state"], shelved(here)) == ("closed", [])


def test_a_pack_that_no_incident_uses_is_dropped_at_the_next_restore() -> None:
    here = room()
    here.open(alert("a"))
    here.changes()
    here.state[b"p/lost+00"] = here.state[b"p/" + stamp_of(OLD).encode()]
    here.restart()
    assert shelved(here) == [stamp_of(OLD)]


def test_two_partitions_of_one_process_have_shelves_of_their_own() -> None:
    here, there = room(), room()
    here.open(alert("a"))
    assert (len(shelved(here)), len(shelved(there))) == (1, 0)


def pack_record(**changed: Any) -> bytes:
    shelf = Shelf()
    shelf.count(None, "s", OLD)
    document = orjson.loads(shelf.dump("s") or b"")
    document["pack"] |= changed
    return orjson.dumps(document)


@pytest.mark.parametrize(
    ("changed", "known"),
    [
        ({}, True),
        ({"of_the_future": 1}, True),
        ({"closure": {"require": ["cause"], "of_the_future": True}}, True),
        ({"matrix": 7}, False),
    ],
)
def test_what_this_release_does_not_know_of_a_pack_is_left_out(changed: dict[str, Any], known: bool) -> None:
    shelf = Shelf()
    shelf.load("s", pack_record(**changed))
    assert (shelf.pack("s") is not None) is known


def test_a_shelf_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="policy pack schema 9, this release reads 1"):
        Shelf().load("s", b'{"schema":9,"pack":{}}')


def test_adopting_moves_an_open_incident_to_the_pack_in_force_with_before_and_after() -> None:
    here = room()
    here.open(alert("a"))
    reload(here)
    here.ask("adopt_policy", T0 + MINUTE, role="commander", note="agreed with the owner")

    incident = here.one()
    assert (incident["priority"], incident["policy_version"]) == ("P3", stamp_of(NEW))
    assert incident["clocks"]["resolution"]["due_at_ms"] == T0 + 100 * MINUTE
    entry = incident["timeline"][-1]
    assert (entry["action"], entry["actor"]) == ("adopt_policy", "ann")
    assert entry["text"].startswith(
        f"policy {stamp_of(OLD)} -> {stamp_of(NEW)}: agreed with the owner; priority P1 -> P3; "
        "resolution due 2026-03-10 11:00 UTC -> 2026-03-10 11:40 UTC; "
    )
    assert (entry["facts"]["before"]["priority"], entry["facts"]["after"]["priority"]) == ("P1", "P3")
    assert shelved(here) == [stamp_of(NEW)]


def test_adopting_the_pack_that_it_goes_by_changes_nothing() -> None:
    here = room()
    here.open(alert("a"))
    before = here.one()
    here.ask("adopt_policy", T0 + MINUTE, role="commander")
    after = here.one()
    assert actions(after)[-1] == "refused_adopt_policy"
    assert (after["clocks"], after["priority"]) == (before["clocks"], before["priority"])


def test_a_priority_that_a_person_fixed_stays_where_the_new_scale_has_it() -> None:
    for scale, expected in ((("P1", "P2", "P3", "P4"), "P2"), (("sev1", "sev2", "sev3"), "sev1")):
        here = room()
        here.open(alert("a"))
        here.ask("set_priority", T0 + 1, priority="P2")
        own = DomainPolicy.model_validate({"domain": "shop", "version": "new", "priorities": scale})
        reload(here, own.model_copy(update={"users_per_report": 7}))
        here.ask("adopt_policy", T0 + MINUTE, role="commander")
        assert here.one()["priority"] == expected


def test_a_bridge_incident_keeps_its_pack_as_well() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    pack = hall.setup.domains["shop"]
    assert hall.one()["policy_version"] == stamp_of(pack)
    reload(hall, policy(version="new", closure=Closure(close_after_minutes=1)))
    assert shelved(hall) == [stamp_of(pack)]
    hall.tell("INC-1", SHOP, T0 + MINUTE, state="resolved")
    hall.tick(T0 + 3 * MINUTE)
    assert hall.one()["state"] == "resolved"
    hall.tick(T0 + 25 * HOUR)
    assert (hall.one()["state"], shelved(hall)) == ("closed", [])


def test_a_bridge_incident_adopts_a_pack_too() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    own = DomainPolicy.model_validate({"domain": "shop", "version": "new", "priorities": ["sev1", "sev2"]})
    reload(hall, own)
    hall.ask("adopt_policy", T0 + MINUTE, role="commander")
    assert (hall.one()["priority"], hall.one()["policy_version"]) == ("sev1", stamp_of(own))


def test_replaying_the_state_of_an_episode_needs_no_order_of_records() -> None:
    here = room(policy(version="old", closure=Closure(close_after_minutes=60)))
    here.put("episodes", opened(alert("a")), T0)
    here.news("a", "resolved", T0 + MINUTE)
    here.changes()
    here.state = dict(reversed(here.state.items()))
    reload(here, policy(version="new", closure=Closure(close_after_minutes=600)))
    assert here.processor.next_deadline_ms() == T0 + HOUR + MINUTE
    assert values(here.effects.outputs, "incidents")


ONE_EACH = tuple(
    EscalationPath(priorities=(each,), levels=(EscalationLevel(after_minutes=0, notify=("oncall",)),))
    for each in ("P1", "P2")
)
LESSER = {"high": {"high": "P2", "medium": "P2", "low": "P3"}, "medium": MATRIX["medium"], "low": MATRIX["low"]}
RENAMED = DomainPolicy.model_validate({"domain": "shop", "version": "new", "priorities": ("sev1", "sev2", "sev3")})


@pytest.mark.parametrize(
    ("pack", "priority"),
    [(RENAMED, "sev1"), (policy(version="new", escalation=ONE_EACH, matrix=LESSER), "P2")],
    ids=["renamed", "lowered"],
)
def test_who_has_it_keeps_it_where_the_adopted_pack_makes_it_no_more_urgent(pack: DomainPolicy, priority: str) -> None:
    bench = room(policy(version="old", escalation=ONE_EACH))
    bench.open(alert("a"))
    bench.ask("acknowledge", T0 + 1)
    reload(bench, pack)
    bench.ask("adopt_policy", T0 + 2, role="commander")
    incident = bench.one()
    assert (incident["priority"], incident["state"]) == (priority, "acknowledged")
    assert actions(incident).count("page") == 1
