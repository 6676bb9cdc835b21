"""Silences: people mute what they know of, for a time; what is muted is kept, and its end restores the truth."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core import correlate_muted, silences
from pipeline.core.step import Output
from pipeline.models.alert import Alert, Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.maintenance import MaintenanceWindow
from tests.core.builders import (
    DB,
    HOST,
    HOUR,
    MINUTE,
    PAY,
    SHOP,
    T0,
    WIKI,
    alert,
    change,
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


# -- incidents that are open already


def test_a_silence_of_an_incident_stops_calling_and_its_end_goes_on_where_it_had_stopped() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + 2 * MINUTE, T0 + HOUR, target={"incident_id": room.one()["id"]})
    room.tick(T0 + HOUR - 1)
    incident = room.one()
    assert (len(incident["escalation"]["paged"]), incident["muted"]["since_ms"]) == (1, T0 + 2 * MINUTE)
    assert "mute" in actions(incident)
    room.tick(T0 + HOUR + 3 * MINUTE - 1)
    assert len(room.one()["escalation"]["paged"]) == 1
    room.tick(T0 + HOUR + 3 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) > 1, "five minutes that nobody answered, the silence left out"
    assert room.one()["muted"] is None


def test_a_person_who_escalates_what_is_muted_is_not_muted_again_by_the_same_silence() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + MINUTE, T0 + 5 * HOUR, target={"incident_id": room.one()["id"]})
    room.ask("escalate", T0 + 2 * MINUTE)
    called = len(room.one()["escalation"]["paged"])
    room.restart()
    room.tick(T0 + HOUR)
    assert room.one()["muted"] is None
    assert len(room.one()["escalation"]["paged"]) > called, "the next level is called in its time"


@pytest.mark.parametrize("case", MATCHES)
def test_a_silence_mutes_what_is_open_by_the_same_as_what_comes(case: str) -> None:
    asked, fields, muted = MATCHES[case]
    for restarted in (False, True):
        room = Room()
        room.open(db(**fields), T0)
        if restarted:
            room.restart()
        silence(room, T0 + MINUTE, **asked)
        assert (room.one()["muted"] is not None) is muted
        room.tick(T0 + 30 * MINUTE)
        assert (len(room.one()["escalation"]["paged"]) <= 1) is muted


def test_an_incident_that_the_beginning_of_a_silence_leaves_out_is_muted_before_anybody_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(correlate_muted, "WEIGHED_AT_ONCE", 0)
    room = Room()
    room.open(db(labels={"team": "x"}), T0)
    silence(room, T0 + MINUTE, match={"labels.team": "x"})
    assert room.one()["muted"] is None
    room.tick(T0 + 30 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) == 1


def test_labels_of_a_member_are_kept_within_a_bound_and_go_when_it_is_over() -> None:
    room = Room()
    room.open(db(labels={"team": "x", "long": "y" * 1_024, "zone": "z"}), T0)
    silence(room, T0 + 1, match={"labels.zone": "z"})
    assert room.one()["muted"] is None
    silence(room, T0 + 2, name="s2", match={"labels.team": "x"})
    assert room.one()["muted"]["by"] == [f"silence {the_silence(room)['episode_id']} of payments"]
    room.news("a", "resolved", T0 + 3)
    room.changes()
    assert b'"team"' not in room.state[b"m/EP-a"]


def test_a_downtime_of_one_check_mutes_that_check_alone_where_it_is_open() -> None:
    room = Room()
    for key in ("disk", "load"):
        room.open(alert(key, entity=HOST, service=None, labels={"service": key}, space=key), T0)
    room.put("changes", work(T0, T0 + HOUR, targets=("node-1",), labels={"service": "disk"}), T0 + MINUTE)
    room.tick(T0 + 2 * MINUTE)
    assert [bool(each["muted"]) for each in room.incidents().values()] == [True, False]


def window(start_ms: int, end_ms: int, **fields: Any) -> MaintenanceWindow:
    given: dict[str, Any] = {"name": "night", "start": moment(start_ms), "end": moment(end_ms), "targets": ("node-1",)}
    return MaintenanceWindow(**(given | fields))


@pytest.mark.parametrize(("start_ms", "muted"), [(T0 - MINUTE, True), (T0 + 30_000, False)])
def test_a_window_that_comes_with_a_reload_mutes_what_began_in_it_until_its_end(start_ms: int, muted: bool) -> None:
    room = Room()
    room.open(db(), T0)
    room.setup = config(version="2", maintenance=(window(start_ms, T0 + HOUR),))
    room.restart()
    room.tick(T0 + MINUTE)
    assert (room.one()["muted"] is not None) is muted
    room.tick(T0 + HOUR - 1)
    assert (len(room.one()["escalation"]["paged"]) == 1) is muted
    room.tick(T0 + HOUR)
    assert room.one()["muted"] is None
    room.tick(T0 + 2 * HOUR)
    assert len(room.one()["escalation"]["paged"]) == 3


def test_a_window_that_goes_with_a_reload_mutes_nothing_any_more() -> None:
    room = Room()
    room.open(db(), T0)
    room.setup = config(version="2", maintenance=(window(T0, T0 + HOUR),))
    room.restart()
    room.tick(T0 + MINUTE)
    assert room.one()["muted"]["by"] == ["maintenance night"]
    room.setup = config(version="3")
    room.restart()
    room.tick(T0 + 2 * MINUTE)
    assert room.one()["muted"] is None


def test_what_is_suppressed_and_who_is_muted_is_counted() -> None:
    room = Room()
    room.open(alert("a", entity=WIKI, service=WIKI), T0)
    silence(room, T0 + 1, targets=["wiki", "pay-db"])
    room.open(db(), T0 + 2)
    gauges = room.processor.gauges()  # type: ignore[attr-defined]
    assert (gauges["suppressed_episodes"], gauges["muted_incidents"]) == ({"silenced": 1.0}, {"": 1.0})


def test_anything_else_that_fires_in_a_muted_incident_calls_again() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + MINUTE, conditions=["a"], target={"incident_id": room.one()["id"]})
    room.tick(T0 + 10 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) == 1
    room.open(alert("b"), T0 + 10 * MINUTE)
    assert room.one()["muted"] is None
    room.tick(T0 + 30 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) > 1


def test_a_muted_incident_is_resolved_by_its_recovery() -> None:
    room = Room()
    room.open(alert("a"), T0)
    silence(room, T0 + MINUTE, targets=["shop"])
    assert room.one()["muted"] is not None
    room.news("a", "resolved", T0 + 2 * MINUTE)
    room.tick(T0 + 10 * MINUTE)
    assert room.one()["state"] == "resolved"


def work(started_ms: int, ended_ms: int | None, **fields: Any) -> dict[str, Any]:
    return change("CHG-1", started_ms, ended_ms, suppress=True, **fields).model_dump(mode="json")


@pytest.mark.parametrize(("started_ms", "paged"), [(T0 - MINUTE, 1), (T0 + MINUTE, 3)])
def test_work_explains_what_began_in_it_however_late_it_is_told_and_nothing_before(started_ms: int, paged: int) -> None:
    room = Room()
    room.open(db("a", entity=DB), T0)
    room.put("changes", work(started_ms, T0 + HOUR), T0 + 2 * MINUTE)
    room.tick(T0 + 30 * MINUTE)
    assert len(room.one()["escalation"]["paged"]) == paged
    room.tick(T0 + 2 * HOUR)
    assert len(room.one()["escalation"]["paged"]) == 3


def test_a_restart_keeps_silences_who_is_silenced_and_who_is_muted() -> None:
    room, again = Room(), Room()
    for each in (room, again):
        each.open(alert("m", entity=WIKI, service=WIKI), T0)
        silence(each, T0, name="s0", targets=["wiki"])
        silence(each, T0 + 1, T0 + HOUR)
        each.open(db(), T0 + 2)
    again.restart()
    outputs = [each.tick(T0 + 2 * HOUR) for each in (room, again)]
    assert outputs[0] == outputs[1] != []


def test_the_host_of_a_silenced_rack_is_found_by_name() -> None:
    room = Room()
    silence(room, targets=[HOST])
    room.open(alert("a", entity=HOST, service=None), T0 + 1)
    room.open(alert("b", entity=SHOP), T0 + 1)
    assert room.one()["services"] == [SHOP]
