"""Google Cloud Monitoring in both schemas, and what Azure's activity log does not say about an end."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.feeds.azure_monitor import ACTIVITY_TTL_SECONDS
from pipeline.models.alert import Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import document, only, read

# -- Google Cloud


def gcp(**changed: Any) -> dict[str, Any]:
    payload: dict[str, Any] = document("gcp-monitoring-firing")
    payload["incident"].update(changed)
    return payload


OLDER = {
    "incident": {
        "incident_id": "f2e08c333dc64cb09f75eaab355393bz",
        "resource_id": "i-4a266a2d",
        "resource_name": "web-frontend-3",
        "resource": {"type": "gce_instance", "labels": {"instance_id": "118", "zone": "europe-west3-a"}},
        "started_at": 1772590571,
        "ended_at": None,
        "policy_name": "Front end",
        "condition_name": "Error ratio",
        "url": "https://console.cloud.google.com/monitoring/alerting/incidents/x?project=meridian-prod",
        "state": "open",
        "summary": "CPU of web-frontend-3 is above the threshold of 0.8.",
        "documentation": "Look at the release first.",
    },
    "version": "1.1",
}


def test_schema_1_1_is_read_with_what_it_has() -> None:
    alert = only("gcp-monitoring", OLDER)

    assert (alert.kind, alert.name, alert.event_at_ms) == (Kind.FIRING, "Front end: Error ratio", 1_772_590_571_000)
    assert (alert.severity, alert.severity_default_reason) == (Severity.UNKNOWN, "the policy has no severity")
    assert alert.description == "Look at the release first."
    assert alert.labels["resource"] == "web-frontend-3"


@pytest.mark.parametrize(
    ("severity", "labels", "expected"),
    [
        ("Critical", {}, Severity.CRITICAL),
        ("Error", {"severity": "critical"}, Severity.ERROR),
        ("Warning", {}, Severity.WARNING),
        ("No severity", {}, Severity.UNKNOWN),
        ("No severity", {"severity": "page"}, Severity.CRITICAL),
        (None, {"severity": "p3"}, Severity.WARNING),
        ("Doom", {}, Severity.UNKNOWN),
    ],
)
def test_the_label_of_the_policy_stands_in_for_a_severity_that_is_not_set(
    severity: str | None, labels: dict[str, str], expected: Severity
) -> None:
    alert = only("gcp-monitoring", gcp(severity=severity, policy_user_labels=labels))

    assert alert.severity == expected
    assert (alert.severity_default_reason is not None) == (expected == Severity.UNKNOWN)


def test_the_test_of_a_channel_is_no_alert() -> None:
    payload = gcp(state="OPEN", started_at=0, ended_at=0, summary="Test Incident")
    payload["version"] = "test"

    assert only("gcp-monitoring", payload).kind == Kind.CONTROL


def test_an_acknowledged_incident_keeps_its_key() -> None:
    alert = only("gcp-monitoring", gcp(state="acknowledged"))

    assert (alert.kind, alert.alert_key) == (Kind.ACKNOWLEDGED, only("gcp-monitoring", gcp()).alert_key)


def test_an_open_incident_has_no_end_whatever_stands_there() -> None:
    assert only("gcp-monitoring", gcp(ended_at=1772592391)).ended_at_ms is None


def test_a_label_of_the_resource_wins_over_one_of_the_policy() -> None:
    assert only("gcp-monitoring", gcp(policy_user_labels={"region": "all"})).labels["region"] == "europe-west3"


# -- Azure


def azure(service: str, **properties: Any) -> dict[str, Any]:
    payload: dict[str, Any] = document("azure-monitor-firing")
    payload["data"]["essentials"].update(monitoringService=service, severity="Sev4", signalType="Activity Log")
    payload["data"]["alertContext"] = {"properties": properties}
    return payload


def test_what_somebody_did_ends_by_silence_as_azure_never_says_so() -> None:
    alert = only("azure-monitor", azure("Activity Log - Administrative"))

    assert (alert.kind, alert.ttl_seconds) == (Kind.FIRING, ACTIVITY_TTL_SECONDS)
    assert only("azure-monitor", document("azure-monitor-firing")).ttl_seconds is None


def test_a_resource_is_healthy_again_by_its_status_under_another_alert_id() -> None:
    down = azure("Resource Health", title="The machine is unavailable", currentHealthStatus="Unavailable")
    up = azure("Resource Health", title="The machine is available", currentHealthStatus="Available")
    up["data"]["essentials"]["alertId"] = "/another/one"
    fired, resolved = only("azure-monitor", down), only("azure-monitor", up)

    assert (fired.kind, resolved.kind, fired.alert_key) == (Kind.FIRING, Kind.RESOLVED, resolved.alert_key)
    assert (fired.severity, fired.severity_native, fired.ended_at_ms) == (Severity.ERROR, "Sev4", None)
    assert (resolved.event_at_ms, resolved.ended_at_ms) == (None, 1_772_590_591_441)
    assert fired.delivery_id != resolved.delivery_id
    assert (fired.labels["health_status"], resolved.labels["health_status"]) == ("Unavailable", "Available")
    assert fired.summary == "The machine is unavailable"


def test_a_status_that_azure_does_not_use_is_refused() -> None:
    with pytest.raises(BadRecord) as caught:
        read("azure-monitor", azure("Resource Health", currentHealthStatus="Tired"))

    assert caught.value.reason == Reason.UNKNOWN_SHAPE


@pytest.mark.parametrize(("stage", "kind"), [("Active", Kind.MAINTENANCE_START), ("Resolved", Kind.MAINTENANCE_END)])
def test_maintenance_that_is_active_is_no_failure(stage: str, kind: Kind) -> None:
    payload = document("azure-monitor-servicehealth")
    payload["data"]["alertContext"]["properties"].update(incidentType="Maintenance", stage=stage)

    assert only("azure-monitor", payload).kind == kind


def test_labels_of_a_prometheus_rule_and_links_to_results_are_kept() -> None:
    payload = document("azure-monitor-firing")
    payload["data"]["alertContext"]["labels"] = {"service": "cart", "alertname": "CartErrors"}
    payload["data"]["alertContext"]["condition"]["allOf"][0].update(
        linkToSearchResultsUI="https://portal.example/all", linkToFilteredSearchResultsUI="https://portal.example/one"
    )
    payload["data"]["essentials"]["investigationLink"] = "https://portal.example/alert"
    alert = only("azure-monitor", payload)

    assert alert.labels["service"] == "cart"
    assert alert.links == {"source": "https://portal.example/alert", "results": "https://portal.example/one"}


def test_a_resource_without_a_listed_name_is_named_by_its_id() -> None:
    payload = document("azure-monitor-firing")
    del payload["data"]["essentials"]["configurationItems"]

    assert only("azure-monitor", payload).labels["resource"] == "web-vmss"


# -- Grafana


@pytest.mark.parametrize("name", ["DatasourceNoData", "DatasourceError"])
@pytest.mark.parametrize(
    ("label", "expected"), [("critical", Severity.WARNING), ("info", Severity.INFO), (None, Severity.WARNING)]
)
def test_a_grafana_rule_without_data_says_so_and_is_a_warning_at_most(
    name: str, label: str | None, expected: Severity
) -> None:
    payload = document("grafana-nodata")
    payload["alerts"][0]["labels"].update({"alertname": name} | ({"severity": label} if label else {}))
    alert = only("grafana", payload)

    assert (alert.summary, alert.severity, alert.severity_native) == (
        f"{name}: Kafka consumer lag high", expected, label,
    )  # fmt: skip
