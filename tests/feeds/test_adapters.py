"""What every adapter owes: its table of samples, one alert key over a run, nothing but alerts and bad records."""

from __future__ import annotations

import orjson
import pytest

from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS, RawMessage
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from tests.feeds.payloads import SAMPLES, alerts, document

# adapter, sample, kinds, name and severity of the first alert
TABLE = [
    ("alertmanager", "alertmanager-firing", "firing firing", "PaymentsLatencyBurn", "critical"),
    ("alertmanager", "alertmanager-resolved", "resolved resolved", "PaymentsLatencyBurn", "critical"),
    ("alertmanager", "alertmanager-mixed", "firing resolved", "PaymentsLatencyBurn", "critical"),
    ("alertmanager", "alertmanager-watchdog", "heartbeat", "Watchdog", "info"),
    ("alertmanager", "blackbox-cert-firing", "firing", "TLSCertificateExpiresSoon", "warning"),
    ("alertmanager", "x509-exporter-firing", "firing", "X509CertExpiring", "critical"),
    ("alertmanager", "cert-manager-firing", "firing", "CertManagerCertNotReady", "critical"),
    ("grafana", "grafana-firing", "firing", "Kafka consumer lag high", "warning"),
    ("grafana", "grafana-resolved", "resolved", "Kafka consumer lag high", "warning"),
    ("grafana", "grafana-nodata", "firing", "DatasourceNoData: Kafka consumer lag high", "unknown"),
    ("cloudwatch", "cloudwatch-sns-firing", "firing", "orders-db-free-storage-low", "critical"),
    ("cloudwatch", "cloudwatch-sns-resolved", "resolved", "orders-db-free-storage-low", "critical"),
    ("cloudwatch", "cloudwatch-sns-insufficient", "firing", "orders-db-free-storage-low", "warning"),
    ("cloudwatch", "cloudwatch-sns-subscription", "control", "SubscriptionConfirmation", "info"),
    ("zabbix", "zabbix-export-firing", "firing", "High ICMP ping loss on muc-sw-22", "error"),
    ("zabbix", "zabbix-export-resolved", "resolved", "", "unknown"),
    ("azure-monitor", "azure-monitor-firing", "firing", "vmss-cpu-over-90", "warning"),
    ("azure-monitor", "azure-monitor-resolved", "resolved", "vmss-cpu-over-90", "warning"),
    ("azure-monitor", "azure-monitor-servicehealth", "firing", "svc-health", "error"),
    ("statuspage", "statuspage-component-firing", "firing", "Rates API", "error"),
    ("statuspage", "statuspage-component-resolved", "resolved", "Rates API", "info"),
    ("statuspage", "statuspage-incident-firing", "firing", "Elevated errors on the Rates API", "error"),
    ("statuspage", "statuspage-incident-resolved", "resolved", "Elevated errors on the Rates API", "error"),
    ("pagerduty", "pagerduty-events-firing", "firing", "queue depth", "error"),
    ("pagerduty", "pagerduty-events-ack", "acknowledged", "", "unknown"),
    ("pagerduty", "pagerduty-events-resolved", "resolved", "", "unknown"),
    ("uptimerobot", "uptimerobot-firing", "firing", "Public tracking page: down", "error"),
    ("uptimerobot", "uptimerobot-resolved", "resolved", "Public tracking page: down", "info"),
    ("uptimerobot", "uptimerobot-ssl", "firing", "Public tracking page: certificate expires", "warning"),
    ("xurrent", "xurrent-ticket-firing", "ticket", "ticket", "error"),
    ("xurrent", "xurrent-ticket-resolved", "resolved", "ticket", "error"),
    ("xurrent", "xurrent-ticket-verify", "control", "webhook.verify", "info"),
    ("jira", "jira-ticket-firing", "ticket", "ticket", "error"),
    ("jira", "jira-ticket-resolved", "resolved", "ticket", "error"),
]

