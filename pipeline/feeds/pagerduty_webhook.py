"""PagerDuty webhooks version 3: what happened to an incident that PagerDuty has.

Each event carries the incident as it is now. Events that change its state are read by their word, the others by the
incident's status, so that one missed event is made up for by the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, put_link, unknown_word
from pipeline.feeds.severity import LABEL_WORDS, Graded, grade
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage
from pipeline.models.mark import marked_id

FEED_CLASS: Final = FeedClass.SAAS

PING: Final = "pagey.ping"
_INCIDENT_PREFIX: Final = "incident."
_TRIGGERED: Final = "incident.triggered"

_EVENT_KINDS: Final[Mapping[str, Kind]] = {
    _TRIGGERED: Kind.FIRING,
    "incident.reopened": Kind.FIRING,
    "incident.acknowledged": Kind.ACKNOWLEDGED,
    "incident.unacknowledged": Kind.UNACKNOWLEDGED,
    "incident.resolved": Kind.RESOLVED,
}
# The incident goes on as it is: what these change is on it, and its status says whether it is over.
_BY_STATUS: Final = frozenset(
    ("incident.priority_updated", "incident.reassigned", "incident.escalated", "incident.delegated",
     "incident.service_updated")
)  # fmt: skip
_STATUS_KINDS: Final[Mapping[str, Kind]] = {
    "triggered": Kind.FIRING,
    "acknowledged": Kind.FIRING,
    "resolved": Kind.RESOLVED,
}
_MERGED: Final = "merge_resolve_reason"
_URGENCY_WORDS: Final[Mapping[str, Severity]] = {"high": Severity.ERROR, "low": Severity.WARNING}


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one webhook event."""
    event = Fields.of(document).section("event")
    event_type = event.text("event_type")
    if event_type != PING and not event_type.startswith(_INCIDENT_PREFIX):
        raise BadRecord(
            Reason.UNKNOWN_SHAPE, "$.event.event_type: not about an incident; subscribe to incident events only"
        )
    data = event.section_or_empty("data")
    if event_type in _EVENT_KINDS or event_type in _BY_STATUS:
        return [_incident(event, event_type, data, message)]
    return [_control(event, event_type, data, message)]


def _incident(event: Fields, event_type: str, incident: Fields, message: RawMessage) -> Alert:
    kind = _kind(event_type, incident)
    title = incident.text_or_none("title") or incident.text_or_none("summary") or ""
    happened_ms = event.time_or_none("occurred_at")
    over = kind in (Kind.RESOLVED, Kind.MERGED)
    began = over or event_type == _TRIGGERED
    graded = _grade(incident)
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        # No id of one run: an incident that is reopened keeps its id, so only the times tell its runs apart.
        alert_key=content_hash(message.feed, incident.identifier("id")),
        delivery_id=event.identifier_or_none("id"),
        name=title,
        summary=title,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=(incident.time_or_none("created_at") if began else None) or (None if over else happened_ms),
        ended_at_ms=happened_ms if over else None,
        labels=_labels(incident),
    )
    put_link(alert.links, "pagerduty", incident.text_or_none("html_url"))
    bridge = incident.section_or_empty("conference_bridge")
    put_link(alert.links, "conference bridge", bridge.text_or_none("conference_url"))
    return alert


def _kind(event_type: str, incident: Fields) -> Kind:
    kind = _EVENT_KINDS.get(event_type)
    if kind is None:
        status = incident.text("status")
        if status not in _STATUS_KINDS:
            raise unknown_word(incident.at("status"), tuple(_STATUS_KINDS))
        kind = _STATUS_KINDS[status]
    if marked_id(incident.text_or_none("incident_key")):
        return Kind.OWN  # paged by our own sink: taken for an alert it would open an incident, which would page again
    merged = incident.section_or_empty("resolve_reason").text_or_none("type") == _MERGED
    return Kind.MERGED if kind == Kind.RESOLVED and merged else kind


def _grade(incident: Fields) -> Graded:
    """By priority, which teams set by what is at stake; else by urgency, which only says how to notify."""
    by_priority = grade(incident.section_or_empty("priority").text_or_none("summary"), LABEL_WORDS, "priority")
    urgency = incident.text_or_none("urgency")
    if by_priority.default_reason is None or urgency is None or urgency not in _URGENCY_WORDS:
        return by_priority
    reason = f"{by_priority.default_reason}: urgency high counts as error, low as warning"
    return Graded(_URGENCY_WORDS[urgency], by_priority.native or urgency, reason)


def _labels(incident: Fields) -> dict[str, str]:
    """What the incident is about. Who works on it is left out: people are not facts of a condition."""
    teams = [team.text_or_none("summary") or "" for team in incident.sections("teams")]
    known = {
        "incident": incident.identifier_or_none("number"),
        "status": incident.text_or_none("status"),
        "priority": incident.section_or_empty("priority").text_or_none("summary"),
        "urgency": incident.text_or_none("urgency"),
        "service": incident.section_or_empty("service").text_or_none("summary"),
        "team": ", ".join(filter(None, teams)),
        "escalation_policy": incident.section_or_empty("escalation_policy").text_or_none("summary"),
    }
    return {label: value for label, value in known.items() if value}


def _control(event: Fields, event_type: str, data: Fields, message: RawMessage) -> Alert:
    """A ping, a note, a responder: nothing that changes whether something is broken."""
    about = data.section_or_empty("incident")
    title = about.text_or_none("summary")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", event_type, about.identifier_or_none("id") or ""),
        delivery_id=event.identifier_or_none("id"),
        name=event_type,
        summary=f"PagerDuty says {event_type} of {title}" if title else f"PagerDuty says {event_type}",
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
        event_at_ms=event.time_or_none("occurred_at"),
    )
    put_link(alert.links, "pagerduty", about.text_or_none("html_url"))
    return alert
