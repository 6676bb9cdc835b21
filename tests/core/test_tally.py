"""The tally: whatever happened to an incident, its sums are those of its members."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.book import Book
from pipeline.core.tally import Tally
from pipeline.models.alert import FeedClass, Severity
from pipeline.models.incident import Incident, Member
from tests.core.builders import DB, HOST, PAY, SHOP, T0, WIKI, member, topology

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


def sums(tally: Tally) -> dict[str, object]:
    """What a tally says; how often it was ranked, gathered or touched is not part of it."""
    left_out = {"about_version", "ranked_for", "facts", "topology"}
    return {name: getattr(tally, name) for name in Tally.__slots__ if name not in left_out}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(members, st.sampled_from(["stay", "resolve", "leave", "worse"])), max_size=12))
def test_a_tally_kept_up_to_date_equals_one_counted_anew(script: list[tuple[dict[str, object], str]]) -> None:
    book = Book(GRAPH)
    book.open_incident(Incident(id="INC-1", space="production"))
    for number, (fields, then) in enumerate(script):
        one: Member = member(f"{number}", incident_id="INC-1", joined_order=number, **fields)
        book.attach(one)
        book.tally("INC-1")
        if then == "resolve":
            assert book.resolve(one, T0 + 99)
            assert not book.resolve(one, T0 + 100)
        elif then == "leave":
            book.detach(one)
        elif then == "worse":
            book.set_severity(one, Severity.CRITICAL)
        assert sums(book.tally("INC-1")) == sums(Tally.of(book.members_of("INC-1"), GRAPH))
