"""Suspects: the most upstream thing that explains the rest comes first, with reasons in words."""

from __future__ import annotations

import pytest

from pipeline.core.clustering.suspects import CHANGE_AGE_MS_MAX, SUSPECTS_MAX, is_identified, rank_suspects
from pipeline.core.clustering.tally import Tally
from pipeline.models.alert import FeedClass
from pipeline.models.command import Change
from tests.core.builders import DB, HOST, HOUR, MINUTE, PAY, SHOP, T0, WIKI, change, entity, member, topology

GRAPH = topology()
CHAIN = [member("a"), member("b", entity=PAY, service=PAY), member("c", entity=DB, service=PAY)]


def about(*changes: Change) -> dict[str, list[Change]]:
    """Changes by their targets."""
    targets = {target for each in changes for target in each.targets}
    return {target: [each for each in changes if target in each.targets] for target in targets}


def test_what_alerts_and_is_needed_by_all_others_comes_first() -> None:
    suspects = rank_suspects(Tally.of(CHAIN, GRAPH), {})
    assert suspects[0].ref == DB
    assert [suspects[0].because[0], suspects[0].because[-1]] == [
        "alerts itself: c is out of bounds",
        "is needed by Pay, Shop",
    ]


def test_the_order_of_arrival_does_not_matter() -> None:
    assert rank_suspects(Tally.of(CHAIN[::-1], GRAPH), {}) == rank_suspects(Tally.of(CHAIN, GRAPH), {})


def test_nothing_known_suspects_nothing() -> None:
    assert (
        rank_suspects(Tally.of([], GRAPH), {}) == rank_suspects(Tally.of([member("a", entity=None)], GRAPH), {}) == []
    )


@pytest.mark.parametrize(
    ("age_ms", "suspected"),
    [(0, True), (CHANGE_AGE_MS_MAX - MINUTE, True), (CHANGE_AGE_MS_MAX + 1, False), (-MINUTE, False)],
)
def test_a_change_is_suspected_for_a_day_and_never_before_it_began(age_ms: int, suspected: bool) -> None:
    suspects = rank_suspects(Tally.of([member("a")], GRAPH), about(change(started_ms=T0 - age_ms)))
    assert ("CHG-1" in [each.change_id for each in suspects]) is suspected


def test_the_newest_change_on_a_target_is_the_one_that_is_named() -> None:
    changes = [change("CHG-2", T0 - 5 * MINUTE), change("CHG-1", T0 - MINUTE), change("CHG-3", T0 - 9 * MINUTE)]
    assert rank_suspects(Tally.of([member("a")], GRAPH), about(*changes))[0].change_id == "CHG-1"


def test_an_old_change_says_little_where_many_things_were_changed_and_a_fresh_one_as_much_as_ever() -> None:
    def score(*changes: Change) -> float:
        suspects = rank_suspects(Tally.of([member("a")], GRAPH), about(*changes))
        return next(each.score for each in suspects if each.ref == SHOP)

    old, fresh = change("CHG-1", T0 - 12 * HOUR, targets=[SHOP]), change("CHG-1", T0, targets=[SHOP])
    others = [change(f"CHG-{ref}", T0 - 13 * HOUR, targets=[ref]) for ref in (PAY, DB)]
    assert score(fresh, *others) == score(fresh) == score(old)
    assert score(old, *others) == pytest.approx(score(old) - 1.5 * (1 - 1 / 7), abs=1e-3)


def test_the_list_is_short_and_sorted() -> None:
    many = [entity(f"component:default/n{number}", depends_on=(HOST,)) for number in range(20)]
    members = [member(each.name, entity=each.ref, service=each.ref) for each in many]
    suspects = rank_suspects(Tally.of(members, topology(*many, entity(HOST, type="host"))), {})
    assert len(suspects) == SUSPECTS_MAX
    assert suspects == sorted(suspects, key=lambda each: (-each.score, each.ref))


def test_a_suspect_is_told_when_it_alerts_and_explains_something_or_was_changed() -> None:
    suspects = {each.ref: each for each in rank_suspects(Tally.of(CHAIN, GRAPH), {})}
    assert is_identified(suspects[DB], Tally.of(CHAIN, GRAPH))
    assert not is_identified(suspects[SHOP], Tally.of(CHAIN, GRAPH))
    changed = rank_suspects(Tally.of([member("a")], GRAPH), about(change()))[0]
    assert is_identified(changed, Tally.of([member("a"), member("b")], GRAPH))
    assert not is_identified(changed, Tally.of([member("a")], GRAPH)), "one alert and a change are a guess"


def test_reports_by_people_alone_identify_nothing() -> None:
    said = [member(key, entity=place, feed_class=FeedClass.DESK) for key, place in (("a", SHOP), ("b", DB))]
    assert not any(is_identified(each, Tally.of(said, GRAPH)) for each in rank_suspects(Tally.of(said, GRAPH), {}))
    assert rank_suspects(Tally.of([member("w", entity=WIKI)], GRAPH), {})[0].ref == WIKI
