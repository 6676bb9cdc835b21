"""Flapping: entered and left on the very event, by stream time, told once each; an incident keeps what flaps in it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from pipeline.core.migrate import migrated
from pipeline.models.alert import Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange
from tests.core.builders import (
    DB,
    HOUR,
    PAY,
    SECOND,
    T0,
    Bench,
    alert,
    config,
    opened,
    policy,
    resolved,
    settings,
    values,
)
from tests.core.rooms import Room
from tests.core.test_dedupe import last, put, told

QUIET = 300
SETTINGS = settings(flap_transitions=4, flap_window_seconds=600, flap_quiet_seconds=QUIET)


def bench(**fields: Any) -> Bench:
    return Bench("dedupe", config(correlation=settings(**fields) if fields else SETTINGS))


def play(desk: Bench, turns: str) -> list[str]:
    """Events at seconds, as ``0f 10r``: fires, resolves, w(arns), or only time passes. Answers what is told when."""
    heard = []
    for turn in turns.split():
        at_ms = T0 + int(turn[:-1]) * SECOND
        kinds = {"f": alert, "r": resolved, "w": lambda: alert(severity=Severity.WARNING)}
        outputs = desk.tick(at_ms) if turn[-1] == "." else desk.put("alerts", kinds[turn[-1]](), at_ms)
        heard += [
            f"{(each['at_ms'] - T0) // SECOND}{each['change']}"
            + (f"/{each['reason']}" if each["reason"] in ("flapping", "released") else "")
            for each in values(outputs, "episodes")
        ]
    return heard


FLAPS = "0f 10r 20f 30r"
BEFORE = ["0opened", "10resolved", "20opened", "30resolved"]

AND_STEADY = [
    *BEFORE,
    "40opened/flapping",
    "340steady/released",
    "341resolved",
    "342opened",
    "343resolved",
    "344opened",
]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        # Entered by the fifth turn within the window, at that very turn; not by the fourth.
        (FLAPS, BEFORE),
        (f"{FLAPS} 40f", [*BEFORE, "40opened/flapping"]),
        (f"{FLAPS} 599f", [*BEFORE, "599opened/flapping"]),
        (f"{FLAPS} 601f", [*BEFORE, "601opened"]),
        # Repeats are no turns; a turn in the past of the stream's clock is one at that clock.
        ("0f 1f 2f 3f 4f 5f 6f 7f", ["0opened"]),
        # What turns while it flaps is not told, however often.
        (f"{FLAPS} 40f 50r 60f 60f 70r 80f 90r 100f", [*BEFORE, "40opened/flapping"]),
        # Left by the quiet time after the last turn, to the second, also where an event comes only then or much later.
        (f"{FLAPS} 40f 339.", [*BEFORE, "40opened/flapping"]),
        (f"{FLAPS} 40f 340.", [*BEFORE, "40opened/flapping", "340steady/released"]),
        (f"{FLAPS} 40f 340f", [*BEFORE, "40opened/flapping", "340steady/released"]),
        (f"{FLAPS} 40f 50r 349f", [*BEFORE, "40opened/flapping"]),
        (f"{FLAPS} 40f 50r 350f", [*BEFORE, "40opened/flapping", "350resolved/released", "350opened"]),
        (f"{FLAPS} 40f 50r 9000f", [*BEFORE, "40opened/flapping", "350resolved/released", "9000opened"]),
        # Repeats do not keep it flapping: it fires steadily.
        (f"{FLAPS} 40f 200f 339f 340f", [*BEFORE, "40opened/flapping", "340steady/released"]),
        # After it was left, it takes as many turns again.
        (f"{FLAPS} 40f 340. 341r 342f 343r 344f", AND_STEADY),
        (f"{FLAPS} 40f 340. 341r 342f 343r 344f 345r", [*AND_STEADY, "345flapping/flapping"]),
        # A rise in severity is told, once; what is no worse than was told is not.
        (f"{FLAPS} 40w 50r 60f 70r 80f 90w", [*BEFORE, "40opened/flapping", "60changed"]),
    ],
)  # fmt: skip
def test_flapping_is_entered_and_left_on_the_very_event(turns: str, expected: list[str]) -> None:
    assert play(bench(), turns) == expected


def test_the_turn_too_many_may_be_a_recovery_which_is_not_told() -> None:
    heard = play(bench(flap_transitions=3, flap_quiet_seconds=QUIET), "0f 10r 20f 30r 330.")
    assert heard == ["0opened", "10resolved", "20opened", "30flapping/flapping", "330resolved/released"]


def test_a_turn_of_an_expired_run_counts() -> None:
    desk = bench(flap_transitions=2, flap_quiet_seconds=QUIET)
    for at in (0, 20):
        desk.put("alerts", alert(ttl_seconds=10), T0 + at * SECOND)
    assert [each["reason"] for each in values(desk.effects.outputs, "episodes")] == [
        "new_episode",
        "expired",
        "flapping",
    ]


def test_slow_turns_are_not_flapping() -> None:
    desk = bench()
    play(desk, " ".join(f"{300 * turn}{'fr'[turn % 2]}" for turn in range(12)))
    assert not [each for each in desk.decisions if each.reason == Reason.FLAPPING]


def test_alerts_of_a_condition_that_flaps_are_suppressed_and_counted_for_its_end() -> None:
    desk = bench()
    play(desk, f"{FLAPS} 40f 50r 60f 65f 70r")
    assert last(desk) == (Disposition.SUPPRESSED, Reason.FLAPPING)
    (event,) = values(desk.tick(T0 + HOUR), "episodes")
    assert event["facts"] == {
        "hidden_by": "flapping",
        "since_ms": T0 + 40 * SECOND,
        "until_ms": T0 + 370 * SECOND,
        "alerts": 4,
        "runs": 1,
    }


def test_a_late_recovery_and_a_late_firing_are_no_turns() -> None:
    desk = bench()
    play(desk, f"{FLAPS} 40f")
    put(desk, alert(event_at_ms=T0 + 45 * SECOND), T0 + 45 * SECOND)
    put(desk, resolved(event_at_ms=T0 + 42 * SECOND), T0 + 46 * SECOND)
    assert last(desk) == (Disposition.REPEATED, Reason.OUT_OF_ORDER)
    assert told(desk.tick(T0 + 340 * SECOND)) == [("steady", "released", False)]


def test_an_acknowledgement_at_the_source_is_told_of_what_flaps() -> None:
    desk = bench()
    play(desk, f"{FLAPS} 40f")
    assert put(desk, alert(kind="acknowledged"), T0 + 41 * SECOND) == [("acknowledged", "acknowledged_at_source", True)]


def test_what_flapped_under_an_older_release_is_told_when_it_is_steady() -> None:
    desk = bench()
    turns = [T0 + at * SECOND for at in (0, 10, 20, 30, 40)]
    before = b'[2,"flapping","EP-1","critical","production",0,%d,%d,null,null,null,null,null,null,0,0,%s]' % (
        turns[-1],
        turns[-1],
        str(turns).encode(),
    )
    desk.processor.restore(b"c/k1", migrated("dedupe", b"c/k1", before, 1))
    desk.processor.restore(b"a/k1", orjson.dumps(alert()))
    desk.processor.restored()
    assert put(desk, alert(), T0 + 50 * SECOND) == []
    assert told(desk.tick(T0 + 340 * SECOND)) == [("steady", "released", False)]


@runs(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from("frw.")), max_size=40), st.integers(2, 5))
def test_a_restart_after_every_event_tells_the_same(steps: list[tuple[int, str]], transitions: int) -> None:
    through = bench(flap_transitions=transitions, flap_quiet_seconds=QUIET, flap_window_seconds=600)
    broken = bench(flap_transitions=transitions, flap_quiet_seconds=QUIET, flap_window_seconds=600)
    at = 0
    for wait, kind in steps:
        at += wait
        assert play(through, f"{at}{kind}") == play(broken, f"{at}{kind}")
        broken.restart()
    assert through.decisions == broken.decisions


@runs(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from("fr")), max_size=60))
def test_in_the_end_the_truth_is_told_however_it_turned(steps: list[tuple[int, str]]) -> None:
    desk, at, state = bench(), 0, "r"
    heard: list[str] = []
    for wait, kind in steps:
        at, state = at + wait, kind
        heard += play(desk, f"{at}{kind}")
    heard += play(desk, f"{at + 10 * QUIET}.")
    words = [each.lstrip("0123456789").partition("/")[0] for each in heard]
    firing = bool(words) and words[-1] in ("opened", "steady", "changed")
    assert firing == (state == "f")
    assert sum(word in ("opened",) for word in words) - sum(word == "resolved" for word in words) in (0, 1)


# -- in correlate


def flapping(room: Room, key: str, at_ms: int, **fields: Any) -> None:
    room.put("episodes", opened(alert(key, **fields), at_ms, reason=Reason.FLAPPING), at_ms)


def steady(room: Room, key: str, at_ms: int, **fields: Any) -> None:
    event = opened(
        alert(key, **fields),
        at_ms,
        change=EpisodeChange.STEADY,
        reason=Reason.RELEASED,
        counted=False,
        facts={"hidden_by": "flapping", "since_ms": T0, "until_ms": at_ms, "alerts": 9, "runs": 4},
    )
    room.put("episodes", event, at_ms)


def over(room: Room, key: str, at_ms: int) -> None:
    event = opened(alert(key), at_ms, change=EpisodeChange.RESOLVED, reason=Reason.RELEASED, counted=False)
    room.put("episodes", event, at_ms)


def texts(incident: dict[str, Any]) -> list[str]:
    return [each["text"] for each in incident["timeline"] if each["action"] == "flapping"]


def test_what_flaps_in_an_open_incident_keeps_it_open_until_it_is_steady() -> None:
    room = Room()
    room.open(alert("a"))
    room.news("a", EpisodeChange.RESOLVED, T0 + 10 * SECOND)
    flapping(room, "a", T0 + 20 * SECOND, summary="a is out of bounds")
    assert room.decisions[-1][1:3] == (Disposition.JOINED, Reason.SAME_CONDITION)
    room.tick(T0 + HOUR)
    assert (room.one()["state"], room.one()["episodes_open"]) == ("escalated", 1)
    over(room, "a", T0 + HOUR)
    room.tick(T0 + 2 * HOUR)
    assert room.one()["state"] == "resolved"
    assert texts(room.one()) == ["flaps: it counts as firing until it is steady: a is out of bounds"]


def test_an_incident_shows_that_what_flapped_in_it_fires() -> None:
    room = Room()
    room.open(alert("a"))
    room.put("episodes", opened(alert("a"), T0 + 5, change=EpisodeChange.FLAPPING, reason=Reason.FLAPPING), T0 + 5)
    assert room.decisions[-1][1:3] == (Disposition.JOINED, Reason.FLAPPING)
    steady(room, "a", T0 + HOUR)
    assert (room.one()["state"], room.one()["episodes_open"]) == ("escalated", 1)
    assert "flaps no longer and fires, after 9 alerts that were not told" in texts(room.one())[-1]


def test_what_flaps_alone_opens_nothing_until_it_is_steady_and_fires() -> None:
    room = Room()
    flapping(room, "a", T0)
    assert room.decisions[-1][1:3] == (Disposition.SUPPRESSED, Reason.FLAPPING)
    room.tick(T0 + HOUR)
    assert room.incidents() == {}
    steady(room, "a", T0 + HOUR)
    assert room.one()["episodes_open"] == 1


def test_what_flaps_alone_and_ends_quiet_is_never_told() -> None:
    room = Room()
    flapping(room, "a", T0)
    over(room, "a", T0 + HOUR)
    room.tick(T0 + 2 * HOUR)
    assert room.incidents() == {}


def test_two_that_flap_do_not_confirm_each_other_but_an_outage_takes_them_in() -> None:
    room = Room()
    flapping(room, "a", T0, entity=DB, service=PAY)
    flapping(room, "b", T0 + 1, entity=DB, service=PAY)
    assert room.incidents() == {}
    room.open(alert("outage", entity=PAY, service=PAY), T0 + 2)
    assert room.one()["episodes_total"] == 3


@pytest.mark.parametrize(("seconds", "joins"), [(30, True), (901, False)])
def test_what_has_flapped_for_longer_than_a_window_is_no_symptom_of_what_begins_now(seconds: int, joins: bool) -> None:
    room = Room()
    flapping(room, "a", T0, entity=DB, service=PAY)
    room.open(alert("outage", entity=PAY, service=PAY), T0 + seconds * SECOND)
    assert room.one()["episodes_total"] == 1 + joins


def test_what_flaps_does_not_reopen_an_incident_that_is_resolved() -> None:
    room = Room(config(domains={"shop": policy(closure={"reopen_minutes": 30})}))
    room.open(alert("a"))
    room.news("a", EpisodeChange.RESOLVED, T0 + 1)
    flapping(room, "a", T0 + 2, summary="again")
    assert (room.one()["state"], room.decisions[-1].disposition) == ("resolved", Disposition.SUPPRESSED)
    room.open(alert("b", entity=PAY, service=PAY), T0 + 3)
    assert sorted(each["state"] for each in room.incidents().values()) == ["logged", "resolved"]


def test_a_possible_transient_that_begins_to_flap_waits_on_for_that_reason() -> None:
    room = Room()
    room.put("episodes", opened(alert("a"), T0, hold_until_ms=T0 + 60 * SECOND), T0)
    flaps = opened(alert("a"), T0 + 5, change=EpisodeChange.FLAPPING, reason=Reason.FLAPPING)
    room.put("episodes", flaps, T0 + 5)
    room.tick(T0 + HOUR)
    assert room.incidents() == {}
    steady(room, "a", T0 + HOUR)
    assert room.one()["episodes_open"] == 1


def test_what_is_steady_and_nobody_knows_any_more_opens_an_incident() -> None:
    room = Room()
    steady(room, "a", T0)
    assert room.one()["episodes_open"] == 1
