"""Azure Monitor, common alert schema: metric, log, Prometheus and activity alerts, Service and Resource Health.

What comes from the activity log never says Resolved in ``monitorCondition``. For Service Health the tracking id and
the stage of the event count, for Resource Health the resource and its status; all else ends by silence.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, missing, put_link, unknown_word
from pipeline.feeds.labels import known
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
# Stages that maintenance shares with incidents mean something else there.
_MAINTENANCE_STAGES: Final = {"Active": Kind.MAINTENANCE_START, "Resolved": Kind.MAINTENANCE_END}

_HEALTH: Final = {
    "Available": (Kind.RESOLVED, Severity.INFO),
    "Unavailable": (Kind.FIRING, Severity.ERROR),
    "Degraded": (Kind.FIRING, Severity.WARNING),
    "Unknown": (Kind.FIRING, Severity.WARNING),
}
"""Status of a resource -> what it means, as Azure itself says Sev4 of all of it."""

# What somebody did (a deletion, a policy denied) is a moment; it is news for an hour and has no end.
ACTIVITY_TTL_SECONDS: Final = 60 * 60
_ACTIVITY_LOG: Final = "Activity Log"


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one alert."""
    top = Fields.of(document)
    schema = top.text_or_none("schemaId")
    if schema != _SCHEMA:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.schemaId: switch the action group to the common alert schema")
    data = top.section("data")
    essentials = data.section("essentials")
    service = essentials.text_or_none("monitoringService") or ""
    if service == "ServiceHealth":
        return [_service_health(data, essentials, message)]
    alert = _alert(data, essentials, message)
    if service.replace(" ", "") == "ResourceHealth":
        _resource_health(alert, data, essentials)
    elif service.startswith(_ACTIVITY_LOG):
        alert.ttl_seconds = ACTIVITY_TTL_SECONDS
    return [alert]


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
        links=_links(data, essentials),
    )


def _resource_health(alert: Alert, data: Fields, essentials: Fields) -> None:
    """Read the end of a resource's trouble from its status: each change of it has an alert id of its own."""
    health = data.section("alertContext").section("properties")
    status = health.text("currentHealthStatus")
    if status not in _HEALTH:
        raise unknown_word(health.at("currentHealthStatus"), tuple(_HEALTH))
    targets = essentials.items("alertTargetIDs")
    if not targets or not isinstance(targets[0], str):
        raise missing(f"{essentials.at('alertTargetIDs')}[0]")
    alert.kind, alert.severity = _HEALTH[status]
    alert.severity_default_reason = "Resource Health always says Sev4: the status of the resource counts"
    alert.alert_key = content_hash(alert.feed, "resource-health", targets[0].lower())
    alert.source_episode_id, alert.delivery_id = None, alert.source_episode_id
    alert.summary = health.text_or_none("title") or alert.summary
    alert.labels["health_status"] = status
    if alert.kind == Kind.RESOLVED:
        alert.event_at_ms, alert.ended_at_ms = None, alert.event_at_ms


def _service_health(data: Fields, essentials: Fields, message: RawMessage) -> Alert:
    event = data.section("alertContext").section("properties")
    tracking_id = event.text("trackingId")
    stage = event.text("stage")
    if stage not in _STAGES:
        raise unknown_word(event.at("stage"), tuple(_STAGES))
    kind = _STAGES[stage]
    incident_type = event.text_or_none("incidentType")
    incident = incident_type == "Incident"
    if incident_type == "Maintenance":
        kind = _MAINTENANCE_STAGES.get(stage, kind)
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
    context = data.section_or_empty("alertContext")
    # Labels of a Prometheus rule; what else stands under that name is none of ours.
    rule_labels = context.section_or_empty("labels").scalars() if isinstance(context.values.get("labels"), dict) else {}
    labels = data.section_or_empty("customProperties").scalars() | rule_labels
    for criterion in context.section_or_empty("condition").sections("allOf"):
        if metric := criterion.text_or_none("metricName"):
            labels["metric"] = metric
        for dimension in criterion.sections("dimensions"):
            labels[dimension.text("name")] = dimension.text_or_none("value") or ""
    return labels | known(
        {
            "alert_rule": essentials.text_or_none("alertRule"),
            "resource_group": essentials.text_or_none("targetResourceGroup"),
            "resource_type": essentials.text_or_none("targetResourceType"),
            "resource": _resource(essentials),
        }
    )


def _resource(essentials: Fields) -> str | None:
    """The name of the resource: as Azure lists it, else the last part of its id."""
    for field in ("configurationItems", "alertTargetIDs"):
        for item in essentials.items(field):
            if isinstance(item, str) and item:
                return item.rpartition("/")[2] or item
    return None


def _links(data: Fields, essentials: Fields) -> dict[str, str]:
    links: dict[str, str] = {}
    put_link(links, "source", essentials.text_or_none("investigationLink"))
    for criterion in data.section_or_empty("alertContext").section_or_empty("condition").sections("allOf"):
        filtered = criterion.text_or_none("linkToFilteredSearchResultsUI")
        put_link(links, "results", filtered or criterion.text_or_none("linkToSearchResultsUI"))
    return links
