"""CloudWatch alarms by both ways, and AWS Health: envelopes, suppression, pages, accounts and Amazon's times."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
import pytest

from pipeline.core.step import StreamRecord
from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.feeds.amazon import name_of
from pipeline.feeds.aws_health import NOTICE_TTL_SECONDS, rfc_1123_ms
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.policy import Config
from pipeline.replay import Replay
from tests.feeds.payloads import document, only, read


def in_feed(adapter: str, payload: object, feed: str = "aws") -> Alert:
    (alert,) = ADAPTERS[adapter](payload, RawMessage(feed, FeedClass.CLOUD))
    assert isinstance(alert, Alert)
    return alert


def by_sns(payload: object) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m-1", "Message": orjson.dumps(payload).decode()}


def refusal(adapter: str, payload: object) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read(adapter, payload)
    return caught.value


# -- CloudWatch


@pytest.mark.parametrize("word", ["firing", "resolved"])
def test_an_alarm_is_one_condition_whichever_way_it_comes(word: str) -> None:
    sns, event = document(f"cloudwatch-sns-{word}"), document(f"cloudwatch-eventbridge-{word}")
    alerts = [
        in_feed("cloudwatch", sns),
        in_feed("cloudwatch", event),
        in_feed("cloudwatch-eventbridge", event),
        in_feed("cloudwatch-eventbridge", by_sns(event)),
        in_feed("cloudwatch", by_sns(event)),
    ]

    assert len({alert.alert_key for alert in alerts}) == 1
    assert len({(alert.kind, alert.severity, alert.event_at_ms, alert.ended_at_ms) for alert in alerts}) == 1
    assert {alert.labels["DBInstanceIdentifier"] for alert in alerts} == {"orders-db-1"}


def test_an_event_keeps_its_own_id_through_sns_so_that_a_second_delivery_is_known() -> None:
    event = document("cloudwatch-eventbridge-firing")

    assert in_feed("cloudwatch-eventbridge", by_sns(event)).delivery_id == event["id"]


def test_a_subscription_to_a_topic_of_events_is_a_control_message() -> None:
    for adapter in ("cloudwatch-eventbridge", "aws-health"):
        assert only(adapter, document("cloudwatch-sns-subscription")).kind == Kind.CONTROL


def test_a_composite_alarm_says_its_rule_and_who_set_it_off_both_ways() -> None:
    event = document("cloudwatch-eventbridge-composite")
    child = "arn:aws:cloudwatch:eu-central-1:210987654321:alarm:orders-db-cpu-high"
    event["detail"]["state"] = {
        "value": "ALARM",
        "reason": f"{child} transitioned to ALARM",
        "reasonData": orjson.dumps({"triggeringAlarms": [{"arn": child, "state": {"value": "ALARM"}}]}).decode(),
        "timestamp": "2026-03-04T02:14:00.100+0000",
    }
    rule = event["detail"]["configuration"]["alarmRule"]
    sns = {
        "AlarmName": "orders-composite", "AlarmArn": event["resources"][0], "NewStateValue": "ALARM",
        "AlarmRule": rule, "TriggeringChildren": [{"Arn": child, "State": {"Value": "ALARM"}}],
    }  # fmt: skip
    alerts = [in_feed("cloudwatch-eventbridge", event), in_feed("cloudwatch", sns)]

    assert len({alert.alert_key for alert in alerts}) == 1
    for alert in alerts:
        assert (alert.labels["alarm_rule"], alert.labels["triggered_by"]) == (rule, "orders-db-cpu-high")


@pytest.mark.parametrize("by", ["Alarm", "WaitPeriod", "ExtensionPeriod"])
def test_a_suppressed_alarm_counts_as_info_and_as_what_it_is_once_that_ends(by: str) -> None:
    event = document("cloudwatch-eventbridge-composite")
    event["detail"]["configuration"]["description"] = '{"severity": "critical"}'
    event["detail"]["state"]["actionsSuppressedBy"] = by
    suppressed = only("cloudwatch-eventbridge", event)
    del event["detail"]["state"]["actionsSuppressedBy"]
    free = only("cloudwatch-eventbridge", event)

    assert (suppressed.severity, suppressed.severity_native) == (Severity.INFO, "critical")
    assert suppressed.severity_default_reason is not None
    assert (free.severity, free.severity_default_reason) == (Severity.CRITICAL, None)
    assert free.alert_key == suppressed.alert_key


@pytest.mark.parametrize(
    "data", ["not JSON", "[1]", '{"recentDatapoints": 7, "triggeringAlarms": [3, {"arn": 4}]}', ""]
)
def test_reason_data_of_another_form_is_left_out_and_the_alarm_stays(data: str) -> None:
    event = document("cloudwatch-eventbridge-firing")
    event["detail"]["state"]["reasonData"] = data
    labels = only("cloudwatch-eventbridge", event).labels

    assert not {"threshold", "datapoints", "triggered_by"} & set(labels)
    assert labels["metric"] == "FreeStorageSpace"


def test_a_metric_math_alarm_names_its_metrics_and_all_dimensions() -> None:
    event = document("cloudwatch-eventbridge-firing")
    other = {"namespace": "AWS/SQS", "name": "Age", "dimensions": {"QueueName": "orders"}}
    event["detail"]["configuration"]["metrics"] += [{"metricStat": {"metric": other}}, {"expression": "m1 / m2"}]
    labels = only("cloudwatch-eventbridge", event).labels

    assert (labels["metric"], labels["namespace"]) == ("FreeStorageSpace, Age", "AWS/RDS, AWS/SQS")
    assert (labels["DBInstanceIdentifier"], labels["QueueName"]) == ("orders-db-1", "orders")


def test_an_alarm_without_data_does_not_tell_the_symptom_of_its_description() -> None:
    event = document("cloudwatch-eventbridge-firing")
    event["detail"]["configuration"]["description"] = "Disk is filling up"
    event["detail"]["state"].update(value="INSUFFICIENT_DATA", reason="Insufficient Data: 3 datapoints were unknown.")
    alert = only("cloudwatch-eventbridge", event)

    assert (alert.kind, alert.severity) == (Kind.FIRING, Severity.WARNING)
    assert alert.summary == "orders-db-free-storage-low: Insufficient Data: 3 datapoints were unknown."


def test_events_that_are_no_change_of_state_are_refused() -> None:
    event = document("cloudwatch-eventbridge-firing")
    created = refusal("cloudwatch-eventbridge", event | {"detail-type": "CloudWatch Alarm Configuration Change"})

    assert created.detail == "$.detail-type: only CloudWatch Alarm State Change is read"
    assert refusal("cloudwatch-eventbridge", event | {"resources": []}).detail == "$.resources[0]: missing or empty"


def test_an_alarm_through_both_ways_is_one_episode_that_its_first_recovery_ends() -> None:
    order = ["sns-firing", "eventbridge-firing", "eventbridge-resolved", "sns-resolved"]
    payloads = [document(f"cloudwatch-{name}") for name in order]
    outcome = Replay(Config()).run(
        StreamRecord("alerts.raw.cloudwatch", 0, offset, 1_772_600_000_000 + offset, None, orjson.dumps(payload))
        for offset, payload in enumerate(payloads)
    )

    assert [decision.reason for decision in outcome.decisions] == [
        "first_symptom", "still_firing", "episode_resolved", "resolved_without_firing",
    ]  # fmt: skip
    assert len({decision.episode_id for decision in outcome.decisions}) == 1


# -- AWS Health


def health(**changed: Any) -> dict[str, Any]:
    event: dict[str, Any] = document("aws-health-firing")
    event["detail"].update(changed)
    return event


def test_the_arn_is_no_identity_without_the_account() -> None:
    one, two = only("aws-health", health()), only("aws-health", health(affectedAccount="100000000001"))

    assert one.alert_key != two.alert_key
    assert only("aws-health", health(affectedAccount=None)).alert_key == one.alert_key  # that of the envelope


def test_pages_are_deliveries_of_one_alert() -> None:
    entities = [{"entityValue": f"i-{number}", "status": "IMPAIRED"} for number in range(2)]
    pages = [health(page=str(page), totalPages="2", affectedEntities=[entities[page - 1]]) for page in (1, 2)]
    first, second = (only("aws-health", page) for page in pages)

    assert first.alert_key == second.alert_key
    assert (first.delivery_id, second.delivery_id) == ("b5c6d7e8f9-1/1", "b5c6d7e8f9-1/2")
    assert (first.labels["resource"], second.labels["resource"]) == ("i-0", "i-1")


def test_a_delivery_from_a_second_region_is_known_as_the_same() -> None:
    here, elsewhere = health(), health()
    elsewhere.update(id="another", region="us-west-2")

    assert only("aws-health", here).delivery_id == only("aws-health", elsewhere).delivery_id
    assert only("aws-health", elsewhere).labels["region"] == "eu-central-1"


def test_an_event_closed_without_its_entities_ends_all_the_same() -> None:
    closed = document("aws-health-resolved")
    closed["detail"]["affectedEntities"] = []
    alert = only("aws-health", closed)

    assert (alert.kind, alert.alert_key) == (Kind.RESOLVED, only("aws-health", health()).alert_key)
    assert "resource" not in alert.labels


def test_a_hundred_entities_are_one_alert_with_as_many_whole_names_as_a_label_holds() -> None:
    entities = [{"entityValue": f"arn:aws:rds:eu-central-1:1:db:orders-db-{number}"} for number in range(100)]
    labels = only("aws-health", health(affectedEntities=entities)).labels
    names = labels["resources"].split(", ")

    assert labels["resource"] == names[0] == "orders-db-0"
    assert names == [f"orders-db-{number}" for number in range(len(names))]
    assert 30 < len(names) < 100


@pytest.mark.parametrize(
    ("category", "status", "kind", "severity", "ttl_seconds"),
    [
        ("issue", "open", Kind.FIRING, Severity.ERROR, None),
        ("issue", "closed", Kind.RESOLVED, Severity.ERROR, None),
        ("investigation", "open", Kind.FIRING, Severity.WARNING, None),
        ("investigation", "closed", Kind.RESOLVED, Severity.WARNING, None),
        ("accountNotification", "open", Kind.FIRING, Severity.INFO, NOTICE_TTL_SECONDS),
        ("accountNotification", "closed", Kind.RESOLVED, Severity.INFO, NOTICE_TTL_SECONDS),
        ("scheduledChange", "upcoming", Kind.MAINTENANCE_START, Severity.INFO, None),
        ("scheduledChange", "open", Kind.MAINTENANCE_START, Severity.INFO, None),
        ("scheduledChange", "closed", Kind.MAINTENANCE_END, Severity.INFO, None),
    ],
)
def test_category_and_status_say_what_an_event_is(
    category: str, status: str, kind: Kind, severity: Severity, ttl_seconds: int | None
) -> None:
    alert = only("aws-health", health(eventTypeCategory=category, statusCode=status))

    assert (alert.kind, alert.severity, alert.severity_native, alert.ttl_seconds) == (
        kind, severity, category, ttl_seconds,
    )  # fmt: skip


def test_the_english_text_is_told_where_there_are_several() -> None:
    texts = [
        {"language": "ja_JP", "latestDescription": "調査"},
        {"language": "en_US", "latestDescription": "Errors\nMore"},
    ]
    alert = only("aws-health", health(eventDescription=texts))

    assert (alert.summary, alert.description) == ("Errors", "Errors\nMore")
    assert only("aws-health", health(eventDescription=texts[:1])).summary == "調査"
    assert only("aws-health", health(eventDescription=[])).summary == "AWS_EC2_OPERATIONAL_ISSUE"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed, 4 Mar 2026 02:09:00 GMT", 1_772_590_140_000),
        ("Wed, 04 Mar 2026 02:09:00 GMT", 1_772_590_140_000),
        ("Wed, 4 Mar 2026 02:09:00 UTC", 1_772_590_140_000),
    ],
)
def test_times_are_those_of_http(text: str, expected: int) -> None:
    assert rfc_1123_ms(text) == expected


def test_every_month_has_its_name() -> None:
    for month in range(1, 13):
        moment = datetime(2026, month, 15, 12, tzinfo=UTC)

        assert rfc_1123_ms(format_datetime(moment, usegmt=True)) == moment.timestamp() * 1_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04T02:09:00Z",
        "Wed, 4 Mar 2026 02:09:00",
        "Wed, 4 Mar 2026 02:09:00 CET",
        "Wed, 40 Mar 2026 02:09:00 GMT",
        "Wed, 4 Foo 2026 02:09:00 GMT",
        "Wed, 4 Mar 2026 25:09:00 GMT",
        "Wed, 4 Mar 1026 02:09:00 GMT",
        "now",
    ],
)
def test_a_time_of_another_spelling_is_refused_with_its_path(text: str) -> None:
    bad = refusal("aws-health", health(startTime=text))

    assert (bad.reason, bad.detail) == (Reason.WRONG_TYPE, "$.detail.startTime: expected RFC 1123 time in GMT")


@pytest.mark.parametrize(("field", "word"), [("statusCode", "over"), ("eventTypeCategory", "gossip")])
def test_a_word_that_amazon_does_not_use_is_refused(field: str, word: str) -> None:
    assert refusal("aws-health", health(**{field: word})).reason == Reason.UNKNOWN_SHAPE


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("i-0aa11", "i-0aa11"),
        ("arn:aws:rds:eu-central-1:1:db:orders-db-1", "orders-db-1"),
        ("arn:aws:lambda:eu-central-1:1:function:price", "price"),
        ("arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/net/edge", "edge"),
        ("arn:aws:s3:::", "arn:aws:s3:::"),
    ],
)
def test_an_arn_is_shown_as_the_name_at_its_end(value: str, name: str) -> None:
    assert name_of(value) == name
