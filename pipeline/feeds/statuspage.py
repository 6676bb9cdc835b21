"""Atlassian Statuspage webhooks of a provider: a component changed its status, or an incident was updated.

A component under maintenance and a scheduled incident are announced maintenance, not failures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, put_link, unknown_word
from pipeline.feeds.severity import STATUSPAGE_COMPONENT_WORDS, STATUSPAGE_IMPACT_WORDS, grade
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

_INCIDENT_KINDS: Final = {
    "investigating": Kind.FIRING,
    "identified": Kind.FIRING,
    "monitoring": Kind.FIRING,
    "resolved": Kind.RESOLVED,
    "postmortem": Kind.RESOLVED,
    "scheduled": Kind.MAINTENANCE_START,
    "in_progress": Kind.MAINTENANCE_START,
    "verifying": Kind.MAINTENANCE_START,
    "completed": Kind.MAINTENANCE_END,
}


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = Fields.of(document)
    page = top.section("page").identifier("id")
    if top.has("component_update"):
        return list(_component(top, page, message))
    if top.has("incident"):
        return [_incident(top.section("incident"), page, message)]
    raise BadRecord(Reason.UNKNOWN_SHAPE, "$: neither component_update nor incident; send webhooks, not summaries")


def _component(top: Fields, page: str, message: RawMessage) -> Iterator[Alert]:
    update, component = top.section("component_update"), top.section("component")
    name = component.text("name")
    status = update.text_or_none("new_status") or component.text("status")
    if status not in STATUSPAGE_COMPONENT_WORDS:
        raise unknown_word(update.at("new_status"), tuple(STATUSPAGE_COMPONENT_WORDS))
    changed_ms = update.time_or_none("created_at")
    delivery_id = update.identifier_or_none("id")
    for kind in _component_kinds(status, update.text_or_none("old_status")):
        over = kind in (Kind.RESOLVED, Kind.MAINTENANCE_END)
        about = "maintenance" if kind in (Kind.MAINTENANCE_START, Kind.MAINTENANCE_END) else "component"
        yield Alert(
            feed=message.feed,
            feed_class=message.feed_class,
            kind=kind,
            alert_key=content_hash(message.feed, about, page, component.identifier("id")),
            delivery_id=delivery_id,
            name=name,
            summary=f"{name}: {status.replace('_', ' ')}",
            severity=STATUSPAGE_COMPONENT_WORDS[status],
            severity_native=status,
            event_at_ms=None if over else changed_ms,
            ended_at_ms=changed_ms if over else None,
            labels={"component": name, "page": page},
        )


def _component_kinds(status: str, before: str | None) -> tuple[Kind, ...]:
    """What a component's new status says. The end of a maintenance also ends an outage before it."""
    if status == "under_maintenance":
        return (Kind.MAINTENANCE_START,)
    if status != "operational":
        return (Kind.FIRING,)
    if before == "under_maintenance":
        return (Kind.MAINTENANCE_END, Kind.RESOLVED)
    return (Kind.RESOLVED,)


def _incident(incident: Fields, page: str, message: RawMessage) -> Alert:
    incident_id = incident.identifier("id")
    name = incident.text("name")
    status = incident.text("status")
    if status not in _INCIDENT_KINDS:
        raise unknown_word(incident.at("status"), tuple(_INCIDENT_KINDS))
    updates = list(incident.sections("incident_updates"))  # newest first
    # The time of the newest update: an incident reopened after its end must not look older than the end.
    updated_ms = updates[0].time_or_none("created_at") if updates else None
    components = [component.text("name") for component in incident.sections("components")]
    graded = grade(incident.text_or_none("impact"), STATUSPAGE_IMPACT_WORDS, "impact")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=_INCIDENT_KINDS[status],
        alert_key=content_hash(message.feed, "incident", page, incident_id),
        source_episode_id=incident_id,
        delivery_id=updates[0].identifier_or_none("id") if updates else None,
        name=name,
        summary=name,
        description=(updates[0].text_or_none("body") or "") if updates else "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=incident.time_or_none("scheduled_for") or updated_ms or incident.time_or_none("created_at"),
        ended_at_ms=incident.time_or_none("resolved_at") or incident.time_or_none("scheduled_until"),
        labels={"page": page, "status": status},
    )
    if components:
        alert.labels["component"] = components[0]
    if len(components) > 1:
        alert.labels["components"] = ", ".join(components)
    put_link(alert.links, "status page", incident.text_or_none("shortlink"))
    return alert
