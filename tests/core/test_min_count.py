"""``min_count``: below the count episodes wait, visibly; from it on there is one incident, and who waited is in it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.alert import Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange
from tests.core import builders
from tests.core.builders import PAY, SECOND, SHOP, T0, alert, opened
from tests.core.rooms import Room
from tests.core.ruled import JOB, batch, clusters, setup

THREE: dict[str, Any] = {"min_count": 3, "group_by": ["labels.job"], "window": {"kind": "rolling", "seconds": 60}}


def waiting(room: Room) -> list[str]:
    room.changes()
    return sorted(key.decode().removeprefix("h/EP-") for key in room.state if key.startswith(b"h/"))


def test_an_incident_opens_only_when_as_many_have_come_and_takes_in_who_waited() -> None:
    room = Room(setup(three=THREE | {"title": "{labels.job} fails"}))
    for number, key in enumerate("ab"):
        room.open(batch(key), T0 + number * 30 * SECOND)
    assert (clusters(room), waiting(room)) == ([], ["a", "b"])
    assert {each[1:3] for each in room.decisions} == {(Disposition.HELD, Reason.RULE_MIN_COUNT)}
    room.open(batch("c"), T0 + 90 * SECOND)
    assert (clusters(room), waiting(room)) == ([["a", "b", "c"]], [])
    incident = room.one()
    assert incident["title"] == "night fails"
    detect = incident["timeline"][0]
    assert detect["text"] == "first of as many as rule three asks for: a is out of bounds"
    assert (detect["facts"]["reason"], detect["facts"]["rule"]) == ("rule_min_count", "three")
    assert "waited 90 s (rule_min_count) and came in" in " ".join(each["text"] for each in incident["timeline"])
    assert room.decisions[-1][1:3] == (Disposition.JOINED, Reason.RULE_JOIN)
    room.open(batch("d"), T0 + 150 * SECOND)
    assert clusters(room) == [["a", "b", "c", "d"]]


@pytest.mark.parametrize(
    ("seconds", "opens"),
    [((0, 60, 120), True), ((0, 61, 122), False), ((0, 61, 121, 181), True)],
)
def test_episodes_count_together_within_the_window(seconds: tuple[int, ...], opens: bool) -> None:
    room = Room(setup(three=THREE))
    for number, second in enumerate(seconds):
        room.open(batch(str(number)), T0 + second * SECOND)
    assert bool(clusters(room)) is opens


def test_groups_are_counted_apart() -> None:
    room = Room(setup(three=THREE))
    for number, job in enumerate(("x", "y", "x", "y")):
        room.open(batch(str(number), job=job), T0 + number)
    assert (clusters(room), waiting(room)) == ([], ["0", "1", "2", "3"])


def test_who_recovers_before_there_are_enough_has_counted_and_is_in_no_incident() -> None:
    room = Room(setup(three=THREE))
    room.open(batch("a"))
    room.news("a", EpisodeChange.RESOLVED, T0 + 1)
    room.open(batch("b"), T0 + 2)
    assert waiting(room) == ["b"]
    room.open(batch("c"), T0 + 3)
    assert clusters(room) == [["b", "c"]]


def test_what_evidence_puts_into_an_open_incident_does_not_wait() -> None:
    room = Room(setup(three=THREE))
    room.open(alert("shop"))
    room.open(batch("a", entity=SHOP, service=SHOP, domain="shop"), T0 + 1)
    assert clusters(room) == [["a", "shop"]]


@pytest.mark.parametrize("how", ["severity", "incident"])
def test_who_waits_comes_in_when_it_gets_worse_or_an_incident_comes_to_concern_it(how: str) -> None:
    room = Room(setup(three=THREE))
    room.open(batch("a", severity=Severity.WARNING, entity=PAY, service=PAY, domain="shop"))
    assert waiting(room) == ["a"]
    if how == "severity":
        worse = builders.opened(batch("a", entity=PAY, service=PAY, domain="shop"), T0 + 1, change="changed")
        room.put("episodes", worse, T0 + 1)
    else:
        room.open(alert("shop"), T0 + 1)
    assert (len(clusters(room)), waiting(room)) == (1, [])


def test_counts_go_on_after_a_restart() -> None:
    room = Room(setup(three=THREE))
    for number, key in enumerate("abc"):
        room.open(batch(key), T0 + number)
        room.restart()
    assert clusters(room) == [["a", "b", "c"]]


def test_a_transient_that_outlasts_its_hold_is_counted_then() -> None:
    room = Room(setup(three=THREE | {"match": {"severity": "warning"}}, job={**JOB, "match": {"severity": "info"}}))
    held = builders.opened(batch("a", severity=Severity.WARNING), T0, hold_until_ms=T0 + 10 * SECOND)
    room.put("episodes", held, T0)
    room.tick(T0 + 20 * SECOND)
    assert waiting(room) == ["a"]


def test_one_that_flaps_while_it_waits_counts_once_and_comes_in_with_the_others() -> None:
    room = Room(setup(three=THREE))
    room.open(batch("a"), T0)
    for second in (10, 20, 30):
        room.put("episodes", opened(batch("a"), change=EpisodeChange.FLAPPING), T0 + second * SECOND)
        steady = opened(batch("a"), change=EpisodeChange.STEADY, counted=False)
        room.put("episodes", steady, T0 + (second + 5) * SECOND)
        room.restart()
    assert (clusters(room), waiting(room)) == ([], ["a"])
    room.put("episodes", opened(batch("a"), change=EpisodeChange.FLAPPING), T0 + 40 * SECOND)
    for number, key in enumerate("bc"):
        room.open(batch(key), T0 + (41 + number) * SECOND)
    assert (clusters(room), waiting(room)) == ([["a", "b", "c"]], [])


@pytest.mark.parametrize("seconds", [10, 600], ids=("within the window", "long after it"))
@pytest.mark.parametrize(
    "rules",
    [{}, {"three": THREE | {"group_by": ["labels.no"]}}, {"three": THREE | {"match": {"severity": "info"}}}],
    ids=("none", "another group", "another match"),
)
def test_who_waits_for_a_rule_that_is_gone_comes_in(seconds: int, rules: dict[str, Any]) -> None:
    room = Room(setup(three=THREE))
    room.open(batch("a"), T0)
    room.tick(T0 + seconds * SECOND)
    room.setup = setup(**rules).model_copy(update={"version": "next"})
    room.restart()
    room.tick(T0 + (seconds + 1) * SECOND)
    assert (clusters(room), waiting(room)) == ([["a"]], [])
    assert "came in: no rule lets it wait any longer" in " ".join(each["text"] for each in room.one()["timeline"])


@pytest.mark.parametrize(("least", "opens"), [(2, True), (4, False)])
def test_another_count_holds_for_those_that_wait_already(least: int, opens: bool) -> None:
    room = Room(setup(three=THREE))
    for key in "ab":
        room.open(batch(key), T0)
    room.setup = setup(three=THREE | {"min_count": least}).model_copy(update={"version": "next"})
    room.restart()
    room.tick(T0 + SECOND)
    assert (clusters(room), waiting(room)) == (([["a", "b"]], []) if opens else ([], ["a", "b"]))


def test_an_episode_that_waited_has_matched_once() -> None:
    room = Room(setup(three=THREE))
    for number, key in enumerate("abc"):
        room.open(batch(key), T0 + number)
    assert room.effects.rules == {
        ("three", "matched"): 3, ("three", "held"): 2, ("three", "joined"): 2, ("three", "opened"): 1,
    }  # fmt: skip
