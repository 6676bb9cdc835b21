"""What is kept up to date instead of being looked for: suspects and reach are those that a look at everything finds."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.clustering import suspects
from pipeline.core.clustering.leaves import Kind, Leaves
from pipeline.core.clustering.suspects import SUSPECTS_MAX, rank_suspects
from pipeline.core.clustering.tally import Tally
from pipeline.core.practice.impacts import Impacts, total
from pipeline.core.practice.prioritise import gather
from pipeline.core.topology import TITLES_MAX
from pipeline.models.alert import FeedClass, Severity
from pipeline.models.member import Member
from tests.core.builders import DB, HOST, PAY, SHOP, T0, WIKI, change, entity, member, policy, topology

SERVICES = [f"component:default/s{number}" for number in range(9)]
GRAPH = topology(
    *(entity(ref, users=10 * number, depends_on=(HOST,)) for number, ref in enumerate(SERVICES)),
    entity(SHOP, users=8_000, revenue_per_minute=9.5, system="store", depends_on=(PAY,)),
    entity(PAY, users=3_000, revenue_per_minute=9.75, system="store", depends_on=(DB, SERVICES[0])),
    entity(DB, depends_on=(HOST,)),
    entity(HOST, type="host"),
    entity(WIKI, users=40),
)
CHANGES = {DB: [change("CHG-1", T0 - 60_000)], SERVICES[3]: [change("CHG-2", T0 - 7_200_000)]}

members = st.builds(
    lambda place, severity, desk, at_ms: {
        "entity": place,
        "service": place,
        "severity": severity,
        "feed_class": FeedClass.DESK if desk else FeedClass.CLOUD,
        "ticket": f"T-{at_ms}" if desk else None,
        "users_affected": at_ms if desk else None,
        "event_at_ms": T0 - at_ms,
    },
    st.sampled_from([*SERVICES, SHOP, PAY, DB, HOST, WIKI, None]),
    st.sampled_from(list(Severity)),
    st.booleans(),
    st.integers(0, 9),
)
CHANGED = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(list(Severity))), max_size=12)


def looked_for(tally: Tally, changed: bool) -> list[tuple[float, str]]:
    """Suspects by a look at everything that could be one."""
    first_ms = min((about.first_ms for about in tally.about.values()), default=0)
    newest = suspects._changed(CHANGES, tally, first_ms) if changed else {}
    scores = (
        (-suspects._score(ref, tally, newest.get(ref), first_ms, len(newest)), ref)
        for ref in {*tally.about, *tally.needed_by, *newest}
        if ref in tally.about or ref in tally.shared or ref in newest
    )
    return sorted((score, ref) for score, ref in scores if score < 0)[:SUSPECTS_MAX]


@settings(max_examples=300, deadline=None)
@given(st.lists(members, min_size=1, max_size=30), CHANGED, st.booleans())
def test_suspects_are_those_that_a_look_at_every_entity_finds(
    joining: list[dict[str, Any]], severities: list[tuple[int, Severity]], changed: bool
) -> None:
    tally, known = Tally(GRAPH), list[Member]()
    for number, fields in enumerate(joining):
        known.append(member(f"k{number}", joined_order=number, **fields))
        tally.add(known[-1])
        found = [(-each.score, each.ref) for each in rank_suspects(tally, CHANGES if changed else {})]
        assert found == looked_for(tally, changed)
    for which, severity in severities:
        one = known[which % len(known)]
        before, one.severity = one.severity, severity
        tally.changed_severity(one, before)
        found = [(-each.score, each.ref) for each in rank_suspects(tally, CHANGES if changed else {})]
        assert found == looked_for(tally, changed)


@settings(max_examples=200, deadline=None)
@given(st.lists(members, min_size=1, max_size=30), CHANGED)
def test_the_reach_is_that_of_an_incident_counted_anew(
    joining: list[dict[str, Any]], severities: list[tuple[int, Severity]]
) -> None:
    tally, known = Tally(GRAPH), list[Member]()
    for number, fields in enumerate(joining):
        known.append(member(f"k{number}", joined_order=number, **fields))
        tally.add(known[-1])
        assert gather(tally, policy()) == gather(Tally.of(known, GRAPH), policy())
    for which, severity in severities:
        one = known[which % len(known)]
        before, one.severity = one.severity, severity
        tally.changed_severity(one, before)
        facts = gather(tally, policy())
        assert facts == gather(Tally.of(known, GRAPH), policy())
        assert (facts.users, facts.revenue_per_minute) == total(facts.impacts.values())


def test_an_impact_that_falls_leaves_the_largest_of_the_others() -> None:
    impacts = Impacts()
    for ref, users in (("a", 5), ("b", 9), ("c", 7)):
        impacts.put(ref, ("store", users, users / 10, "store"))
    impacts.put("d", ("d", 1, 0.0, "d"))
    impacts.put("b", ("store", 2, 0.2, "store"))
    assert impacts.total() == (7 + 1, 0.7)


AMOUNTS = st.floats(0, 1e9) | st.floats(0, 1e-3) | st.sampled_from([0.1, 0.2, 0.3, 9.75, 1e16])
PUTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 99), AMOUNTS), max_size=40)


@given(PUTS)
def test_totals_are_exact_whatever_came_and_went(puts: list[tuple[int, int, int, float]]) -> None:
    impacts = Impacts()
    for service, system, users, revenue in puts:
        known = impacts.by_service.get(f"s{service}")
        of = known[0] if known else f"system {system}"  # a service stays in its system
        impacts.put(f"s{service}", (of, users, revenue, of))
        assert impacts.total() == total(impacts.by_service.values())


def test_leaves_of_a_kind_come_in_the_order_of_their_names() -> None:
    leaves = Leaves()
    first, later = Kind(by_monitor=True, critical=True, first=True), Kind(by_monitor=True, critical=True, first=False)
    for ref in ("c", "a", "b"):
        assert leaves.put(ref, first)
    assert not leaves.put("a", first)
    assert list(leaves.foremost(2)) == ["a", "b"]
    leaves.none_is_first()
    leaves.put("d", first)
    leaves.drop("a")
    leaves.drop("nobody")
    assert list(leaves.foremost(2)) == ["b", "c", "d"]
    again = Leaves()
    for ref, kind in (("d", first), ("c", later), ("b", later)):
        again.put(ref, kind)
    assert again == leaves


def test_of_many_names_some_are_told_and_how_many_more_there_are() -> None:
    names = [f"component:default/n{number:04}" for number in range(TITLES_MAX + 1_500)]
    few = topology().titles([SHOP, PAY])
    assert few == "Pay, Shop"
    assert topology().titles(names).startswith("n0000, n0001")
    assert topology().titles(names).endswith(f"n{TITLES_MAX - 1:04} and 1,500 more")
