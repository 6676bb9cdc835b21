"""Zendesk ticket events (``zen:event-type:ticket.*``): one event about one ticket, with all of the ticket.

``event`` says what changed and ``detail`` what the ticket is now, so each event tells the whole state. Its
``updated_at`` may be older than the event: the time of an event is ``time``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict

from pipeline.feeds.fields import Fields
from pipeline.feeds.severity import grade
from pipeline.feeds.tickets import Ticket, TicketLabels, kind_of, page_of
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.DESK

PRIORITY_WORDS: Final[Mapping[str, Severity]] = {
    "urgent": Severity.CRITICAL, "high": Severity.ERROR, "normal": Severity.WARNING, "low": Severity.INFO,
}  # fmt: skip

_TICKET_EVENTS: Final = "zen:event-type:ticket."
_CREATED: Final = "created"
_MERGED: Final = "merged"
# A ticket that is gone is over, whatever status it had.
_GONE: Final = frozenset({"soft_deleted", "permanently_deleted", "marked_as_spam"})
_DONE: Final = frozenset({"SOLVED", "CLOSED"})


class Options(BaseModel):
    """What a feed may set.

    Attributes:
        site: address of the desk (``https://example.zendesk.com``), for links to tickets: events do not tell it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str | None = None


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one ticket event.

    An open ticket's time is the event's: one that is reopened after its end must not look older than the end.
    """
    options: Options = message.options
    top = Fields.of(document)
    event_type = top.text("type")
    if not event_type.startswith(_TICKET_EVENTS):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.type: not a ticket event; subscribe the webhook to ticket events only")
    event = event_type.removeprefix(_TICKET_EVENTS)
    detail = top.section("detail")
    number = detail.identifier("id")
    kind = _kind(event, detail)
    at_ms, created_ms = top.time_or_none("time"), detail.time_or_none("created_at")
    began = kind != Kind.TICKET or event == _CREATED
    ticket = Ticket(
        identity=(top.identifier_or_none("account_id") or "", number),
        number=number,
        kind=kind_of(kind, detail.identifier_or_none("external_id"), *_tags(detail)),
        summary=detail.text_or_none("subject"),
        description=detail.text_or_none("description"),
        graded=grade(detail.text_or_none("priority"), PRIORITY_WORDS, "detail.priority"),
        labels=_labels(detail),
        reporter=detail.identifier_or_none("requester_id"),
        delivery_id=top.identifier_or_none("id"),
        address=page_of(options.site, f"agent/tickets/{number}"),
        event_at_ms=created_ms if began else at_ms,
        ended_at_ms=None if kind == Kind.TICKET else at_ms,
    )
    return [ticket.alert(message)]


def _kind(event: str, detail: Fields) -> Kind:
    """By the status, which every ticket has: without it nobody could tell whether the event reopens one."""
    if event == _MERGED:
        return Kind.MERGED
    done = event in _GONE or detail.text("status").upper() in _DONE
    return Kind.RESOLVED if done else Kind.TICKET


def _labels(detail: Fields) -> TicketLabels:
    return TicketLabels(
        type=detail.text_or_none("type"),
        status=detail.text_or_none("status"),
        channel=detail.section_or_empty("via").text_or_none("channel"),
        tags=", ".join(_tags(detail)),
    )


def _tags(detail: Fields) -> list[str]:
    return [tag for tag in detail.items("tags") if isinstance(tag, str) and tag]
