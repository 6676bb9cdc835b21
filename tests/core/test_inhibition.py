"""Inhibition: while what it needs is known to be down, what follows from that opens nothing and calls nobody."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.clustering import inhibition
from pipeline.models.alert import Alert, Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.inhibition import InhibitRule
from pipeline.models.policy import Config
from tests.core.builders import DB, HOST, MINUTE, PAY, SECOND, SHOP, T0, WIKI, alert, config, report, settings, values
from tests.core.rooms import Room, actions

GRACE = 120 * SECOND
ALONG: dict[str, Any] = {
    "source": {"match": {"entity_type": "host"}},
    "target": {"match": {"severity": ["warning", "error"]}},
    "along": "dependencies",
}
EQUAL: dict[str, Any] = {
    "source": {"match": {"name": "ClusterDown"}},
    "target": {"match": {"severity": ["warning", "error", "critical"]}},
    "equal": "labels.cluster",
}


def setup(*, version: str = "1", **rules: Any) -> Config:
    given = {name.replace("_", "-"): InhibitRule.model_validate(rule) for name, rule in rules.items()}
    return config(version=version, correlation=settings(inhibit=given))


def host(key: str = "host", **fields: Any) -> Alert:
    return alert(key, **({"entity": HOST, "service": None} | fields))


def later(key: str = "a", **fields: Any) -> Alert:
    return alert(key, **({"entity": DB, "service": PAY, "severity": Severity.ERROR} | fields))


def down(**rules: Any) -> Room:
    room = Room(setup(**(rules or {"host": ALONG})))
    room.open(host(), T0)
    return room


def last(room: Room) -> tuple[Disposition, Reason]:
    return room.decisions[-1].disposition, room.decisions[-1].reason


INHIBITED = (Disposition.SUPPRESSED, Reason.INHIBITED)


def test_what_needs_what_is_down_is_kept_and_its_recovery_ends_it() -> None:
    room = down()
    room.open(later(), T0 + SECOND)
    assert last(room) == INHIBITED
    assert room.one()["episodes_total"] == 1
    room.news("a", "resolved", T0 + 2 * SECOND)
    (each,) = [each for each in values(room.effects.outputs, "suppressions") if each["what"] == "inhibited"]
    assert (each["ended"], each["decided_by"]["rule"], each["decided_by"]["source"]) == ("over", "host", "EP-host")
    assert each["decided_by"]["incident_id"] == room.one()["id"]


def test_what_fires_still_a_while_after_its_source_is_over_comes_in() -> None:
    room = down()
    room.open(later(), T0 + SECOND)
    room.news("host", "resolved", T0 + MINUTE)
    room.tick(T0 + MINUTE + GRACE - 1)
    assert [each["episodes_total"] for each in room.incidents().values()] == [1]
    room.tick(T0 + MINUTE + GRACE)
    incidents = list(room.incidents().values())
    assert sum(each["episodes_total"] for each in incidents) == 2
    assert "suppressed" in actions(incidents[-1])


def test_what_recovers_with_its_source_is_never_told() -> None:
    room = down()
    room.open(later(), T0 + SECOND)
    room.news("host", "resolved", T0 + MINUTE)
    room.news("a", "resolved", T0 + MINUTE + GRACE - 1)
    room.tick(T0 + 10 * MINUTE)
    assert room.one()["episodes_total"] == 1


def test_a_second_source_holds_on() -> None:
    room = down()
    room.open(host("disk"), T0 + 1)
    room.open(later(), T0 + SECOND)
    for key, minute in (("disk", 1), ("host", 10)):
        room.news(key, "resolved", T0 + minute * MINUTE)
    room.tick(T0 + 10 * MINUTE + GRACE - 1)
    assert sum(each["episodes_total"] for each in room.incidents().values()) == 2
    room.tick(T0 + 10 * MINUTE + GRACE)
    assert sum(each["episodes_total"] for each in room.incidents().values()) == 3


CASES: dict[str, tuple[dict[str, Any], Alert, Alert, bool]] = {
    "three hops away": (ALONG, host(), later(entity=SHOP), True),
    "further than the rule goes": (ALONG | {"hops": 1}, host(), later(entity=PAY), False),
    "upstream is never inhibited by what needs it": (
        ALONG | {"source": {"match": {"entity": "pay"}}}, alert("s", entity=PAY), later(entity=DB), False,
    ),
    "the same entity": (ALONG, host(), host("b", severity=Severity.ERROR), False),
    "beside it": (ALONG, host(), later(entity=WIKI), False),
    "about nothing known": (ALONG, host(), later(entity=None), False),
    "no target of the rule": (ALONG, host(), later(severity=Severity.CRITICAL), False),
    "a source that is not critical": (ALONG, host(severity=Severity.ERROR), later(), False),
    "a source whose severity the rule states": (
        ALONG | {"source": {"match": {"entity_type": "host", "severity": "error"}}},
        host(severity=Severity.ERROR), later(), True,
    ),
    "a condition in CEL": (
        ALONG | {"target": {"when": 'name.startsWith("Rule")'}}, host(), later(severity=Severity.CRITICAL), True,
    ),
    "what people report": (ALONG | {"target": {"match": {"entity": "shop"}}}, host(), report("r", "slow"), False),
    "equal labels": (
        EQUAL, alert("s", name="ClusterDown", entity=WIKI, labels={"cluster": "c1"}),
        later(labels={"cluster": "c1"}), True,
    ),
    "unequal labels": (
        EQUAL, alert("s", name="ClusterDown", entity=WIKI, labels={"cluster": "c1"}),
        later(labels={"cluster": "c2"}), False,
    ),
    "labels that neither has": (EQUAL, alert("s", name="ClusterDown", entity=WIKI), later(), False),
    "one that is both, of its like": (
        EQUAL, alert("s", name="ClusterDown", entity=WIKI, labels={"cluster": "c1"}),
        alert("t", name="ClusterDown", entity=DB, labels={"cluster": "c1"}), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_rule_inhibits_what_it_ties_to_its_source(case: str) -> None:
    rule, source, target, inhibited = CASES[case]
    room = Room(setup(rule=rule))
    room.open(source, T0)
    room.open(target, T0 + SECOND)
    assert (last(room) == INHIBITED) is inhibited


def test_what_nobody_was_told_of_inhibits_nothing() -> None:
    room = Room(setup(host=ALONG))
    room.put("episodes", _waits(host()), T0)
    room.open(later(), T0 + SECOND)
    assert last(room)[1] != Reason.INHIBITED


def _waits(about: Alert) -> dict[str, Any]:
    from dataclasses import asdict

    from tests.core.builders import opened

    return asdict(opened(about, T0, hold_until_ms=T0 + MINUTE, facts={"set_seconds": 60}))


def test_a_source_that_gets_better_inhibits_no_longer_and_one_that_gets_worse_does() -> None:
    room = down()
    room.open(later(), T0 + SECOND)
    room.news("host", "changed", T0 + MINUTE, entity=HOST, service=None, severity=Severity.WARNING)
    room.tick(T0 + MINUTE + GRACE)
    assert sum(each["episodes_total"] for each in room.incidents().values()) == 2
    room.news("host", "changed", T0 + 5 * MINUTE, entity=HOST, service=None)
    room.open(later("b"), T0 + 6 * MINUTE)
    assert last(room) == INHIBITED


def test_the_end_of_the_sources_incident_is_the_end_of_inhibition() -> None:
    room = down()
    room.open(later(), T0 + SECOND)
    room.ask("merge", T0 + MINUTE, target={"incident_id": room.one()["id"]}, into="INC-NONE")
    room.news("host", "resolved", T0 + MINUTE)
    room.tick(T0 + 9 * 60 * MINUTE)
    assert all(each["state"] != "logged" or each["episodes_open"] for each in room.incidents().values())
    assert sum(each["episodes_total"] for each in room.incidents().values()) == 2


@pytest.mark.parametrize("grace", [0, 120])
def test_a_restart_keeps_sources_and_targets_whether_the_source_is_over_or_not(grace: int) -> None:
    rule = ALONG | {"grace_seconds": grace}
    room, again = down(host=rule), down(host=rule)
    again.restart()
    for each in (room, again):
        each.open(later(), T0 + SECOND)
    again.restart()
    for each in (room, again):
        each.news("host", "resolved", T0 + MINUTE)
    again.restart()
    outputs = [each.tick(T0 + MINUTE + grace * SECOND + 1) for each in (room, again)]
    assert outputs[0] == outputs[1] != []


def test_a_configuration_without_the_rule_lets_in_what_it_had_muted() -> None:
    room = down()
    room.open(later(), T0 + SECOND)
    room.changes()
    room.setup = setup(version="2")
    room.restart()
    room.tick(T0 + 2 * SECOND)
    assert sum(each["episodes_total"] for each in room.incidents().values()) == 2
    room.changes()
    assert not [key for key in room.state if key.startswith(b"n/")]


def test_a_new_rule_finds_sources_that_are_open_already() -> None:
    room = Room(setup())
    room.open(host(name="ClusterDown", labels={"cluster": "eu"}), T0)
    room.setup = setup(version="2", host=ALONG, cluster=EQUAL)
    room.restart()
    room.open(later(), T0 + SECOND)
    assert last(room) == INHIBITED
    room.open(later("b", entity=WIKI, labels={"cluster": "eu"}), T0 + SECOND)
    assert last(room) == INHIBITED
    room.restart()
    room.news("host", "resolved", T0 + 2 * SECOND)
    room.tick(T0 + 2 * SECOND + GRACE)
    assert sum(each["episodes_total"] for each in room.incidents().values()) == 3


def test_sources_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inhibition, "SOURCES_MAX", 0)
    room = down()
    room.open(later(), T0 + SECOND)
    assert last(room)[1] != Reason.INHIBITED


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"along": None}, "what ties a target"),
        ({"along": None, "equal": "labels.cluster", "hops": 2}, "'hops' is of"),
        ({"source": {}}, "'source' needs match or when"),
        ({"hops": 4}, "less than or equal to 3"),
    ],
)
def test_what_is_no_rule_is_refused(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        InhibitRule.model_validate(ALONG | rule)
