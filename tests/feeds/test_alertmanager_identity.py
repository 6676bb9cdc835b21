"""A feed of Alertmanager that names what identifies a condition: pods come and go, the condition stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.catalog import ConfigError, load_config
from pipeline.core.step import StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.policy import Config, Feed
from pipeline.replay import Replay
from tests.feeds.payloads import alerts, document

IDENTITY = ["alertname", "service"]
FIRST_MS = 1_772_590_302_318
SECOND_MS = 1_772_590_332_318


def read(payload: object, *names: str) -> list[Alert]:
    return alerts("alertmanager", payload, identity_labels=names or IDENTITY)


def keys(payload: object, *names: str) -> set[str]:
    return {alert.alert_key for alert in read(payload, *names)}


def test_pods_of_a_service_are_one_condition_and_another_service_is_another() -> None:
    payload = document("alertmanager-firing")
    churned = document("alertmanager-firing")
    for number, member in enumerate(churned["alerts"]):
        member["labels"]["pod"] = f"payments-api-another-{number}"
        member["fingerprint"] = f"another-{number}"
    other = document("alertmanager-firing")
    other["alerts"][1]["labels"]["service"] = "orders-api"

    assert len(keys(payload)) == 1
    assert keys(payload) == keys(churned)
    assert len(keys(other)) == 2


def test_by_default_the_fingerprint_identifies() -> None:
    plain = alerts("alertmanager", document("alertmanager-firing"))

    assert len({alert.alert_key for alert in plain}) == 2
    assert plain == alerts("alertmanager", document("alertmanager-firing"), identity_labels=[])


def test_a_condition_fires_while_one_of_its_members_does() -> None:
    mixed = read(document("alertmanager-mixed"))

    assert [alert.kind for alert in mixed] == [Kind.FIRING, Kind.FIRING]
    assert [alert.ended_at_ms for alert in mixed] == [None, None]
    assert [alert.event_at_ms for alert in mixed] == [FIRST_MS, FIRST_MS]


def test_a_condition_is_over_when_its_last_member_is() -> None:
    resolved = read(document("alertmanager-resolved"))

    assert [alert.kind for alert in resolved] == [Kind.RESOLVED, Kind.RESOLVED]
    assert [alert.ended_at_ms for alert in resolved] == [1_772_592_552_318, 1_772_592_552_318]


def test_a_condition_is_as_bad_as_its_worst_member_that_fires() -> None:
    payload = document("alertmanager-firing")
    payload["alerts"][0]["labels"]["severity"] = "warning"
    assert [alert.severity for alert in read(payload)] == [Severity.CRITICAL, Severity.CRITICAL]

    payload["alerts"][1]["status"] = "resolved"
    assert [alert.severity for alert in read(payload)] == [Severity.WARNING, Severity.WARNING]


def test_what_alertmanager_groups_by_belongs_to_the_identity_as_one_group_is_all_we_see() -> None:
    payload = document("alertmanager-firing")
    payload["groupLabels"] = {"pod": "payments-api-7c9f6d8b5-2xk4l"}

    assert len(keys(payload)) == 2
    assert keys(payload, "service") != keys(payload, "alertname")


def test_members_keep_their_own_labels_and_their_place() -> None:
    pods = [alert.labels["pod"] for alert in read(document("alertmanager-mixed"))]

    assert pods == ["payments-api-7c9f6d8b5-2xk4l", "payments-api-7c9f6d8b5-hv9qz"]


def test_a_member_without_any_of_the_labels_keeps_its_fingerprint() -> None:
    payload = document("alertmanager-firing")

    assert keys(payload, "squad") == {alert.alert_key for alert in alerts("alertmanager", payload)}


def test_a_heartbeat_stays_one() -> None:
    assert [alert.kind for alert in read(document("alertmanager-watchdog"))] == [Kind.HEARTBEAT]


def test_through_the_pipeline_the_condition_is_one_episode_from_first_pod_to_last() -> None:
    firing, churned = document("alertmanager-mixed"), document("alertmanager-firing")
    churned["alerts"] = churned["alerts"][1:]
    churned["alerts"][0]["labels"]["pod"] = churned["alerts"][0]["fingerprint"] = "after-a-restart"
    gone = document("alertmanager-resolved")
    gone["alerts"][0]["labels"]["pod"] = gone["alerts"][0]["fingerprint"] = "after-a-restart"
    feed = Feed(name="alertmanager", adapter="alertmanager", options={"identity_labels": IDENTITY})
    config = Config(feeds={feed.name: feed})
    outcome = Replay(config).run(
        StreamRecord("alerts.raw.alertmanager", 0, offset, 1_772_600_000_000 + offset, None, orjson.dumps(payload))
        for offset, payload in enumerate((firing, churned, gone))
    )
    reasons = [decision.reason for decision in outcome.decisions]

    assert reasons == [
        "first_symptom", "still_firing", "still_firing", "episode_resolved", "resolved_without_firing",
    ]  # fmt: skip
    assert len({decision.episode_id for decision in outcome.decisions}) == 1


def feeds(directory: Path, options: dict[str, Any]) -> Path:
    (directory / "catalog").mkdir()
    (directory / "feeds.yaml").write_bytes(orjson.dumps({"alertmanager": {"options": options}}))  # JSON is YAML
    return directory


def test_the_option_stands_in_feeds_yaml(tmp_path: Path) -> None:
    config = load_config(feeds(tmp_path, {"identity_labels": IDENTITY}), ADAPTERS)

    assert config.feeds["alertmanager"].options == {"identity_labels": IDENTITY}


@pytest.mark.parametrize("options", [{"identity_label": IDENTITY}, {"identity_labels": 7}])
def test_an_option_that_does_not_fit_is_found_by_the_check(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="identity_label"):
        load_config(feeds(tmp_path, options), ADAPTERS)
