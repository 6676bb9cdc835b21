"""Two groupings of the same alerts, laid over each other: nothing is counted twice and nothing is left out."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.backtest.compare import compare
from pipeline.backtest.overlap import overlap
from pipeline.backtest.relate import relate
from pipeline.backtest.side import NONE, IncidentFact, PageFact, Side
from pipeline.models.decision import Disposition, Reason

GROUPINGS = st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), max_size=40)


def side(groups: list[int], episodes: list[int] | None = None, offsets: list[int] | None = None) -> Side:
    """A side whose alerts are in these incidents; every alert has an episode of its own unless they are given."""
    made = Side("v")
    made.topic_names.append("alerts.raw.any")
    made.outcome_names += [
        (Disposition.JOINED.value, Reason.SAME_ENTITY.value),
        (Disposition.SUPPRESSED.value, Reason.MAINTENANCE.value),
    ]
    held = dict(zip(episodes or range(len(groups)), groups, strict=True))
    made.holders.extend(held.get(number, NONE) for number in range(max(held, default=-1) + 1))
    for position, group in enumerate(groups):
        made.episodes.append(position if episodes is None else episodes[position])
        made.outcomes.append(group == NONE)
        made.topics.append(0)
        made.partitions.append(0)
        made.offsets.append(position if offsets is None else offsets[position])
        made.indexes.append(0)
    made.incidents += [IncidentFact(f"INC-{n}", "incident", f"title {n}", priority="P3") for n in range(6)]
    return made


@given(GROUPINGS)
def test_every_incident_is_in_one_relation_and_every_alert_in_one_overlap(pairs: list[tuple[int, int]]) -> None:
    old, new = side([was for was, _ in pairs]), side([now for _, now in pairs])
    laid = overlap(old, new)
    relations = relate(laid)
    with_alerts = {was for was, _ in pairs} - {NONE}, {now for _, now in pairs} - {NONE}
    counterparts = relations.counterparts()
    ours = [*(one for one, _ in counterparts), *relations.merged, *relations.lost]
    theirs = [*(other for _, other in counterparts), *relations.split, *relations.gained]
    assert sorted(ours) == sorted(with_alerts[0])
    assert sorted(theirs) == sorted(with_alerts[1])
    assert {pair: each.alerts for pair, each in laid.shared.items()} == Counter(p for p in pairs if p != (NONE, NONE))
    assert laid.hidden_gained == sum(now == NONE != was for was, now in pairs)
    assert laid.hidden_lost == sum(was == NONE != now for was, now in pairs)
    failures = relations.failures()
    assert sorted(each for olds, _ in failures for each in olds) == sorted(with_alerts[0])
    assert sorted(each for _, news in failures for each in news) == sorted(with_alerts[1])
    for one, other in relations.same:
        assert {p for p in pairs if one == p[0] or other == p[1]} == {(one, other)}


@given(GROUPINGS)
def test_what_is_merged_one_way_is_split_the_other_way(pairs: list[tuple[int, int]]) -> None:
    old, new = side([was for was, _ in pairs]), side([now for _, now in pairs])
    there, back = compare(old, new).summary, compare(new, old).summary
    for one, other in (("merged", "split"), ("gained", "lost"), ("suppressed_gained", "suppressed_lost")):
        assert there[one] == back[other]
        assert there[other] == back[one]
    for figure in ("same", "changed", "alerts_moved"):
        assert there[figure] == back[figure]


@given(st.lists(st.integers(-1, 5), max_size=40))
def test_a_side_compared_with_itself_differs_in_nothing(groups: list[int]) -> None:
    comparison = compare(side(groups), side(groups))
    assert comparison.differences == []
    assert comparison.summary["same"] == len(set(groups) - {NONE})


def test_two_that_become_one_are_merged_and_one_that_becomes_two_is_split() -> None:
    merged = compare(side([0, 0, 1]), side([2, 2, 2]))
    assert [(each.kind, each.baseline, each.new, each.alerts) for each in merged.differences] == [
        ("merged", ["INC-0", "INC-1"], ["INC-2"], 1)
    ]
    assert [place.offset for place in merged.differences[0].first] == [2]
    split = compare(side([2, 2, 2]), side([0, 0, 1]))
    assert [(each.kind, each.baseline, each.new) for each in split.differences] == [
        ("split", ["INC-2"], ["INC-0", "INC-1"])
    ]


def test_an_alert_that_goes_to_another_failure_has_moved() -> None:
    comparison = compare(side([0, 0, 0, 1, 1, 1]), side([0, 0, 1, 1, 1, 1]))
    assert comparison.summary["alerts_moved"] == 1
    (moved,) = [each for each in comparison.differences if each.kind == "moved"]
    assert (moved.baseline, moved.new) == (["INC-0"], ["INC-1"])
    assert comparison.summary["changed"] == 2


def test_repeats_do_not_outvote_conditions() -> None:
    # Ninety-eight repeats of one condition leave; two other conditions stay with the incident.
    episodes = [0] * 98 + [1, 2]
    comparison = compare(side([0] * 100, episodes), side([1] * 98 + [0, 0], episodes))
    assert comparison.summary["split"] == 1
    (split,) = comparison.differences
    assert (split.baseline, split.new) == (["INC-0"], ["INC-0", "INC-1"])
    assert split.alerts == 98


def test_people_called_for_one_failure_are_compared_over_all_its_incidents() -> None:
    old, new = side([0, 0, 1]), side([2, 2, 2])
    old.incidents[0].pages.append(PageFact(1, "ada", "checkout"))
    old.incidents[1].pages.append(PageFact(2, "bob", "search"))
    new.incidents[2].pages.append(PageFact(1, "ada", "checkout"))
    comparison = compare(old, new)
    assert comparison.summary["pages_saved"] == comparison.summary["no_longer_paged"] == 1
    assert comparison.summary["newly_paged"] == 0
    (lost,) = [each for each in comparison.differences if each.kind == "no_longer_paged"]
    assert lost.facts["people"] == [{"person": "bob", "service": "search", "times": 1}]


def test_counterparts_tell_when_they_were_detected_and_what_priority_they_had() -> None:
    old, new = side([0, 1, 2]), side([0, 1, 2])
    for fact, at_ms in zip(new.incidents, (3_000, -1_000, 999), strict=False):
        fact.detected_at_ms = at_ms
    new.incidents[0].priority = "P4"
    summary = compare(old, new).summary
    assert (summary["detected_later"], summary["median_seconds_later"]) == (1, 3)
    assert (summary["detected_earlier"], summary["median_seconds_earlier"]) == (1, 1)
    assert (summary["priority_changed"], summary["priority_lowered"]) == (1, 1)


def test_a_major_incident_is_the_same_where_it_links_the_same_failure() -> None:
    old, new = side([0, 0, 1, 2]), side([3, 3, 3, 4])
    old.incidents += [
        IncidentFact("MI-1", "bridge", members=("INC-1",)),
        IncidentFact("MI-2", "bridge", members=("INC-2",)),
    ]
    new.incidents += [
        IncidentFact("MI-9", "bridge", members=("INC-3",)),
        IncidentFact("MI-8", "bridge", members=("INC-5",)),
    ]
    kinds = {(each.kind, *each.baseline, *each.new) for each in compare(old, new).differences}
    assert ("major_lost", "MI-2") in kinds
    assert ("major_gained", "MI-8") in kinds
    assert not any("MI-1" in each or "MI-9" in each for each in kinds)


def test_sides_that_read_a_message_differently_are_matched_by_place() -> None:
    old, new = side([0, 0, 1], offsets=[1, 2, 3]), side([0, 1, 5], offsets=[1, 3, 4])
    laid = overlap(old, new)
    assert laid.unmatched == 2
    assert set(laid.shared) == {(0, 0), (0, NONE), (1, 1), (NONE, 5)}


def test_what_would_go_unseen_stands_before_what_would_be_noise() -> None:
    old, new = side([0, 0, 1, NONE]), side([0, 0, NONE, 1])
    old.incidents[1].priority = "P1"
    assert [each.kind for each in compare(old, new).differences] == ["lost", "gained"]
