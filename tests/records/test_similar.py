"""Past incidents like one: which they are, why, and what is told of how they ended."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records.reading import Similar, similar
from pipeline.records.store import RecordsStore
from tests.played import Played, records_of
from tests.records.made import DAY_MS, NOW_MS, incident

CHECKOUT: dict[str, Any] = {
    "title": "Checkout: 12 % of checkout requests fail",
    "service": "component:default/checkout",
    "services": ["component:default/checkout", "component:default/payments-api"],
    "category": "payment",
    "categories": ["payment"],
    "identified": "resource:default/payments-db",
    "entities": ["component:default/checkout", "component:default/payments-api", "resource:default/payments-db"],
    "symptoms": ["12 % of checkout requests fail", "498 of 500 connections of payments-db-1 are in use"],
}
ENDED: dict[str, Any] = {"state": "closed", "opened_at_ms": NOW_MS - 40 * DAY_MS}

# Past incidents -> the reasons that must be told, in words that they begin with; None: it is not like checkout at all.
PAST: dict[str, tuple[dict[str, Any], set[str] | None]] = {
    "the same again": (CHECKOUT, {"the same suspected cause", "told in like words", "on the same", "the same service"}),
    "the same cause seen from another service": (
        {
            "title": "Storefront: orders are slow",
            "service": "component:default/storefront",
            "identified": "resource:default/payments-db",
            "symptoms": ["orders are slow"],
        },
        {"the same suspected cause"},
    ),
    "the same service in like words": (
        {"title": "Checkout: checkout requests fail", "service": "component:default/checkout", "symptoms": []},
        {"the same service", "told in like words"},
    ),
    "the same service, another failure": (
        {"title": "Basket icon missing", "service": "component:default/checkout", "category": "display"},
        None,
    ),
    "the same category elsewhere": ({"title": "Card terminal offline", "category": "payment"}, None),
    "like words, another service and kind": (
        {"title": "12 % of the staff are ill", "service": "component:default/hr"},
        None,
    ),
    "nothing shared": ({"title": "VPN drops", "service": "component:default/vpn", "category": "remote_access"}, None),
}


@pytest.mark.parametrize("case", PAST)
def test_a_past_incident_is_like_one_for_reasons(store: RecordsStore, case: str) -> None:
    facts, wanted = PAST[case]
    store.project([incident("INC-NOW", **CHECKOUT), incident("INC-PAST", **ENDED | facts)])
    found = asked(store, "INC-NOW")
    if wanted is None:
        assert found == []
    else:
        (one,) = found
        told = {reason.partition(":")[0] for reason in one.because}
        assert wanted <= told


def asked(store: RecordsStore, incident_id: str) -> list[Similar]:
    found = store.ask(lambda c: similar(c, incident_id, None))
    assert found is not None
    return found


def test_it_is_told_how_it_ended_and_what_fixed_it(store: RecordsStore) -> None:
    ended = {
        "resolution": {
            "code": "configuration",
            "summary": "pool capped",
            "cause": "report job",
            "fix": "cap",
            "by": "x",
        },
        "workaround": "the job is stopped",
        "known_errors": [{"id": "KE-1"}],
        "resolved_at_ms": ENDED["opened_at_ms"] + 90 * 60_000,
    }
    store.project([incident("INC-NOW", **CHECKOUT), incident("INC-PAST", **CHECKOUT | ENDED | ended)])
    (one,) = asked(store, "INC-NOW")
    assert (one.code, one.summary, one.cause, one.fix) == ("configuration", "pool capped", "report job", "cap")
    assert (one.workaround, one.known_errors, one.took_seconds) == ("the job is stopped", ["KE-1"], 90 * 60)


def test_those_that_have_ended_come_first(store: RecordsStore) -> None:
    store.project([incident("INC-NOW", **CHECKOUT), incident("INC-OPEN", **CHECKOUT)])
    store.project([incident("INC-PAST", **CHECKOUT | ENDED)])
    assert [each.incident.id for each in asked(store, "INC-NOW")] == ["INC-PAST", "INC-OPEN"]


def test_parts_of_the_same_incident_are_not_past_ones(store: RecordsStore) -> None:
    store.project(
        [
            incident("INC-NOW", **CHECKOUT, bridge_id="MI-1", absorbed=["INC-ABSORBED"]),
            incident("INC-MERGED", **CHECKOUT | {"state": "merged", "merged_into": "INC-NOW"}),
            incident("INC-ABSORBED", **CHECKOUT | ENDED),
            incident("INC-MEMBER", **CHECKOUT | ENDED, bridge_id="MI-1"),
            incident("MI-1", **CHECKOUT | ENDED | {"kind": "bridge"}),
            incident("INC-PAST", **CHECKOUT | ENDED),
        ]
    )
    assert [each.incident.id for each in asked(store, "INC-NOW")] == ["INC-PAST"]


def test_the_same_alert_is_the_best_reason(store: RecordsStore) -> None:
    from sqlalchemy import Connection, text

    def add(connection: Connection) -> None:
        for number, name in enumerate(("INC-NOW", "INC-PAST")):
            connection.execute(
                text("""
                INSERT INTO episodes (id, alert_key, space, state, summary, incident_id, reason, alerts, opened_at,
                    updated_at, alert)
                VALUES (:id, 'key-1', 'x', 'open', 'pool exhausted', :name, 'joined', 1, now(), now(), '{}')"""),
                {"id": f"EP-{number}", "name": name},
            )

    store.project([incident("INC-NOW", title="One"), incident("INC-PAST", **ENDED, title="Two")])
    store.change(add)
    (one,) = asked(store, "INC-NOW")
    assert one.because[0] == "the same alert: pool exhausted"


def test_each_story_is_found_again_when_it_comes_back(store: RecordsStore, played: Played) -> None:
    newest = {event.incident_id: event for event in _events(played)}
    stories = [each for each in newest.values() if each.incident["kind"] == "incident"]
    now = [_again(each, "NEW", 30 * DAY_MS) for each in stories]
    store.project([*stories, *now])
    for event, told in zip(stories, now, strict=True):
        first = next(iter(asked(store, told.incident_id)), None)
        tells_nothing = event.incident["service"] is None
        assert tells_nothing or (first is not None and first.incident.id == event.incident_id), event.incident["title"]


def _events(played: Played) -> Any:
    from pipeline.core.outward.incident_event import read_event

    return [read_event(record) for record in records_of(played) if record.topic == "incidents"]


def _again(event: Any, prefix: str, later_ms: int) -> Any:
    name = f"{prefix}-{event.incident_id}"
    moved = {"id": name, "opened_at_ms": event.incident["opened_at_ms"] + later_ms, "bridge_id": None, "absorbed": []}
    return event._replace(incident_id=name, incident=event.incident | moved)
