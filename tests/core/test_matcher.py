"""The matcher: the best incident that may take an episode, the same one whatever order they were opened in."""

from __future__ import annotations

from itertools import permutations

import pytest

from pipeline.core.clustering.book import CANDIDATES_MAX, Book
from pipeline.core.clustering.matcher import Matcher
from pipeline.models.incident import Incident
from tests.core.builders import DB, HOUR, MINUTE, PAY, SHOP, SPACE, T0, WIKI, member, report
from tests.core.desks import desk

DESK = desk()


def book(*incidents: tuple[str, str], **fields: object) -> Book:
    """A book with one incident a pair of id and place."""
    made = Book(DESK.topology)
    for incident_id, place in incidents:
        given = {"state": "logged", "news_at_ms": T0, "updated_at_ms": T0, "detected_at_ms": T0, "domain": "shop"}
        given |= fields
        made.open_incident(Incident(id=incident_id, space=SPACE, **given))  # type: ignore[arg-type]
        made.join(member(incident_id, entity=place, service=place), incident_id)
    return made


def best(known: Book, place: str | None, now_ms: int = T0, **fields: object) -> str | None:
    episode = member("new", entity=place, service=place, **fields)
    incident = Matcher(DESK, known).best(episode, SPACE, now_ms).incident
    return incident.id if incident else None


def test_the_strongest_relation_wins_in_any_order_of_opening() -> None:
    for order in permutations([("INC-1", SHOP), ("INC-2", PAY), ("INC-3", WIKI)]):
        assert best(book(*order), PAY) == "INC-2"


def test_ties_go_by_id_in_any_order_of_opening() -> None:
    for order in permutations([("INC-1", SHOP), ("INC-2", SHOP), ("INC-3", SHOP)]):
        assert best(book(*order), SHOP) == "INC-1"


def test_an_episode_about_nothing_known_finds_nothing() -> None:
    assert best(book(("INC-1", SHOP)), None) is None
    assert best(book(), SHOP) is None


@pytest.mark.parametrize("state", ["closed", "merged"])
def test_ended_incidents_take_nothing(state: str) -> None:
    assert best(book(("INC-1", SHOP), state=state), SHOP) is None


def test_a_resolved_incident_takes_reports_and_its_own_conditions_for_a_while() -> None:
    known = book(("INC-1", SHOP), state="resolved", resolved_at_ms=T0)
    assert best(known, SHOP, T0 + MINUTE) is None
    assert best(known, SHOP, T0 + MINUTE, feed_class=report("r", "x").feed_class) == "INC-1"
    again = member("INC-1", episode_id="EP-again")
    matcher = Matcher(DESK, known)
    assert matcher.best(again, SPACE, T0 + 30 * MINUTE).incident is not None
    assert matcher.best(again, SPACE, T0 + 30 * MINUTE + 1).incident is None


def test_the_window_counts_from_the_last_news() -> None:
    known = book(("INC-1", SHOP))
    assert best(known, SHOP, T0 + 15 * MINUTE) == "INC-1"
    assert best(known, SHOP, T0 + 15 * MINUTE + 1) is None


def test_candidates_are_bounded() -> None:
    known = book(*((f"INC-{number:03}", DB) for number in range(50)))
    assert len(known.candidates(member("new", entity=DB), SPACE)) == CANDIDATES_MAX


def test_a_book_from_which_all_was_forgotten_finds_nothing() -> None:
    known = book(("INC-1", SHOP), ("INC-2", DB))
    for incident_id in ("INC-1", "INC-2"):
        assert known.forget(incident_id) == [f"EP-{incident_id}"]
    assert known.candidates(member("new", entity=SHOP), SPACE) == []
    assert (known.with_entity(SHOP), known.with_ticket("T-1"), best(known, SHOP, T0 + HOUR)) == (None, None, None)
