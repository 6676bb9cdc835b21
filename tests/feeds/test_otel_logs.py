"""OpenTelemetry logs: typed values, numbers of 64 bits, severities, what is one condition and what ends it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml

from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import alerts, document, only, read
from tests.feeds.runs import Run, sample
from tests.feeds.templates import block

T0, T1 = 1_772_591_045_118, 1_772_592_845_118


def request(*changes: dict[str, Any], resource: dict[str, str] | None = None) -> dict[str, Any]:
    """An export request with a record for each of the changes to the sample's, without its exception."""
    payload: dict[str, Any] = document("otel-logs-firing")
    (scope,) = payload["resourceLogs"][0]["scopeLogs"]
    (record,) = scope["logRecords"]
    record["attributes"] = []
    scope["logRecords"] = [{**deepcopy(record), **change} for change in changes or ({},)]
    for name, value in (resource or {}).items():
        attributes = payload["resourceLogs"][0]["resource"]["attributes"]
        attributes[:] = [each for each in attributes if each["key"] != name]
        attributes.append({"key": name, "value": {"stringValue": value}})
    return payload


def told(**changes: Any) -> Alert:
    return only("otel-logs", request(changes))


def text(value: str) -> dict[str, str]:
    return {"stringValue": value}


@pytest.mark.parametrize("value", ["1772591045118000000", 1_772_591_045_118_000_000, 1.772591045118e18])
def test_a_time_in_nanoseconds_is_a_string_or_a_number(value: object) -> None:
    assert told(timeUnixNano=value).event_at_ms == T0


@pytest.mark.parametrize(("time", "observed", "expected"), [("0", "1772591045118000000", T0), (None, None, None)])
def test_a_record_without_a_time_has_that_of_its_observation(time: Any, observed: Any, expected: Any) -> None:
    assert told(timeUnixNano=time, observedTimeUnixNano=observed).event_at_ms == expected


@pytest.mark.parametrize("value", ["now", True, -1, "1" * 21, 10**30, [1], "²"])
def test_what_is_no_time_is_refused(value: object) -> None:
    (result,) = read("otel-logs", request({"timeUnixNano": value}))

    assert isinstance(result, BadRecord)
    assert result.detail == "$.resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano: expected nanoseconds since 1970"


@pytest.mark.parametrize(
    ("number", "severity"),
    [
        (1, Severity.INFO), (8, Severity.INFO), (12, Severity.INFO), (13, Severity.WARNING), (16, Severity.WARNING),
        (17, Severity.ERROR), (20, Severity.ERROR), (21, Severity.CRITICAL), (24, Severity.CRITICAL),
        ("SEVERITY_NUMBER_ERROR", Severity.ERROR), ("SEVERITY_NUMBER_FATAL4", Severity.CRITICAL),
    ],
)  # fmt: skip
def test_severity_is_the_number(number: object, severity: Severity) -> None:
    alert = only("otel-logs", request({"severityNumber": number}), severity_at_least="info")

    assert (alert.severity, alert.kind) == (severity, Kind.FIRING)


def test_without_a_number_the_word_counts_and_without_both_nothing_is_invented() -> None:
    assert told(severityNumber=0, severityText="Fatal").severity == Severity.CRITICAL
    for changes in ({"severityText": ""}, {"severityText": "schlimm"}):
        alert = told(severityNumber=0, **changes)
        assert (alert.kind, alert.severity) == (Kind.CONTROL, Severity.UNKNOWN)
        assert alert.severity_default_reason


def test_records_below_the_feeds_severity_are_control_and_say_why() -> None:
    alert = told(severityNumber=13, severityText="WARN")

    assert alert.kind == Kind.CONTROL
    assert alert.summary == "WARN is below error, from which on records are alerts"


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (text("disk full\nat line 7"), "disk full"),
        ("disk full", "disk full"),  # as some producers write it
        ({"kvlistValue": {"values": [{"key": "message", "value": text("disk full")}]}}, "disk full"),
        ({"kvlistValue": {"values": [{"key": "code", "value": {"intValue": "7"}}]}}, '{"code":"7"}'),
        ({"arrayValue": {"values": [text("disk"), {"boolValue": True}]}}, '["disk",true]'),
        ({"intValue": "7"}, "7"),
        ({"doubleValue": 1.5}, "1.5"),
        (None, "a log record without text"),
        ({}, "a log record without text"),
    ],
)
def test_a_body_may_be_of_any_type(body: object, summary: str) -> None:
    assert told(body=body).summary == summary


def test_attributes_of_every_type_are_labels() -> None:
    values = {
        "text": text("a"), "flag": {"boolValue": False}, "whole": {"intValue": "5"}, "number": {"intValue": 5},
        "part": {"doubleValue": 0.5}, "list": {"arrayValue": {"values": [text("a")]}}, "nothing": {},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": text("v")}]}},
        "exception.stacktrace": text("line\n" * 1_000),
    }  # fmt: skip
    labels = told(attributes=[{"key": key, "value": value} for key, value in values.items()]).labels

    assert {name: labels.get(name) for name in values} == {
        "text": "a", "flag": "false", "whole": "5", "number": "5", "part": "0.5", "list": '["a"]', "nothing": None,
        "map": '{"k":"v"}', "exception.stacktrace": None,
    }  # fmt: skip


