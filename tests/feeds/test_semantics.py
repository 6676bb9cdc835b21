"""What each source means by its fields: the facts that its documentation or its users learned the hard way."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.feeds.times import epoch_ms, iso_ms
from pipeline.feeds.uptimerobot import EXPIRY_TTL_SECONDS
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import alerts, document, only, read


def refusal(adapter: str, payload: object) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read(adapter, payload)
    return caught.value


# -- times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T02:11:42.318Z", 1_772_590_302_318),
        ("2026-03-04T02:13:07.512+0000", 1_772_590_387_512),  # AWS: offset without a colon
        ("2026-03-04T02:16:31.4418213Z", 1_772_590_591_441),  # Azure: seven digits
        ("2026-03-04T02:16:31.441821399Z", 1_772_590_591_441),  # Go: nine digits
        ("2026-03-04T03:23:25.118+0100", 1_772_591_005_118),  # Jira: local with an offset
        ("2026-03-04T02:15:10Z", 1_772_590_510_000),
        ("0001-01-01T00:00:00Z", None),  # Go: zero time
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_every_spelling_of_a_time_is_epoch_milliseconds(text: str, expected: int | None) -> None:
    assert iso_ms(text) == expected


@pytest.mark.parametrize(
    "text", ["2026-03-04T02:15:10", "2026.03.04 02:15:10", "now", "", "1969-12-31T23:59:59Z", "2026-03-04"]
)
def test_a_time_without_zone_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        iso_ms(text)


@pytest.mark.parametrize(
    ("value", "per_second", "expected"),
    [(1772590990, 1, 1_772_590_990_000), ("1772590990", 1, 1_772_590_990_000), (1772591005118, 1000, 1772591005118)],
)
def test_a_number_since_1970_is_read_by_its_field_and_not_by_its_size(
    value: object, per_second: int, expected: int
) -> None:
    assert epoch_ms(value, per_second) == expected


@pytest.mark.parametrize("value", [True, -1, "²", "12.5", "-3", float("nan"), float("inf"), 10**30, [], None])
def test_what_is_no_number_since_1970_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        epoch_ms(value, 1)


# -- Alertmanager and Grafana


def test_the_group_status_never_overrides_a_members() -> None:
    payload = document("alertmanager-mixed")
    assert payload["status"] == "firing"

    assert [alert.kind for alert in alerts("alertmanager", payload)] == [Kind.FIRING, Kind.RESOLVED]


def test_zero_time_is_no_end_and_a_resolved_member_has_one() -> None:
    firing, resolved = alerts("alertmanager", document("alertmanager-mixed"))

    assert (firing.event_at_ms, firing.ended_at_ms) == (1_772_590_302_318, None)
    assert resolved.ended_at_ms == 1_772_591_400_318


def test_without_a_fingerprint_the_label_set_in_any_order_is_the_identity() -> None:
    payload = document("alertmanager-firing")
    for member in payload["alerts"]:
        del member["fingerprint"]
    first = [alert.alert_key for alert in alerts("alertmanager", payload)]
    for member in payload["alerts"]:
        member["labels"] = dict(reversed(member["labels"].items()))

    assert [alert.alert_key for alert in alerts("alertmanager", payload)] == first
    assert len(set(first)) == 2


def test_one_bad_member_does_not_sink_the_others() -> None:
    payload = document("alertmanager-firing")
    payload["alerts"].insert(1, {"status": "firing", "labels": {"alertname": 7}})
    payload["alerts"].append("no alert at all")
    results = read("alertmanager", payload)

    assert [type(result) for result in results] == [Alert, BadRecord, Alert, BadRecord]
    bad = results[1]
    assert isinstance(bad, BadRecord)
    assert (bad.reason, bad.detail) == (Reason.WRONG_TYPE, "$.alerts[1].labels.*: expected string, found number")


def test_a_group_without_members_is_refused() -> None:
    assert refusal("alertmanager", {"alerts": []}).reason == Reason.MISSING_FIELD


def test_a_group_of_absurd_size_is_refused_whole() -> None:
    assert refusal("alertmanager", {"alerts": [0] * 10_000}).reason == Reason.TOO_LARGE


def test_grafana_organisations_do_not_share_conditions() -> None:
    one, two = document("grafana-firing"), document("grafana-firing")
    two["alerts"][0]["orgId"] = 2

    assert only("grafana", one).alert_key != only("grafana", two).alert_key
    assert only("grafana", one).links["panel"].startswith("https://grafana.meridian.example/")


# -- CloudWatch


def test_an_alarm_delivered_raw_is_the_same_condition_as_in_its_envelope() -> None:
    envelope = document("cloudwatch-sns-firing")
    wrapped, raw = only("cloudwatch", envelope), only("cloudwatch", orjson.loads(envelope["Message"]))

    assert raw.alert_key == wrapped.alert_key
    assert (wrapped.delivery_id, raw.delivery_id) == (envelope["MessageId"], None)


def test_facts_in_an_alarm_description_and_dimensions_become_labels() -> None:
    labels = only("cloudwatch", document("cloudwatch-sns-firing")).labels

    assert labels["service"] == "orders-db"
    assert labels["DBInstanceIdentifier"] == "orders-db-1"
    assert labels["region"] == "eu-central-1"  # of the ARN: the field is a name for people


def test_an_alarm_without_severity_counts_as_error_and_says_so() -> None:
    alert = only("cloudwatch", _alarm(AlarmDescription="Disk is filling up\nCall storage"))

    assert (alert.severity, alert.severity_native) == (Severity.ERROR, None)
    assert alert.severity_default_reason == "severity in AlarmDescription is absent"
    assert alert.summary == "Disk is filling up"


def test_a_metric_math_alarm_gives_the_dimensions_of_its_metrics() -> None:
    metric = {"MetricStat": {"Metric": {"Dimensions": [{"name": "QueueName", "value": "orders"}]}}}

    assert only("cloudwatch", _alarm(Trigger={"Metrics": [metric]})).labels["QueueName"] == "orders"


def test_a_notification_that_is_no_alarm_is_refused_without_its_text() -> None:
    bad = refusal("cloudwatch", {"Type": "Notification", "Message": "secret words"})

    assert bad.reason == Reason.UNKNOWN_SHAPE
    assert "secret" not in bad.detail


def _alarm(**changed: Any) -> dict[str, Any]:
    return {**orjson.loads(document("cloudwatch-sns-firing")["Message"]), **changed}


# -- Zabbix


def test_a_recovery_finds_its_problem_by_event_id() -> None:
    problem, recovery = (only("zabbix", document(f"zabbix-export-{word}")) for word in ("firing", "resolved"))

    assert recovery.source_episode_id == problem.source_episode_id == "7011223"
    assert recovery.delivery_id == "7011301"
    assert (problem.event_at_ms, recovery.ended_at_ms) == (1_772_590_755_512, 1_772_591_955_090)


def test_a_tag_never_hides_the_host_and_may_come_twice() -> None:
    payload = document("zabbix-export-firing")
    payload["tags"] += [{"tag": "host", "value": "other"}, {"tag": "scope", "value": "latency"}]
    labels = only("zabbix", payload).labels

    assert (labels["host"], labels["scope"]) == ("muc-sw-22", "availability, latency")


def test_history_of_an_item_is_refused_with_what_to_do() -> None:
    assert "export events only" in refusal("zabbix", {"itemid": 3, "value": 0.5, "clock": 1}).detail


# -- Azure


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("Active", "firing"),
        ("Resolved", "resolved"),
        ("RCA", "resolved"),
        ("Planned", "maintenance_start"),
        ("Complete", "maintenance_end"),
    ],
)
def test_service_health_goes_by_stage_and_tracking_id(stage: str, kind: str) -> None:
    payload = document("azure-monitor-servicehealth")
    before = only("azure-monitor", payload).alert_key
    payload["data"]["alertContext"]["properties"]["stage"] = stage
    payload["data"]["essentials"]["alertId"] = "/another/one"
    alert = only("azure-monitor", payload)

    assert (alert.kind, alert.alert_key) == (kind, before)


def test_custom_properties_and_dimensions_become_labels() -> None:
    labels = only("azure-monitor", document("azure-monitor-firing")).labels

    assert (labels["service"], labels["VMName"], labels["resource"]) == ("storefront", "web-vmss_4", "web-vmss")


# -- Statuspage


def test_the_end_of_a_components_maintenance_also_ends_an_outage_before_it() -> None:
    payload = document("statuspage-component-firing")
    outage = only("statuspage", payload)
    payload["component_update"].update(old_status="partial_outage", new_status="under_maintenance")
    started = only("statuspage", payload)
    payload["component_update"].update(old_status="under_maintenance", new_status="operational")
    ended, resolved = alerts("statuspage", payload)

    assert [alert.kind for alert in (outage, started, ended, resolved)] == [
        Kind.FIRING, Kind.MAINTENANCE_START, Kind.MAINTENANCE_END, Kind.RESOLVED,
    ]  # fmt: skip
    assert (started.alert_key, outage.alert_key) == (ended.alert_key, resolved.alert_key)
    assert started.alert_key != outage.alert_key


def test_a_scheduled_incident_is_a_maintenance() -> None:
    payload = document("statuspage-incident-firing")
    payload["incident"].update(
        status="scheduled", scheduled_for="2026-03-05T01:00:00Z", scheduled_until="2026-03-05T02:00:00Z"
    )
    alert = only("statuspage", payload)

    assert alert.kind == Kind.MAINTENANCE_START
    assert (alert.event_at_ms, alert.ended_at_ms) == (1_772_672_400_000, 1_772_676_000_000)


# -- PagerDuty


def test_the_routing_key_is_a_credential_and_stays_out_of_the_alert() -> None:
    payload = document("pagerduty-events-firing")

    assert payload["routing_key"].encode() not in orjson.dumps(only("pagerduty", payload))


def test_without_a_dedup_key_equal_content_is_one_condition() -> None:
    payload = document("pagerduty-events-firing")
    del payload["dedup_key"]
    first = only("pagerduty", payload).alert_key
    payload["payload"]["timestamp"] = "2026-03-04T02:25:05.000+0000"
    again = only("pagerduty", payload).alert_key
    payload["payload"]["source"] = "elsewhere"

    assert first == again != only("pagerduty", payload).alert_key


# -- UptimeRobot


def test_an_expiry_is_another_condition_than_downtime_and_ends_by_silence() -> None:
    down, expiry = only("uptimerobot", document("uptimerobot-firing")), only("uptimerobot", document("uptimerobot-ssl"))

    assert down.alert_key != expiry.alert_key
    assert (down.ttl_seconds, expiry.ttl_seconds) == (None, EXPIRY_TTL_SECONDS)


def test_a_template_variable_left_unfilled_is_refused() -> None:
    payload = {**document("uptimerobot-firing"), "monitorID": "*monitorID*"}

    assert refusal("uptimerobot", payload).reason == Reason.MISSING_FIELD


# -- service desks


@pytest.mark.parametrize("desk", ["jira", "xurrent"])
def test_a_tickets_reporter_is_opaque_and_stays_the_same(desk: str) -> None:
    payload = document(f"{desk}-ticket-firing")
    first, again = only(desk, payload), only(desk, payload)

    assert first.reporter == again.reporter is not None
    assert b"Aylin" not in orjson.dumps(first)


def test_jira_done_is_the_status_category_whatever_the_status_is_called() -> None:
    payload = document("jira-ticket-firing")
    payload["issue"]["fields"]["status"].update(name="Erledigt", statusCategory={"key": "done"})

    assert only("jira", payload).kind == Kind.RESOLVED


def test_a_reopened_jira_ticket_happens_after_its_end() -> None:
    done = document("jira-ticket-resolved")
    reopened = document("jira-ticket-resolved")
    reopened["timestamp"] += 60_000
    reopened["issue"]["fields"].update(status={"statusCategory": {"key": "new"}}, resolutiondate=None)
    ended_at_ms, again = only("jira", done).ended_at_ms, only("jira", reopened)

    assert again.kind == Kind.TICKET
    assert again.event_at_ms is not None
    assert ended_at_ms is not None
    assert again.event_at_ms > ended_at_ms


def test_a_ticket_links_to_its_page_for_people() -> None:
    assert only("jira", document("jira-ticket-firing")).links == {
        "ticket": "https://meridian.atlassian.net/browse/OPSDESK-2219"
    }
    assert only("xurrent", document("xurrent-ticket-firing")).links == {
        "ticket": "https://meridian-it.xurrent.com/requests/1004417"
    }


def test_a_delivery_header_of_the_bridge_names_the_delivery() -> None:
    headers = (("X-Xurrent-Delivery", b"second"), ("X-Xurrent-Delivery-Origin", b"first"))

    assert only("xurrent", document("xurrent-ticket-firing"), *headers).delivery_id == "first"
    assert only("xurrent", document("xurrent-ticket-firing"), ("x-xurrent-delivery", b"\xff")).delivery_id == "71960"


def test_xurrent_counts_who_opens_a_request_and_not_who_works_on_it() -> None:
    payload = document("xurrent-ticket-firing")
    payload["event"] = "request.update"
    by_agent = only("xurrent", payload)
    payload["payload"]["requested_for"] = {"id": 991, "name": "Somebody"}

    assert by_agent.reporter is None
    assert only("xurrent", payload).reporter is not None


def test_a_signed_body_is_refused_with_what_to_do() -> None:
    assert "verify it" in refusal("xurrent", {"jwt": "eyJ"}).detail
