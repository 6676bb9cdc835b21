"""A second look: what was doubtful is weighed again with what has come since, and moves only where that is clear.

How likely an episode belongs somewhere is said here by a table of the test, as trainers say it by other weights: what
follows from that must not change with what was trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.core.clustering.correlate import CorrelateProcessor
from pipeline.core.clustering.correlate_again import LOOK_AFTER_MS
from pipeline.core.clustering.evidence import Verdict
from pipeline.core.clustering.matcher import Matcher
from pipeline.models.closure import Closure
from pipeline.models.decision import Reason
from pipeline.models.episode import EpisodeChange
from tests.core.builders import PAY, SECOND, T0, alert, config, policy
from tests.core.rooms import Room, actions

LOOKED = T0 + LOOK_AFTER_MS + 2 * SECOND


class Likely(dict[tuple[str, str], float]):
    """(episode, first episode of the incident) -> how likely it belongs there."""


@contextmanager
def likely(monkeypatch: pytest.MonkeyPatch) -> Iterator[Likely]:
    table = Likely()

    def weigh(self: Matcher, episode: object, incident: object, *_: object, **__: object) -> Verdict | None:
        first = self.book._members[incident.id][0]  # type: ignore[attr-defined]
        score = table.get((episode.episode_id, first))  # type: ignore[attr-defined]
        return None if score is None else Verdict(score, {"needs_1": 1.0}, Reason.DEPENDENCY)

    with monkeypatch.context() as patch:
        patch.setattr(Matcher, "weigh", weigh)
        yield table


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Likely]:
    with likely(monkeypatch) as found:
        yield found


def open_all(room: Room, *keys: str) -> None:
    for number, key in enumerate(keys):
        room.open(alert(key, entity=PAY, service=PAY), T0 + number)


def grouped(room: Room) -> list[list[str]]:
    """The members of each incident that has not ended."""
    assert isinstance(room.processor, CorrelateProcessor)
    book = room.processor._book
    ids = [name for name, each in room.incidents().items() if each["state"] not in ("merged", "closed")]
    return sorted(sorted(each.episode_id for each in book.members_of(name)) for name in ids)


def test_who_opened_an_incident_beside_a_likely_one_joins_it_when_that_has_become_clear(table: Likely) -> None:
    room = Room()
    table["EP-b", "EP-a"] = 0.4
    open_all(room, "a", "b")
    assert grouped(room) == [["EP-a"], ["EP-b"]]
    table["EP-b", "EP-a"] = 0.9
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a", "EP-b"]]
    merged = next(each for each in room.incidents().values() if each["state"] == "merged")
    entry = next(each for each in merged["timeline"] if each["action"] == "again")
    assert (entry["facts"]["score"], entry["facts"]["reason"]) == (0.9, "dependency")
    assert entry["facts"]["to"] == merged["merged_into"]


def test_who_joined_by_a_narrow_margin_moves_to_a_clearly_likelier_one(table: Likely) -> None:
    room = Room()
    open_all(room, "a", "b")
    table |= {("EP-c", "EP-a"): 0.6, ("EP-c", "EP-b"): 0.5}
    room.open(alert("c"), T0 + 2)
    assert grouped(room) == [["EP-a", "EP-c"], ["EP-b"]]
    table |= {("EP-c", "EP-a"): 0.3, ("EP-c", "EP-b"): 0.9}
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a"], ["EP-b", "EP-c"]]
    left, joined = room.incidents().values()
    assert (actions(left).count("split"), left["episodes_total"], joined["episodes_total"]) == (1, 1, 2)
    entry = next(each for each in joined["timeline"] if each["action"] == "join")
    assert (entry["facts"]["from"], entry["facts"]["score"]) == (left["id"], 0.9)


def test_what_nothing_holds_any_more_gets_an_incident_of_its_own(table: Likely) -> None:
    room = Room()
    table["EP-b", "EP-a"] = 0.6
    open_all(room, "a", "b")
    assert grouped(room) == [["EP-a", "EP-b"]]
    del table["EP-b", "EP-a"]
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a"], ["EP-b"]]
    detect = list(room.incidents().values())[1]["timeline"][0]
    assert (detect["actor"], detect["facts"]) == ("spillway", {"episodes": ["EP-b"], "reason": "looked_again"})


@pytest.mark.parametrize(
    ("first", "here", "there"),
    [(0.4, None, 0.7), (0.95, 0.1, 0.99), (0.6, 0.6, 0.85)],
    ids=("not likely enough", "it was sure at first", "its own is about as likely"),
)
def test_without_a_clear_reason_nothing_moves(table: Likely, first: float, here: float | None, there: float) -> None:
    room = Room()
    open_all(room, "a", "b")
    home = "EP-a" if here is not None else "EP-c"
    table["EP-c", "EP-a"] = first
    room.open(alert("c"), T0 + 2)
    before = grouped(room)
    assert any(home in members and "EP-c" in members for members in before)
    if here is not None:
        table["EP-c", "EP-a"] = here
    table["EP-c", "EP-b" if here is not None else "EP-a"] = there
    room.tick(LOOKED)
    assert grouped(room) == before


@pytest.mark.parametrize("command", ["acknowledge", "assign", "set_priority"])
def test_what_somebody_has_in_hand_is_left_alone(table: Likely, command: str) -> None:
    room = Room()
    table["EP-b", "EP-a"] = 0.4
    open_all(room, "a", "b")
    _, second = room.incidents()
    room.ask(command, T0 + SECOND, target={"incident_id": second}, assignee="ann", priority="P1")
    table["EP-b", "EP-a"] = 0.9
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a"], ["EP-b"]]


def test_what_a_person_has_put_somewhere_stays_there(table: Likely) -> None:
    room = Room()
    table["EP-b", "EP-a"] = 0.6
    open_all(room, "a", "b")
    first = next(iter(room.incidents()))
    room.ask("split", T0 + SECOND, target={"incident_id": first}, episodes=["EP-b"])
    table["EP-b", "EP-a"] = 0.99
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a"], ["EP-b"]]


def test_a_restart_before_the_second_look_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for restarts in (False, True):
        with likely(monkeypatch) as table:
            room = Room()
            table["EP-b", "EP-a"] = 0.4
            open_all(room, "a", "b")
            if restarts:
                room.restart()
            table["EP-b", "EP-a"] = 0.9
            room.tick(LOOKED)
            found.append((grouped(room), room.incidents()))
    assert found[0] == found[1]
    assert found[0][0] == [["EP-a", "EP-b"]]


def test_a_look_is_over_when_it_was_taken(table: Likely) -> None:
    room = Room()
    table["EP-b", "EP-a"] = 0.4
    open_all(room, "a", "b")
    room.tick(LOOKED)
    table["EP-b", "EP-a"] = 0.99
    room.tick(LOOKED + 10 * LOOK_AFTER_MS)
    assert grouped(room) == [["EP-a"], ["EP-b"]]
    assert not [key for key, value in room.changes() if key.startswith(b"r/") and value is not None]


def test_what_a_person_has_put_together_is_not_taken_apart(table: Likely) -> None:
    room = Room()
    table["EP-b", "EP-a"] = 0.4
    open_all(room, "a", "b")
    first, second = room.incidents()
    room.ask("merge", T0 + SECOND, target={"incident_id": first}, into=second)
    table.clear()
    room.restart()
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a", "EP-b"]]


def test_what_a_person_has_parted_does_not_follow_who_was_taken_out(table: Likely) -> None:
    room = Room()
    table |= {("EP-b", "EP-a"): 0.6, ("EP-c", "EP-a"): 0.6}
    open_all(room, "a", "b", "c")
    first = next(iter(room.incidents()))
    room.ask("split", T0 + SECOND, target={"incident_id": first}, episodes=["EP-c"])
    table.clear()
    table["EP-b", "EP-c"] = 0.99
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a", "EP-b"], ["EP-c"]]


def test_nobody_is_called_for_what_nothing_holds_any_more_and_is_over(table: Likely) -> None:
    room = Room()
    table["EP-b", "EP-a"] = 0.6
    open_all(room, "a", "b")
    room.news("b", EpisodeChange.RESOLVED, T0 + 60 * SECOND, entity=PAY, service=PAY)
    del table["EP-b", "EP-a"]
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a", "EP-b"]]


def test_what_moves_away_does_not_delay_that_the_rest_is_resolved(table: Likely) -> None:
    closure = Closure(resolve_quiet_seconds=300, reopen_minutes=30)
    room = Room(config(domains={"shop": policy(closure=closure)}))
    open_all(room, "a", "b")
    table |= {("EP-c", "EP-a"): 0.6}
    room.open(alert("c"), T0 + 2)
    table |= {("EP-c", "EP-a"): 0.3, ("EP-c", "EP-b"): 0.9}
    for key in "ac":
        room.news(key, EpisodeChange.RESOLVED, LOOKED - 60 * SECOND)
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a"], ["EP-b", "EP-c"]]
    assert next(iter(room.incidents().values()))["resolve_at_ms"] == LOOKED + 240 * SECOND


def test_what_an_incident_has_its_name_from_stays_in_it(table: Likely) -> None:
    room = Room()
    open_all(room, "z")
    table |= {("EP-a", "EP-z"): 0.4, ("EP-b", "EP-a"): 0.95}
    room.open(alert("a"), T0 + 1)
    room.open(alert("b"), T0 + 2)
    assert grouped(room) == [["EP-a", "EP-b"], ["EP-z"]]
    table["EP-a", "EP-z"] = 0.99
    room.tick(LOOKED)
    assert grouped(room) == [["EP-a", "EP-b"], ["EP-z"]]
