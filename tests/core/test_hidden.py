"""What was hidden goes on record: once each, by what, for how long, and who was not called by the policy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from pipeline.models.alert import Severity
from pipeline.models.closure import Closure
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange
from tests.core import ruled
from tests.core.builders import (
    DB,
    HOUR,
    MINUTE,
    PAY,
    SECOND,
    SHOP,
    T0,
    WIKI,
    Bench,
    alert,
    change,
    config,
    opened,
    policy,
    resolved,
    settings,
    values,
)
from tests.core.rooms import Room
from tests.core.test_chronic import after_days, setup, warning
from tests.core.test_dedupe import in_maintenance
from tests.core.test_holding import HOLD, begin

ANN = {"person": "ann", "service": SHOP, "rotation": "shop"}
BOB = {"person": "bob", "service": SHOP, "rotation": "shop"}
"""On call at `T0`."""


def hidden(room: Bench) -> list[dict[str, Any]]:
    return values(room.effects.outputs, "suppressions")


def facts(each: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(each[name] for name in names)


def test_a_transient_that_passed_says_who_would_have_been_called_and_for_how_long_it_was_hidden() -> None:
    room = Room()
    begin(room, alert("a"))
    over = opened(alert("a"), T0 + 20 * SECOND, change=EpisodeChange.RESOLVED, repeats=3)
    room.put("episodes", over, T0 + 20 * SECOND)
    (each,) = hidden(room)
    assert facts(each, "what", "ended", "alerts", "runs") == ("transient", "over", 4, 1)
    assert (each["since_ms"], each["until_ms"], each["pages"]) == (T0, T0 + 20 * SECOND, [BOB])
    assert facts(each, "priority", "incident_id", "service", "feed") == ("P1", None, SHOP, "monitor")
    assert each["decided_by"] == {"set_seconds": 60}
    assert room.effects.hidden == {("transient", "over"): 4}
    assert room.effects.pages_saved == {"transient": 1}
    assert room.incidents() == {}, "whoever would have been called was not"


def test_what_would_have_paged_nobody_spared_nobody() -> None:
    room = Room()
    begin(room, warning("a", entity=WIKI, service=WIKI, domain="office"))
    room.news("a", EpisodeChange.RESOLVED, T0 + 1)
    (each,) = hidden(room)
    assert facts(each, "priority", "pages") == ("P4", [])


def test_a_source_that_fell_silent_while_it_waited_is_told_apart() -> None:
    room = Room()
    begin(room, warning())
    room.put("episodes", opened(warning(), T0 + 1, change=EpisodeChange.EXPIRED, counted=False), T0 + 1)
    assert hidden(room)[0]["ended"] == "silent"


@pytest.mark.parametrize("why", ["time", "evidence", "severity", "person"])
def test_what_was_let_in_says_by_what_and_into_which_incident(why: str) -> None:
    room = Room()
    begin(room, warning("a", entity=PAY, service=PAY))
    if why == "time":
        room.tick(T0 + HOLD)
    elif why == "evidence":
        room.open(alert("b"), T0 + SECOND)
    elif why == "severity":
        room.news("a", EpisodeChange.CHANGED, T0 + SECOND, entity=PAY, service=PAY)
    else:
        room.ask("acknowledge", T0 + SECOND, target={"episode_id": "EP-a"})
    (each,) = hidden(room)
    assert facts(each, "what", "ended", "let_in_by", "incident_id") == ("transient", "let_in", why, room.one()["id"])
    assert each["pages"] == [], "it was told, only later"


def test_what_a_rules_count_held_is_on_record_whether_it_was_over_or_enough_had_come() -> None:
    rule = {"min_count": 2, "match": {"labels.job": "night"}, "group_by": ["labels.job"], "window": {"seconds": 600}}
    room = Room(ruled.setup(probes=rule))
    room.open(ruled.batch("a"))
    over = opened(ruled.batch("a"), T0 + MINUTE, change=EpisodeChange.RESOLVED)
    room.put("episodes", over, T0 + MINUTE)
    room.open(ruled.batch("b", job="other"), T0 + 2 * MINUTE)
    room.open(ruled.batch("c"), T0 + HOUR)
    room.open(ruled.batch("d"), T0 + HOUR + 1)
    assert [facts(each, "what", "ended", "episode_id", "let_in_by") for each in hidden(room)] == [
        ("min_count", "over", "EP-a", None),
        ("min_count", "let_in", "EP-c", "count"),
    ]
    assert hidden(room)[0]["decided_by"]["rule"] == "probes"


def test_repeats_of_a_member_are_told_once_when_it_is_over() -> None:
    room = Room()
    room.open(alert("a"))
    room.put("episodes", opened(alert("a"), T0 + HOUR, change=EpisodeChange.RESOLVED, repeats=12), T0 + HOUR)
    (each,) = hidden(room)
    assert facts(each, "what", "ended", "alerts", "since_ms") == ("repeats", "in_incident", 12, T0)
    assert each["incident_id"] == room.one()["id"]


def test_a_member_without_repeats_hid_nothing() -> None:
    room = Room()
    room.open(alert("a"))
    room.news("a", EpisodeChange.RESOLVED, T0 + HOUR)
    assert hidden(room) == []


def test_announced_work_is_on_record_whether_it_ended_quiet_or_was_let_in() -> None:
    room = Room()
    work = change(kind="maintenance", ended_ms=T0 + HOUR, suppress=True)
    room.put("changes", work.model_dump(mode="json"), T0)
    room.open(alert("a", entity=DB, service=PAY), T0 + 1)
    room.open(alert("b", entity=DB, service=PAY), T0 + 2)
    room.news("a", EpisodeChange.RESOLVED, T0 + MINUTE, entity=DB, service=PAY)
    room.tick(T0 + HOUR)
    quiet, fires = hidden(room)
    assert facts(quiet, "what", "ended", "episode_id") == ("maintenance", "over", "EP-a")
    assert [page["person"] for page in quiet["pages"]] == ["dora"]
    assert facts(fires, "what", "ended", "episode_id", "pages") == ("maintenance", "let_in", "EP-b", [])


def flapping_desk() -> tuple[Bench, Room]:
    """Dedupe and correlate beside each other; what the first tells is put to the second by `hand_on`.

    What has cleared is resolved at once: what flaps from then on does so alone.
    """
    at_once = config(domains={"shop": policy(closure=Closure(resolve_quiet_seconds=0, reopen_minutes=30))})
    return Bench("dedupe", config(correlation=settings(flap_transitions=4, flap_quiet_seconds=300))), Room(at_once)


def hand_on(desk: Bench, room: Room, about: Any, at_ms: int) -> None:
    outputs = desk.tick(at_ms) if about is None else desk.put("alerts", about, at_ms)
    for each in outputs:
        room.put("episodes", each.value, each.timestamp_ms)


def test_a_spell_of_flapping_is_one_suppression_with_its_runs_and_those_who_were_not_called_each_time() -> None:
    desk, room = flapping_desk()
    for turn in range(10):
        hand_on(desk, room, alert() if turn % 2 == 0 else resolved(), T0 + turn * 10 * SECOND)
    hand_on(desk, room, None, T0 + HOUR)
    (each,) = (each for each in hidden(room) if each["what"] == "flapping")
    assert facts(each, "ended", "alerts", "runs") == ("over", 6, 3)
    assert each["pages"] == [BOB]
    assert room.effects.pages_saved == {"flapping": 3}


def test_flapping_inside_an_incident_spared_no_call_and_names_the_incident() -> None:
    desk, room = flapping_desk()
    room.open(alert("other"), T0 - 1)
    for turn in range(10):
        hand_on(desk, room, alert() if turn % 2 == 0 else resolved(), T0 + turn * 10 * SECOND)
    hand_on(desk, room, None, T0 + HOUR)
    (each,) = (each for each in hidden(room) if each["what"] == "flapping")
    assert facts(each, "ended", "alerts", "runs", "pages") == ("in_incident", 5, 2, [])
    assert each["incident_id"] == room.one()["id"]


def test_what_dedupe_hid_for_maintenance_is_on_record_with_who_was_not_called() -> None:
    desk, room = Bench("dedupe", in_maintenance(T0 + HOUR)), Room()
    for at, about in enumerate((alert(entity=DB, service=PAY), alert(entity=DB, service=PAY), resolved())):
        hand_on(desk, room, about, T0 + at * MINUTE)
    (each,) = hidden(room)
    assert facts(each, "what", "ended", "alerts", "runs") == ("maintenance", "over", 3, 1)
    assert [page["person"] for page in each["pages"]] == ["dora"]
    assert room.decisions == [], "it is for the record alone"


def test_what_fires_still_at_the_end_of_maintenance_is_on_record_as_let_in() -> None:
    desk, room = Bench("dedupe", in_maintenance(T0 + HOUR)), Room()
    hand_on(desk, room, alert(entity=DB, service=PAY), T0)
    hand_on(desk, room, None, T0 + HOUR)
    (each,) = hidden(room)
    assert facts(each, "what", "ended", "until_ms") == ("maintenance", "let_in", T0 + HOUR)
    assert each["incident_id"] == room.one()["id"]


def test_a_chronic_incident_is_on_record_with_who_was_not_called_until_something_else_speaks_for_it() -> None:
    room, now_ms = after_days(setup())
    room.open(warning(), now_ms, episode_id="EP-next")
    told = hidden(room)[-1]
    assert facts(told, "what", "ended", "episode_id", "pages") == ("chronic", "told", "EP-next", [ANN])
    assert (told["decided_by"]["mattered"], told["decided_by"]["incidents"] > 4) == (0.0, True)
    room.open(warning("b", entity=PAY, service=PAY), now_ms + MINUTE)
    raised = hidden(room)[-1]
    assert facts(raised, "what", "ended", "since_ms", "pages") == ("chronic", "let_in", told["since_ms"], [])


PLACES = ((DB, PAY), (PAY, PAY), (SHOP, SHOP), (WIKI, WIKI))
STEP = st.tuples(
    st.sampled_from("abcdef"),
    st.sampled_from(["hold", "open", "over", "silent", "worse", "acknowledge", "tick"]),
    st.integers(0, 45),
)


def play(room: Room, steps: list[tuple[str, str, int]], *, restarts: bool) -> None:
    """Any order of news of six conditions, each with one episode at a time; then all is over."""
    now_ms, firing = T0, dict[str, str]()
    for number, (key, what, wait) in enumerate([*steps, *((key, "over", 1) for key in "abcdef")]):
        now_ms += wait * SECOND
        entity, service = PLACES[ord(key) % len(PLACES)]
        about = warning(key, entity=entity, service=service)
        if what == "tick":
            room.tick(now_ms)
        elif what in ("hold", "open") and key not in firing:
            firing[key] = f"EP-{number}"
            if what == "hold":
                begin(room, about, now_ms, episode_id=firing[key])
            else:
                room.open(about, now_ms, episode_id=firing[key])
        elif key in firing and what not in ("hold", "open"):
            changes = {"over": "resolved", "silent": "expired", "worse": "changed", "acknowledge": "acknowledged"}
            if what == "worse":
                about.severity = Severity.ERROR
            episode = firing.pop(key) if what in ("over", "silent") else firing[key]
            event = opened(about, now_ms, episode_id=episode, change=changes[what], counted=what != "silent")
            room.put("episodes", event, now_ms)
        room.changes()
        if restarts:
            room.restart()
    room.tick(now_ms + HOUR)


@runs(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_whoever_waits_leaves_the_room_once_and_a_restart_after_every_record_changes_nothing(
    steps: list[tuple[str, str, int]],
) -> None:
    through, broken = Room(), Room()
    play(through, steps, restarts=False)
    play(broken, steps, restarts=True)
    assert hidden(through) == hidden(broken)
    assert through.decisions == broken.decisions
    assert [each.value for each in through.effects.outputs if each.topic == "incidents"] == [
        each.value for each in broken.effects.outputs if each.topic == "incidents"
    ]
    held = {each.episode_id for each in through.decisions if each.reason == Reason.TRANSIENT}
    assert {each.disposition for each in through.decisions if each.reason == Reason.TRANSIENT} <= {Disposition.HELD}
    left = [each["episode_id"] for each in hidden(through) if each["what"] == "transient"]
    assert Counter(left) == Counter(held)
    assert through.processor.gauges()["held_episodes"][""] == 0  # type: ignore[attr-defined]
