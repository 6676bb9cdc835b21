"""Silences: people mute what they know of, for a time; what is muted is kept, and its end restores the truth."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.clustering import silences
from pipeline.core.step import Output
from pipeline.models.alert import Alert, Severity
from pipeline.models.decision import Disposition, Reason
from tests.core.builders import (
    DB,
    HOST,
    HOUR,
    MINUTE,
    PAY,
    SHOP,
    T0,
    alert,
    config,
    moment,
    opened,
    policy,
    report,
    values,
)
from tests.core.rooms import Room, actions

SPACE = b"production"


def silence(room: Room, at_ms: int = T0, until_ms: int = T0 + HOUR, name: str = "s1", **asked: Any) -> list[Output]:
    given = {"targets": ["pay-db"]} if not asked.keys() & {"match", "conditions", "target"} else {}
    target = {"target": asked.pop("target")} if "target" in asked else {}
    body = {"until": moment(until_ms).isoformat(), "owner": "payments", "reason": "known: CHG-7", **given, **asked}
    command = {"command_id": name, "type": "silence", "actor": "ann", "silence": body, **target}
    return room.put("commands", command, at_ms, key=SPACE)


def about(room: Room, kind: str, at_ms: int, name: str = "", **fields: Any) -> list[Output]:
    target = {"silence": fields.pop("silence", None) or the_silence(room)["episode_id"]}
    command = {"command_id": name or f"{kind}-{at_ms}", "type": kind, "actor": "bob", "target": target, **fields}
    return room.put("commands", command, at_ms, key=SPACE)


def records(room: Room, what: str) -> list[dict[str, Any]]:
    return [each for each in values(room.effects.outputs, "suppressions") if each["what"] == what]


def the_silence(room: Room) -> dict[str, Any]:
    return records(room, "silence")[-1]


def letters(room: Room) -> list[str]:
    found = [each for each in room.effects.outputs if each.topic == "dead.letter"]
    return [str(dict(each.headers)["spillway-detail"].decode()) for each in found]


def db(key: str = "a", **fields: Any) -> Alert:
    return alert(key, **({"entity": DB, "service": PAY} | fields))


def test_what_is_silenced_opens_nothing_calls_nobody_and_its_recovery_ends_it() -> None:
    room = Room()
    silence(room)
    room.open(db(), T0 + 1)
    over = opened(db(), T0 + MINUTE, change="resolved", repeats=4)
    room.put("episodes", over, T0 + MINUTE)
    assert {each[1:3] for each in room.decisions} == {(Disposition.SUPPRESSED, Reason.SILENCED)}
    room.tick(T0 + 2 * HOUR)
    assert room.incidents() == {}
    (each,) = records(room, "silenced")
    assert (each["ended"], each["alerts"], each["priority"]) == ("over", 5, "P1")
    assert [page["person"] for page in each["pages"]] == ["dora"]
    assert each["decided_by"]["owner"] == "payments"


def test_what_still_fires_at_the_end_is_let_in_and_says_so() -> None:
    room = Room()
    silence(room)
    room.open(db(), T0 + 1)
    room.tick(T0 + HOUR - 1)
    assert room.incidents() == {}
    room.tick(T0 + HOUR)
    incident = room.one()
    assert "suppressed" in actions(incident)
    assert [each["person"] for each in incident["escalation"]["paged"]] == ["dora"]


def test_the_record_of_a_silence_says_who_why_until_when_and_what_it_has_hidden() -> None:
    room = Room()
    silence(room)
    begun = the_silence(room)
    assert (begun["ended"], begun["summary"], begun["since_ms"]) == ("on", "known: CHG-7", T0)
    assert {"owner": "payments", "actor": "ann", "until_ms": T0 + HOUR}.items() <= begun["decided_by"].items()
    room.open(db("a"), T0 + 1)
    room.open(db("b", severity=Severity.WARNING), T0 + 1)
    room.news("a", "resolved", T0 + 2)
    room.tick(T0 + HOUR)
    over = the_silence(room)
    assert (over["ended"], over["episode_id"], over["until_ms"]) == ("over", begun["episode_id"], T0 + HOUR)
    told = over["decided_by"]
    assert (told["hidden"], told["would_page"], told["priorities"], told["firing"]) == (2, 1, {"P1": 1, "P3": 1}, 1)


MATCHES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "what runs on a target": ({"targets": ["node-1"]}, {}, True),
    "a service": ({"targets": ["Pay"]}, {"entity": None}, True),
    "something else": ({"targets": ["wiki"]}, {}, False),
    "a host that no catalogue lists": ({"targets": ["Lab"]}, {"entity": None, "service": None, "host": "lab"}, True),
    "an alert's name": ({"match": {"name": "Rule a"}}, {}, True),
    "another name": ({"match": {"name": "Rule b"}}, {}, False),
    "labels": ({"match": {"labels.team": ["x", "y"]}}, {"labels": {"team": "y"}}, True),
    "a label that is not there": ({"match": {"labels.team": "x"}}, {}, False),
    "a reference by name": ({"match": {"service": "pay"}}, {}, True),
    "both must hold": ({"targets": ["node-1"], "match": {"severity": "warning"}}, {}, False),
    "a condition": ({"conditions": ["a"]}, {}, True),
    "another condition": ({"conditions": ["b"]}, {}, False),
}  # fmt: skip


@pytest.mark.parametrize("case", MATCHES)
def test_a_silence_mutes_what_it_names(case: str) -> None:
    asked, fields, muted = MATCHES[case]
    room = Room()
    silence(room, **asked)
    room.open(db(**fields), T0 + 1)
    assert (room.incidents() == {}) is muted


def test_what_people_report_is_muted_only_where_the_silence_says_so() -> None:
    room = Room()
    silence(room, targets=["shop"])
    room.open(report("r", "the shop is slow"), T0 + 1)
    assert len(room.incidents()) == 1
    other = Room()
    silence(other, targets=["shop"], match={"feed_class": "desk"})
    other.open(report("r", "the shop is slow"), T0 + 1)
    assert other.incidents() == {}


def test_a_silence_is_of_one_space() -> None:
    room = Room()
    silence(room)
    room.open(db(space="staging"), T0 + 1)
    assert len(room.incidents()) == 1


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "over": ({"until_ms": T0}, "is over already"),
    "too long": ({"until_ms": T0 + 8 * 24 * HOUR}, "more than 7 days ahead"),
    "about everything": ({"targets": []}, "it would mute everything"),
    "no owner": ({"owner": ""}, "silence.owner"),
    "no reason": ({"reason": " "}, "silence.reason"),
    "no fact": ({"match": {"team": "x"}}, "labels are written labels.<name>"),
    "of no incident": ({"target": {"incident_id": "INC-9"}}, "no open incident"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_silence_is_refused_and_changes_nothing(case: str) -> None:
    asked, words = REFUSED[case]
    room = Room()
    silence(room, **asked)
    (detail,) = letters(room)
    assert words in detail
    assert records(room, "silence") == []
    room.open(db(), T0 + 1)
    assert len(room.incidents()) == 1


def test_there_are_no_more_silences_than_somebody_can_know_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences, "SILENCES_MAX", 1)
    room = Room()
    silence(room)
    silence(room, name="s2")
    assert ["end one first" in each for each in letters(room)] == [True]


def test_a_repeated_command_changes_nothing_not_even_after_the_end() -> None:
    room = Room()
    silence(room)
    assert silence(room) == []
    about(room, "unsilence", T0 + 1, "u1")
    assert about(room, "unsilence", T0 + 2, "u1") == []
    assert silence(room, T0 + 3) == []
    room.restart()
    assert silence(room, T0 + 4) == []
    room.open(db(), T0 + 5)
    assert len(room.incidents()) == 1


def test_ending_one_early_lets_in_what_fires() -> None:
    room = Room()
    silence(room)
    room.open(db(), T0 + 1)
    about(room, "unsilence", T0 + MINUTE)
    assert (room.one()["state"], the_silence(room)["ended"]) == ("logged", "over")
    before = len(room.effects.outputs)
    room.tick(T0 + HOUR)
    assert records(room, "silence")[2:] == []
    assert [each.topic for each in room.effects.outputs[before:] if each.topic == "suppressions"] == []


@pytest.mark.parametrize(("until_ms", "muted"), [(T0 + 3 * HOUR, True), (T0 + 90 * MINUTE, False)])
def test_a_silence_is_extended_and_cut_short_while_it_is_on(until_ms: int, muted: bool) -> None:
    room = Room()
    silence(room, until_ms=T0 + 2 * HOUR)
    room.open(db(), T0 + 1)
    about(room, "extend_silence", T0 + HOUR, until=moment(until_ms).isoformat())
    room.restart()
    room.tick(T0 + 2 * HOUR)
    assert (room.incidents() == {}) is muted
    assert the_silence(room)["decided_by"]["until_ms"] == until_ms
    room.tick(T0 + 4 * HOUR)
    assert len(room.incidents()) == 1


@pytest.mark.parametrize("kind", ["unsilence", "extend_silence"])
def test_what_is_asked_of_no_silence_is_refused(kind: str) -> None:
    room = Room()
    about(room, kind, T0, silence="SIL-NONE", until=moment(T0 + HOUR).isoformat())
    assert ["no such silence" in each for each in letters(room)] == [True]


def test_of_two_silences_the_second_mutes_on() -> None:
    room = Room()
    silence(room, until_ms=T0 + HOUR)
    room.open(db(), T0 + 1)
    silence(room, T0 + MINUTE, T0 + 2 * HOUR, "s2", targets=["node-1"])
    room.tick(T0 + HOUR)
    assert room.incidents() == {}
    room.tick(T0 + 2 * HOUR)
    assert len(room.incidents()) == 1


def test_a_priority_that_is_never_silenced_is_told_and_one_that_becomes_it_too() -> None:
    room = Room(config(domains={"shop": policy(silence_never=("P1",))}))
    silence(room, targets=["shop", "pay-db"])
    room.open(alert("a"), T0 + 1)
    assert len(room.incidents()) == 1
    room.open(db("b", severity=Severity.WARNING), T0 + HOUR // 2)
    assert room.decisions[-1].reason == Reason.SILENCED
    room.news("b", "changed", T0 + HOUR // 2 + 1, entity=DB, service=PAY)
    episodes = sum(each["episodes_total"] for each in room.incidents().values())
    assert (episodes, room.decisions[-1].disposition) == (2, Disposition.SUPPRESSED)


def test_the_host_of_a_silenced_rack_is_found_by_name() -> None:
    room = Room()
    silence(room, targets=[HOST])
    room.open(alert("a", entity=HOST, service=None), T0 + 1)
    room.open(alert("b", entity=SHOP), T0 + 1)
    assert room.one()["services"] == [SHOP]
