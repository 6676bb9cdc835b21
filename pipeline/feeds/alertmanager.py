"""Prometheus Alertmanager, webhook version 4: a group of alerts, each with its own status.

Serves every exporter behind Alertmanager too: node, blackbox and x509 probes, cert-manager. The group's
status says firing while members are resolved, so only the member's is read.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, each_member, first_line, put_link, string_map, unknown_word
from pipeline.feeds.severity import LABEL_WORDS, grade
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

# Always firing by design: its absence is the alert.
HEARTBEAT_NAMES: Final = frozenset({"Watchdog", "DeadMansSwitch"})

_KINDS: Final = {"firing": Kind.FIRING, "resolved": Kind.RESOLVED}
_SUMMARY_ANNOTATIONS: Final = ("summary", "message", "title", "description")


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read a group notification."""
    top = Fields.of(document)
    manager = top.text_or_none("externalURL")

    def read(member: Fields) -> Alert:
        alert = read_member(member, message)
        put_link(alert.links, "alertmanager", manager)
        return alert

    return each_member(top, "alerts", read)


def read_member(member: Fields, message: RawMessage, organisation: str = "") -> Alert:
    """Read one alert of a group.

    Args:
        member: the alert.
        message: the message that it came in.
        organisation: what fingerprints are unique within, where that is not the whole feed.
    """
    status = member.text("status")
    if status not in _KINDS:
        raise unknown_word(member.at("status"), tuple(_KINDS))
    labels = string_map(member, "labels")
    annotations = string_map(member, "annotations")
    name = labels.get("alertname", "")
    heartbeat = name in HEARTBEAT_NAMES and status == "firing"
    graded = grade(labels.get("severity"), LABEL_WORDS, "label severity")
    fingerprint = member.text_or_none("fingerprint")
    started_ms = member.time_or_none("startsAt")
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.HEARTBEAT if heartbeat else _KINDS[status],
        alert_key=_alert_key(message.feed, organisation, fingerprint, labels, member),
        source_episode_id=f"{fingerprint}/{started_ms}" if fingerprint and started_ms is not None else None,
        name=name,
        summary=_summary(annotations, name),
        description=annotations.get("description", ""),
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=started_ms,
        ended_at_ms=member.time_or_none("endsAt") if status == "resolved" else None,
        labels=labels,
        links=_links(member, annotations),
    )


def _alert_key(feed: str, organisation: str, fingerprint: str | None, labels: dict[str, str], member: Fields) -> str:
    if fingerprint:
        return content_hash(feed, organisation, fingerprint)
    if not labels:
        raise BadRecord(Reason.MISSING_FIELD, f"{member.path}: neither fingerprint nor labels identify it")
    return content_hash(feed, organisation, *(part for pair in sorted(labels.items()) for part in pair))


def _summary(annotations: dict[str, str], name: str) -> str:
    for annotation in _SUMMARY_ANNOTATIONS:
        if text := first_line(annotations.get(annotation, "")):
            return text
    return name


def _links(member: Fields, annotations: dict[str, str]) -> dict[str, str]:
    links: dict[str, str] = {}
    put_link(links, "source", member.text_or_none("generatorURL"))
    put_link(links, "runbook", annotations.get("runbook_url"))
    put_link(links, "dashboard", annotations.get("dashboard_url"))
    return links
