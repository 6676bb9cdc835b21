"""Statuspage: polled summaries, what ends by silence, and incidents that are opened again."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.alerts.dedupe import DedupeProcessor
from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.core.topology import Topology
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.feeds.statuspage import SUMMARY_TTL_SECONDS
from pipeline.models.alert import Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.policy import Config
from tests.feeds.payloads import alerts, document, only, read

POLLED_MS = 1_772_591_500_000
MINUTE_MS = 60_000


def summary(**changed: Any) -> dict[str, Any]:
    return {**document("statuspage-summary-firing"), **changed}


def maintenance(status: str) -> dict[str, Any]:
    incident: dict[str, Any] = document("statuspage-summary-firing")["incidents"][0]
    return {
        **incident,
        "id": "mw0001", "status": status, "impact": "maintenance",
        "scheduled_for": "2026-03-05T01:00:00Z", "scheduled_until": "2026-03-05T02:00:00Z",
        "components": [{"id": "c9f1q2w3e4r5", "name": "Rates API"}, {"id": "c2", "name": "Labels API"}],
    }  # fmt: skip


def test_a_summary_speaks_of_the_same_conditions_as_the_webhooks() -> None:
    component, incident = alerts("statuspage", summary())

    assert component.alert_key == only("statuspage", document("statuspage-component-firing")).alert_key
    assert incident.alert_key == only("statuspage", document("statuspage-incident-firing")).alert_key


def test_a_component_that_is_operational_is_resolved() -> None:
    payload = summary(incidents=[])
    payload["components"][0].update(status="operational", updated_at="2026-03-04T03:10:44.002Z")
    alert = only("statuspage", payload)

    assert (alert.kind, alert.event_at_ms, alert.ended_at_ms) == (Kind.RESOLVED, None, 1_772_593_844_002)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("scheduled", "maintenance_start"),
        ("in_progress", "maintenance_start"),
        ("verifying", "maintenance_start"),
        ("completed", "maintenance_end"),
    ],
)
def test_a_scheduled_maintenance_is_one_with_its_times(status: str, kind: str) -> None:
    payload = summary(components=[], incidents=[], scheduled_maintenances=[maintenance(status)])
    alert = only("statuspage", payload)

    assert (alert.kind, alert.event_at_ms, alert.ended_at_ms) == (kind, 1_772_672_400_000, 1_772_676_000_000)
    assert (alert.labels["component"], alert.labels["components"]) == ("Rates API", "Rates API, Labels API")
    assert alert.ttl_seconds is None


def test_one_component_is_no_list_of_components() -> None:
    one = {**maintenance("scheduled"), "components": [{"id": "c9f1q2w3e4r5", "name": "Rates API"}]}
    labels = only("statuspage", summary(components=[], incidents=[], scheduled_maintenances=[one])).labels

    assert labels["component"] == "Rates API"
    assert "components" not in labels


def test_a_summary_names_its_provider() -> None:
    component, incident = alerts("statuspage", summary())

    assert component.labels["provider"] == incident.labels["provider"] == "Cargolink API"


def test_a_group_of_components_only_repeats_its_members() -> None:
    payload = summary(incidents=[])
    payload["components"].append(
        {"id": "g1", "name": "All APIs", "status": "partial_outage", "group": True, "components": ["c9f1q2w3e4r5"]}
    )

    assert [alert.name for alert in alerts("statuspage", payload)] == ["Rates API"]


def test_a_bad_component_does_not_sink_the_page() -> None:
    payload = summary()
    payload["components"].insert(0, {"id": "c2", "name": "Labels API", "status": "on fire"})
    bad, *others = read("statuspage", payload)

    assert isinstance(bad, BadRecord)
    assert bad.detail.startswith("$.components[0].status: not one of major_outage")
    assert len(others) == 2


def test_a_page_without_anything_and_a_page_of_absurd_size_are_refused() -> None:
    with pytest.raises(BadRecord, match="missing_field"):
        read("statuspage", summary(components=[], incidents=[]))
    with pytest.raises(BadRecord) as caught:
        read("statuspage", summary(components=[0] * 10_000))
    assert caught.value.reason == Reason.TOO_LARGE


def test_an_incident_that_is_missing_from_the_next_summaries_ends_by_silence() -> None:
    """Polls of the same incident keep it open, however many: none of them is taken for a repeated delivery."""
    config = Config()
    ingest = IngestProcessor(config, ADAPTERS, DEFAULT_FEEDS)
    dedupe = DedupeProcessor(config, DEFAULT_FEEDS, Topology(config.catalogue))
    page = orjson.dumps(summary(components=[]))
    changes: list[tuple[str, int]] = []

    def at(now_ms: int, value: bytes) -> None:
        raw, decided = Effects(), Effects()
        ingest.handle_one(StreamRecord("alerts.raw.statuspage", 0, now_ms, now_ms, None, value), raw)
        for output in raw.outputs:
            dedupe.handle_one(StreamRecord("alerts", 0, now_ms, now_ms, output.key, output.value), decided)
        changes.extend((orjson.loads(each.value or b"")["change"], now_ms) for each in decided.outputs)

    polls = range(POLLED_MS, POLLED_MS + 2 * SUMMARY_TTL_SECONDS * 1_000, 5 * MINUTE_MS)
    for now_ms in polls:
        at(now_ms, page)
    assert changes == [("opened", POLLED_MS)]

    operational = summary(incidents=[])
    operational["components"][0]["status"] = "operational"
    silent_ms = polls[-1] + SUMMARY_TTL_SECONDS * 1_000
    at(silent_ms - 1, orjson.dumps(operational))
    assert len(changes) == 1
    at(silent_ms + 1, orjson.dumps(operational))
    assert changes[1:] == [("expired", silent_ms + 1)]


def test_a_feed_says_how_long_an_incident_may_be_missing() -> None:
    assert alerts("statuspage", summary(), summary_ttl_seconds=60)[1].ttl_seconds == 60


def test_an_incident_that_is_opened_again_began_then_and_not_before_its_end() -> None:
    payload = document("statuspage-incident-resolved")
    resolved = only("statuspage", payload)
    payload["incident"].update(status="investigating", resolved_at=None)
    payload["incident"]["incident_updates"][:0] = [
        {"id": "iu0004", "status": "identified", "body": "Again.", "created_at": "2026-03-04T03:40:00Z"},
        {"id": "iu0003", "status": "investigating", "body": "It is back.", "created_at": "2026-03-04T03:30:00Z"},
    ]
    again = only("statuspage", payload)

    assert resolved.ended_at_ms == 1_772_593_920_000
    assert (again.kind, again.event_at_ms, again.ended_at_ms) == (Kind.FIRING, 1_772_595_000_000, None)


def test_a_later_update_does_not_move_the_beginning() -> None:
    payload = document("statuspage-incident-firing")
    began_ms = only("statuspage", payload).event_at_ms
    payload["incident"]["incident_updates"].insert(
        0, {"id": "iu0002", "status": "identified", "body": "Found.", "created_at": "2026-03-04T02:50:00Z"}
    )

    assert only("statuspage", payload).event_at_ms == began_ms == 1_772_590_920_000


def test_what_is_neither_webhook_nor_summary_says_what_is() -> None:
    with pytest.raises(BadRecord, match=r"summary\.json"):
        read("statuspage", {"page": {"id": "k7x1nq4r0abc"}})
