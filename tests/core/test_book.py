"""The book: its indexes find what a walk over all incidents would, in the same order after a restart, folded or not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.clustering.book import (
    CANDIDATES_MAX,
    FOLD_AFTER_MS,
    FOLDED_MEMBERS_MAX,
    HOLDERS_ASKED_MAX,
    HOT_MS,
    Book,
)
from pipeline.core.topology import SHARED_FATE
from pipeline.models.alert import FeedClass
from pipeline.models.incident import Incident
from pipeline.models.member import Member
from tests.core.builders import DB, HOST, PAY, SHOP, SPACE, T0, WIKI, entity, member, topology

SHELF = "resource:default/shelf"
GRAPH = topology(
    entity(SHOP, depends_on=(PAY,)),
    entity(PAY, depends_on=(DB, HOST)),
    entity(DB, type="database", depends_on=(HOST,)),
    entity(HOST, type="host", depends_on=(SHELF,)),
    entity(SHELF, type="rack"),
    entity(WIKI, depends_on=(HOST,)),
)
PLACES = [SHOP, PAY, DB, HOST, SHELF, WIKI, "unlisted:service/odd", None]

episodes = st.builds(
    lambda place, condition, desk, named, terms: {
        "entity": place,
        "key": condition,
        "feed_class": FeedClass.DESK if desk else FeedClass.CLOUD,
        "mentions": named,
        "terms": terms,
    },
    st.sampled_from(PLACES),
    st.sampled_from("abcdef"),
    st.booleans(),
    st.lists(st.sampled_from([SHOP, WIKI, DB]), max_size=2, unique=True),
    st.lists(st.sampled_from(["mail", "login", "slow"]), max_size=2, unique=True),
)
joins = st.tuples(st.integers(0, 7), episodes)


def incident(number: int, **fields: Any) -> Incident:
    given = {"space": SPACE, "state": "logged", "updated_at_ms": T0 + number * 7 % 5, **fields}
    return Incident(id=f"INC-{number:05}", **given)


def anchors(one: Member) -> list[str]:
    return [*one.mentions, *([one.entity] if one.entity else [])]


def related(one: Member, other: Member) -> bool:
    """What the indexes stand for, pair by pair."""
    here, there = anchors(one), anchors(other)
    reach = {ref for each in here for ref in GRAPH.reach(each)}
    needed = {ref for each in there for ref in GRAPH.reach(each)}
    shared = {ref for ref in reach & needed if GRAPH.hosting(ref) in SHARED_FATE}
    by_people = one.feed_class == other.feed_class == FeedClass.DESK and set(one.terms) & set(other.terms)
    same = one.alert_key == other.alert_key
    return bool(same or needed & set(here) or reach & set(there) or shared or by_people)


@settings(max_examples=200, deadline=None)
@given(st.lists(joins, max_size=14), episodes, st.booleans())
def test_candidates_are_those_that_a_walk_over_all_members_finds(
    script: list[tuple[int, dict[str, Any]]], newcomer: dict[str, Any], folds: bool
) -> None:
    book, known = Book(GRAPH), {number: incident(number) for number in range(8)}
    for each in known.values():
        book.open_incident(each)
    for turn, (number, fields) in enumerate(script):
        book.join(member(**fields, episode_id=f"EP-{turn}"), known[number].id)
    if folds:
        book.fold(T0 + 5 + FOLD_AFTER_MS)
    one = member(**newcomer, episode_id="EP-new")
    walked = [each for each in known.values() if any(related(one, other) for other in book.members_of(each.id))]
    walked.sort(key=lambda each: (-each.updated_at_ms, each.id))
    assert book.candidates(one, SPACE) == walked[:CANDIDATES_MAX]
    assert book.candidates(one, "elsewhere") == []


@settings(max_examples=100, deadline=None)
@given(st.lists(joins, max_size=12), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=4))
def test_names_are_held_in_the_same_order_after_a_restart(
    script: list[tuple[int, dict[str, Any]]], moves: list[tuple[int, int]]
) -> None:
    book, again = Book(GRAPH), Book(GRAPH)
    for number in range(8):
        book.open_incident(incident(number))
        again.open_incident(incident(number))
    for turn, (number, fields) in enumerate(script):
        book.join(member(**fields, episode_id=f"EP-{turn}"), incident(number).id)
    for old, new in moves:
        inside = book.members_of(incident(old).id)
        if inside and old != new:
            book.move(inside[: len(inside) // 2 + 1], incident(old).id, incident(new).id)
    for turn in range(len(script)):
        again.load_member(f"EP-{turn}", book.record(f"EP-{turn}") or b"")
    again.restored()
    for place in (SHOP, PAY, DB, HOST, WIKI):
        assert again.with_entity(place) == book.with_entity(place)
    assert again.names() == book.names()


def test_of_a_name_that_thousands_hold_those_that_took_it_last_are_asked() -> None:
    book = Book(GRAPH)
    for number in range(3 * HOLDERS_ASKED_MAX):
        book.open_incident(incident(number, updated_at_ms=T0 - number))
        book.join(member(f"{number}", entity=WIKI), incident(number).id)
    found = [each.id for each in book.candidates(member("new", entity=WIKI), SPACE)]
    newest = [incident(2 * HOLDERS_ASKED_MAX + number).id for number in range(CANDIDATES_MAX)]
    assert found == newest, "asked are the last to take the name; of those, the ones with the newest news are weighed"


@pytest.mark.parametrize("members", [1, FOLDED_MEMBERS_MAX, FOLDED_MEMBERS_MAX + 1])
def test_an_incident_left_alone_is_folded_unless_it_is_large_and_comes_back_as_it_was(members: int) -> None:
    book, alone = Book(GRAPH), incident(1, title="it hurts", commands=["c-1"])
    book.open_incident(alone, "told")
    for number in range(members):
        book.join(member(f"{number}"), alone.id)
    before = book.members_of(alone.id)
    book.fold(alone.updated_at_ms + FOLD_AFTER_MS - 1)
    assert book.incident(alone.id) is alone
    book.fold(alone.updated_at_ms + FOLD_AFTER_MS)
    assert (book.incident(alone.id) is not alone) is (members <= FOLDED_MEMBERS_MAX)
    assert (book.incident(alone.id), book.told(alone.id), book.members_of(alone.id)) == (alone, "told", before)


def test_who_waited_long_and_comes_in_last_hides_no_incident_that_is_hot() -> None:
    book = Book(GRAPH)
    for number, opened_ms in enumerate((T0 + HOT_MS, T0)):
        book.open_incident(incident(number))
        book.join(member(str(number), opened_at_ms=opened_ms), incident(number).id)
    assert book.hot(SPACE, T0 + HOT_MS + 1) == [incident(0).id]
