"""The tally: whatever happened to an incident, its sums are those of its members."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.clustering.book import FOLD_AFTER_MS, Book
from pipeline.core.clustering.tally import Tally
from pipeline.models.alert import FeedClass, Severity
from pipeline.models.incident import Incident
from pipeline.models.member import Member
from tests.core.builders import DB, HOST, PAY, SHOP, SPACE, T0, WIKI, member, topology

GRAPH = topology()
PLACES = [SHOP, PAY, DB, HOST, WIKI, None]

members = st.builds(
    lambda place, severity, desk, at_ms, named: {
        "entity": place,
        "service": place,
        "severity": severity,
        "feed_class": FeedClass.DESK if desk else FeedClass.CLOUD,
        "ticket": f"T-{at_ms}" if desk else None,
        "event_at_ms": T0 + at_ms,
        "mentions": [named] if named else [],
    },
    st.sampled_from(PLACES),
    st.sampled_from(list(Severity)),
    st.booleans(),
    st.integers(0, 50),
    st.sampled_from([None, SHOP, WIKI]),
)


SEVERITIES = st.sampled_from(list(Severity))
DEEDS = st.tuples(st.sampled_from(["join", "join", "resolve", "leave", "severity"]), st.integers(0, 11), SEVERITIES)


def sums(tally: Tally) -> dict[str, object]:
    """What a tally says; how often it was ranked, gathered or touched, and when, is not part of it."""
    left_out = {"about_version", "ranked_for", "facts", "applied", "topology", "impacts", "stale"}
    return {name: getattr(tally, name) for name in Tally.__slots__ if name not in left_out}


@settings(max_examples=200, deadline=None)
@given(st.lists(members, min_size=1, max_size=12), st.lists(DEEDS, max_size=24), st.booleans())
def test_a_tally_kept_up_to_date_equals_one_counted_anew(
    joining: list[dict[str, object]], deeds: list[tuple[str, int, Severity]], folds: bool
) -> None:
    book = Book(GRAPH)
    for incident_id in ("INC-1", "INC-2"):
        book.open_incident(Incident(id=incident_id, space=SPACE))
    waiting = [member(f"{number}", **fields) for number, fields in enumerate(joining)]
    for deed, which, severity in deeds:
        inside: list[Member] = book.members_of("INC-1")
        if deed == "join" and waiting:
            book.join(waiting.pop(), "INC-1")
        elif deed == "resolve" and inside:
            one = inside[which % len(inside)]
            was_open = one.resolved_at_ms is None
            assert book.resolve(one, T0 + 99) is was_open
        elif deed == "severity" and inside:
            book.set_severity(inside[which % len(inside)], severity)
        elif deed == "leave" and inside:
            book.move([inside[which % len(inside)]], "INC-1", "INC-2")
        if folds:
            book.fold(FOLD_AFTER_MS)
        for incident_id in ("INC-1", "INC-2"):
            assert sums(book.tally(incident_id)) == sums(Tally.of(book.members_of(incident_id), GRAPH))


def test_what_moves_into_an_incident_is_added_to_its_sums_which_are_not_counted_anew() -> None:
    book = Book(GRAPH)
    for number in range(2):
        book.open_incident(Incident(id=f"INC-{number}", space=SPACE))
        for each, place in enumerate((SHOP, WIKI, PAY)):
            times = {"event_at_ms": T0 - each, "resolved_at_ms": T0 if each else None}
            book.join(member(f"{number}-{each}", entity=place, **times), f"INC-{number}")
    before = book.tally("INC-1")
    book.move(book.members_of("INC-0")[1:], "INC-0", "INC-1")
    for incident_id in ("INC-0", "INC-1"):
        assert sums(book.tally(incident_id)) == sums(Tally.of(book.members_of(incident_id), GRAPH))
    assert book.tally("INC-1") is before
