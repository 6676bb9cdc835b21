"""AWS Health through EventBridge: issues of Amazon's services, scheduled changes, investigations, notices.

One alert an event and account, whatever it affects. The entities are listed page by page, are often left out when
the event is closed, and one failure of Amazon's may affect hundreds: an alert for each would never end, or be the
flood that it should explain. The ARN of a public event is the same for every account, so the account belongs to the
identity. Times are RFC 1123; ``region`` is where the message was delivered, ``eventRegion`` where it happens.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final, NamedTuple

from pipeline.core.identity import content_hash
from pipeline.feeds.amazon import name_of, opened
from pipeline.feeds.fields import Fields, first_line, unknown_word
from pipeline.feeds.labels import first_and_all, known
from pipeline.feeds.times import iso_ms
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.CLOUD

# Most notices (a runtime that goes out of support, a renewal that failed) are never closed, and are news for a day.
NOTICE_TTL_SECONDS: Final = 24 * 60 * 60

_EVENTS: Final = ("AWS Health Event", "AWS Health Abuse Event")
_STATUSES: Final = ("open", "upcoming", "closed")
_NO_SEVERITY: Final = "AWS Health has no severity, only a category"
# A label takes 512 characters; names of more entities would be cut in the middle of one.
_RESOURCES_CHARS_MAX: Final = 500

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RFC_1123: Final = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) (?:GMT|UTC)"
)


class _Category(NamedTuple):
    """What a category of events means.

    Attributes:
        begins: kind of an event that is open or upcoming.
        ends: kind of one that is closed.
        severity: the default that we take.
        ttl_seconds: for events that nobody closes.
    """

    begins: Kind
    ends: Kind
    severity: Severity
    ttl_seconds: int | None = None


_CATEGORIES: Final = {
    "issue": _Category(Kind.FIRING, Kind.RESOLVED, Severity.ERROR),
    "investigation": _Category(Kind.FIRING, Kind.RESOLVED, Severity.WARNING),
    "accountNotification": _Category(Kind.FIRING, Kind.RESOLVED, Severity.INFO, NOTICE_TTL_SECONDS),
    "scheduledChange": _Category(Kind.MAINTENANCE_START, Kind.MAINTENANCE_END, Severity.INFO),
}


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one page of an event; it may have come through an SNS topic."""
    found = opened(document, message)
    return [found if isinstance(found, Alert) else _event(found.body, message)]


def _event(event: Fields, message: RawMessage) -> Alert:
    if event.text("detail-type") not in _EVENTS:
        raise unknown_word(event.at("detail-type"), _EVENTS)
    detail = event.section("detail")
    arn = detail.text("eventArn")
    account = detail.identifier_or_none("affectedAccount") or event.identifier("account")
    word, status = detail.text("eventTypeCategory"), detail.text("statusCode")
    if word not in _CATEGORIES:
        raise unknown_word(detail.at("eventTypeCategory"), tuple(_CATEGORIES))
    if status not in _STATUSES:
        raise unknown_word(detail.at("statusCode"), _STATUSES)
    category = _CATEGORIES[word]
    over, planned = status == "closed", category.begins == Kind.MAINTENANCE_START
    description = _description(detail)
    code = detail.text("eventTypeCode")
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=category.ends if over else category.begins,
        alert_key=content_hash(message.feed, arn, account),
        source_episode_id=arn,
        delivery_id=_delivery_id(event, detail),
        name=code,
        summary=first_line(description) or code,
        description=description,
        severity=category.severity,
        severity_native=word,
        severity_default_reason=_NO_SEVERITY,
        event_at_ms=_time_or_none(detail, "startTime"),
        ended_at_ms=_time_or_none(detail, "endTime") if over or planned else None,
        labels=_labels(detail, account, word, status),
        ttl_seconds=category.ttl_seconds,
    )


def _delivery_id(event: Fields, detail: Fields) -> str | None:
    """Communication and page. The id of the event differs where a second region delivers the same once more."""
    communication = detail.identifier_or_none("communicationId")
    if communication is None:
        return event.identifier_or_none("id")
    return f"{communication}/{detail.identifier_or_none('page') or 1}"


def _description(detail: Fields) -> str:
    """The latest text, in English where there is a choice."""
    texts = {
        each.text_or_none("language") or "": each.text_or_none("latestDescription") or ""
        for each in detail.sections("eventDescription")
    }
    english = [text for language, text in texts.items() if language.startswith("en")]
    return next(iter(english or texts.values()), "").strip()


def _labels(detail: Fields, account: str, category: str, status: str) -> dict[str, str]:
    entities = list(detail.sections("affectedEntities"))
    names = [name_of(value) for each in entities if (value := each.text_or_none("entityValue"))]
    return first_and_all("resource", _fitting(names)) | known(
        {
            "aws_service": detail.text_or_none("service"),
            "region": detail.text_or_none("eventRegion"),
            "account": account,
            "category": category,
            "scope": detail.text_or_none("eventScopeCode"),
            "status": status,
            "resource_status": entities[0].text_or_none("status") if entities else None,
        }
    )


def _fitting(names: list[str]) -> list[str]:
    """As many names as one label takes whole."""
    lengths = accumulate(len(name) + len(", ") for name in names)
    return [name for name, length in zip(names, lengths, strict=True) if length <= _RESOURCES_CHARS_MAX]


def _time_or_none(detail: Fields, name: str) -> int | None:
    """An RFC 1123 time, which is always in UTC.

    Raises:
        BadRecord: it is spelled otherwise.
    """
    text = detail.text_or_none(name)
    if text is None:
        return None
    try:
        return rfc_1123_ms(text)
    except ValueError as error:
        raise BadRecord(Reason.WRONG_TYPE, f"{detail.at(name)}: expected RFC 1123 time in GMT") from error


def rfc_1123_ms(text: str) -> int | None:
    """Epoch milliseconds of ``Wed, 4 Mar 2026 02:09:00 GMT``.

    Raises:
        ValueError: it is spelled otherwise, or is no such moment.
    """
    found = _RFC_1123.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 1123 time in GMT")
    day, month, year, hour, minute, second = found.groups()
    number = _MONTHS.index(month) + 1
    return iso_ms(datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC).isoformat())