def test_an_attribute_never_hides_the_service() -> None:
    assert told(attributes=[{"key": "service", "value": text("liar")}]).labels["service"] == "ledger-writer"


def test_a_value_nested_too_deep_is_refused() -> None:
    value: dict[str, Any] = text("x")
    for _ in range(20):
        value = {"arrayValue": {"values": [value]}}
    (result,) = read("otel-logs", request({"body": value}))

    assert isinstance(result, BadRecord)
    assert "levels" in result.detail


def test_every_record_of_every_scope_and_resource_is_read_and_a_bad_one_spoils_no_other() -> None:
    payload = request({}, {"severityNumber": 99}, {})
    payload["resourceLogs"] += request({})["resourceLogs"]
    results = read("otel-logs", payload)

    assert [isinstance(result, Alert) for result in results] == [True, False, True, True]
    assert isinstance(results[1], BadRecord)
    assert "logRecords[1].severityNumber" in results[1].detail


@pytest.mark.parametrize("payload", [{}, {"resourceLogs": []}, {"resourceLogs": [{"scopeLogs": [{}]}]}])
def test_a_request_without_records_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(BadRecord, match="logRecords: missing"):
        read("otel-logs", payload)


# -- one condition


def test_the_masked_text_of_a_service_is_the_condition_whichever_instance_wrote() -> None:
    first, second = (
        only("otel-logs", request({"body": text(body)}, resource={"k8s.pod.name": pod}))
        for body, pod in (("job 88aa-12 gave up after 5 tries", "a-0"), ("job 41cf-07 gave up after 9 tries", "a-1"))
    )

    assert first.alert_key == second.alert_key
    assert first.name == "job <id> gave up after <num> tries"


@pytest.mark.parametrize("name", ["service.name", "service.namespace", "deployment.environment.name"])
def test_another_service_or_environment_is_another_condition(name: str) -> None:
    assert only("otel-logs", request(resource={name: "other"})).alert_key != told().alert_key


def test_an_exception_names_the_condition_unless_every_failure_is_one() -> None:
    def raised(kind: str, body: str) -> str:
        return told(body=text(body), attributes=[{"key": "exception.type", "value": text(kind)}]).alert_key

    assert raised("Timeout", "a") == raised("Timeout", "b") != raised("Deadlock", "a")
    assert raised("RuntimeError", "a") != raised("RuntimeError", "b")
    assert raised("RuntimeError", "a") == told(body=text("a")).alert_key


def test_an_event_name_is_the_condition() -> None:
    assert (
        told(eventName="disk.full", body=text("a")).alert_key == told(eventName="disk.full", body=text("b")).alert_key
    )
    assert told(eventName="disk.full").name == "disk.full"


# -- its end


def recovery(body: str, exception: str = "SerializationFailure", number: int = 9) -> Alert:
    payload = document("otel-logs-resolved")
    (record,) = payload["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    record.update(body=text(body), severityNumber=number)
    record["attributes"][0]["value"] = text(exception)
    return only("otel-logs", payload)


@pytest.mark.parametrize(
    ("body", "number", "kind"),
    [
        ("transaction backlog drained, lag 0", 9, Kind.RESOLVED),
        ("connection restored", 13, Kind.RESOLVED),
        ("connection not restored", 9, Kind.CONTROL),
        ("retrying", 9, Kind.CONTROL),
        ("restored a backup of a broken table", 17, Kind.FIRING),
    ],
)
def test_a_harmless_record_of_the_same_exception_ends_it_only_where_its_words_say_so(
    body: str, number: int, kind: Kind
) -> None:
    assert recovery(body, number=number).kind == kind


def test_a_recovery_of_another_exception_ends_nothing_and_one_without_a_name_is_none() -> None:
    firing = only("otel-logs", document("otel-logs-firing"))

    assert recovery("drained", "Timeout").alert_key != firing.alert_key
    assert told(body=text("drained"), severityNumber=9).kind == Kind.CONTROL


def test_silence_ends_what_no_record_ends() -> None:
    assert {alert.ttl_seconds for alert in alerts("otel-logs", request({}, {}))} == {3_600}
    run = Run("otel-logs", [(T0, sample("otel-logs-firing.json"))], run_on_seconds=3_700)
    assert [incident["state"] for incident in run.incidents] == ["resolved"]


def test_a_run_of_the_samples_is_one_incident_that_ends() -> None:
    run = Run("otel-logs", [(T0, sample("otel-logs-firing.json")), (T1, sample("otel-logs-resolved.json"))])

    assert run.decisions == [("opened", "first_symptom"), ("joined", "episode_resolved")]
    assert [incident["state"] for incident in run.incidents] == ["resolved"]


def test_the_collector_configuration_of_the_page_writes_json_to_the_feeds_topic() -> None:
    given = yaml.safe_load(block("otel-logs", "yaml", "exporters"))
    exporter = given["exporters"]["kafka"]["logs"]

    assert (exporter["topic"], exporter["encoding"]) == ("alerts.raw.otel-logs", "otlp_json")
    assert "kafka" in given["service"]["pipelines"]["logs"]["exporters"]
