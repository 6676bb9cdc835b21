"""Icinga 2: hard and soft states, hosts and services, downtimes, flapping under both names, notifications."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import document, only, read
from tests.feeds.runs import Run, sample


def changed(**changes: Any) -> Alert:
    return only("icinga2", {**document("icinga2-firing"), **changes})


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": 1_772_590_730.118, "host": "ham-rtr-01", **fields}


def test_a_soft_state_is_control_and_says_why() -> None:
    alert = changed(state_type=0)

    assert alert.kind == Kind.CONTROL
    assert "SOFT" in alert.summary


def test_old_releases_write_states_as_fractions() -> None:
    assert changed(state=2.0, state_type=1).severity == Severity.CRITICAL


@pytest.mark.parametrize("state", [4, -1, 2.5, True, "2"])
def test_a_state_that_is_none_is_refused(state: object) -> None:
    with pytest.raises(BadRecord, match=r"\$\.state"):
        read("icinga2", {**document("icinga2-firing"), "state": state})


def test_a_host_has_states_of_its_own_and_is_another_condition() -> None:
    down = only("icinga2", event("StateChange", state=1, state_type=1))
    up = only("icinga2", event("StateChange", state=0, state_type=1))

    assert (down.kind, down.severity, down.severity_native) == (Kind.FIRING, Severity.CRITICAL, "DOWN")
    assert (up.kind, up.severity_native) == (Kind.RESOLVED, "UP")
    assert down.alert_key == up.alert_key != changed().alert_key


def test_a_service_called_as_nothing_is_not_the_host() -> None:
    assert changed(service="a").alert_key != only("icinga2", event("StateChange", state=1, state_type=1)).alert_key


@pytest.mark.parametrize("name", ["flapping_current", "current_flapping"])
def test_flapping_is_read_under_the_name_of_the_program_and_of_its_manual(name: str) -> None:
    alert = only("icinga2", event("Flapping", service="bgp", state=2, state_type=1, is_flapping=True, **{name: 42.51}))

    assert alert.kind == Kind.CONTROL
    assert alert.labels["flapping_percent"] == "42.5"
    assert alert.summary.startswith("flapping")


def test_acknowledging_and_taking_it_back_meet_the_problem() -> None:
    cleared = only("icinga2", event("AcknowledgementCleared", service="bgp-peer-as64512", state=2, state_type=1))

    assert cleared.kind == Kind.UNACKNOWLEDGED
    assert cleared.alert_key == only("icinga2", document("icinga2-ack")).alert_key == changed().alert_key


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("DowntimeStarted", Kind.MAINTENANCE_START),
        ("DowntimeTriggered", Kind.MAINTENANCE_START),
        ("DowntimeRemoved", Kind.MAINTENANCE_END),
        ("DowntimeEnded", Kind.MAINTENANCE_END),
        ("DowntimeAdded", Kind.CONTROL),
    ],
)
def test_each_event_of_a_downtime_means_a_kind(kind: str, expected: Kind) -> None:
    assert only("icinga2", {**document("icinga2-downtime"), "type": kind}).kind == expected


def test_a_downtime_that_is_removed_ended_then_and_not_as_planned() -> None:
    payload = {**document("icinga2-downtime"), "type": "DowntimeRemoved", "timestamp": 1_772_601_000.5}
    alert = only("icinga2", payload)

    assert (alert.event_at_ms, alert.ended_at_ms) == (None, 1_772_601_000_500)


def test_a_flexible_downtime_runs_from_its_trigger() -> None:
    payload = document("icinga2-downtime")
    payload["downtime"].update(fixed=False, trigger_time=1_772_600_700, duration=1_800)
    alert = only("icinga2", payload)

    assert (alert.event_at_ms, alert.ended_at_ms) == (1_772_600_700_000, 1_772_602_500_000)


def test_a_flexible_downtime_of_centuries_is_refused() -> None:
    payload = document("icinga2-downtime")
    payload["downtime"].update(fixed=False, trigger_time=1_772_600_700, duration=200_000_000_000)
    with pytest.raises(BadRecord, match=r"\$\.downtime\.duration"):
        read("icinga2", payload)


def test_a_problem_in_a_downtime_is_told_unless_the_feed_also_reads_notifications() -> None:
    payload = {**document("icinga2-firing"), "downtime_depth": 1}

    assert only("icinga2", payload).labels["in_downtime"] == "true"
    assert only("icinga2", payload).kind == Kind.FIRING
    assert only("icinga2", payload, quiet_in_downtime=True).kind == Kind.CONTROL


def test_a_recovery_in_a_downtime_always_counts() -> None:
    payload = {**document("icinga2-resolved"), "downtime_depth": 1}

    assert only("icinga2", payload, quiet_in_downtime=True).kind == Kind.RESOLVED


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("PROBLEM", Kind.FIRING), ("RECOVERY", Kind.RESOLVED), ("ACKNOWLEDGEMENT", Kind.ACKNOWLEDGED),
        ("DOWNTIMESTART", Kind.MAINTENANCE_START), ("DOWNTIMEEND", Kind.MAINTENANCE_END),
        ("DOWNTIMEREMOVED", Kind.MAINTENANCE_END), ("FLAPPINGSTART", Kind.CONTROL), ("FLAPPINGEND", Kind.CONTROL),
        ("CUSTOM", Kind.CONTROL),
    ],
)  # fmt: skip
def test_each_notification_means_a_kind(word: str, kind: Kind) -> None:
    payload = event("Notification", service="bgp-peer-as64512", notification_type=word, text="on it",
                    check_result={"state": 2, "output": "BGP CRITICAL"})  # fmt: skip

    assert only("icinga2", payload).kind == kind


def test_a_notification_and_a_state_change_of_one_problem_are_one_condition() -> None:
    payload = event("Notification", service="bgp-peer-as64512", notification_type="PROBLEM",
                    check_result={"state": 2, "output": "BGP CRITICAL"})  # fmt: skip

    assert only("icinga2", payload).alert_key == changed().alert_key


@pytest.mark.parametrize(("plugin", "word"), [(0, "UP"), (1, "UP"), (2, "DOWN"), (3, "DOWN")])
def test_a_notification_about_a_host_has_its_plugins_state(plugin: int, word: str) -> None:
    payload = event("Notification", notification_type="PROBLEM", check_result={"state": plugin})

    assert only("icinga2", payload).severity_native == word


@pytest.mark.parametrize("kind", ["CheckResult", "CommentAdded", "CommentRemoved", "ObjectModified"])
def test_events_that_are_no_news_are_control(kind: str) -> None:
    assert only("icinga2", {"type": kind, "timestamp": 1}).kind == Kind.CONTROL


def test_an_event_that_icinga_does_not_have_is_refused() -> None:
    with pytest.raises(BadRecord, match=r"\$\.type: not one of StateChange"):
        read("icinga2", {"type": "Ping"})


def test_a_run_of_the_samples_is_one_incident_that_ends() -> None:
    soft = orjson.dumps({**document("icinga2-firing"), "state_type": 0})
    run = Run("icinga2", [
        (1_772_590_700_000, soft),
        (1_772_590_730_118, sample("icinga2-firing.json")),
        (1_772_590_900_200, sample("icinga2-ack.json")),
        (1_772_592_830_551, sample("icinga2-resolved.json")),
    ])  # fmt: skip

    assert run.decisions[0] == ("control", "source_control")
    assert [incident["state"] for incident in run.incidents] == ["resolved"]
