"""Google Cloud Monitoring webhook or Pub/Sub notification, schema 1.2 and 1.1: an incident is open or closed.

An incident is one run of one condition over one time series; its id is all that surely stays the same in both
messages. Version 1.1 has neither severity nor metric, and its documentation may be plain text.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.control import channel_test
from pipeline.feeds.fields import Fields, first_line, put_link, scalar_text, unknown_word
from pipeline.feeds.labels import known
from pipeline.feeds.severity import LABEL_WORDS, Graded, grade
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.CLOUD

_TEST_VERSION: Final = "test"
_KINDS: Final = {"open": Kind.FIRING, "acknowledged": Kind.ACKNOWLEDGED, "closed": Kind.RESOLVED}
_WORDS: Final = {"critical": Severity.CRITICAL, "error": Severity.ERROR, "warning": Severity.WARNING}
_NO_SEVERITY: Final = "no severity"


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = Fields.of(document)
    incident = top.section("incident")
    if top.identifier_or_none("version") == _TEST_VERSION:
        return [channel_test(message, "Google Cloud tests a notification channel")]
    incident_id = incident.identifier("incident_id")
    word = incident.text("state").lower()
    if word not in _KINDS:
        raise unknown_word(incident.at("state"), tuple(_KINDS))
    kind = _KINDS[word]
    graded = _grade(incident)
    name = ": ".join(filter(None, (incident.text_or_none("policy_name"), incident.text_or_none("condition_name"))))
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, incident_id),
        source_episode_id=incident_id,
        name=name or incident_id,
        summary=first_line(incident.text_or_none("summary") or "") or name,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=incident.epoch_or_none("started_at", per_second=1),
        ended_at_ms=incident.epoch_or_none("ended_at", per_second=1) if kind == Kind.RESOLVED else None,
        labels=_labels(incident),
    )
    _document(alert, incident)
    return [alert]


def _grade(incident: Fields) -> Graded:
    """The policy's severity; where it has none, the label ``severity`` that teams put on the policy instead."""
    native = incident.text_or_none("severity")
    if native is not None and native.strip().lower() != _NO_SEVERITY:
        return grade(native, _WORDS, "severity")
    by_team = scalar_text(incident.section_or_empty("policy_user_labels").values.get("severity"))
    if by_team is not None:
        return grade(by_team, LABEL_WORDS, "policy label severity")
    return Graded(Severity.UNKNOWN, native, "the policy has no severity")


def _labels(incident: Fields) -> dict[str, str]:
    """Labels of the policy, under those of the resource and its metric, under Google's own facts."""
    resource, metric = incident.section_or_empty("resource"), incident.section_or_empty("metric")
    metadata = incident.section_or_empty("metadata")
    return {
        **incident.section_or_empty("policy_user_labels").scalars(),
        **metadata.section_or_empty("system_labels").scalars(),
        **metadata.section_or_empty("user_labels").scalars(),
        **metric.section_or_empty("labels").scalars(),
        **resource.section_or_empty("labels").scalars(),
        **known(
            {
                "project": incident.text_or_none("scoping_project_id"),
                "policy": incident.text_or_none("policy_name"),
                "condition": incident.text_or_none("condition_name"),
                "metric": metric.text_or_none("type"),
                "resource": incident.text_or_none("resource_display_name") or incident.text_or_none("resource_name"),
                "resource_type": resource.text_or_none("type"),
                "value": scalar_text(incident.values.get("observed_value")),
                "threshold": scalar_text(incident.values.get("threshold_value")),
            }
        ),
    }


def _document(alert: Alert, incident: Fields) -> None:
    """Put what the policy's documentation says, and where the incident is."""
    put_link(alert.links, "source", incident.text_or_none("url"))
    text = incident.values.get("documentation")
    if isinstance(text, str):
        alert.description = text
        return
    documentation = incident.section_or_empty("documentation")
    alert.description = documentation.text_or_none("content") or ""
    for link in documentation.sections("links"):
        title = (link.text_or_none("displayName") or "link").lower()
        put_link(alert.links, title, link.text_or_none("url"))
