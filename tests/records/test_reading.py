"""Reading the store: what the board shows in which order, filters, and pages that stay right while rows change."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from pipeline.records.reading import (
    BadCursorError,
    BadFilterError,
    Filters,
    board,
    incident_page,
    incidents,
    parse_filters,
    search,
    timeline,
)
from pipeline.records.store import RecordsStore
from tests.records.made import DAY_MS, MINUTE_MS, NOW, NOW_MS, due, incident

ALL = None


def listed(store: RecordsStore, filters: Filters = NOW) -> set[str]:
    """Ids that the list and the search without words agree on."""
    rows = store.ask(lambda c: incidents(c, ALL, filters=filters)).rows
    hits = store.ask(lambda c: search(c, ALL, "", filters)).hits
    assert [each.id for each in rows] == [hit.incident.id for hit in hits]
    return {each.id for each in rows}


def test_the_board_is_in_order_of_priority_then_of_what_is_due_then_of_age(store: RecordsStore) -> None:
    store.project(
        [
            incident("never-due", priority_rank=0, priority="P1"),
            incident("due-later", priority_rank=0, priority="P1", clocks=due(NOW_MS + 2 * MINUTE_MS)),
            incident("due-soon", priority_rank=0, priority="P1", clocks=due(NOW_MS + MINUTE_MS)),
            incident("young", opened_at_ms=NOW_MS - MINUTE_MS),
            incident("old", opened_at_ms=NOW_MS - DAY_MS),
            incident("no-priority", priority_rank=None, priority=None),
            incident("resolved", state="resolved"),
            incident("closed", state="closed"),
            incident("merged", state="merged"),
        ]
    )
    page = store.ask(lambda c: board(c, ALL, filters=NOW))
    assert [row.id for row in page.rows] == ["due-soon", "due-later", "never-due", "old", "young", "no-priority"]
    assert page.by_priority == {"P1": 3, "P3": 2, "": 1}
    assert page.by_state == {"logged": 6, "resolved": 1}
    assert page.next is None


def test_counts_of_the_board_say_how_much_is_at_risk_missed_and_nobodys(store: RecordsStore) -> None:
    store.project(
        [
            incident("missed", clocks=due(NOW_MS - DAY_MS, breached=True), assignee="kim"),
            incident("soon", clocks=due(NOW_MS + MINUTE_MS)),
            incident("later", clocks=due(NOW_MS + DAY_MS)),
        ]
    )
    (count,) = store.ask(lambda c: board(c, ALL, filters=NOW)).counts
    assert (count.incidents, count.at_risk, count.breached, count.unassigned) == (3, 2, 1, 2)


def test_resolved_incidents_are_on_the_board_for_those_who_ask_for_them(store: RecordsStore) -> None:
    store.project([incident("resolved", state="resolved"), incident("logged")])
    page = store.ask(lambda c: board(c, ALL, filters=Filters(state=("resolved",))))
    assert [row.id for row in page.rows] == ["resolved"]
    assert page.by_state == {"logged": 1, "resolved": 1}


ONE_OF_EACH: dict[str, tuple[str, dict[str, Any]]] = {
    "kind": ("bridge", {"kind": "bridge"}),
    "state": ("acknowledged", {"state": "acknowledged"}),
    "priority": ("P1", {"priority": "P1"}),
    "open": ("false", {"state": "closed"}),
    "domain": ("health", {"domain": "health"}),
    "service": ("component:default/erp", {"service": "component:default/erp"}),
    "owner": ("payments", {"owner": "payments"}),
    "assignee": ("kim", {"assignee": "kim"}),
    "category": ("data", {"category": "data"}),
    "hosting_model": ("saas", {"hosting_model": "saas"}),
    "infrastructure_layer": ("network", {"infrastructure_layer": "network"}),
    "severity": ("critical", {"severity": "critical"}),
    "space": ("staging", {"space": "staging"}),
    "at_risk": ("true", {"clocks": due(NOW_MS + MINUTE_MS)}),
    "member": ("true", {"bridge_id": "MI-1"}),
    "muted": ("true", {"muted": {"until_ms": NOW_MS}}),
    "opened_from": ("2026-03-04T02:20:00Z", {"opened_at_ms": NOW_MS + 30 * MINUTE_MS}),
    "opened_to": ("2026-01-01", {"opened_at_ms": NOW_MS - 200 * DAY_MS}),
}


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_each_filter_finds_what_it_names_alone(store: RecordsStore, name: str) -> None:
    value, facts = ONE_OF_EACH[name]
    store.project([incident("other", assignee="sam"), incident("wanted", **({"assignee": "sam"} | facts))])
    assert listed(store, parse_filters({name: [value]}, NOW_MS)) == {"wanted"}


def test_every_filter_has_its_case() -> None:
    named = {name for name in Filters.__dataclass_fields__ if name not in ("q", "now_ms")}
    assert ONE_OF_EACH.keys() == named


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("assignee", "nobody"),
        ("service", "component:default/reached"),
        ("category", "second"),
        ("domain", "of-a-member"),
        ("state", "logged,escalated"),
        ("at_risk", "true"),
        ("member", "false"),
        ("muted", "false"),
        ("open", "true"),
    ],
)
def test_filters_also_find(store: RecordsStore, name: str, value: str) -> None:
    other = {
        "state": "closed",
        "assignee": "kim",
        "bridge_id": "MI-1",
        "muted": {},
        "services": ["component:default/x"],
    }
    facts = {"services": ["component:default/reached"], "categories": ["first", "second"], "domains": ["of-a-member"]}
    missed = due(NOW_MS - DAY_MS, breached=True)
    store.project([incident("other", **other, clocks=missed), incident("wanted", **facts, clocks=missed)])
    assert listed(store, parse_filters([(name, value)], NOW_MS)) == {"wanted"}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"prio": ["P1"]}, "no filter 'prio'"),
        ({"state": ["broken"]}, "state: no 'broken', there are detected"),
        ({"kind": ["ticket"]}, "kind: no 'ticket'"),
        ({"open": ["perhaps"]}, "open: true or false"),
        ({"opened_from": ["yesterday"]}, "opened_from: a day such as"),
        ({"opened_from": ["2026-01-01T00:00:00"]}, "opened_from: a day such as"),
        ({"opened_to": ["0001-01-01"]}, "opened_to: a day such as"),
        ({"owner": ["a", "b"]}, "owner: one value, not 2"),
        ({"owner": ["x" * 301]}, "owner: 300 characters at most"),
        ({"priority": [",".join(map(str, range(21)))]}, "priority: 20 values at most"),
        ({"q": ["x" * 1_001]}, "q: 1,000 characters at most"),
    ],
)
def test_filters_that_cannot_be_are_refused_and_named(parameters: dict[str, list[str]], told: str) -> None:
    with pytest.raises(BadFilterError, match=told.replace("(", r"\(")):
        parse_filters(parameters, NOW_MS)


def test_filters_become_the_parameters_that_say_them() -> None:
    given = {"state": ["logged", "escalated"], "at_risk": ["true"], "q": ["disk full"], "opened_from": ["2026-11-30"]}
    filters = parse_filters(given | {"owner": [""], "priority": [" "]}, NOW_MS)
    assert filters.parameters == given | {"opened_from": ["2026-11-30T00:00:00+00:00"]}
    assert parse_filters(filters.parameters, NOW_MS) == filters


@pytest.mark.parametrize("broken", ["", "x", "AAAA", "W10", "é", "bnVsbA", "W" * 3_000, "WzEsMiwzXQ"])
def test_a_cursor_that_was_not_given_out_is_refused(store: RecordsStore, broken: str) -> None:
    store.project([incident("INC-1")])
    for ask in (
        lambda c: board(c, ALL, after=broken),
        lambda c: incidents(c, ALL, after=broken),
        lambda c: search(c, ALL, "broken", after=broken),
        lambda c: timeline(c, "INC-1", ALL, after=broken),
    ):
        with pytest.raises(BadCursorError):
            store.ask(ask)


def test_a_cursor_is_of_one_list_with_its_filters(store: RecordsStore) -> None:
    store.project([incident(f"INC-{number}") for number in range(3)])
    after = store.ask(lambda c: incidents(c, ALL, filters=Filters(open=True), limit=1)).next
    with pytest.raises(BadCursorError):
        store.ask(lambda c: incidents(c, ALL, filters=Filters(open=False), after=after))
    with pytest.raises(BadCursorError):
        store.ask(lambda c: board(c, ALL, after=after))


def test_a_cursor_goes_on_while_the_clock_does(store: RecordsStore) -> None:
    store.project([incident(f"INC-{number}", clocks=due(NOW_MS)) for number in range(3)])
    filters = parse_filters({"at_risk": ["true"]}, NOW_MS)
    first = store.ask(lambda c: board(c, ALL, filters=filters, limit=1))
    later = parse_filters({"at_risk": ["true"]}, NOW_MS + MINUTE_MS)
    assert [row.id for row in store.ask(lambda c: board(c, ALL, filters=later, after=first.next)).rows] == [
        "INC-1",
        "INC-2",
    ]


CHANGES = st.lists(
    st.tuples(st.sampled_from(["new", "close", "rank", "touch"]), st.integers(0, 30)), min_size=0, max_size=6
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(st.integers(0, 40), min_size=1, max_size=25),
    limit=st.integers(1, 6),
    changes=st.lists(CHANGES, max_size=6),
    what=st.sampled_from(["board", "incidents", "search"]),
)
def test_pages_hold_each_that_did_not_change_once_whatever_else_does(
    store: RecordsStore, ages: list[int], limit: int, changes: list[list[tuple[str, int]]], what: str
) -> None:
    with_change = {f"INC-{number:03}" for batch in changes for kind, number in batch if kind != "new"}
    store.change(lambda c: c.execute(text("TRUNCATE incidents, incident_events, timeline")))
    made = {f"INC-{number:03}": NOW_MS - age * DAY_MS for number, age in enumerate(ages)}
    store.project([incident(name, opened_at_ms=at) for name, at in made.items()])
    seen: list[str] = []
    after, left = None, list(changes)
    while True:
        found, after = _page(store, what, after, limit)
        seen += found
        if after is None:
            break
        if left:
            _apply(store, left.pop(0), made)
    assert len(seen) == len(set(seen))
    assert set(made) - with_change <= set(seen)


def _page(store: RecordsStore, what: str, after: str | None, limit: int) -> tuple[list[str], str | None]:
    if what == "board":
        page: Any = store.ask(lambda c: board(c, ALL, after=after, limit=limit))
    elif what == "incidents":
        page = store.ask(lambda c: incidents(c, ALL, filters=Filters(open=True), after=after, limit=limit))
    else:
        found = store.ask(lambda c: search(c, ALL, "broken", Filters(open=True), after, limit))
        return [hit.incident.id for hit in found.hits], found.next
    return [row.id for row in page.rows], page.next


def _apply(store: RecordsStore, batch: list[tuple[str, int]], made: dict[str, int]) -> None:
    for number, (kind, which) in enumerate(batch):
        name = f"INC-{which:03}"
        if kind == "new":
            store.project([incident(f"NEW-{number}-{which}", opened_at_ms=NOW_MS + which)])
        elif name in made and kind == "close":
            store.project([incident(name, 2 + number, opened_at_ms=made[name], state="closed")])


def test_a_page_has_all_that_belongs_to_an_incident(store: RecordsStore) -> None:
    store.project(
        [
            incident("MI-1", kind="bridge", members=["INC-1", "INC-2"]),
            incident("INC-1", bridge_id="MI-1", tickets=[{"id": "DESK-1", "feed": "jira", "state": "open"}]),
            incident("INC-2", bridge_id="MI-1"),
            incident("INC-3", state="merged", merged_into="INC-1"),
        ]
    )
    page = store.ask(lambda c: incident_page(c, "INC-1", ALL))
    assert page is not None
    assert page["bridge"].id == "MI-1"
    assert [each.id for each in page["merged_from"]] == ["INC-3"]
    assert [(each["kind"], each["id"], each["state"]) for each in page["links"]] == [("ticket", "DESK-1", "open")]
    bridge = store.ask(lambda c: incident_page(c, "MI-1", ALL))
    assert bridge is not None
    assert [each.id for each in bridge["members"]] == ["INC-1", "INC-2"]
    assert store.ask(lambda c: incident_page(c, "INC-4", ALL)) is None
    assert store.ask(lambda c: incident_page(c, "INC-\0", ALL)) is None


def test_a_timeline_pages_both_ways(store: RecordsStore) -> None:
    store.project([incident("INC-1", revision, note=f"note {revision}") for revision in range(1, 8)])
    for newest_first in (True, False):
        told: list[str | None] = []
        after: str | None = None
        while True:
            asked = partial(timeline, incident_id="INC-1", scope=ALL, after=after, limit=3, newest_first=newest_first)
            page = store.ask(asked)
            assert page is not None
            told += [entry.text for entry in page.entries]
            if (after := page.next) is None:
                break
        assert told == [f"note {number}" for number in (range(7, 0, -1) if newest_first else range(1, 8))]


def test_a_clock_in_the_future_hides_nothing_and_repeats_nothing(store: RecordsStore) -> None:
    ahead, wanted = NOW_MS + 40_000 * DAY_MS, Filters(open=True)
    store.project([incident(f"INC-{number}", opened_at_ms=NOW_MS - number * DAY_MS) for number in range(5)])
    store.project([incident("INC-FUTURE", opened_at_ms=ahead), incident("INC-LATER", opened_at_ms=ahead + DAY_MS)])
    seen: list[str] = []
    after: str | None = None
    while True:
        page = store.ask(partial(incidents, scope=ALL, filters=wanted, after=after, limit=2))
        seen += [row.id for row in page.rows]
        if (after := page.next) is None:
            break
    assert seen == ["INC-LATER", "INC-FUTURE", *(f"INC-{number}" for number in range(5))]


def test_damaged_snapshots_are_listed_too(store: RecordsStore) -> None:
    store.project([incident("INC-1", opened_at_ms=NOW_MS), incident("INC-2")])
    broken: dict[str, Any] = {
        "state": None,
        "priority_rank": "high",
        "clocks": [],
        "opened_at_ms": "now",
        "tickets": 3,
        "services": {},
    }
    store.project([incident("INC-3")._replace(incident={"id": "INC-3", **broken})])
    assert listed(store) == {"INC-1", "INC-2", "INC-3"}
    assert store.ask(lambda c: incident_page(c, "INC-3", ALL)) is not None
