"""Kibana and Splunk: searches that found something, and how each says so."""

from __future__ import annotations

import pytest

from pipeline.feeds.splunk import TTL_SECONDS
from pipeline.models.alert import Kind, Severity
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import document, only, read


def refusal(adapter: str, payload: object) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read(adapter, payload)
    return caught.value


# -- Kibana


def test_a_run_is_the_alerts_uuid_and_the_condition_outlives_it() -> None:
    payload = document("kibana-firing")
    first = only("kibana", payload)
    payload["alert"]["uuid"] = "another"
    second = only("kibana", payload)

    assert first.alert_key == second.alert_key
    assert first.source_episode_id != second.source_episode_id


@pytest.mark.parametrize(("flapping", "label"), [(True, "true"), ("true", "true"), (False, None), ("", None)])
def test_flapping_is_told_and_hides_nothing(flapping: object, label: str | None) -> None:
    payload = document("kibana-firing")
    payload["alert"]["flapping"] = flapping
    alert = only("kibana", payload)

    assert (alert.kind, alert.labels.get("flapping")) == (Kind.FIRING, label)


def test_tags_and_groups_may_be_text_as_mustache_writes_them() -> None:
    payload = document("kibana-firing")
    as_lists = only("kibana", payload)
    payload["rule"]["tags"] = ",".join(payload["rule"]["tags"])
    payload["context"].update(grouping='{"service.name":"search-api"}', value="903")

    assert only("kibana", payload).labels == as_lists.labels


def test_a_tag_that_is_a_word_stays_one() -> None:
    payload = document("kibana-firing")
    payload["rule"]["tags"] = ["prod", "sev:critical", "eu"]
    alert = only("kibana", payload)

    assert (alert.labels["tags"], alert.severity) == ("prod, eu", Severity.CRITICAL)


def test_a_rule_without_a_severity_tag_says_so() -> None:
    payload = document("kibana-firing")
    payload["rule"]["tags"] = []
    alert = only("kibana", payload)

    assert (alert.severity, alert.severity_default_reason) == (Severity.UNKNOWN, "tag severity is absent")


@pytest.mark.parametrize(("section", "field"), [("rule", "id"), ("alert", "id"), ("alert", "actionGroup")])
def test_a_variable_that_nobody_filled_is_refused(section: str, field: str) -> None:
    for unfilled in ("", f"{{{{{section}.{field}}}}}"):
        payload = document("kibana-firing")
        payload[section][field] = unfilled

        assert refusal("kibana", payload).detail == f"$.{section}.{field}: missing or empty"


def test_the_page_of_the_alert_is_the_best_link_and_the_base_address_the_last() -> None:
    payload = document("kibana-firing")
    details = "https://kibana.meridian.example/app/observability/alerts/c1b2a3f4"
    payload["context"].update(viewInAppUrl="https://kibana.meridian.example/app/metrics", alertDetailsUrl=details)

    assert only("kibana", payload).links["kibana"] == details
    payload["context"] = {}
    assert only("kibana", payload).links["kibana"] == "https://kibana.meridian.example"


# -- Splunk


def test_splunk_ends_by_silence_for_as_long_as_the_feed_says() -> None:
    assert only("splunk", document("splunk-firing")).ttl_seconds == TTL_SECONDS
    assert only("splunk", document("splunk-firing"), ttl_seconds=900).ttl_seconds == 900


def test_the_fields_that_the_feed_names_tell_conditions_of_one_search_apart() -> None:
    one, two = document("splunk-firing"), document("splunk-firing")
    two["result"].update(host="wms-plc-gw-3", count="99", _time="1772591930")

    assert only("splunk", one).alert_key == only("splunk", two).alert_key
    assert only("splunk", one, identity=["host"]).alert_key != only("splunk", two, identity=["host"]).alert_key
    assert only("splunk", one, identity=["sourcetype"]).alert_key == (
        only("splunk", two, identity=["sourcetype"]).alert_key
    )


def test_two_apps_may_have_a_search_of_one_name() -> None:
    payload = document("splunk-firing")
    first = only("splunk", payload).alert_key

    assert only("splunk", {**payload, "app": "warehouse"}).alert_key != first


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1772591030", 1_772_591_030_000),
        ("1772591030.512", 1_772_591_030_512),
        (1772591030, 1_772_591_030_000),
        (1772591030.512, 1_772_591_030_512),
        ("2026-03-04T03:23:50.512+01:00", 1_772_591_030_512),
        (None, 1_772_591_040_000),  # when the search was due, by its id
    ],
)
def test_splunk_spells_a_time_in_many_ways(time: object, expected: int) -> None:
    payload = document("splunk-firing")
    payload["result"]["_time"] = time

    assert only("splunk", payload).event_at_ms == expected


@pytest.mark.parametrize("time", ["soon", "1e999", "2026-03-04 02:23:50", [], True, 10**17, 1e308])
def test_a_splunk_time_without_sense_is_refused(time: object) -> None:
    payload = document("splunk-firing")
    payload["result"]["_time"] = time

    assert refusal("splunk", payload).detail == ("$.result._time: expected seconds since 1970, or ISO 8601 with a zone")


def test_without_any_time_there_is_none() -> None:
    payload = {**document("splunk-firing"), "sid": "rt_1"}
    del payload["result"]["_time"]

    assert only("splunk", payload).event_at_ms is None


def test_a_number_is_a_severity_only_where_the_feed_says_which() -> None:
    payload = document("splunk-firing")
    payload["result"]["severity"] = "5"

    assert only("splunk", payload).severity == Severity.UNKNOWN
    assert only("splunk", payload, severity_words={"5": "critical"}).severity == Severity.CRITICAL


def test_a_field_with_several_values_is_told_whole_and_splunks_app_is_no_service() -> None:
    payload = document("splunk-firing")
    payload["result"].update(host=["a", "b"], _raw="line one")
    alert = only("splunk", payload)

    assert alert.labels["host"] == "a, b"
    assert alert.description == "line one"
    assert "app" not in alert.labels
    assert "_raw" not in alert.labels
