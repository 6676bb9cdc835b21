"""PagerDuty webhooks and Sentry: how each says that it begins, goes on and ends."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.alerts.dedupe import DedupeProcessor
from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.core.topology import Topology
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.feeds.sentry import ISSUE_TTL_SECONDS
from pipeline.models.alert import Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.policy import Config
from tests.feeds.payloads import SAMPLE_OF, document, only, read


def refusal(adapter: str, payload: object, *headers: tuple[str, bytes]) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read(adapter, payload, *headers)
    return caught.value


class Desk:
    """Ingest and dedupe over one feed: what messages come to, one after another."""

    def __init__(self, feed: str) -> None:
        config = Config()
        self._topic = f"alerts.raw.{feed}"
        self._ingest = IngestProcessor(config, ADAPTERS, DEFAULT_FEEDS)
        self._dedupe = DedupeProcessor(config, DEFAULT_FEEDS, Topology(config.catalogue))
        self._received = 0

    def say(self, payload: object, at_ms: int, *headers: tuple[str, bytes]) -> list[tuple[str, str]]:
        """Disposition or change of each alert of a message."""
        record = StreamRecord(self._topic, 0, self._received, at_ms, None, orjson.dumps(payload), headers)
        self._received += 1
        raw, decided = Effects(), Effects()
        self._ingest.handle_one(record, raw)
        for offset, output in enumerate(raw.outputs):
            alert = StreamRecord(output.topic, 0, self._received * 100 + offset, at_ms, output.key, output.value)
            self._dedupe.handle_one(alert, decided)
        changes = [orjson.loads(output.value or b"{}") for output in decided.outputs if output.topic == "episodes"]
        return [
            *(("episode", change["change"]) for change in changes),
            *((str(each.disposition), str(each.reason)) for each in decided.decisions),
        ]


NOW_MS = 1_772_599_999_000


# -- PagerDuty webhooks


def pagerduty(event_type: str, **changed: Any) -> dict[str, Any]:
    payload: dict[str, Any] = document("pagerduty-webhook-v3-ack")
    payload["event"]["event_type"] = event_type
    payload["event"]["data"].update(changed)
    return payload


@pytest.mark.parametrize(
    ("event_type", "status", "kind"),
    [
        ("incident.triggered", "triggered", "firing"),
        ("incident.acknowledged", "acknowledged", "acknowledged"),
        ("incident.unacknowledged", "triggered", "unacknowledged"),
        ("incident.resolved", "resolved", "resolved"),
        ("incident.reopened", "triggered", "firing"),
        ("incident.priority_updated", "acknowledged", "firing"),
        ("incident.priority_updated", "resolved", "resolved"),
        ("incident.reassigned", "triggered", "firing"),
        ("incident.escalated", "triggered", "firing"),
        ("incident.an_event_of_next_year", "triggered", "control"),
    ],
)
def test_pagerduty_events_are_read_by_their_word_or_by_the_status(event_type: str, status: str, kind: str) -> None:
    alert = only("pagerduty-webhook", pagerduty(event_type, status=status))

    assert alert.kind == kind
    assert alert.delivery_id == "01FACK0000000000000000000A"


def test_all_events_of_an_incident_are_about_one_condition() -> None:
    ack, resolved = document("pagerduty-webhook-v3-ack"), document("pagerduty-webhook-v3-resolved")

    assert only("pagerduty-webhook", ack).alert_key == only("pagerduty-webhook", resolved).alert_key


def test_an_incident_merged_into_another_is_merged_and_not_repaired() -> None:
    reason = {"type": "merge_resolve_reason", "incident": {"id": "QOTHER"}}

    assert only("pagerduty-webhook", pagerduty("incident.resolved", resolve_reason=reason)).kind == Kind.MERGED


def test_a_note_and_a_ping_are_control() -> None:
    note = pagerduty("incident.annotated")
    note["event"]["data"] = {
        "incident": {"id": "Q1R2S3T4U5V6W7", "summary": "Checkout degraded", "type": "incident_reference"},
        "id": "PNOTE", "content": "rolled back", "trimmed": False, "type": "incident_note",
    }  # fmt: skip
    ping = {"event": {"id": "01P", "event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}}

    assert [only("pagerduty-webhook", each).kind for each in (note, ping)] == [Kind.CONTROL, Kind.CONTROL]
    assert only("pagerduty-webhook", note).summary == "PagerDuty says incident.annotated of Checkout degraded"


def test_without_a_priority_the_urgency_counts_and_says_so() -> None:
    alert = only("pagerduty-webhook", pagerduty("incident.triggered", priority=None, urgency="low"))

    assert (alert.severity, alert.severity_native) == (Severity.WARNING, "low")
    assert alert.severity_default_reason == "priority is absent: urgency high counts as error, low as warning"


def test_a_priority_with_a_word_of_your_own_keeps_that_word() -> None:
    alert = only("pagerduty-webhook", pagerduty("incident.triggered", priority={"summary": "Tier 0"}))

    assert (alert.severity, alert.severity_native) == (Severity.ERROR, "Tier 0")


@pytest.mark.parametrize("urgency", [None, "by_the_moon"])
def test_without_priority_and_urgency_the_severity_is_unknown(urgency: str | None) -> None:
    alert = only("pagerduty-webhook", pagerduty("incident.triggered", priority=None, urgency=urgency))

    assert (alert.severity, alert.severity_default_reason) == (Severity.UNKNOWN, "priority is absent")


def test_who_works_on_an_incident_is_not_kept() -> None:
    assert b"Okafor" not in orjson.dumps(only("pagerduty-webhook", document("pagerduty-webhook-v3-ack")))


def test_an_event_about_a_service_is_refused_with_what_to_subscribe_to() -> None:
    assert "incident events only" in refusal("pagerduty-webhook", pagerduty("service.updated")).detail


def test_a_resolution_that_comes_after_the_reopening_ends_nothing() -> None:
    desk = Desk("pagerduty-webhook")
    opened = pagerduty("incident.triggered", status="triggered")
    resolved = pagerduty("incident.resolved", status="resolved")
    reopened = pagerduty("incident.reopened", status="triggered", priority={"summary": "P1"})
    for minute, payload in enumerate((opened, resolved, reopened), start=30):
        payload["event"]["occurred_at"] = f"2026-03-04T02:{minute}:00Z"
        payload["event"]["id"] = f"01F{minute}"

    assert desk.say(opened, NOW_MS) == [("episode", "opened")]
    assert desk.say(reopened, NOW_MS + 1) == [("repeated", "still_firing")]
    assert desk.say(resolved, NOW_MS + 2) == [("repeated", "out_of_order")]


def test_a_priority_that_is_set_after_the_end_opens_nothing() -> None:
    desk = Desk("pagerduty-webhook")
    desk.say(pagerduty("incident.triggered", status="triggered"), NOW_MS)
    assert desk.say(document("pagerduty-webhook-v3-resolved"), NOW_MS + 1) == [("episode", "resolved")]

    later = pagerduty("incident.priority_updated", status="resolved", priority={"summary": "P3"})
    assert desk.say(later, NOW_MS + 2) == [("repeated", "resolved_without_firing")]


# -- Sentry


@pytest.mark.parametrize("name", [name for name in SAMPLE_OF if name.startswith("sentry-")])
def test_a_lost_header_is_made_up_for_by_the_shape(name: str) -> None:
    sample = SAMPLE_OF[name]
    (by_header,) = sample.read(document(name))
    by_shape = only("sentry", document(name))

    assert not isinstance(by_header, BadRecord)
    assert (by_shape.kind, by_shape.alert_key, by_shape.labels) == (
        by_header.kind, by_header.alert_key, by_header.labels,
    )  # fmt: skip


def test_the_header_wins_over_the_shape() -> None:
    payload = document("sentry-issue-resolved")

    bad = refusal("sentry", payload, ("Sentry-Hook-Resource", b"metric_alert"))

    assert (bad.reason, bad.detail) == (Reason.MISSING_FIELD, "$.data.metric_alert: missing or empty")


def test_a_resource_that_is_no_alert_is_refused_with_what_to_subscribe_to() -> None:
    payload = {"action": "created", "data": {"comment": "looking", "issue_id": 100}}

    assert "subscribe to these only" in refusal("sentry", payload, ("Sentry-Hook-Resource", b"comment")).detail
    assert "subscribe to these only" in refusal("sentry", payload).detail


def test_an_installation_is_control() -> None:
    payload = {"action": "created", "data": {"installation": {"uuid": "8a1f"}}}

    assert only("sentry", payload, ("Sentry-Hook-Resource", b"installation")).kind == Kind.CONTROL


def test_an_issue_alert_joins_its_issue_and_ends_by_silence() -> None:
    alert, issue = only("sentry", document("sentry-issue-firing")), only("sentry", document("sentry-issue-resolved"))

    assert alert.alert_key == issue.alert_key
    assert (alert.kind, alert.ttl_seconds, issue.kind) == (Kind.FIRING, ISSUE_TTL_SECONDS, Kind.RESOLVED)
    assert only("sentry", document("sentry-issue-firing"), ttl_seconds=60).ttl_seconds == 60


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("created", "unresolved", "firing"),
        ("unresolved", "unresolved", "firing"),
        ("resolved", "resolved", "resolved"),
        ("archived", "ignored", "resolved"),
        ("ignored", "ignored", "resolved"),
        ("assigned", "unresolved", "firing"),
        ("assigned", "resolved", "resolved"),
    ],
)
def test_an_issue_goes_by_its_action(action: str, status: str, kind: str) -> None:
    payload = {**document("sentry-issue-resolved"), "action": action}
    payload["data"]["issue"]["status"] = status

    assert only("sentry", payload).kind == kind


def test_an_issue_that_comes_back_is_news() -> None:
    desk = Desk("sentry")
    sent = [("Sentry-Hook-Timestamp", str(1_772_592_660 + second).encode()) for second in (0, 60)]
    back = {**document("sentry-issue-resolved"), "action": "unresolved"}
    back["data"]["issue"]["status"] = "unresolved"

    assert desk.say(document("sentry-issue-firing"), NOW_MS) == [("episode", "opened")]
    assert desk.say(document("sentry-issue-resolved"), NOW_MS + 1, sent[0]) == [("episode", "resolved")]
    assert desk.say(back, NOW_MS + 2, sent[1]) == [("episode", "opened")]


def test_the_next_incident_of_a_rule_is_another_run_of_the_same_condition() -> None:
    payload = document("sentry-metric-firing")
    first = only("sentry", payload)
    payload["data"]["metric_alert"]["id"] = "3302"
    payload["action"] = "warning"
    second = only("sentry", payload)

    assert first.alert_key == second.alert_key
    assert (first.source_episode_id, second.source_episode_id) == ("3301", "3302")
    assert second.severity == Severity.WARNING


def test_one_rule_over_two_projects_is_two_conditions() -> None:
    payload = document("sentry-metric-firing")
    first = only("sentry", payload).alert_key
    payload["data"]["metric_alert"]["projects"] = ["cart-api"]

    assert only("sentry", payload).alert_key != first


def test_a_timestamp_header_that_is_no_time_says_nothing() -> None:
    alert = only("sentry", document("sentry-issue-resolved"), ("Sentry-Hook-Timestamp", b"yesterday"))

    assert alert.ended_at_ms is None
