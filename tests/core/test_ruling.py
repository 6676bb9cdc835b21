"""What correlation rules do to episodes: always together, never together, and who wins."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.clustering.tally import Tally
from pipeline.models.alert import Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange
from pipeline.models.member import member_from_wire, member_to_wire
from tests.core import builders
from tests.core.builders import DB, MINUTE, PAY, SECOND, SHOP, T0, WIKI, alert, config
from tests.core.rooms import Room
from tests.core.ruled import JOB, batch, clusters, setup, strange

# -- always


@pytest.mark.parametrize(
    ("window", "seconds", "expected"),
    [
        ({"kind": "rolling", "seconds": 60}, (0, 60, 120, 180), [["0", "1", "2", "3"]]),
        ({"kind": "rolling", "seconds": 60}, (0, 61, 121), [["0"], ["1", "2"]]),
        ({"kind": "fixed", "seconds": 60}, (0, 30, 60, 61), [["0", "1", "2"], ["3"]]),
        ({"kind": "capped", "seconds": 60, "max_seconds": 100}, (0, 60, 100, 101), [["0", "1", "2"], ["3"]]),
        ({"kind": "capped", "seconds": 60, "max_seconds": 100}, (0, 61), [["0"], ["1"]]),
    ],
)
def test_a_window_counts_from_the_first_or_the_last_in_stream_time(
    window: dict[str, Any], seconds: tuple[int, ...], expected: list[list[str]]
) -> None:
    room = Room(setup(job={**JOB, "window": window}))
    for number, second in enumerate(seconds):
        room.open(batch(str(number)), T0 + second * SECOND)
    assert clusters(room) == expected


def test_the_episodes_of_a_group_join_and_the_record_names_the_rule() -> None:
    room = Room(setup(job=JOB))
    room.open(batch("a"))
    room.open(batch("b"), T0 + MINUTE)
    room.open(batch("other", job="day"), T0 + MINUTE)
    assert clusters(room) == [["a", "b"], ["other"]]
    assert room.decisions[1][1:3] == (Disposition.JOINED, Reason.RULE_JOIN)
    (joined,) = [each for each in next(iter(room.incidents().values()))["timeline"] if each["action"] == "join"]
    assert joined["text"] == "joined (rule job): b is out of bounds"
    assert (joined["facts"]["rule"], joined["facts"]["reason"]) == ("job", "rule_join")
    assert joined["facts"]["config_version"] == room.setup.version


def test_an_episode_that_lacks_a_value_of_the_group_does_not_match() -> None:
    room = Room(setup(job={**JOB, "match": {"feed": "monitor"}}))
    room.open(strange("a"))
    room.open(strange("b", labels={"job": ""}), T0 + 1)
    room.open(strange("c"), T0 + 2)
    assert clusters(room) == [["a"], ["b"], ["c"]]


def test_of_the_rules_of_one_action_the_first_in_the_file_wins() -> None:
    room = Room(setup(by_team={**JOB, "group_by": ["labels.team"]}, by_job=JOB))
    room.open(strange("a", labels={"team": "x", "job": "night"}))
    room.open(strange("b", labels={"team": "y", "job": "night"}), T0 + 1)
    room.open(strange("c", labels={"team": "x", "job": "day"}), T0 + 2)
    assert clusters(room) == [["a", "c"], ["b"]]


def test_spaces_do_not_meet_by_a_rule_either() -> None:
    room = Room(setup(job=JOB))
    room.open(batch("a"))
    room.open(batch("b", space="staging"), T0 + 1)
    assert clusters(room) == [["a"], ["b"]]


def test_a_group_goes_where_its_last_episode_goes() -> None:
    room = Room(setup(job=JOB))
    room.open(batch("a"))
    room.open(alert("wiki", entity=WIKI, service=WIKI), T0 + 1)
    first, second = room.incidents()
    room.ask("merge", T0 + 2, target={"incident_id": first}, into=second)
    room.open(batch("b"), T0 + 3)
    assert clusters(room) == [["a", "b", "wiki"]]


def test_what_people_split_off_stays_apart_and_the_group_goes_on_with_its_last() -> None:
    room = Room(setup(job=JOB))
    for number, key in enumerate("ab"):
        room.open(batch(key), T0 + number)
    (incident,) = room.incidents()
    room.ask("split", T0 + 2, target={"incident_id": incident}, episodes=["EP-a"])
    room.open(batch("c"), T0 + 3)
    assert clusters(room) == [["a"], ["b", "c"]]


def test_a_group_whose_incident_has_ended_begins_anew() -> None:
    room = Room(setup(job={**JOB, "window": {"seconds": 3_600}}))
    room.open(batch("a"))
    room.ask("resolve", T0 + 1, target={"episode_id": "EP-a"}, resolution={"code": "x", "summary": "y"})
    room.ask("close", T0 + 2, target={"episode_id": "EP-a"})
    room.open(batch("b"), T0 + MINUTE)
    room.open(batch("c"), T0 + 2 * MINUTE)
    assert clusters(room) == [["a"], ["b", "c"]]


def test_a_group_reopens_its_resolved_incident_as_long_as_the_policy_allows() -> None:
    room = Room(setup(job={**JOB, "window": {"seconds": 7_200}}))
    room.open(batch("a", domain="shop"))
    room.news("a", EpisodeChange.RESOLVED, T0 + MINUTE)
    room.open(batch("b", domain="shop"), T0 + 10 * MINUTE)
    assert (room.one()["state"], room.one()["reopened"]) == ("reopened", 1)
    room.news("b", EpisodeChange.RESOLVED, T0 + 11 * MINUTE)
    room.open(batch("c", domain="shop"), T0 + 60 * MINUTE)
    assert clusters(room) == [["a", "b"], ["c"]]


def test_an_incident_that_a_rule_opens_is_called_as_the_rule_says() -> None:
    room = Room(setup(job={**JOB, "title": "Job {labels.job} fails"}))
    room.open(batch("a"))
    assert room.one()["title"] == "Job night fails"


def test_an_ended_window_leaves_no_state() -> None:
    room = Room(setup(job=JOB))
    room.open(batch("a"))
    room.changes()
    assert [key for key in room.state if key.startswith(b"g/")]
    room.tick(T0 + 601 * SECOND)
    room.changes()
    assert not [key for key in room.state if key.startswith(b"g/")]


def test_a_group_goes_on_after_a_restart_and_ends_when_its_rule_is_gone() -> None:
    room = Room(setup(job=JOB))
    room.open(batch("a"))
    room.restart()
    room.open(batch("b"), T0 + 1)
    room.setup = config()
    room.restart()
    room.open(batch("c"), T0 + 2)
    room.changes()
    assert clusters(room) == [["a", "b"], ["c"]]
    assert not [key for key in room.state if key.startswith(b"g/")]


# -- never

APART: dict[str, Any] = {"join": "never", "match": {"labels.kind": "lab"}, "with": {"match": {"labels.kind": "ward"}}}


KINDS: dict[str, Any] = {"join": "never", "group_by": ["labels.kind"]}
MIXED = {
    "job": JOB | {"window": {"kind": "capped", "seconds": 300, "max_seconds": 700}},
    "apart": APART,
    "alone": {"join": "never", "match": {"labels.kind": "audit"}},
    "two": {"min_count": 2, "match": {"labels.job": "y"}, "group_by": ["labels.job"]},
}


def about(key: str, kind: str = "", **fields: Any) -> Any:
    """An alert about the shop, which evidence puts together with any other about it."""
    return alert(key, labels={"kind": kind} if kind else {}, **fields)


def test_what_must_not_meet_opens_incidents_of_its_own_and_the_record_says_by_which_rule() -> None:
    room = Room(setup(apart=APART))
    room.open(about("a", "ward"))
    room.open(about("b", "lab"), T0 + 1)
    room.open(about("c"), T0 + 2)
    assert len(clusters(room)) == 2
    assert room.decisions[1][1:3] == (Disposition.OPENED, Reason.RULE_NEVER)
    second = list(room.incidents().values())[1]
    detect = second["timeline"][0]
    assert detect["text"] == "first symptom (kept apart by rule apart): b is out of bounds"
    assert (detect["facts"]["rule"], detect["facts"]["reason"]) == ("apart", "rule_never")
    assert [(each["why"], each["rule"]) for each in detect["facts"]["others"]] == [("rule_never", "apart")]


@pytest.mark.parametrize("order", [("lab", "ward"), ("ward", "lab")])
def test_never_holds_whichever_side_comes_first(order: tuple[str, str]) -> None:
    room = Room(setup(apart=APART))
    for number, kind in enumerate(order):
        room.open(about(str(number), kind), T0 + number)
    assert clusters(room) == [["0"], ["1"]]


def test_an_episode_that_is_never_joined_stays_alone_but_for_its_own_condition() -> None:
    room = Room(setup(alone={"join": "never", "match": {"labels.kind": "audit"}}))
    room.open(about("a", "audit"))
    room.open(about("b"), T0 + 1)
    room.open(about("c", "audit"), T0 + 2)
    room.open(about("a", "audit"), T0 + 3, episode_id="EP-a2")
    assert clusters(room) == [["a", "a2"], ["b"], ["c"]]


def test_with_group_by_episodes_of_different_groups_never_meet() -> None:
    room = Room(setup(tenants={"join": "never", "group_by": ["labels.kind"]}))
    for number, kind in enumerate(("red", "blue", "red", "")):
        room.open(about(str(number), kind), T0 + number)
    held = {episode: cluster for cluster in map(tuple, clusters(room)) for episode in cluster}
    assert held["0"] == held["2"] != held["1"]


def test_never_goes_before_always_and_the_group_keeps_its_incident() -> None:
    room = Room(setup(job={**JOB, "group_by": ["labels.job"]}, apart=APART))
    room.open(strange("a", labels={"job": "x", "kind": "ward"}))
    room.open(strange("b", labels={"job": "x", "kind": "lab"}), T0 + 1)
    room.open(strange("c", labels={"job": "x"}), T0 + 2)
    assert clusters(room) == [["a", "c"], ["b"]]


def test_people_may_merge_what_a_rule_keeps_apart() -> None:
    room = Room(setup(apart=APART))
    room.open(about("a", "ward"))
    room.open(about("b", "lab"), T0 + 1)
    first, second = room.incidents()
    room.ask("merge", T0 + 2, target={"incident_id": first}, into=second)
    assert clusters(room) == [["a", "b"]]
    room.open(about("c", "lab"), T0 + 3)
    assert clusters(room) == [["a", "b"], ["c"]]


def test_never_holds_after_a_restart() -> None:
    room = Room(setup(apart=APART))
    room.open(about("a", "ward"))
    room.restart()
    room.open(about("b", "lab"), T0 + 1)
    assert clusters(room) == [["a"], ["b"]]


def test_a_member_of_before_there_were_rules_is_read() -> None:
    known = builders.member("a")
    schema, order, *values = orjson.loads(member_to_wire(known))
    assert schema == 4
    assert values[-3:] == [[], "", {}]
    assert member_from_wire("EP-a", orjson.dumps([3, order, *values[:-2]])) == known
    assert member_from_wire("EP-a", orjson.dumps([2, order, *values[:-3]])) == known


@pytest.mark.parametrize(("rules", "together"), [({}, True), ({"apart": APART}, False)])
def test_what_a_rule_keeps_apart_does_not_let_each_other_in(rules: dict[str, Any], together: bool) -> None:
    room = Room(setup(**rules))
    for number, kind in enumerate(("ward", "lab")):
        held = builders.opened(about(kind, kind, severity=Severity.WARNING), T0 + number)
        held.hold_until_ms = T0 + 10 * MINUTE
        room.put("episodes", held, T0 + number)
    assert clusters(room) == ([["lab", "ward"]] if together else [])


def test_who_waits_is_kept_apart_by_what_it_is_when_it_comes_in() -> None:
    room = Room(setup(apart=APART))
    held = builders.opened(about("a", "ward", severity=Severity.WARNING), T0)
    held.hold_until_ms = T0 + 10 * SECOND
    room.put("episodes", held, T0)
    room.restart()
    room.open(about("b", "lab"), T0 + SECOND)
    room.tick(T0 + 20 * SECOND)
    assert clusters(room) == [["a"], ["b"]]


def test_edited_rules_decide_what_comes_after_the_reload() -> None:
    room = Room(setup(apart=APART))
    room.open(about("a", "ward"))
    room.setup = setup(other=JOB)
    room.restart()
    room.open(about("b", "lab"), T0 + SECOND)
    assert clusters(room) == [["a", "b"]]
    room.setup = setup(apart=APART)
    room.restart()
    room.open(about("c", "lab"), T0 + 2 * SECOND)
    assert clusters(room) == [["a", "b"], ["c"]]


# -- what merges and splits by the machine must ask


def parted(one: list[Any], other: list[Any], **rules: dict[str, Any]) -> tuple[str | None, str | None]:
    """The rule by which two incidents must stay apart; the rule by which their members are one group."""
    room = Room(setup(**rules))
    for number, each in enumerate((*one, *other)):
        room.open(each, T0 + number)
    processor: Any = room.processor
    sides = [[processor._book.member(f"EP-{each.alert_key}") for each in side] for side in (one, other)]
    tallies = [Tally.of(side, processor._topology) for side in sides]
    ruling = processor._ruling
    return ruling.parts(tallies[0], len(one), tallies[1], len(other)), ruling.binds(*sides)


@pytest.mark.parametrize(
    ("one", "other", "rules", "expected"),
    [
        ([about("a", "ward")], [about("b", "lab")], {"apart": APART}, ("apart", None)),
        ([about("a", "lab"), about("c")], [about("b", "ward")], {"apart": APART}, ("apart", None)),
        ([about("a", "ward")], [about("b", "ward"), about("c")], {"apart": APART}, (None, None)),
        ([about("a", "audit")], [about("b")], {"alone": MIXED["alone"]}, ("alone", None)),
        ([about("b")], [about("a", "audit")], {"alone": MIXED["alone"]}, ("alone", None)),
        (
            [about("a", "x")],
            [about("b", "y")],
            {"kinds": {"join": "never", "group_by": ["labels.kind"]}},
            ("kinds", None),
        ),
        ([batch("a")], [batch("b")], {"job": JOB}, (None, "job")),
        ([batch("a")], [batch("b", job="day")], {"job": JOB}, (None, None)),
    ],
)
def test_rules_tell_which_incidents_stay_apart_and_which_members_stay_together(
    one: list[Any], other: list[Any], rules: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    assert parted(one, other, **rules) == expected


# -- invariants

_KINDS = st.sampled_from(("ward", "lab", "audit", ""))
_STEPS = st.lists(
    st.tuples(_KINDS, st.sampled_from(("x", "y", "")), st.sampled_from((SHOP, PAY, DB)), st.integers(0, 400)),
    min_size=2,
    max_size=14,
)


def play(steps: list[tuple[str, str, str, int]], *, restarts: bool = False) -> Room:
    room, now_ms = Room(setup(**MIXED)), T0
    for number, (kind, job, ref, seconds) in enumerate(steps):
        now_ms += seconds * SECOND
        labels = {name: value for name, value in (("kind", kind), ("job", job)) if value}
        key = f"k{number % 5}-{ref}-{kind}"
        room.open(alert(key, entity=ref, service=ref, labels=labels), now_ms, episode_id=f"EP-{number}")
        if restarts:
            room.restart()
        if not number % 3:
            change = builders.opened(alert(key, labels=labels), now_ms, change=EpisodeChange.RESOLVED)
            change.episode_id = f"EP-{number}"
            room.put("episodes", change, now_ms)
    return room


@given(_STEPS)
@settings(max_examples=60, deadline=None)
def test_what_must_never_meet_is_never_together_whatever_comes_in_which_order(steps: list[Any]) -> None:
    for cluster in clusters(play(steps)):
        members = [steps[int(each)] for each in cluster]
        kinds = {kind for kind, *_ in members}
        assert not {"ward", "lab"} <= kinds
        if "audit" in kinds:
            assert len({(int(each) % 5, steps[int(each)][2], steps[int(each)][0]) for each in cluster}) == 1


@given(_STEPS)
@settings(max_examples=25, deadline=None)
def test_restarts_change_nothing(steps: list[Any]) -> None:
    plain, restarted = play(steps), play(steps, restarts=True)
    told, again = (builders.values(each.effects.outputs, "incidents") for each in (plain, restarted))
    assert told == again
    plain.changes(), restarted.changes()
    assert plain.state == restarted.state


def test_rules_count_what_they_did() -> None:
    room = Room(setup(job=JOB, apart=APART, broken={**JOB, "when": 'labels.none == "x" || labels.none.size() > 1'}))
    room.open(batch("a"))
    room.open(batch("b"), T0 + 1)
    room.open(about("c", "ward"), T0 + 2)
    room.open(about("d", "lab", severity=Severity.ERROR), T0 + 3)
    assert room.effects.rules == {
        ("job", "matched"): 2,
        ("job", "joined"): 1,
        ("apart", "matched"): 2,
        ("apart", "kept_apart"): 1,
        ("broken", "failed"): 4,
    }
