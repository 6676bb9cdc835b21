"""Xurrent (formerly 4me) webhooks: a request opened, updated or completed.

The body holds no time. Which payload fields there are is configured on each webhook; we read ``subject``,
``impact``, ``service_instance`` and ``requested_for``. A webhook with a policy sends a signed token instead,
which must be verified before it reaches Kafka.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, put_link
from pipeline.feeds.severity import XURRENT_IMPACT_WORDS, grade
from pipeline.feeds.tickets import TICKET_NAME, reporter_id
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.DESK

_VERIFY: Final = "webhook.verify"
_REQUEST_PREFIX: Final = "request."
_OPENED: Final = "request.create"
# A retry has a new delivery id and names the first one as its origin.
_DELIVERY_HEADERS: Final = ("x-xurrent-delivery-origin", "x-xurrent-delivery")


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one webhook event."""
    top = Fields.of(document)
    if top.has("jwt") and not top.has("event"):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.jwt: a signed body; verify it before it is written to Kafka")
    event = top.text("event")
    if event == _VERIFY:
        return [_control(top, message)]
    if not event.startswith(_REQUEST_PREFIX):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.event: only events about requests are read")
    return [_ticket(top, event, message)]


def _control(top: Fields, message: RawMessage) -> Alert:
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", _VERIFY, top.identifier_or_none("webhook_id") or ""),
        name=_VERIFY,
        summary="Xurrent asks to verify a webhook",
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
    )


def _ticket(top: Fields, event: str, message: RawMessage) -> Alert:
    account, ticket = top.identifier("account_id"), top.identifier("object_id")
    payload = top.section("payload")
    graded = grade(payload.text_or_none("impact"), XURRENT_IMPACT_WORDS, "payload.impact")
    done = payload.text_or_none("status") == "completed"
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.RESOLVED if done else Kind.TICKET,
        alert_key=content_hash(message.feed, account, ticket),
        source_episode_id=ticket,
        delivery_id=_delivery_id(payload, message),
        name=TICKET_NAME,
        summary=payload.text_or_none("subject") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        labels=_labels(payload),
        ticket=ticket,
        reporter=reporter_id(message.feed, _reporter(top, payload, event)),
    )
    site = top.text_or_none("custom_url") or top.text_or_none("account")
    put_link(alert.links, "ticket", f"{site.rstrip('/')}/requests/{ticket}" if site else None)
    return alert


def _delivery_id(payload: Fields, message: RawMessage) -> str | None:
    for header in _DELIVERY_HEADERS:
        if found := message.header(header):
            return found
    return payload.identifier_or_none("audit_line_id")


def _reporter(top: Fields, payload: Fields, event: str) -> str | None:
    """Who has the trouble. ``person_id`` is who acted, so it tells the reporter of a new request only."""
    named = payload.section_or_empty("requested_for").identifier_or_none("id")
    return named or (top.identifier_or_none("person_id") if event == _OPENED else None)


def _labels(payload: Fields) -> dict[str, str]:
    known = {
        "status": payload.text_or_none("status"),
        "category": payload.text_or_none("category"),
        "service_instance": payload.section_or_empty("service_instance").text_or_none("name"),
        "team": payload.section_or_empty("team").text_or_none("name"),
    }
    return {label: value for label, value in known.items() if value}
