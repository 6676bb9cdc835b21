"""Prometheus Alertmanager, webhook version 4: a group of alerts, each with its own status.

Serves every exporter behind Alertmanager too: node, blackbox and x509 probes, cert-manager. The group's
status says firing while members are resolved, so only the member's is read.

A fingerprint covers all labels, so it changes with every restart of a pod. A feed may name the labels that identify a
condition instead; then several members are one condition, which is over when the last of them is.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, each_member, first_line, put_link, string_map, unknown_word
from pipeline.feeds.severity import LABEL_WORDS, grade
from pipeline.models.alert import SEVERITY_RANK, Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

# Always firing by design: its absence is the alert.
HEARTBEAT_NAMES: Final = frozenset({"Watchdog", "DeadMansSwitch"})

_KINDS: Final = {"firing": Kind.FIRING, "resolved": Kind.RESOLVED}
_SUMMARY_ANNOTATIONS: Final = ("summary", "message", "title", "description")


class Options(BaseModel):
    """What a feed may set.

    Attributes:
        identity_labels: labels that identify a condition; empty: the fingerprint does, which covers all labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity_labels: tuple[str, ...] = ()


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read a group notification."""
    top = Fields.of(document)
    manager = top.text_or_none("externalURL")

    def read(member: Fields) -> Alert:
        alert = read_member(member, message)
        put_link(alert.links, "alertmanager", manager)
        return alert

    results = each_member(top, "alerts", read)
    options = message.options or Options()
    if options.identity_labels:
        members = [each for each in results if isinstance(each, Alert) and each.kind != Kind.HEARTBEAT]
        _identify(members, options.identity_labels, string_map(top, "groupLabels"))
    return results


def _identify(members: list[Alert], identity_labels: tuple[str, ...], group_labels: dict[str, str]) -> None:
    """Give members that share the identity labels one alert key, and make them tell one state of it, in place.

    Only within one group do we see all members, so what Alertmanager groups by belongs to the identity. A member
    without any identity label keeps its own.
    """
    names = sorted({*identity_labels, *group_labels})
    conditions: dict[str, list[Alert]] = {}
    for member in members:
        labels = member.labels
        if any(name in labels for name in identity_labels):
            pairs = (part for name in names if name in labels for part in (name, labels[name]))
            member.alert_key = content_hash(member.feed, "labels", *pairs)
            member.source_episode_id = None  # of a member, where there was one; the source knows no run of them all
            conditions.setdefault(member.alert_key, []).append(member)
    for condition in conditions.values():
        _agree(condition)


def _agree(members: list[Alert]) -> None:
    """Make members of one condition tell it as a whole: it fires while one does, as bad as the worst of these."""
    firing = [member for member in members if member.kind == Kind.FIRING]
    worst = max(firing or members, key=lambda member: SEVERITY_RANK[member.severity])
    began_ms = min((each.event_at_ms for each in firing or members if each.event_at_ms is not None), default=None)
    ended_ms = max((each.ended_at_ms for each in members if each.ended_at_ms is not None), default=None)
    for member in members:
        member.severity, member.severity_native = worst.severity, worst.severity_native
        member.severity_default_reason = worst.severity_default_reason
        member.event_at_ms = began_ms
        if firing:
            member.kind, member.ended_at_ms = Kind.FIRING, None
        else:
            member.ended_at_ms = ended_ms


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
