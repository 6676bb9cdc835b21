"""Built-in adapters written in YAML: the same alerts, so that YAML can say what sources of this kind need."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from pipeline.core.identity import content_hash
from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.models.alert import Alert
from tests.feeds.declared import adapter, read
from tests.feeds.payloads import SAMPLES

GCP_MONITORING = """\
feed_class: cloud
skip:
  - when: has(message.version) && message.version == 'test'
    because: Google Cloud tests the notification channel
kind:
  path: incident.state
  map: {open: firing, acknowledged: acknowledged, closed: resolved}
alert:
  identity: [incident.incident_id]
  episode_id: incident.incident_id
  name: [{template: "{incident.policy_name}: {incident.condition_name}"}, incident.policy_name, incident.incident_id]
  summary: incident.summary
  description: incident.documentation.content
  severity:
    first: [incident.severity, incident.policy_user_labels.severity]
    default: unknown
    because: the policy has no severity
  event_at: {path: incident.started_at, spelling: epoch_seconds}
  ended_at: {path: incident.ended_at, spelling: epoch_seconds}
  labels:
    all_of:
      - incident.policy_user_labels
      - incident.metadata.system_labels
      - incident.metadata.user_labels
      - incident.metric.labels
      - incident.resource.labels
    named:
      project: incident.scoping_project_id
      policy: incident.policy_name
      condition: incident.condition_name
      metric: incident.metric.type
      resource: [incident.resource_display_name, incident.resource_name]
      resource_type: incident.resource.type
      value: incident.observed_value
      threshold: incident.threshold_value
  links:
    source: incident.url
    runbook: incident.documentation.links[?displayName=='Runbook'].url | [0]
"""

ALERTMANAGER = """\
feed_class: on_prem
split: alerts
kind:
  rules:
    - when: >-
        member.status == 'firing' && has(member.labels.alertname) &&
        member.labels.alertname in ['Watchdog', 'DeadMansSwitch']
      kind: heartbeat
  path: status
  map: {firing: firing, resolved: resolved}
alert:
  identity: [fingerprint]
  name: labels.alertname
  summary: [annotations.summary, annotations.message, annotations.title, annotations.description, labels.alertname]
  description: annotations.description
  severity: {path: labels.severity, default: unknown, because: label severity is absent}
  event_at: startsAt
  ended_at: endsAt
  labels: {all_of: [labels]}
  links:
    source: generatorURL
    runbook: annotations.runbook_url
    dashboard: annotations.dashboard_url
    alertmanager: $.externalURL
"""


@pytest.mark.parametrize(
    ("built_in", "text", "but"),
    [
        ("gcp-monitoring", GCP_MONITORING, set()),
        ("alertmanager", ALERTMANAGER, {"alert_key", "source_episode_id"}),
    ],
)
def test_a_built_in_adapter_written_in_yaml_gives_the_same_alerts(
    tmp_path: Path, built_in: str, text: str, but: set[str]
) -> None:
    subject = adapter(tmp_path, text)
    for file in SAMPLES.glob(f"{built_in}-*.json"):
        document = orjson.loads(file.read_bytes())
        message = RawMessage(built_in, subject.feed_class, (), ADAPTERS[built_in].read_options({}))
        expected, found = ADAPTERS[built_in](document, message), read(subject, document)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert isinstance(one, Alert)
            assert isinstance(other, Alert)
            one.feed = built_in
            if "alert_key" not in but:
                assert other.alert_key == content_hash(built_in, other.source_episode_id or "")
            differences = {name for name, value in asdict(one).items() if value != asdict(other)[name]}
            assert differences <= but | {"alert_key"}, file.name
