"""Zabbix webhook media type: macros of the template in ``docs/feeds/zabbix-webhook.md``, as one JSON object.

The problem's event id is in every message about it, so the alert key is that of the export (`pipeline.feeds.zabbix`).
A macro without a value stays ``{LIKE.THIS}`` or becomes ``*UNKNOWN*``; both count as absent. Dates and times are the
server's local time, without a zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, missing, put_link, unknown_word, wrong_type
from pipeline.feeds.local_times import ZoneName, local_ms
from pipeline.feeds.severity import ZABBIX_LEVELS, Graded, grade
from pipeline.feeds.zabbix import put_tags
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.catalog import Frozen
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

# Triggers, internal events (an item that cannot be read) and services have problems; discovery only finds things.
_SOURCES_WITH_PROBLEMS: Final = frozenset({"0", "3", "4"})
_DISCOVERY_SOURCES: Final = frozenset({"1", "2"})
_UNFILLED: Final = re.compile(r"\{[A-Z0-9.$#]+\}|\*UNKNOWN\*")
_WORDS: Final = dict(ZABBIX_LEVELS)


class Options(Frozen):
    """What a feed may set.

    Attributes:
        zone: time zone of the Zabbix server; without it dates and times say no moment.
    """

    zone: ZoneName | None = None


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification; an update may tell two things: another severity, and an acknowledgement."""
    top = Fields.of(document)
    if _is_test(top):
        return [_test_message(message)]
    event = _filled(top)
    source = event.identifier_or_none("event_source") or "0"
    if source not in _SOURCES_WITH_PROBLEMS | _DISCOVERY_SOURCES:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.event_source: not a number from 0 to 4")
    value = event.identifier("event_value")
    if value not in ("0", "1"):
        raise unknown_word("$.event_value", ("0", "1"))
    if source in _DISCOVERY_SOURCES:
        return [_alert(event, Kind.CONTROL, message, "discovery and registration of hosts are no problems")]
    if value == "0":
        return [_alert(event, Kind.RESOLVED, message)]
    if event.identifier_or_none("event_update_status") == "1":
        return [*_updates(event, message)]
    return [_alert(event, Kind.FIRING, message)]


def _is_test(top: Fields) -> bool:
    """The button *Test* of a media type sends the macros themselves."""
    event_id = top.values.get("event_id")
    return isinstance(event_id, str) and _UNFILLED.fullmatch(event_id.strip()) is not None


def _test_message(message: RawMessage) -> Alert:
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", "test"),
        name="test",
        summary="a test message: its macros are not filled",
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
    )


def _filled(top: Fields) -> Fields:
    """Without the macros that have no value."""
    values = {
        name: value
        for name, value in top.values.items()
        if not (isinstance(value, str) and _UNFILLED.fullmatch(value.strip()))
    }
    return Fields(values, top.path)


def _updates(event: Fields, message: RawMessage) -> list[Alert]:
    """What people did to a problem. Zabbix words it in English, whatever language its users read."""
    action = (event.text_or_none("event_update_action") or "").lower()
    done = set(re.findall(r"[a-z]+", action))
    alerts = []
    if {"changed", "severity"} <= done:
        alerts.append(_alert(event, Kind.FIRING, message))
    if "unacknowledged" in done:
        alerts.append(_alert(event, Kind.UNACKNOWLEDGED, message))
    elif "acknowledged" in done or not done:  # a template that does not tell what: somebody looks at it
        alerts.append(_alert(event, Kind.ACKNOWLEDGED, message))
    return alerts or [_alert(event, Kind.CONTROL, message, "an update that changes neither state nor severity")]


def _alert(event: Fields, kind: Kind, message: RawMessage, why: str | None = None) -> Alert:
    """An alert; ``why`` it is only a control message, where it is one."""
    event_id = event.identifier("event_id")
    name = event.text_or_none("event_name") or ""
    if kind == Kind.FIRING and not name:
        raise missing("$.event_name")
    graded = _grade(event)
    update = kind in (Kind.ACKNOWLEDGED, Kind.UNACKNOWLEDGED)
    begun_ms = _time_ms(event, "event", message.options)
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, event_id),
        source_episode_id=event_id,
        name=name,
        summary=why or (event.text_or_none("event_update_message") if update else None) or name,
        description=event.text_or_none("event_opdata") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=_time_ms(event, "event_update", message.options) if update else begun_ms,
        ended_at_ms=_time_ms(event, "event_recovery", message.options) if kind == Kind.RESOLVED else None,
        labels=_labels(event),
    )
    put_link(alert.links, "problem", _address(event, event_id))
    return alert


def _grade(event: Fields) -> Graded:
    """By number, because words can be renamed in Zabbix; by word where there is no number."""
    word = event.text_or_none("event_severity")
    number = event.identifier_or_none("event_nseverity")
    if number is not None and number in {str(level) for level in range(len(ZABBIX_LEVELS))}:
        level, severity = ZABBIX_LEVELS[int(number)]
        return Graded(severity, word or level, None)
    return grade(word or number, _WORDS, "event_nseverity")


def _labels(event: Fields) -> dict[str, str]:
    labels: dict[str, str] = {}
    for label, field in (("host", "host_name"), ("address", "host_ip"), ("trigger_id", "trigger_id")):
        if text := event.identifier_or_none(field):
            labels[label] = text
    put_tags(labels, _tags(event))
    return labels


def _tags(event: Fields) -> Iterator[Fields]:
    """The tags as an array: a media type's script may hand them on as the string that the macro gives."""
    tags: Any = event.values.get("event_tags_json")
    if isinstance(tags, str) and tags:
        try:
            tags = orjson.loads(tags)
        except orjson.JSONDecodeError as error:
            raise wrong_type("$.event_tags_json", "array, or array as a string", tags) from error
    yield from Fields({"event_tags_json": tags or None}, "$").sections("event_tags_json")


def _time_ms(event: Fields, which: str, options: Options) -> int | None:
    """The macro ``...TIMESTAMP`` of Zabbix 7, else local date and time where the feed says in which zone."""
    if event.has(f"{which}_timestamp"):
        return event.epoch_or_none(f"{which}_timestamp", per_second=1)
    date, time = event.text_or_none(f"{which}_date"), event.text_or_none(f"{which}_time")
    if date is None or time is None:
        return None
    try:
        return local_ms(f"{date.replace('.', '-')} {time}", options.zone)
    except ValueError as error:
        raise BadRecord(Reason.WRONG_TYPE, f"$.{which}_date: with {which}_time not a date and a time") from error


def _address(event: Fields, event_id: str) -> str | None:
    """The problem's page: ``tr_events.php`` of the frontend."""
    frontend, trigger = event.text_or_none("zabbix_url"), event.identifier_or_none("trigger_id")
    if frontend is None or trigger is None:
        return None
    return f"{frontend.rstrip('/')}/tr_events.php?triggerid={trigger}&eventid={event_id}"
