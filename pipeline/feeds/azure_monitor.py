"""Azure Monitor, common alert schema: metric, log and activity alerts, and Service Health.

Service Health never says Resolved in ``monitorCondition`` and always Sev4: what counts there is the tracking
id and the stage of the event.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, unknown_word
from pipeline.feeds.severity import AZURE_WORDS, grade
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.CLOUD

_SCHEMA: Final = "azureMonitorCommonAlertSchema"
_CONDITIONS: Final = {"Fired": Kind.FIRING, "Resolved": Kind.RESOLVED}
_STAGES: Final = {
    "Active": Kind.FIRING,
    "Resolved": Kind.RESOLVED,
    "RCA": Kind.RESOLVED,  # the report that follows the resolution
    "Planned": Kind.MAINTENANCE_START,
    "Rescheduled": Kind.MAINTENANCE_START,
    "InProgress": Kind.MAINTENANCE_START,
    "Complete": Kind.MAINTENANCE_END,
    "Canceled": Kind.MAINTENANCE_END,
}


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one alert."""
    top = Fields.of(document)
    schema = top.text_or_none("schemaId")
    if schema != _SCHEMA:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.schemaId: switch the action group to the common alert schema")
    data = top.section("data")
    essentials = data.section("essentials")
    if essentials.text_or_none("monitoringService") == "ServiceHealth":
        return [_service_health(data, essentials, message)]
    return [_alert(data, essentials, message)]


def _alert(data: Fields, essentials: Fields, message: RawMessage) -> Alert:
    alert_id = essentials.text("alertId")
    name = essentials.text("alertRule")
    condition = essentials.text("monitorCondition")
    if condition not in _CONDITIONS:
        raise unknown_word(essentials.at("monitorCondition"), tuple(_CONDITIONS))
    graded = grade(essentials.text_or_none("severity"), AZURE_WORDS, "severity")
    description = essentials.text_or_none("description") or ""
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=_CONDITIONS[condition],
        alert_key=content_hash(message.feed, alert_id),
        source_episode_id=alert_id,
        name=name,
        summary=first_line(description) or name,
        description=description,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=essentials.time_or_none("firedDateTime"),
        ended_at_ms=essentials.time_or_none("resolvedDateTime"),
        labels=_labels(data, essentials),
    )


def _service_health(data: Fields, essentials: Fields, message: RawMessage) -> Alert:
    event = data.section("alertContext").section("properties")
    tracking_id = event.text("trackingId")
    stage = event.text("stage")
    if stage not in _STAGES:
        raise unknown_word(event.at("stage"), tuple(_STAGES))
    kind = _STAGES[stage]
    incident = event.text_or_none("incidentType") == "Incident"
    labels = _labels(data, essentials)
    for label, field in (
        ("azure_service", "service"),
        ("region", "region"),
        ("incident_type", "incidentType"),
    ):
        if value := event.text_or_none(field):
            labels[label] = value
    title = event.text_or_none("title")
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, "service-health", tracking_id),
        source_episode_id=tracking_id,
        delivery_id=event.identifier_or_none("communicationId"),
        name=essentials.text("alertRule"),
        summary=title or essentials.text("alertRule"),
        description=event.text_or_none("communication") or "",
        severity=Severity.ERROR if incident else Severity.INFO,
        severity_native=essentials.text_or_none("severity"),
        severity_default_reason="Service Health always says Sev4: incidents count as error, all else as info",
        event_at_ms=event.time_or_none("impactStartTime"),
        ended_at_ms=event.time_or_none("impactMitigationTime"),
        labels=labels,
    )


def _labels(data: Fields, essentials: Fields) -> dict[str, str]:
    """Custom properties, then what the alert is about; Azure's own facts win over equal names."""
    labels = data.section_or_empty("customProperties").scalars()
    condition = data.section_or_empty("alertContext").section_or_empty("condition")
    for criterion in condition.sections("allOf"):
        if metric := criterion.text_or_none("metricName"):
            labels["metric"] = metric
        for dimension in criterion.sections("dimensions"):
            labels[dimension.text("name")] = dimension.text_or_none("value") or ""
    known = {
        "alert_rule": essentials.text_or_none("alertRule"),
        "resource_group": essentials.text_or_none("targetResourceGroup"),
        "resource_type": essentials.text_or_none("targetResourceType"),
    }
    labels.update({label: value for label, value in known.items() if value})
    resources = [item for item in essentials.items("configurationItems") if isinstance(item, str) and item]
    if resources:
        labels["resource"] = resources[0]
    return labels
