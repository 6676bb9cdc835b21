"""Xurrent (formerly 4me) webhooks: a request opened, updated or completed.

The body holds no time. Which payload fields there are is configured on each webhook; we read ``subject``,
``impact``, ``service_instance`` and ``requested_for``. A webhook with a policy sends a signed token instead,
which the gateway verifies and opens: here nobody could tell a forged one from a true one.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields
from pipeline.feeds.severity import XURRENT_IMPACT_WORDS, grade
from pipeline.feeds.tickets import Ticket, TicketLabels, kind_of, page_of
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.DESK

_VERIFY: Final = "webhook.verify"
_REQUEST_PREFIX: Final = "request."
_OPENED: Final = "request.create"
_COMPLETED_EVENT: Final = "request.completed"
_COMPLETED: Final = "completed"
# A retry has a new delivery id and names the first one as its origin.
_DELIVERY_HEADERS: Final = ("x-xurrent-delivery-origin", "x-xurrent-delivery")
_SIGNED: Final = (
    "$.jwt: a signed body, which was not opened; verify it first: send this webhook to Spillway's gateway, which "
    "verifies and opens it, or take the policy off the webhook"
)


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one webhook event."""
    top = Fields.of(document)
    if top.has("jwt") and not top.has("event"):
        raise BadRecord(Reason.UNKNOWN_SHAPE, _SIGNED)
    event = top.text("event")
    if event == _VERIFY:
        return [_control(top, message)]
    if not event.startswith(_REQUEST_PREFIX):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.event: only events about requests are read")
    return [_ticket(top, event, message).alert(message)]


def _control(top: Fields, message: RawMessage) -> Alert:
    """The callback's address is not kept: whoever opens it turns the webhook on."""
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


def _ticket(top: Fields, event: str, message: RawMessage) -> Ticket:
    account, number = top.identifier("account_id"), top.identifier("object_id")
    payload = top.section("payload")
    status = payload.text_or_none("status")
    done = status == _COMPLETED or (status is None and event == _COMPLETED_EVENT)
    return Ticket(
        identity=(account, number),
        number=number,
        kind=kind_of(Kind.RESOLVED if done else Kind.TICKET, payload.text_or_none("sourceID")),
        summary=payload.text_or_none("subject"),
        description=None,
        graded=grade(payload.text_or_none("impact"), XURRENT_IMPACT_WORDS, "payload.impact"),
        labels=TicketLabels(
            type=payload.text_or_none("category"),
            status=status,
            service_instance=payload.section_or_empty("service_instance").text_or_none("name"),
            team=payload.section_or_empty("team").text_or_none("name"),
        ),
        reporter=_reporter(top, payload, event),
        delivery_id=_delivery_id(payload, message),
        address=page_of(top.text_or_none("custom_url") or top.text_or_none("account"), f"requests/{number}"),
    )


def _delivery_id(payload: Fields, message: RawMessage) -> str | None:
    for header in _DELIVERY_HEADERS:
        if found := message.header(header):
            return found
    return payload.identifier_or_none("audit_line_id")


def _reporter(top: Fields, payload: Fields, event: str) -> str | None:
    """Who has the trouble. ``person_id`` is who acted, so it tells the reporter of a new request only."""
    named = payload.section_or_empty("requested_for").identifier_or_none("id")
    return named or (top.identifier_or_none("person_id") if event == _OPENED else None)
