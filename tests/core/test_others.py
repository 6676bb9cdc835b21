"""Why an episode did not join the nearest others: a case for each thing that keeps it out; what the record says."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.clustering.book import CANDIDATES_MAX
from pipeline.core.clustering.evidence import BIAS
from pipeline.core.clustering.matcher import OTHERS_MAX, RUNNERS_UP_MAX, Match, Matcher
from pipeline.models.decision import WhyNot
from tests.core.builders import DB, HOST, HOUR, MINUTE, PAY, SHOP, SPACE, T0, WIKI, alert, member, report
from tests.core.desks import desk
from tests.core.rooms import Room
from tests.core.test_matcher import DESK, book

PLACES = [SHOP, PAY, DB, HOST]


def match(known: Any, place: str | None, now_ms: int = T0, **fields: Any) -> Match:
    given = {"entity": place, "service": place, "opened_at_ms": now_ms, **fields}
    return Matcher(DESK, known).best(member("new", **given), SPACE, now_ms)


def whys(found: Match) -> list[tuple[str, WhyNot]]:
    return [(other.incident_id, other.why) for other in found.others]


def test_the_second_best_of_two_that_are_enough_was_not_best() -> None:
    found = match(book(("INC-1", SHOP), ("INC-2", PAY)), PAY)
    assert found.incident is not None
    assert found.incident.id == "INC-2"
    assert whys(found) == [("INC-1", WhyNot.NOT_BEST)]
    assert found.join_at_least <= found.others[0].verdict.score < (found.verdict or found.others[0].verdict).score


def test_what_is_related_but_long_past_is_below_the_threshold() -> None:
    found = match(book(("INC-1", DB), episodes_open=1), SHOP, T0 + 3 * HOUR)
    assert found.incident is None
    assert whys(found) == [("INC-1", WhyNot.BELOW_THRESHOLD)]
    assert found.others[0].verdict.score < found.join_at_least
    assert found.others[0].verdict.evidence["age"] < 0


def test_what_is_quiet_for_longer_than_the_window_may_not_take_it() -> None:
    known = book(("INC-1", SHOP))
    assert whys(match(known, SHOP, T0 + 15 * MINUTE)) in ([], [("INC-1", WhyNot.BELOW_THRESHOLD)])
    found = match(known, SHOP, T0 + 15 * MINUTE + 1)
    assert found.incident is None
    assert whys(found) == [("INC-1", WhyNot.QUIET_TOO_LONG)]


def test_what_is_resolved_may_not_take_another_condition() -> None:
    found = match(book(("INC-1", SHOP), state="resolved", resolved_at_ms=T0), SHOP, T0 + MINUTE)
    assert found.incident is None
    assert whys(found) == [("INC-1", WhyNot.RESOLVED)]
    assert found.others[0].verdict.score >= found.join_at_least, "it is out of the question, however near"


def test_what_is_resolved_for_longer_than_it_may_reopen_does_not_take_its_own_condition() -> None:
    known = book(("INC-1", SHOP), state="resolved", resolved_at_ms=T0)
    again = member("INC-1", episode_id="EP-again")
    assert whys(Matcher(DESK, known).best(again, SPACE, T0 + 30 * MINUTE + 1)) == [("INC-1", WhyNot.RESOLVED)]


@pytest.mark.parametrize("state", ["resolved", "closed", "merged"])
def test_what_is_over_and_about_something_else_is_not_told(state: str) -> None:
    assert whys(match(book(("INC-1", DB), state=state, resolved_at_ms=T0), SHOP, T0 + MINUTE)) == []


def test_what_nothing_speaks_for_and_what_is_in_another_space_is_not_looked_at() -> None:
    assert whys(match(book(("INC-1", WIKI)), SHOP)) == []
    episode = member("new", entity=SHOP)
    assert Matcher(DESK, book(("INC-1", SHOP))).best(episode, "staging", T0).others == []


def test_the_nearest_come_first_and_are_bounded() -> None:
    known = book(*((f"INC-{number:02}", PLACES[number % 4]) for number in range(12)), episodes_open=1)
    found = match(known, SHOP, T0 + 6 * HOUR)
    assert found.incident is None
    assert len(found.others) == OTHERS_MAX < CANDIDATES_MAX
    scores = [other.verdict.score for other in found.others]
    assert scores == sorted(scores, reverse=True)
    joined = match(known, SHOP, T0 + MINUTE)
    assert joined.incident is not None
    assert len(joined.others) == RUNNERS_UP_MAX


def test_a_barred_incident_that_would_have_been_best_is_told_beside_the_one_that_was_joined() -> None:
    known = book(("INC-1", SHOP), state="resolved", resolved_at_ms=T0)
    other = book(("INC-2", PAY))
    known.open_incident(other.case("INC-2").incident)
    known.join(member("INC-2", entity=PAY, service=PAY), "INC-2")
    found = match(known, SHOP, T0 + MINUTE)
    assert found.incident is not None
    assert found.incident.id == "INC-2"
    assert whys(found) == [("INC-1", WhyNot.RESOLVED)]


def facts(room: Room, title: str, action: str) -> list[dict[str, Any]]:
    (incident,) = (each for each in room.incidents().values() if title in each["title"])
    return [entry["facts"] for entry in incident["timeline"] if entry["action"] == action]


def test_the_record_of_an_opening_says_why_it_did_not_join_the_nearest() -> None:
    room = Room()
    room.open(alert("a", entity=DB, service=DB))
    room.open(alert("b"), T0 + 3 * HOUR)
    (first,) = facts(room, "a is out", "detect")
    assert (first["others"], first["join_at_least"]) == ([], 0.5)
    (second,) = facts(room, "b is out", "detect")
    (other,) = second["others"]
    assert other["why"] == "below_threshold"
    assert other["incident_id"] in room.incidents()
    assert other["score"] < 0.5
    assert BIAS + sum(other["evidence"].values()) < 0


def test_the_record_of_a_joining_says_what_came_second() -> None:
    room = Room()
    room.open(alert("a", entity=WIKI, service=WIKI, domain="office"))
    room.open(alert("b"), T0 + 1)
    room.open(report("r", "The wiki and the shop are down", entity=None, service=None, mentions=(SHOP, WIKI)), T0 + 2)
    (joined,) = [
        each for incident in room.incidents().values() for each in incident["timeline"] if each["action"] == "join"
    ]
    (other,) = joined["facts"]["others"]
    assert other["why"] == "not_best"
    assert 0.5 <= other["score"] <= joined["facts"]["score"]


def test_the_threshold_of_the_configuration_is_the_one_on_the_record() -> None:
    at = desk()
    settings = at.config.correlation.model_copy(update={"join_at_least": 1.0})
    strict = desk(at.config.model_copy(update={"correlation": settings}))
    found = Matcher(strict, book(("INC-1", DB))).best(member("new", entity=SHOP), SPACE, T0)
    assert found.told()["join_at_least"] == 1.0
    assert whys(found) == [("INC-1", WhyNot.BELOW_THRESHOLD)]
