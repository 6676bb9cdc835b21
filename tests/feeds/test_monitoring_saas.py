"""Datadog, New Relic and Dynatrace: transitions, what is correlated already, and variables left in a template."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.alert import Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import document, only, read


def refusal(adapter: str, payload: object) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read(adapter, payload)
    return caught.value


# -- Datadog


def datadog(**changed: Any) -> dict[str, Any]:
    return {**document("datadog-firing"), **changed}


@pytest.mark.parametrize(
    ("transition", "kind", "severity"),
    [
        ("Triggered", Kind.FIRING, Severity.ERROR),
        ("Re-Triggered", Kind.FIRING, Severity.ERROR),
        ("Renotify", Kind.FIRING, Severity.ERROR),
        ("Warn", Kind.FIRING, Severity.WARNING),
        ("Re-Warn", Kind.FIRING, Severity.WARNING),
        ("No Data", Kind.FIRING, Severity.WARNING),
        ("Re-No Data", Kind.FIRING, Severity.WARNING),
        ("Recovered", Kind.RESOLVED, Severity.ERROR),
    ],
)
def test_every_transition_is_of_one_condition(transition: str, kind: Kind, severity: Severity) -> None:
    alert = only("datadog", datadog(alert_transition=transition, title=f"[{transition} on {{a:b}}] Errors"))

    assert (alert.kind, alert.severity) == (kind, severity)
    assert alert.alert_key == only("datadog", datadog()).alert_key


def test_a_transition_that_datadog_does_not_make_is_refused() -> None:
    assert refusal("datadog", datadog(alert_transition="Muted")).reason == Reason.UNKNOWN_SHAPE
    assert refusal("datadog", datadog(alert_transition="")).detail == "$.alert_transition: missing or empty"


@pytest.mark.parametrize(
    ("priority", "kind", "transition", "severity"),
    [
        ("P1", "error", "Triggered", Severity.CRITICAL),
        ("P1", "error", "Warn", Severity.WARNING),
        ("P4", "error", "Warn", Severity.INFO),
        ("P3", "error", "Triggered", Severity.WARNING),
        ("P5", "error", "Triggered", Severity.INFO),
        ("", "error", "Triggered", Severity.ERROR),
        ("$ALERT_PRIORITY", "warning", "Warn", Severity.WARNING),
        ("", "info", "Triggered", Severity.INFO),
        ("", "", "Triggered", Severity.UNKNOWN),
    ],
)
def test_severity_is_the_priority_else_the_type_and_no_more_than_the_monitor_says(
    priority: str, kind: str, transition: str, severity: Severity
) -> None:
    payload = datadog(alert_priority=priority, alert_type=kind, alert_transition=transition)

    assert only("datadog", payload).severity == severity


@pytest.mark.parametrize(
    ("title", "severity", "summary"),
    [
        ("[Re-Triggered on {a:b}] Errors", Severity.ERROR, "Errors"),
        ("[Re-Warn on {a:b}] Errors", Severity.WARNING, "Errors"),
        ("[P2] [Re-No Data on {a:b}] Errors", Severity.WARNING, "Errors: no data"),
        ("[Recovered] Errors", Severity.ERROR, "Errors"),
        ("Errors", Severity.ERROR, "Errors"),
    ],
)
def test_a_renotification_is_as_bad_as_what_it_repeats(title: str, severity: Severity, summary: str) -> None:
    alert = only("datadog", datadog(alert_transition="Renotify", alert_title=title))

    assert (alert.kind, alert.severity, alert.summary) == (Kind.FIRING, severity, summary)


def test_a_renotification_without_its_title_is_a_warning_by_the_type() -> None:
    payload = datadog(alert_transition="Renotify", alert_title="", title="", alert_priority="P1")

    assert only("datadog", payload | {"alert_type": "warning"}).severity == Severity.WARNING
    assert only("datadog", payload | {"alert_type": "error"}).severity == Severity.CRITICAL


def test_the_priority_of_the_event_is_no_severity() -> None:
    payload = datadog(priority="low", alert_priority=None, alert_type=None)

    assert only("datadog", payload).severity == Severity.UNKNOWN


@pytest.mark.parametrize(
    "title",
    [
        "[Triggered on {service:cart-api,env:prod}] Error rate [5m]",
        "[P1] [Re-Triggered on {service:cart-api}] Error rate [5m]",
        "[No Data] Error rate [5m]",
        "[Recovered] Error rate [5m]",
        "Error rate [5m]",
    ],
)
def test_the_name_stays_while_the_title_changes_with_the_transition(title: str) -> None:
    assert only("datadog", datadog(alert_title=title)).name == "Error rate [5m]"


def test_groups_of_one_monitor_are_conditions_of_their_own_whatever_the_order_of_their_tags() -> None:
    one, again = datadog(alert_scope="env:prod,service:cart-api"), datadog(alert_scope="service:cart-api, env:prod")
    other = datadog(alert_scope="env:prod,service:search")

    assert only("datadog", one).alert_key == only("datadog", again).alert_key != only("datadog", other).alert_key


def test_a_template_without_the_scope_is_refused_as_its_groups_would_be_one() -> None:
    payload = datadog()
    del payload["alert_scope"]

    assert refusal("datadog", payload).detail == "$.alert_scope: missing or empty"
    assert only("datadog", datadog(alert_scope="")).kind == Kind.FIRING  # a monitor that alerts as a whole


@pytest.mark.parametrize("field", ["alert_id", "alert_transition", "alert_scope"])
def test_a_variable_that_datadog_left_in_place_is_no_value(field: str) -> None:
    bad = refusal("datadog", datadog(**{field: f"${field.upper()}"}))

    assert (bad.reason, bad.detail) == (Reason.MISSING_FIELD, f"$.{field}: the template's variable was not replaced")


def test_other_variables_left_in_place_are_absent_and_a_price_is_none() -> None:
    alert = only(
        "datadog",
        datadog(date="$DATE", alert_cycle_key="$ALERT_CYCLE_KEY", id="$ID", tags="$TAGS[team]", hostname="$HOSTNAME",
                link="$LINK", org={"id": "$ORG_ID", "name": "$ORG_NAME"}, body="Costs are above $BUDGET a day"),
    )  # fmt: skip

    assert (alert.event_at_ms, alert.source_episode_id, alert.delivery_id) == (None, None, None)
    assert not {"host", "tags", "organisation"} & set(alert.labels)
    assert "source" not in alert.links
    assert alert.description == "Costs are above $BUDGET a day"


def test_tags_of_the_group_win_and_others_may_come_several_times() -> None:
    payload = datadog(
        alert_scope="host:a,!env:dev", tags="host:a,host:b,kube_app:x,kube_app:y,monitor,url:http://x:80", hostname="c"
    )
    labels = only("datadog", payload).labels

    assert (labels["host"], labels["kube_app"], labels["tags"]) == ("a", "x, y", "monitor")
    assert labels["url"] == "http://x:80"
    assert not [name for name in labels if name.startswith("!")]


def test_a_second_delivery_has_its_id_but_one_that_turns_worse_under_the_same_event_has_not() -> None:
    warned, triggered = only("datadog", document("datadog-warn")), only("datadog", datadog())

    assert document("datadog-warn")["id"] == datadog()["id"]
    assert warned.delivery_id != triggered.delivery_id == only("datadog", datadog()).delivery_id


def test_the_test_of_a_monitor_is_no_alert() -> None:
    alert = only("datadog", datadog(alert_title="[TEST] [Triggered on {a:b}] Errors"))

    assert (alert.kind, alert.name, alert.severity) == (Kind.CONTROL, "test", Severity.INFO)
    assert alert.summary == "Datadog tests a monitor's notification"
    assert alert.alert_key != only("datadog", datadog()).alert_key


# -- New Relic


def issue(**changed: Any) -> dict[str, Any]:
    return {**document("newrelic-firing"), **changed}


@pytest.mark.parametrize(
    ("state", "trigger", "kind"),
    [
        ("CREATED", "ISSUE_CREATED", Kind.FIRING),
        ("ACTIVATED", "INCIDENT_ADDED", Kind.FIRING),
        ("ACTIVATED", "INCIDENT_CLOSED", Kind.FIRING),  # one of several: the issue goes on
        ("ACKNOWLEDGED", "ISSUE_ACKNOWLEDGED", Kind.ACKNOWLEDGED),
        ("ACKNOWLEDGED", None, Kind.ACKNOWLEDGED),
        ("ACKNOWLEDGED", "PRIORITY_CHANGED", Kind.FIRING),  # or the new severity would be lost
        ("CLOSED", "INCIDENT_CLOSED", Kind.RESOLVED),
        ("closed", "STATE_CHANGE", Kind.RESOLVED),
    ],
)
def test_the_state_of_an_issue_counts_and_not_what_triggered_the_message(
    state: str, trigger: str | None, kind: Kind
) -> None:
    alert = only("newrelic", issue(state=state, trigger=trigger))

    assert (alert.kind, alert.alert_key) == (kind, only("newrelic", issue()).alert_key)


def test_an_issue_is_one_alert_that_says_what_it_stands_for() -> None:
    alert = only("newrelic", issue(impactedEntities=["a", "b", "c"], totalIncidents=7))

    assert (alert.labels["correlated"], alert.labels["incidents"]) == ("true", "7")
    assert (alert.labels["component"], alert.labels["components"]) == ("a", "a, b, c")


def test_an_issue_that_grows_keeps_its_name() -> None:
    grown = issue(alertConditionNames=["Apdex low", "Throughput drop", "Errors"], title="3 incidents of storefront-web")

    assert only("newrelic", grown).name == only("newrelic", issue()).name == "Apdex low"


def test_times_may_be_text_and_lists_may_be_one_name() -> None:
    alert = only(
        "newrelic", issue(createdAt="1772590640112", impactedEntities="storefront-web", runbookUrls="https://r")
    )

    assert (alert.event_at_ms, alert.labels["component"]) == (1_772_590_640_112, "storefront-web")
    assert alert.links["runbook"] == "https://r"


def test_handlebars_left_in_place_are_no_values() -> None:
    left = issue(
        priority="{{ priority }}", impactedEntities=["{{ entity }}"], labels={"service": "{{ tag }}", "env": "p"}
    )
    alert = only("newrelic", left)

    assert (alert.severity, alert.severity_default_reason) == (Severity.UNKNOWN, "priority is absent")
    assert alert.labels["env"] == "p"
    assert not {"component", "service"} & set(alert.labels)
    assert "not replaced" in refusal("newrelic", issue(id="{{issueId}}")).detail


LEGACY = {
    "account_id": 3300112,
    "condition_name": "Apdex low",
    "current_state": "open",
    "details": "Apdex of storefront-web < 0.7 for at least 5 minutes",
    "event_type": "INCIDENT",
    "incident_id": 91422,
    "incident_url": "https://alerts.newrelic.com/accounts/3300112/incidents/91422",
    "open_violations_count": {"critical": 1, "warning": 0},
    "policy_name": "Storefront golden signals",
    "runbook_url": "https://runbooks.meridian.example/storefront",
    "severity": "CRITICAL",
    "targets": [
        {"id": "1", "name": "storefront-web", "labels": {"environment": "prod"}, "type": "Application"},
        {"id": "2", "name": "eu-lb-2", "labels": {"environment": "edge", "zone": "a"}, "type": "Host"},
    ],
    "timestamp": 1772590640112,
    "version": "1.0",
}


def test_a_legacy_incident_runs_from_open_to_closed_under_one_key() -> None:
    opened = only("newrelic", LEGACY)
    acknowledged = only("newrelic", {**LEGACY, "current_state": "acknowledged"})
    closed = only("newrelic", {**LEGACY, "current_state": "closed", "timestamp": 1772592000554})

    assert [alert.kind for alert in (opened, acknowledged, closed)] == [Kind.FIRING, Kind.ACKNOWLEDGED, Kind.RESOLVED]
    assert len({alert.alert_key for alert in (opened, acknowledged, closed)}) == 1
    assert (opened.event_at_ms, closed.event_at_ms, closed.ended_at_ms) == (1_772_590_640_112, None, 1_772_592_000_554)
    assert (opened.severity, opened.name) == (Severity.CRITICAL, "Apdex low")
    assert (opened.labels["component"], opened.labels["environment"], opened.labels["zone"]) == (
        "storefront-web", "prod", "a",
    )  # fmt: skip


def test_accounts_do_not_share_legacy_incidents_and_issues_are_not_incidents() -> None:
    keys = [
        only("newrelic", payload).alert_key
        for payload in (LEGACY, {**LEGACY, "account_id": 1}, issue(id="91422"), issue())
    ]

    assert len(set(keys)) == 4


def test_the_test_of_a_legacy_channel_is_no_alert() -> None:
    assert only("newrelic", {**LEGACY, "current_state": "test", "incident_id": 0}).kind == Kind.CONTROL


def test_legacy_variables_left_in_place_are_refused() -> None:
    assert "not replaced" in refusal("newrelic", {**LEGACY, "incident_id": "$INCIDENT_ID"}).detail
    assert only("newrelic", {**LEGACY, "targets": "$TARGETS", "runbook_url": "$RUNBOOK_URL"}).links.keys() == {"source"}


def test_a_payload_of_neither_kind_says_what_to_use() -> None:
    assert "use the template" in refusal("newrelic", {"id": "x"}).detail


# -- Dynatrace


def problem(**changed: Any) -> dict[str, Any]:
    return {**document("dynatrace-firing"), **changed}


def test_a_merged_problem_says_so_under_its_own_key() -> None:
    merged = only("dynatrace", document("dynatrace-merged"))

    assert (merged.kind, merged.alert_key) == (Kind.MERGED, only("dynatrace", problem()).alert_key)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("AVAILABILITY", Severity.CRITICAL),
        ("ERROR", Severity.ERROR),
        ("PERFORMANCE", Severity.WARNING),
        ("RESOURCE_CONTENTION", Severity.WARNING),
        ("MONITORING_UNAVAILABLE", Severity.WARNING),
        ("CUSTOM_ALERT", Severity.INFO),
        ("SOMETHING_NEW", Severity.UNKNOWN),
    ],
)
def test_every_severity_word_in_full(word: str, severity: Severity) -> None:
    alert = only("dynatrace", problem(ProblemSeverity=word))

    assert (alert.severity, alert.severity_native) == (severity, word)


def test_a_feed_says_how_bad_its_own_rules_are() -> None:
    payload = problem(ProblemSeverity="CUSTOM_ALERT")

    assert only("dynatrace", payload, custom_alert_severity="error").severity == Severity.ERROR
    assert only("dynatrace", problem(), custom_alert_severity="info").severity == Severity.ERROR
    with pytest.raises(ValueError, match="custom_alert_severity"):
        only("dynatrace", payload, custom_alert_severity="awful")


def test_without_the_details_no_time_is_made_up() -> None:
    payload = document("dynatrace-resolved")
    del payload["ProblemDetailsJSONv2"]
    alert = only("dynatrace", payload)

    assert (alert.kind, alert.event_at_ms, alert.ended_at_ms) == (Kind.RESOLVED, None, None)
    assert alert.alert_key == only("dynatrace", problem()).alert_key


def test_an_open_problem_that_ends_at_minus_one_has_no_end() -> None:
    payload = document("dynatrace-resolved")
    payload["ProblemDetailsJSONv2"]["endTime"] = -1

    assert only("dynatrace", payload).ended_at_ms is None


@pytest.mark.parametrize("field", ["State", "PID"])
def test_placeholders_left_in_place_are_refused(field: str) -> None:
    assert refusal("dynatrace", problem(**{field: f"{{{field}}}"})).reason == Reason.MISSING_FIELD


def test_placeholders_of_objects_between_quotes_are_absent() -> None:
    alert = only(
        "dynatrace",
        problem(ImpactedEntities="{ImpactedEntities}", ProblemDetailsJSONv2="{ProblemDetailsJSONv2}", Tags="{Tags}"),
    )

    assert set(alert.labels) == {"problem", "impact"}


def test_the_problem_is_its_pid_and_never_its_number_for_people() -> None:
    assert refusal("dynatrace", problem(PID=None, ProblemDetailsJSONv2=None)).detail == "$.PID: missing or empty"
    assert only("dynatrace", problem(PID=None)).alert_key == only("dynatrace", problem()).alert_key
    assert only("dynatrace", problem(ProblemID="P-1")).alert_key == only("dynatrace", problem()).alert_key


def test_tags_lose_where_they_come_from() -> None:
    labels = only("dynatrace", problem(Tags="[Kubernetes]app:cart, [AWS]Name:edge-1, legacy, app:cart-2")).labels

    assert (labels["app"], labels["Name"], labels["tags"]) == ("cart, cart-2", "edge-1", "legacy")


def test_the_test_of_an_integration_is_no_alert() -> None:
    payload = problem(ProblemTitle="Dynatrace problem notification test run", PID="99999", ProblemID="999")

    assert only("dynatrace", payload).kind == Kind.CONTROL
