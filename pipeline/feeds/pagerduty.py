"""PagerDuty Events API v2, as input: what tools send to ``/v2/enqueue``.

Acknowledging and resolving carry only the routing key and the deduplication key. The routing key is a
credential: it goes into the hash of the alert key and nowhere else.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, put_link, unknown_word
from pipeline.feeds.severity import PAGERDUTY_WORDS, grade
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

_KINDS: Final = {"trigger": Kind.FIRING, "acknowledge": Kind.ACKNOWLEDGED, "resolve": Kind.RESOLVED}
_LABELS: Final = ("source", "component", "group", "class")


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one event."""
    event = Fields.of(document)
    action = event.text("event_action")
    if action not in _KINDS:
        raise unknown_word("$.event_action", tuple(_KINDS))
    return [_trigger(event, message) if action == "trigger" else _follow_up(event, _KINDS[action], message)]


def _trigger(event: Fields, message: RawMessage) -> Alert:
    payload = event.section("payload")
    summary = payload.text("summary")
    dedup_key = event.text_or_none("dedup_key")
    graded = grade(payload.text_or_none("severity"), PAGERDUTY_WORDS, "payload.severity")
    labels = payload.section_or_empty("custom_details").scalars() if _has_facts(payload) else {}
    for name in _LABELS:
        if value := payload.text_or_none(name):
            labels[name] = value
    identity: tuple[str, ...]
    if dedup_key is not None:
        identity = ("dedup", dedup_key)
    else:  # PagerDuty would make up a key; equal content is the same condition here
        identity = ("content", *(labels.get(name, "") for name in _LABELS), summary)
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.FIRING,
        alert_key=content_hash(message.feed, event.text("routing_key"), *identity),
        name=payload.text_or_none("class") or summary,
        summary=summary,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=payload.time_or_none("timestamp"),
        labels=labels,
    )
    put_link(alert.links, event.text_or_none("client") or "source", event.text_or_none("client_url"))
    for link in event.sections("links"):
        put_link(alert.links, link.text_or_none("text") or "link", link.text_or_none("href"))
    return alert


def _has_facts(payload: Fields) -> bool:
    """Custom details are an object or free text; only an object holds facts."""
    return isinstance(payload.values.get("custom_details"), dict)


def _follow_up(event: Fields, kind: Kind, message: RawMessage) -> Alert:
    key = content_hash(message.feed, event.text("routing_key"), "dedup", event.text("dedup_key"))
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=key,
        name="",
        summary="",
        severity_default_reason="an acknowledgement or recovery carries no severity",
    )
