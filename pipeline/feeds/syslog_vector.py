"""Syslog that Vector parsed (source ``syslog``) and wrote as JSON: structured data stands beside the other fields."""

from __future__ import annotations

from typing import Final

from pipeline.feeds.fields import Fields, unknown_word
from pipeline.feeds.syslog_alert import Options, line_alert
from pipeline.feeds.syslog_line import SEVERITY_WORDS, Line
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

__all__ = ["FEED_CLASS", "Options", "parse"]


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one event."""
    event = Fields.of(document)
    severity = event.text("severity")
    if severity not in SEVERITY_WORDS:
        raise unknown_word("$.severity", SEVERITY_WORDS)
    line = Line(
        severity=SEVERITY_WORDS.index(severity),
        facility=event.text_or_none("facility"),
        time_ms=event.time_or_none("timestamp"),
        host=event.text_or_none("hostname") or event.text_or_none("host"),
        app=event.text_or_none("appname"),
        procid=event.identifier_or_none("procid"),
        msgid=event.text_or_none("msgid"),
        elements=_elements(event),
        text=(event.text_or_none("message") or "").removeprefix("\ufeff"),
    )
    return [line_alert(line, message)]


def _elements(event: Fields) -> dict[str, dict[str, str]]:
    """Structured data: each element is an object, under its id."""
    return {
        name: Fields(value, event.at(name)).scalars() for name, value in event.values.items() if isinstance(value, dict)
    }
