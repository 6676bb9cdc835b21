"""Merge and split: what people decide belongs together or apart, and what later news does then."""

from __future__ import annotations

import pytest

from pipeline.core.clustering.correlate import CorrelateProcessor
from pipeline.models.decision import Disposition
from pipeline.models.episode import EpisodeChange
from tests.core.builders import DB, HOUR, T0, WIKI, alert, values
from tests.core.rooms import Room, actions, two_incidents


def test_merging_moves_episodes_and_ends_the_other_incident() -> None:
    room, first, second = two_incidents()
    room.ask("merge", T0 + 2, target={"incident_id": second}, into=first)
    incidents = room.incidents()
    assert (incidents[second]["state"], incidents[second]["merged_into"]) == ("merged", first)
    assert (incidents[first]["episodes_total"], incidents[first]["episodes_open"]) == (2, 2)
    event = next(each for each in values(room.effects.outputs[-6:], "incidents") if each["incident_id"] == first)
    assert event["joined"] == ["EP-w"]


def test_later_news_of_a_moved_episode_goes_to_the_survivor() -> None:
    room, first, second = two_incidents()
    room.ask("merge", T0 + 2, target={"incident_id": second}, into=first)
    room.news("w", "resolved", T0 + 3)
    assert (room.decisions[-1].incident_id, room.incidents()[first]["episodes_open"]) == (first, 1)


def test_an_incident_on_its_way_to_be_resolved_stays_open_when_firing_episodes_are_merged_in() -> None:
    room, first, second = two_incidents()
    room.news("a", "resolved", T0 + 2)
    room.ask("merge", T0 + 3, target={"incident_id": second}, into=first)
    room.tick(T0 + HOUR)
    assert room.incidents()[first]["state"] == "escalated"


@pytest.mark.parametrize("into", [None, "INC-NOBODY", "itself"])
def test_a_merge_without_another_open_incident_is_refused_on_the_record(into: str | None) -> None:
    room, _, second = two_incidents()
    room.ask("merge", T0 + 2, target={"incident_id": second}, into=second if into == "itself" else into)
    assert actions(room.incidents()[second])[-1] == "refused_merge"
    assert [each["state"] for each in room.incidents().values()] == ["logged", "logged"]


def three_together() -> tuple[Room, str]:
    room = Room()
    for at, key in enumerate("abc"):
        room.open(alert(key), T0 + at)
    return room, room.one()["id"]


def test_a_split_moves_the_named_episodes_into_an_incident_of_their_own() -> None:
    room, old = three_together()
    room.ask("split", T0 + 5, episodes=["EP-b"], target={"incident_id": old})
    new = next(each for each in room.incidents() if each != old)
    assert [each["episodes_total"] for each in room.incidents().values()] == [2, 1]
    assert (room.incidents()[new]["state"], room.incidents()[new]["title"]) == ("logged", "Shop: b is out of bounds")
    room.news("b", "resolved", T0 + 6)
    assert room.decisions[-1].incident_id == new


def test_what_is_left_after_a_split_resolves_when_it_is_all_clear() -> None:
    room, old = three_together()
    room.news("a", "resolved", T0 + 3)
    room.news("c", "resolved", T0 + 4)
    room.ask("split", T0 + 5, episodes=["EP-b"], target={"incident_id": old})
    room.tick(T0 + HOUR)
    assert [each["state"] for each in room.incidents().values()] == ["resolved", "escalated"]


@pytest.mark.parametrize("episodes", [[], ["EP-nobody"], ["EP-a", "EP-b", "EP-c"]])
def test_a_split_of_none_or_all_is_refused_on_the_record(episodes: list[str]) -> None:
    room, old = three_together()
    room.ask("split", T0 + 5, episodes=episodes, target={"incident_id": old})
    assert actions(room.one())[-1] == "refused_split"


def test_members_keep_their_order_over_a_split_a_join_and_a_restart() -> None:
    room, old = three_together()
    room.ask("split", T0 + 5, episodes=["EP-b"], target={"incident_id": old})
    room.open(alert("a0", summary="joined last"), T0 + 6)
    symptoms = room.incidents()[room.decisions[-1].incident_id or ""]["symptoms"]
    room.news("a0", EpisodeChange.RESOLVED, T0 + 7)
    room.restart()
    room.open(alert("a0", summary="back again"), T0 + 8, episode_id="EP-z")
    assert room.incidents()[room.decisions[-1].incident_id or ""]["symptoms"] == [*symptoms, "back again"]


def test_regrouping_leaves_no_trace_of_an_ended_incident_in_the_indexes() -> None:
    room, first, second = two_incidents()
    room.ask("merge", T0 + 2, target={"incident_id": second}, into=first)
    room.ask("resolve", T0 + 3, target={"incident_id": first})
    room.ask("close", T0 + 4, target={"incident_id": first})
    room.open(alert("w", entity=WIKI, service=WIKI), T0 + 5, episode_id="EP-again")
    assert room.decisions[-1].disposition == Disposition.OPENED


@pytest.mark.parametrize("restarts", [False, True])
def test_who_answers_a_page_of_an_incident_that_was_merged_meanwhile_has_the_one_that_goes_on(restarts: bool) -> None:
    room, first, second = two_incidents()
    room.ask("merge", T0 + 2, target={"incident_id": second}, into=first)
    if restarts:
        room.restart()
    room.ask("acknowledge", T0 + 3, target={"incident_id": second})
    assert room.incidents()[first]["state"] == "acknowledged"
    assert room.incidents()[first]["absorbed"] == [second]
    assert all(each.topic != "dead.letter" for each in room.effects.outputs)


@pytest.mark.parametrize("kind", ["resolve", "close", "reopen"])
def test_to_end_an_incident_that_was_merged_ends_nothing_else(kind: str) -> None:
    room, first, second = two_incidents()
    room.ask("merge", T0 + 2, target={"incident_id": second}, into=first)
    room.ask(kind, T0 + 3, target={"incident_id": second}, resolution={"code": "x", "summary": "done"})
    assert room.incidents()[first]["state"] == "logged"
    (letter,) = (each for each in room.effects.outputs if each.topic == "dead.letter")
    assert dict(letter.headers)["spillway-reason"] == b"unknown_target"
    assert f"which was merged into {first}; ask for that one" in dict(letter.headers)["spillway-detail"].decode()


def test_an_id_that_was_merged_twice_leads_to_the_last_and_is_forgotten_with_it() -> None:
    room, first, second = two_incidents()
    room.open(alert("d", entity=DB, service=None, space="production"), T0 + 3 * HOUR)
    third = next(each for each in room.incidents() if each not in (first, second))
    room.ask("merge", T0 + 3 * HOUR + 1, target={"incident_id": second}, into=first)
    room.ask("merge", T0 + 3 * HOUR + 2, target={"incident_id": first}, into=third)
    room.ask("assign", T0 + 3 * HOUR + 3, target={"incident_id": second}, assignee="bob")
    assert (room.incidents()[third]["assignee"], room.incidents()[third]["absorbed"]) == ("bob", [second, first])
    assert isinstance(room.processor, CorrelateProcessor)
    book = room.processor._book
    assert book.absorber(second) == third
    book.forget(third)
    assert book.absorber(second) is None
