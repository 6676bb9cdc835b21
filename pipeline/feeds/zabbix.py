"""Zabbix real-time export (NDJSON lines), which the Zabbix Kafka connector sends as one record an event.

A recovery carries ids and a time only, so the alert key is made of the problem's event id: the recovery names
it as ``p_eventid``. Name, host and severity of a recovery are those of the episode that it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, wrong_type
from pipeline.feeds.severity import ZABBIX_LEVELS
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_NANOSECONDS_PER_SECOND: Final = 1_000_000_000
_OWN_LABELS: Final = frozenset({"host", "host_title", "hosts", "groups"})


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one exported event."""
    event = Fields.of(document)
    if not event.has("eventid") and event.has("itemid"):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$: history of an item, not an event; export events only")
    value = event.integer("value")
    if value not in (0, 1):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.value: neither 1 (problem) nor 0 (recovery)")
    return [_problem(event, message) if value == 1 else _recovery(event, message)]


def _problem(event: Fields, message: RawMessage) -> Alert:
    event_id = event.identifier("eventid")
    name = event.text("name")
    level = event.integer_or_none("severity")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.FIRING,
        alert_key=content_hash(message.feed, event_id),
        source_episode_id=event_id,
        delivery_id=event_id,
        name=name,
        summary=name,
        event_at_ms=_time_ms(event),
        labels=_labels(event),
    )
    if level is None:
        alert.severity_default_reason = "severity is absent"
    elif 0 <= level < len(ZABBIX_LEVELS):
        alert.severity_native, alert.severity = ZABBIX_LEVELS[level]
    else:
        alert.severity_native = str(level)
        alert.severity_default_reason = "severity is not a level that we know"
    return alert


def _recovery(event: Fields, message: RawMessage) -> Alert:
    problem_id = event.identifier("p_eventid")
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.RESOLVED,
        alert_key=content_hash(message.feed, problem_id),
        source_episode_id=problem_id,
        delivery_id=event.identifier("eventid"),
        name=event.text_or_none("name") or "",
        summary=event.text_or_none("name") or "",
        severity_default_reason="a recovery carries no severity",
        ended_at_ms=_time_ms(event),
    )


def _time_ms(event: Fields) -> int | None:
    seconds_ms = event.epoch_or_none("clock", per_second=1)
    nanoseconds = event.integer_or_none("ns") or 0
    if not 0 <= nanoseconds < _NANOSECONDS_PER_SECOND:
        raise BadRecord(Reason.WRONG_TYPE, "$.ns: expected nanoseconds within a second")
    return None if seconds_ms is None else seconds_ms + nanoseconds // _NANOSECONDS_PER_MILLISECOND


def _labels(event: Fields) -> dict[str, str]:
    labels: dict[str, str] = {}
    hosts = [_host(item, f"$.hosts[{index}]") for index, item in enumerate(event.items("hosts"))]
    for technical, visible in hosts[:1]:
        labels["host"] = technical
        if visible:
            labels["host_title"] = visible
    if len(hosts) > 1:
        labels["hosts"] = ", ".join(technical for technical, _ in hosts)
    groups = event.items("groups")
    if any(not isinstance(group, str) for group in groups):
        raise BadRecord(Reason.WRONG_TYPE, "$.groups[*]: expected string")
    if groups:
        labels["groups"] = ", ".join(groups)
    put_tags(labels, event.sections("tags"))
    return labels


def put_tags(labels: dict[str, str], tags: Iterable[Fields]) -> None:
    """Put an event's tags beside its own labels: a tag may come several times, but never hides the host."""
    own = frozenset(labels)
    for tag in tags:
        name, value = tag.text("tag"), tag.text_or_none("value") or ""
        if name not in labels:
            labels[name] = value
        elif name not in own | _OWN_LABELS:
            labels[name] = f"{labels[name]}, {value}"


def _host(item: object, path: str) -> tuple[str, str | None]:
    """Technical and visible name; older versions write the technical name alone."""
    if isinstance(item, str) and item:
        return item, None
    if not isinstance(item, dict):
        raise wrong_type(path, "object", item)
    host = Fields(item, path)
    return host.text("host"), host.text_or_none("name")