# adapter, the start of two samples' names: firing and resolved
RUNS = [
    ("alertmanager", "alertmanager"),
    ("grafana", "grafana"),
    ("cloudwatch", "cloudwatch-sns"),
    ("zabbix", "zabbix-export"),
    ("azure-monitor", "azure-monitor"),
    ("statuspage", "statuspage-component"),
    ("statuspage", "statuspage-incident"),
    ("pagerduty", "pagerduty-events"),
    ("uptimerobot", "uptimerobot"),
    ("xurrent", "xurrent-ticket"),
    ("jira", "jira-ticket"),
]


@pytest.mark.parametrize(("adapter", "sample", "kinds", "name", "severity"), TABLE, ids=[row[1] for row in TABLE])
def test_a_sample_becomes_alerts_in_order(adapter: str, sample: str, kinds: str, name: str, severity: str) -> None:
    found = alerts(adapter, document(sample))

    assert [alert.kind for alert in found] == kinds.split()
    assert (found[0].name, found[0].severity) == (name, severity)
    assert {alert.feed for alert in found} == {adapter}
    assert found[0].feed_class in set(FeedClass)


def test_every_sample_is_in_the_table() -> None:
    assert {row[1] for row in TABLE} == {file.stem for file in SAMPLES.glob("*.json")}


def test_every_adapter_has_samples_and_a_default_feed() -> None:
    assert {row[0] for row in TABLE} == set(ADAPTERS) == set(DEFAULT_FEEDS)
    assert all(feed.adapter == name == feed.name for name, feed in DEFAULT_FEEDS.items())


@pytest.mark.parametrize(("adapter", "samples"), RUNS)
def test_firing_and_resolved_share_the_alert_key(adapter: str, samples: str) -> None:
    firing = alerts(adapter, document(f"{samples}-firing"))
    resolved = alerts(adapter, document(f"{samples}-resolved"))

    assert [alert.alert_key for alert in firing] == [alert.alert_key for alert in resolved]
    assert len({alert.alert_key for alert in firing}) == len(firing)


@pytest.mark.parametrize(("adapter", "samples"), RUNS)
def test_two_feeds_of_one_adapter_never_share_an_alert_key(adapter: str, samples: str) -> None:
    payload = document(f"{samples}-firing")
    chosen = ADAPTERS[adapter]
    keys = [_key(chosen(payload, _message(feed, chosen.feed_class))[0]) for feed in ("one", "two")]

    assert keys[0] != keys[1]


@pytest.mark.parametrize(("adapter", "sample"), [row[:2] for row in TABLE])
def test_unknown_fields_pass(adapter: str, sample: str) -> None:
    payload = document(sample)
    expected = alerts(adapter, payload)
    payload["added_in_the_next_release"] = {"deep": [1, None, {"er": True}]}

    assert alerts(adapter, payload) == expected


@pytest.mark.parametrize(("adapter", "sample"), [row[:2] for row in TABLE])
def test_an_unknown_severity_says_why(adapter: str, sample: str) -> None:
    for alert in alerts(adapter, document(sample)):
        assert alert.severity != Severity.UNKNOWN or alert.severity_default_reason


@pytest.mark.parametrize(("adapter", "sample"), [row[:2] for row in TABLE])
def test_links_lead_to_web_pages_only(adapter: str, sample: str) -> None:
    text = orjson.dumps(document(sample)).replace(b"https://", b"javascript:")

    assert all(not alert.links for alert in alerts(adapter, orjson.loads(text)))


def test_only_resolved_messages_of_sources_that_tell_have_an_end() -> None:
    for adapter, sample, *_ in TABLE:
        for alert in alerts(adapter, document(sample)):
            if alert.kind in (Kind.FIRING, Kind.TICKET, Kind.HEARTBEAT):
                assert alert.ended_at_ms is None, sample


def _message(feed: str, feed_class: str) -> RawMessage:
    return RawMessage(feed, feed_class)


def _key(result: object) -> str:
    assert isinstance(result, Alert)
    return result.alert_key
